package audit_test

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/audit"
)

var update = flag.Bool("update", false, "write the table in docs/runbooks/audit.md again")

const (
	page  = "../../docs/runbooks/audit.md"
	begin = "<!-- Generated from shared/audit by `make generate`. -->\n\n"
	end   = "\n<!-- The end of it. -->\n"
)

func TestGoldenTableOfOperationsIsFresh(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	table, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the table", page)
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+audit.Markdown()+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(audit.Markdown(), table); diff != "" {
		t.Errorf("%s is not fresh; make generate writes it:\n%s", page, diff)
	}
}

// TestEveryOperationIsListedOnce reads the constants where they are.
func TestEveryOperationIsListedOnce(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("operations.go")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[audit.Operation]bool{}
	for _, o := range audit.Operations {
		if listed[o.Operation] || o.When == "" || len(o.Ended) == 0 || !regexp.MustCompile(`^[a-z_]{1,50}$`).MatchString(string(o.Operation)) {
			t.Errorf("%+v", o)
		}
		listed[o.Operation] = true
	}
	constants := regexp.MustCompile(`Operation += "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	for _, c := range constants {
		if !listed[audit.Operation(c[1])] {
			t.Errorf("%s is not listed", c[1])
		}
	}
	if len(constants) != len(listed) {
		t.Errorf("%d constants, %d listed", len(constants), len(listed))
	}
}
