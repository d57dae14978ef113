// Package keep puts the logs of the products that tests start into .local/logs
// of the repository: for people, after a failure, and for tests/leaks, which
// looks for secrets in them.
package keep

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Log writes what a product logged into a file with the name of the test and
// its package. Call it before the product starts: it is done after the test's
// other cleanups, when the product has stopped.
func Log(t *testing.T, read func() string) {
	t.Helper()
	t.Cleanup(func() {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		root, err := repository(dir)
		if err != nil {
			t.Fatal(err)
		}
		logs := filepath.Join(root, ".local", "logs")
		if err := os.MkdirAll(logs, 0o755); err != nil {
			t.Fatal(err)
		}
		file := filepath.Base(dir) + "." + strings.Map(plain, t.Name()) + ".log"
		if err := os.WriteFile(filepath.Join(logs, file), []byte(read()), 0o600); err != nil {
			t.Fatal(err)
		}
	})
}

// plain keeps what is harmless in the name of a file.
func plain(r rune) rune {
	if r < 128 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-') {
		return r
	}
	return '.'
}

// repository gives the folder above dir that has the Makefile.
func repository(dir string) (string, error) {
	for {
		if _, err := os.Stat(filepath.Join(dir, "Makefile")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("keep: no Makefile above the test's folder")
		}
		dir = up
	}
}
