package main

import (
	"encoding/base64"
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// named is how things that hold secrets are called: constants, variables,
// fields of a connection, variables of the environment.
var named = regexp.MustCompile(`(?i)(secret|password|api_?key|access_key|refresh_?token|client_?secret|signing)$`)

// short is the length under which a secret is not looked for: other words would
// be taken for it.
const short = 7

// ordinary are secrets of tests that are words of the suite's output, too.
var ordinary = []string{"scripted"}

// known gives the secrets that the tests and the fixtures of the repository
// use, from their source: whatever is made a secret.Text, or goes by the name of
// a secret. Where one is put together, its beginning stands for it.
func known(root string) ([]string, error) {
	var all []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == ".local"):
			return fs.SkipDir
		case !fixture(filepath.ToSlash(path)):
			return nil
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found, err := secretsIn(path, body)
		all = append(all, found...)
		return err
	})
	slices.Sort(all)
	return slices.Compact(all), err
}

// fixture tells whether a file belongs to tests and what stands in for the
// world in them.
func fixture(path string) bool {
	dir := filepath.ToSlash(filepath.Dir(path))
	return strings.HasSuffix(path, ".go") && (strings.HasSuffix(path, "_test.go") || strings.HasSuffix(dir, "test") || strings.HasSuffix(dir, "fake") ||
		strings.Contains(dir+"/", "tests/") || strings.Contains(dir+"/", "localstack/"))
}

// secretsIn gives those of one file.
func secretsIn(path string, body []byte) (found []string, err error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, body, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	add := func(e ast.Expr) {
		if text := beginning(e); len(text) >= short && !slices.Contains(ordinary, text) {
			found = append(found, text)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr: // what secret.New is given
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "New" && len(n.Args) == 1 {
				if p, ok := f.X.(*ast.Ident); ok && p.Name == "secret" {
					add(n.Args[0])
				}
			}
		case *ast.KeyValueExpr: // a field or a key called so
			if named.MatchString(name(n.Key)) {
				add(n.Value)
			}
		case *ast.ValueSpec: // a constant called password
			for i, v := range n.Values {
				if i < len(n.Names) && named.MatchString(n.Names[i].Name) {
					add(v)
				}
			}
		case *ast.FuncDecl: // a function called so that only returns one
			if named.MatchString(n.Name.Name) && n.Body != nil && len(n.Body.List) == 1 {
				if r, ok := n.Body.List[0].(*ast.ReturnStmt); ok && len(r.Results) == 1 {
					add(r.Results[0])
				}
			}
		}
		return true
	})
	return found, nil
}

// name gives the name that a key is, or "".
func name(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return beginning(e)
}

// beginning gives the literal that an expression is, or the one with a hyphen
// at its end that it begins with ("key-of-" + id); "" where it is neither.
func beginning(e ast.Expr) string {
	whole := true
	for {
		switch x := e.(type) {
		case *ast.BinaryExpr:
			e, whole = x.X, false
		case *ast.BasicLit:
			text, err := strconv.Unquote(x.Value)
			if err != nil || !whole && !strings.HasSuffix(text, "-") {
				return "" // a number, or the host of a URL
			}
			return text
		default:
			return ""
		}
	}
}

// written gives the ways in which a secret may be written.
func written(secret string) []string {
	plain := []byte(secret)
	return []string{secret, strings.TrimRight(base64.StdEncoding.EncodeToString(plain), "="), hex.EncodeToString(plain)}
}
