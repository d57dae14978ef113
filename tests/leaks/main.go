// Command leaks looks for secrets in what the suite and its products printed:
// those that the tests use, as they are, in base64 and in hexadecimal, and what
// has the shape of one. Before it searches, it shows that it finds each of them
// in a text that has it.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/deskhand/deskhand/tests/credentials"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: leaks FILE|FOLDER...")
		os.Exit(2)
	}
	if err := run(".", os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "leaks:", err)
		os.Exit(1)
	}
}

// run searches the files, and those of the folders.
func run(root string, paths []string) error {
	secrets, err := known(root)
	if err != nil {
		return err
	}
	s := newSearch(secrets)
	if err := s.proveItself(); err != nil {
		return err
	}
	var leaks []error
	files, size, lines := 0, 0, 0
	for _, path := range paths {
		err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			body, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			files, size, lines = files+1, size+len(body), lines+bytes.Count(body, []byte("\n"))
			for _, f := range s.in(body) {
				leaks = append(leaks, fmt.Errorf("%s:%d: %s", name, f.line, f.what))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	fmt.Printf("%d lines, %d bytes in %d files searched for %d secrets of the tests in %d forms, and for %d shapes of secrets: %d found\n",
		lines, size, files, len(secrets), len(s.words), len(s.shapes), len(leaks))
	if size == 0 {
		return errors.New("there was nothing to search")
	}
	return errors.Join(leaks...)
}

// search is what is looked for.
type search struct {
	words  map[string]string // as written, which says what it is without saying it
	shapes map[string]*regexp.Regexp
}

// finding is where something was found. It does not quote it.
type finding struct {
	line int
	what string
}

// printed are the shapes that a repository may have, in its examples, and a log
// must not.
var printed = map[string]*regexp.Regexp{
	"a URL with a password":    regexp.MustCompile(`\b[a-z][a-z0-9+]{1,12}://[^\s/:@"']*:[^\s/@"']{4,}@`),
	"a webhook secret":         regexp.MustCompile(`\bwhsec_[A-Za-z0-9+/]{20,}`),
	"a bearer token":           regexp.MustCompile(`\bBearer [A-Za-z0-9._~+/-]{16,}`),
	"a key of the local stack": regexp.MustCompile(`dhlocal[A-Z2-7]{26}`),
	"a name and its password":  regexp.MustCompile(`\bBasic [A-Za-z0-9+/]{12,}={0,2}`),
}

// samples has one of each shape.
func samples() map[string]string {
	all := credentials.Samples()
	maps.Copy(all, map[string]string{
		"a URL with a password":    "postgres://app_user:" + "hunter22@db:5432/deskhand",
		"a webhook secret":         "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"a bearer token":           "Authorization: Bearer " + "abcdefghijklmnop",
		"a key of the local stack": "dhlocal" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
		"a name and its password":  "Authorization: Basic " + "YW5uYTpwYXNzd29yZA==",
	})
	return all
}

func newSearch(secrets []string) search {
	s := search{words: map[string]string{}, shapes: maps.Clone(credentials.Shapes)}
	for i, secret := range secrets {
		for _, w := range written(secret) {
			s.words[w] = fmt.Sprintf("secret %d of the tests, which begins with %q", i+1, secret[:3])
		}
	}
	maps.Copy(s.shapes, printed)
	return s
}

// in gives each thing that a text has, at the first line that has it. A shape
// is found behind the backslashes of JSON in JSON, too.
func (s search) in(body []byte) (found []finding) {
	line := func(body []byte, at int) int { return 1 + bytes.Count(body[:at], []byte("\n")) }
	for _, word := range slices.Sorted(maps.Keys(s.words)) {
		if at := bytes.Index(body, []byte(word)); at >= 0 {
			found = append(found, finding{line(body, at), s.words[word]})
		}
	}
	bare := bytes.ReplaceAll(body, []byte(`\`), nil)
	for _, what := range slices.Sorted(maps.Keys(s.shapes)) {
		if at := s.shapes[what].FindIndex(bare); at != nil {
			found = append(found, finding{line(bare, at[0]), what})
		}
	}
	return found
}

// proveItself fails where a thing is not found in a text that has it.
func (s search) proveItself() error {
	if len(s.words) == 0 {
		return errors.New("no secret of the tests is known, so none would be found")
	}
	seeds := samples()
	for word, what := range s.words {
		seeds[what+" as "+word[:3]] = word
	}
	for what, seed := range seeds {
		if len(s.in([]byte(`{"msg":"before `+seed+` after"}`+"\n"))) == 0 {
			return fmt.Errorf("the search does not find %s", what)
		}
	}
	for what := range s.shapes {
		if seeds[what] == "" {
			return fmt.Errorf("nothing shows that the search finds %s", what)
		}
	}
	return nil
}
