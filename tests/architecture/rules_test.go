package architecture_test

import (
	"path"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/postgres/pgtest"
)

// rule is a house rule: it gives a complaint for each place that breaks it.
type rule struct {
	name  string
	check func(repository) []string
}

var rules = []rule{
	{"imports point to lower layers", layers},
	{"vocabulary and ports import no third party", pureLowerLayers},
	{"stories import no vendor", storiesWithoutVendors},
	{"only host imports Lambda", lambdaOnlyInHost},
	{"fakes stay outside the product", fakesStayOutside},
	{"only config reads the environment", environmentOnlyInConfig},
	{"packages are named for what they do", packageNames},
	{"every package has one comment", packageComments},
	{"files are short", fileSize},
	{"functions are short", functionSize},
	{"interfaces are small", interfaceSize},
	{"parameters are few", parameterCount},
	{"no test is skipped", noSkippedTests},
	{"shared has no init", noInit},
	{"nothing is left for later", nothingForLater},
	{"no file names a package registry", noRegistryHosts},
	{"tenant tables are protected", tenantTablesProtected},
	{"links lead somewhere", links},
	{"documents name commands that exist", namedCommands},
	{"workflows run what exists, and pinned actions", workflows},
}

func TestTheRepositoryKeepsTheHouseRules(t *testing.T) {
	t.Parallel()
	r := repository{Packages: packages(t), Texts: texts(t), Tables: tables(t)}
	if len(r.Packages) < 10 || len(r.Texts) < 30 || len(r.Tables) < 5 {
		t.Fatalf("saw only %d packages, %d files and %d tenant tables", len(r.Packages), len(r.Texts), len(r.Tables))
	}
	if len(verbsOf(r)["tenant"]) < 5 || len(verbsOf(r)) < 10 {
		t.Fatalf("saw only the commands %v", verbsOf(r))
	}
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			for _, complaint := range rule.check(r) {
				t.Error(complaint)
			}
		})
	}
	for _, long := range functionsOver(r, longFunction) {
		t.Log(long)
	}
}

// tables asks a migrated database which tables have a tenant_id.
func tables(t *testing.T) []table {
	t.Helper()
	rows, err := pgtest.New(t).Owner(t).Query(t.Context(), `
		SELECT c.relname AS name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
		       (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) AS rules
		FROM pg_class c
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
		WHERE c.relkind IN ('r', 'p')`)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[table])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// breaches has for each rule a file that breaks it, and one close to it that
// does not. A path without .go is a text file, or a table of the database.
var breaches = []struct {
	rule, file, bad, good, want string
}{
	{"imports point to lower layers", "shared/webhook/w.go", imports("shared/postgres"), imports("shared/queue"), "shared/webhook (story) imports shared/postgres (adapter)"},
	{"imports point to lower layers", "shared/tenant/t.go", imports("shared/queue"), imports("shared/secret"), "shared/tenant (vocabulary)"},
	{"imports point to lower layers", "shared/queue/q.go", imports("shared/llm"), imports("shared/tenant"), "shared/queue (port)"},
	{"imports point to lower layers", "shared/prompt/p.go", imports("shared/redact"), imports("shared/evidence"), "shared/prompt (story)"},
	{"imports point to lower layers", "shared/enhance/e.go", imports("shared/retrieval"), imports("shared/redact"), "shared/retrieval (story)"},
	{"imports point to lower layers", "shared/queue/sqs/s.go", imports("shared/queue/river"), imports("shared/queue"), "shared/queue/river (adapter)"},
	{"imports point to lower layers", "shared/postgres/ledger/l.go", imports("shared/postgres/search"), imports("shared/postgres"), "imports shared/postgres/search"},
	{"imports point to lower layers", "shared/postgres/p.go", imports("shared/postgres/ledger"), imports("migrations"), "imports shared/postgres/ledger"},
	{"imports point to lower layers", "shared/config/c.go", imports("shared/queue"), imports("shared/secret"), "shared/config (running)"},
	{"imports point to lower layers", "shared/host/h.go", imports("shared/webhook"), imports("shared/queue"), "shared/host (running)"},
	{"imports point to lower layers", "shared/cli/c.go", imports("shared/app"), imports("shared/catalogue"), "imports shared/app (root)"},
	{"imports point to lower layers", "functions/enhance/main.go", imports("shared/postgres"), imports("shared/app"), "functions/enhance (main)"},
	{"imports point to lower layers", "cmd/deskhand/main.go", imports("localstack/demo"), imports("shared/cli"), "localstack/demo (bench)"},
	{"imports point to lower layers", "shared/app/a.go", imports("localstack/demo"), imports("shared/postgres"), "shared/app (root)"},
	{"imports point to lower layers", "shared/brains/b.go", "package brains", imports("shared/queue"), "has no layer"},
	{"vocabulary and ports import no third party", "shared/metric/m.go", imports("go.opentelemetry.io/otel/sdk/metric"), imports("go.opentelemetry.io/otel/metric"), "OpenTelemetry API only"},
	{"vocabulary and ports import no third party", "shared/llm/l.go", imports("github.com/openai/openai-go/v3"), imports("net/http"), "put the code that needs it into an adapter"},
	{"stories import no vendor", "shared/enhance/e.go", imports("github.com/jackc/pgx/v5"), imports("golang.org/x/sync/errgroup"), "an adapter implements it"},
	{"stories import no vendor", "shared/cli/c.go", imports("github.com/aws/aws-sdk-go-v2/service/sqs"), imports("github.com/alecthomas/kong"), "shared/cli imports github.com/aws"},
	{"only host imports Lambda", "functions/webhook/main.go", imports("github.com/aws/aws-lambda-go/lambda"), imports("shared/host"), "only shared/host knows Lambda"},
	{"fakes stay outside the product", "shared/app/a.go", imports("shared/ticketing/servicedeskplus/servicedeskplusfake"), imports("shared/ticketing/servicedeskplus"), "packages named ...test"},
	{"fakes stay outside the product", "shared/valkey/v.go", imports("github.com/alicebob/miniredis/v2"), imports("github.com/redis/go-redis/v9"), "embedded servers"},
	{"only config reads the environment", "shared/app/a.go", "package app\nimport \"os\"\nvar x = os.Getenv(\"X\")", "package app\nimport \"os\"\nvar x = os.Args", "a.go:3: reads the environment"},
	{"packages are named for what they do", "shared/app/a.go", "package helpers", "package app", "is called helpers"},
	{"packages are named for what they do", "shared/util/u.go", "package u", "package app", "name the folder"},
	{"every package has one comment", "shared/app/a.go", "package app", "// Package app wires.\npackage app", "0 package comments"},
	{"files are short", "shared/app/a.go", "package app" + strings.Repeat("\n", 601), "package app" + strings.Repeat("\n", 600), "601 lines, at most 600"},
	{"files are short", "functions/enhance/main.go", "package main" + strings.Repeat("\n", 40), "package main" + strings.Repeat("\n", 39), "a Lambda main has less than 40"},
	{"functions are short", "shared/app/a.go", body(79), body(78), "f has 81 lines, at most 80"},
	{"interfaces are small", "shared/app/a.go", "package app\ntype I interface { A(); B(); C(); D() }", "package app\ntype I interface { A(); B(); C() }", "shared/app.I has 4 methods"},
	{"parameters are few", "shared/app/a.go", "package app\nfunc f(a, b, c, d, e, f int) {}", "package app\nfunc f(a, b, c, d, e int) {}", "6 parameters"},
	{"no test is skipped", "shared/app/a_test.go", "package app\nfunc f(t T) { t.Skipf(\"no\") }", "package app\nfunc f(t T) { t.Fatal(\"no\") }", "a_test.go:2: skips"},
	{"shared has no init", "shared/app/a.go", "package app\nfunc init() {}", "package app\nfunc (T) init() {}", "a.go:2: init runs"},
	{"nothing is left for later", "shared/app/a.go", "package app\n// TO" + "DO: more", "package app\n// TO" + "DO(#7): more", "a.go:2: something is left"},
	{"no file names a package registry", "Makefile", "\nGOPROXY=https://proxy." + "golang.org", "GOPROXY?=", "Makefile:2 names the package registry"},
	{"links lead somewhere", "docs/x.md", "# X\n[y](gone.md)", "# X Y\n[x](x.md) [y](../docs) [z](#x-y) `[w](gone.md)`", "docs/x.md:2: links to gone.md"},
	{"links lead somewhere", "docs/x.md", "# X\n[y](#y)", "# `Y`, and X\n[y](#y-and-x)", "docs/x.md has no such heading"},
	{"documents name commands that exist", "docs/x.md", "Run `make nonsense`.", "We make nonsense.", "docs/x.md:1: names make nonsense"},
	{"documents name commands that exist", "docs/x.md", "```\n$ deskhand nonsense\n```", "deskhand nonsense", "docs/x.md:2: names deskhand nonsense"},
	{"documents name commands that exist", "docs/x.md", "`.ci/nonsense --full`", "`.citadel`", "names .ci/nonsense"},
	{"workflows run what exists, and pinned actions", ".github/workflows/x.yml", "  - run: make nonsense", "  - run: echo # make nonsense", "x.yml:1: runs make nonsense"},
	{"workflows run what exists, and pinned actions", ".github/workflows/x.yml", "run: .ci/nonsense --full", "run: echo .citadel", "runs .ci/nonsense"},
	{"workflows run what exists, and pinned actions", ".github/workflows/x.yml", "- uses: a/b@v4", "- uses: a/b@0123456789012345678901234567890123456789 # v4", "can be moved"},
	{"tenant tables are protected", "open_table", "open", "forced", "CALL protect('open_table')"},
}

func TestEveryRuleCanFail(t *testing.T) {
	t.Parallel()
	shown := map[string]bool{}
	for _, c := range breaches {
		shown[c.rule] = true
		t.Run(c.rule+" in "+c.file+" "+c.want, func(t *testing.T) {
			t.Parallel()
			if got := strings.Join(check(t, c.rule, c.file, c.bad), "\n"); !strings.Contains(got, c.want) {
				t.Errorf("complaints %q, want one with %q", got, c.want)
			}
			good := c.file
			if strings.Contains(c.want, "no layer") || strings.Contains(c.want, "folder") {
				good = "shared/app/a.go" // here the path itself is what is wrong
			}
			if got := check(t, c.rule, good, c.good); len(got) > 0 {
				t.Errorf("complaints about what is allowed: %q", got)
			}
		})
	}
	for _, r := range rules {
		if !shown[r.name] {
			t.Errorf("nothing shows that the rule %q can fail", r.name)
		}
	}
}

// check runs one rule on a repository of one file, or of one table.
func check(t *testing.T, name, file, body string) []string {
	t.Helper()
	var r repository
	switch {
	case strings.HasSuffix(file, ".go"):
		f, err := parse(file, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Packages = []pkg{{Path: path.Dir(file), Files: []source{f}}}
	case strings.HasSuffix(file, "_table"):
		r.Tables = []table{{Name: file, Enabled: true, Forced: body == "forced", Rules: 1}}
	default:
		r.Texts = []text{{file, []byte(body)}}
	}
	for _, rule := range rules {
		if rule.name == name {
			return rule.check(r)
		}
	}
	t.Fatalf("no rule %q", name)
	return nil
}

// imports gives a file that imports one package, of this module where own.
func imports(i string) string {
	if own(i) {
		i = module + i
	}
	return "package p\nimport _ \"" + i + "\"\n"
}

// body gives a file with a function that has n lines inside.
func body(n int) string {
	return "package app\nfunc f() {" + strings.Repeat("\n", n) + "\n}"
}
