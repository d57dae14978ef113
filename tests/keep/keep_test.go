package keep_test

import (
	"os"
	"testing"

	"github.com/deskhand/deskhand/tests/keep"
)

func TestALogIsKeptUnderTheNameOfItsTest(t *testing.T) { //nolint:tparallel // the log is there once the subtest has ended
	t.Parallel()
	said := "at the start"
	t.Run("a product/1", func(t *testing.T) {
		keep.Log(t, func() string { return said })
		said = "at the end"
	})
	const file = "../../.local/logs/keep.TestALogIsKeptUnderTheNameOfItsTest.a_product.1.log"
	if log, err := os.ReadFile(file); err != nil || string(log) != "at the end" {
		t.Errorf("the log is %q, %v", log, err)
	}
}
