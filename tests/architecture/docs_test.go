package architecture_test

import (
	"fmt"
	"go/ast"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// links says which relative links of a document lead to no file, or to no
// heading of one.
func links(r repository) (complaints []string) {
	there, headings := map[string]bool{}, map[string]map[string]bool{}
	for _, t := range r.Texts {
		for p := t.Path; p != "."; p = path.Dir(p) {
			there[p] = true
		}
		if path.Ext(t.Path) == ".md" {
			headings[t.Path] = anchors(string(t.Body))
		}
	}
	for line := range documented(r) {
		for _, m := range link.FindAllStringSubmatch(span.ReplaceAllString(line.text, ""), -1) {
			file, anchor, _ := strings.Cut(m[1], "#")
			target := line.file
			if file != "" {
				target = path.Join(path.Dir(line.file), file)
			}
			switch {
			case !there[target]:
				complaints = append(complaints, fmt.Sprintf("%s:%d: links to %s, which is not there", line.file, line.number, m[1]))
			case anchor != "" && headings[target] != nil && !headings[target][anchor]:
				complaints = append(complaints, fmt.Sprintf("%s:%d: links to %s, and %s has no such heading", line.file, line.number, m[1], target))
			}
		}
	}
	return complaints
}

// namedCommands says which `make target`, `deskhand verb` and script a document
// names that do not exist.
func namedCommands(r repository) (complaints []string) {
	unknown, verbs := unknownTargets(r), verbsOf(r)
	for line := range documented(r) {
		for _, code := range line.code() {
			complain := func(what string) {
				complaints = append(complaints, fmt.Sprintf("%s:%d: names %s, which does not exist", line.file, line.number, what))
			}
			for _, what := range unknown(code) {
				complain(what)
			}
			for _, m := range deskhands.FindAllStringSubmatch(code, -1) {
				if below, ok := verbs[m[1]]; !ok || len(below) > 0 && m[2] != "" && !slices.Contains(below, m[2]) {
					complain(strings.TrimSpace("deskhand " + m[1] + " " + m[2]))
				}
			}
		}
	}
	return complaints
}

// workflows says which target or script a workflow of CI names that does not
// exist, and which action it takes by a name that can be moved.
func workflows(r repository) (complaints []string) {
	unknown := unknownTargets(r)
	for _, t := range r.Texts {
		if path.Dir(t.Path) != ".github/workflows" {
			continue
		}
		for i, line := range strings.Split(string(t.Body), "\n") {
			code, _, _ := strings.Cut(line, " #")
			for _, what := range unknown(code) {
				complaints = append(complaints, fmt.Sprintf("%s:%d: runs %s, which does not exist", t.Path, i+1, what))
			}
			if strings.Contains(code, "uses: ") && !strings.Contains(code, "uses: ./") && !pinned.MatchString(line) {
				complaints = append(complaints, fmt.Sprintf("%s:%d: takes an action by a name that can be moved: want OWNER/NAME@COMMIT # vX.Y.Z", t.Path, i+1))
			}
		}
	}
	return complaints
}

// unknownTargets gives what finds, in a piece of code, the targets of the
// Makefile and the scripts that do not exist.
func unknownTargets(r repository) func(code string) []string {
	targets, there := map[string]bool{}, map[string]bool{}
	for _, t := range r.Texts {
		there[t.Path] = true
		if t.Path == "Makefile" {
			for _, m := range target.FindAllSubmatch(t.Body, -1) {
				targets[string(m[1])] = true
			}
		}
	}
	return func(code string) (unknown []string) {
		for _, m := range makes.FindAllStringSubmatch(code, -1) {
			for name := range strings.FieldsSeq(m[1]) {
				if !targets[name] {
					unknown = append(unknown, "make "+name)
				}
			}
		}
		for _, m := range scripts.FindAllStringSubmatch(code, -1) {
			if !there[m[1]] {
				unknown = append(unknown, m[1])
			}
		}
		return unknown
	}
}

var (
	link      = regexp.MustCompile(`\]\(([^)\s:]+)\)`)
	span      = regexp.MustCompile("``[^`]+``|`[^`]+`")
	heading   = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	target    = regexp.MustCompile(`(?m)^([a-z-]+):`)
	makes     = regexp.MustCompile(`(?:^|[\s;&])make ([a-z][a-z-]*(?: [a-z][a-z-]*\b)*)(?:$|[^a-zA-Z=])`)
	pinned    = regexp.MustCompile(`uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d`)
	deskhands = regexp.MustCompile(`(?:^(?:\$ )?(?:[A-Z_]+=\S* )*|[;&|] ?|\./cmd/)deskhand ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?`)
	scripts   = regexp.MustCompile(`(?:^|[\s;&])(\.ci/[a-z-]+)`)
)

// anchors gives the names by which the headings of a document are linked.
func anchors(body string) map[string]bool {
	names := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(body, -1) {
		names[strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])] = true
	}
	return names
}

// docLine is one line of a document.
type docLine struct {
	file   string
	number int
	text   string
	block  bool // of code
}

// code gives what of a line is code: all of it, or its spans.
func (l docLine) code() []string {
	if l.block {
		return []string{l.text}
	}
	var spans []string
	for _, s := range span.FindAllString(l.text, -1) {
		spans = append(spans, strings.Trim(s, "`"))
	}
	return spans
}

// documented gives the lines of all documents.
func documented(r repository) func(yield func(docLine) bool) {
	return func(yield func(docLine) bool) {
		for _, t := range r.Texts {
			if path.Ext(t.Path) != ".md" {
				continue
			}
			block := false
			for i, text := range strings.Split(string(t.Body), "\n") {
				if strings.HasPrefix(strings.TrimSpace(text), "```") {
					block = !block
				} else if !yield(docLine{t.Path, i + 1, text, block}) {
					return
				}
			}
		}
	}
}

// verbsOf gives the verbs of the operator's command with those below them, from
// the fields of its structs that are commands.
func verbsOf(r repository) map[string][]string {
	structs := map[string]*ast.StructType{}
	for _, p := range r.Packages {
		for _, f := range p.Code() {
			if p.Path != "shared/cli" {
				continue
			}
			ast.Inspect(f.AST, func(n ast.Node) bool {
				if s, ok := n.(*ast.TypeSpec); ok {
					if t, ok := s.Type.(*ast.StructType); ok {
						structs[s.Name.Name] = t
					}
				}
				return true
			})
		}
	}
	verbs := map[string][]string{}
	for verb, kind := range commandsIn(structs["commands"]) {
		verbs[verb] = slices.Collect(maps.Keys(commandsIn(structs[kind])))
	}
	return verbs
}

// commandsIn gives the commands of a struct, and the type of each.
func commandsIn(s *ast.StructType) map[string]string {
	found := map[string]string{}
	if s == nil {
		return found
	}
	for _, f := range s.Fields.List {
		if f.Tag == nil || len(f.Names) == 0 {
			continue
		}
		raw, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			continue // the compiler took it, so this cannot be
		}
		tag := reflect.StructTag(raw)
		if _, ok := tag.Lookup("cmd"); !ok {
			continue
		}
		name := tag.Get("name")
		if name == "" {
			name = kebab(f.Names[0].Name)
		}
		kind := ""
		if id, ok := f.Type.(*ast.Ident); ok {
			kind = id.Name
		}
		found[name] = kind
	}
	return found
}

// kebab is how the command spells the name of a field.
func kebab(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
