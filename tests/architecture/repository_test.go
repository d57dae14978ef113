package architecture_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/deskhand/deskhand/"
)

// repository is all that the rules look at.
type repository struct {
	Packages []pkg
	Texts    []text // every file in git, or about to be
	Tables   []table
}

// pkg is one package of the root module.
type pkg struct {
	Path  string // "shared/tenant"
	Files []source
}

// source is one Go file.
type source struct {
	Path  string // "shared/tenant/tenant.go"
	Test  bool
	Lines int
	AST   *ast.File
	fset  *token.FileSet
}

// text is one file of any sort.
type text struct {
	Path string
	Body []byte
}

// table is one table of the database with a column tenant_id.
type table struct {
	Name    string
	Enabled bool // row-level security
	Forced  bool // for the owner, too
	Rules   int  // policies
}

// Code gives the files of the package that are no tests.
func (p pkg) Code() []source {
	var files []source
	for _, f := range p.Files {
		if !f.Test {
			files = append(files, f)
		}
	}
	return files
}

// Imports gives what the package itself imports, its own module's packages by
// their path in the repository.
func (p pkg) Imports() []string {
	var paths []string
	for _, f := range p.Code() {
		paths = append(paths, f.Imports()...)
	}
	return paths
}

// Imports gives what the file imports.
func (s source) Imports() []string {
	var paths []string
	for _, i := range s.AST.Imports {
		name, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			continue // the parser took it, so this cannot be
		}
		paths = append(paths, strings.TrimPrefix(name, module))
	}
	return paths
}

// Span gives how many lines a node takes, and where it stands for people.
func (s source) Span(n ast.Node) (lines int, where string) {
	from, to := s.fset.Position(n.Pos()).Line, s.fset.Position(n.End()).Line
	return to - from + 1, fmt.Sprintf("%s:%d", s.Path, from)
}

// parse reads one Go file.
func parse(name string, body []byte) (source, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, body, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	return source{
		Path: name, Test: strings.HasSuffix(name, "_test.go"), Lines: bytes.Count(body, []byte("\n")), AST: tree, fset: fset,
	}, nil
}

// packages asks the go command once for the packages of the root module, and
// parses their files.
func packages(t *testing.T) []pkg {
	t.Helper()
	out := output(t, "go", "list", "-e", "-json=ImportPath,GoFiles,TestGoFiles,XTestGoFiles", "./...")
	var list []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var listed struct {
			ImportPath                         string
			GoFiles, TestGoFiles, XTestGoFiles []string
		}
		err := d.Decode(&listed)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatalf("read go list: %v", err)
		}
		p := pkg{Path: strings.TrimPrefix(listed.ImportPath, module)}
		for _, names := range [][]string{listed.GoFiles, listed.TestGoFiles, listed.XTestGoFiles} {
			for _, name := range names {
				p.Files = append(p.Files, read(t, path.Join(p.Path, name)))
			}
		}
		list = append(list, p)
	}
}

func read(t *testing.T, name string) source {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	s, err := parse(name, body)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// texts gives the files that git knows, and those that it would take.
func texts(t *testing.T) []text {
	t.Helper()
	var list []text
	for name := range strings.SplitSeq(string(output(t, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")), "\x00") {
		body, err := os.ReadFile(filepath.Join(root, name))
		if name == "" || errors.Is(err, os.ErrNotExist) { // deleted, and git has not heard of it
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, text{name, body})
	}
	return list
}

// output runs a command in the root of the repository.
func output(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, &stderr)
	}
	return out
}
