package architecture_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

const (
	maxFile       = 600
	maxFunction   = 80
	longFunction  = 45 // reported
	maxMethods    = 3
	maxParameters = 5
	maxMain       = 40
)

// largeInterfaces may have more than three methods, each for a reason.
var largeInterfaces = map[string]string{
	"shared/queue/queuetest.Queue": "the conformance suite holds an adapter to every interface of the port at once",
}

var badNames = []string{"util", "utils", "common", "helper", "helpers", "base", "misc", "types", "models"}

func packageNames(r repository) (complaints []string) {
	for _, p := range r.Packages {
		for _, f := range p.Files {
			if name := strings.TrimSuffix(f.AST.Name.Name, "_test"); slices.Contains(badNames, name) {
				complaints = append(complaints, fmt.Sprintf("%s is called %s: name it after what it does", f.Path, name))
			}
		}
		if slices.Contains(badNames, path.Base(p.Path)) {
			complaints = append(complaints, fmt.Sprintf("%s: name the folder after what its package does", p.Path))
		}
	}
	return complaints
}

func packageComments(r repository) (complaints []string) {
	for _, p := range r.Packages {
		var documented []string
		for _, f := range p.Code() {
			if f.AST.Doc != nil {
				documented = append(documented, f.Path)
			}
		}
		if len(p.Code()) > 0 && len(documented) != 1 {
			complaints = append(complaints, fmt.Sprintf("%s has %d package comments %v: write one, in the file where a reader begins",
				p.Path, len(documented), documented))
		}
	}
	return complaints
}

func fileSize(r repository) (complaints []string) {
	for f := range files(r) {
		if f.Lines > maxFile {
			complaints = append(complaints, fmt.Sprintf("%s has %d lines, at most %d: split it by subject", f.Path, f.Lines, maxFile))
		}
		if ok, _ := path.Match("functions/*/main.go", f.Path); ok && f.Lines >= maxMain {
			complaints = append(complaints, fmt.Sprintf("%s has %d lines, a Lambda main has less than %d: move the logic to shared/app",
				f.Path, f.Lines, maxMain))
		}
	}
	return complaints
}

func functionSize(r repository) []string { return functionsOver(r, maxFunction) }

// functionsOver lists the functions that are longer than limit.
func functionsOver(r repository, limit int) (list []string) {
	for f := range files(r) {
		for _, d := range f.AST.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n, where := f.Span(fn); n > limit {
				list = append(list, fmt.Sprintf("%s: %s has %d lines, at most %d: name its steps as functions", where, fn.Name.Name, n, limit))
			}
		}
	}
	return list
}

func interfaceSize(r repository) (complaints []string) {
	for f := range files(r) {
		ast.Inspect(f.AST, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			i, ok := spec.Type.(*ast.InterfaceType)
			if !ok || i.Methods.NumFields() <= maxMethods {
				return true
			}
			name := path.Dir(f.Path) + "." + spec.Name.Name
			if largeInterfaces[name] == "" {
				_, where := f.Span(spec)
				complaints = append(complaints, fmt.Sprintf("%s: %s has %d methods, at most %d: split it by who calls what, "+
					"or give a reason in largeInterfaces", where, name, i.Methods.NumFields(), maxMethods))
			}
			return true
		})
	}
	return complaints
}

func parameterCount(r repository) (complaints []string) {
	for f := range files(r) {
		ast.Inspect(f.AST, func(n ast.Node) bool {
			if fn, ok := n.(*ast.FuncType); ok && fn.Params.NumFields() > maxParameters {
				_, where := f.Span(fn)
				complaints = append(complaints, fmt.Sprintf("%s: %d parameters, at most %d: pass a struct with named fields",
					where, fn.Params.NumFields(), maxParameters))
			}
			return true
		})
	}
	return complaints
}

func environmentOnlyInConfig(r repository) (complaints []string) {
	for _, p := range r.Packages {
		if l := layerOf(p.Path); p.Path == "shared/config" || l == bench || l == support {
			continue
		}
		for _, f := range p.Code() {
			for _, where := range calls(f, "os", "Getenv", "LookupEnv", "Environ", "ExpandEnv") {
				complaints = append(complaints, where+": reads the environment: add a field to shared/config and pass its value")
			}
		}
	}
	return complaints
}

func noSkippedTests(r repository) (complaints []string) {
	for f := range files(r) {
		for _, name := range []string{"t", "b", "f", "tb"} {
			for _, where := range calls(f, name, "Skip", "Skipf", "SkipNow") {
				complaints = append(complaints, where+": skips: a test that cannot run fails, and says what is missing")
			}
		}
	}
	return complaints
}

// calls finds uses of x.name for one of the names.
func calls(f source, x string, names ...string) (where []string) {
	ast.Inspect(f.AST, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && slices.Contains(names, sel.Sel.Name) {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == x {
				_, line := f.Span(sel)
				where = append(where, line)
			}
		}
		return true
	})
	return where
}

func noInit(r repository) (complaints []string) {
	for f := range files(r) {
		for _, d := range f.AST.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" && within(f.Path, "shared") {
				_, where := f.Span(fn)
				complaints = append(complaints, where+": init runs behind everybody's back: call a function from shared/app")
			}
		}
	}
	return complaints
}

// The words are put together here, so that this file does not contain them.
var (
	later    = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)
	numbered = regexp.MustCompile(`\bTO` + `DO\(#\d+\)`)
)

func nothingForLater(r repository) (complaints []string) {
	for f := range files(r) {
		for _, group := range f.AST.Comments {
			for _, c := range group.List {
				if rest := numbered.ReplaceAllString(c.Text, ""); later.MatchString(rest) {
					_, where := f.Span(c)
					complaints = append(complaints, where+": something is left for later: do it now, or name the issue as in TO"+"DO(#12)")
				}
			}
		}
	}
	return complaints
}

// registries are the hosts of package registries: builds get packages from
// wherever their environment says.
var registries = []string{
	"proxy." + "golang.org", "sum." + "golang.org", "go" + "proxy.io", "registry." + "npmjs.org", "registry." + "yarnpkg.com",
	"py" + "pi.org", "files." + "pythonhosted.org", "crates" + ".io", "ruby" + "gems.org", "repo1." + "maven.org",
	"repo." + "maven.apache.org", "api." + "nuget.org", "deb." + "debian.org", "security." + "debian.org",
	"archive." + "ubuntu.com", "dl-cdn." + "alpinelinux.org",
}

func noRegistryHosts(r repository) (complaints []string) {
	for _, f := range r.Texts {
		if path.Base(f.Path) == "go.sum" {
			continue
		}
		for _, host := range registries {
			if i := bytes.Index(f.Body, []byte(host)); i >= 0 {
				complaints = append(complaints, fmt.Sprintf("%s:%d names the package registry %s: leave the host to the environment",
					f.Path, 1+bytes.Count(f.Body[:i], []byte("\n")), host))
			}
		}
	}
	return complaints
}

func tenantTablesProtected(r repository) (complaints []string) {
	for _, t := range r.Tables {
		if !t.Enabled || !t.Forced || t.Rules == 0 {
			complaints = append(complaints, fmt.Sprintf("table %s has tenant_id but no forced row-level security with a policy: "+
				"add CALL protect('%s') to its migration", t.Name, t.Name))
		}
	}
	return complaints
}

// files ranges over every Go file.
func files(r repository) func(func(source) bool) {
	return func(yield func(source) bool) {
		for _, p := range r.Packages {
			for _, f := range p.Files {
				if !yield(f) {
					return
				}
			}
		}
	}
}
