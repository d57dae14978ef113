package architecture_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// layer is where a package stands. An import goes to a lower layer, or is
// named in edges.
type layer string

const (
	vocabulary layer = "vocabulary" // nouns, no I/O
	port       layer = "port"       // an interface and its errors
	story      layer = "story"      // what the product does
	adapter    layer = "adapter"    // what talks to something
	running    layer = "running"    // environment, telemetry, Lambda
	wiring     layer = "root"       // shared/app
	mains      layer = "main"       // functions and cmd
	bench      layer = "bench"      // localstack and tests: never in the product
	support    layer = "support"    // fakes and conformance suites
	schema     layer = "schema"     // migrations
)

// homes has the layer of every folder of shared. A folder inside a vocabulary
// or a port is an adapter.
var homes = map[string]layer{
	"tenant": vocabulary, "ticket": vocabulary, "integration": vocabulary, "secret": vocabulary, "metric": vocabulary,
	"audit":     vocabulary,
	"ticketing": port, "evidence": port, "llm": port, "queue": port,
	"webhook": story, "enhance": story, "retrieval": story, "prompt": story, "receipts": story, "redact": story, "note": story, "suspicion": story,
	"canary": story, "doctor": story, "ownership": story, "evaluate": story, "preview": story,
	"catalogue": story, "admin": story, "cli": story, "operator": story,
	"feedback": story, "outcome": story, "quality": story,
	"postgres": adapter, "valkey": adapter, "keyset": adapter, "secretsmanager": adapter, "kms": adapter, "lambda": adapter,
	"config": running, "telemetry": running, "host": running, "egress": running,
	"app": wiring,
}

// may says which layers a layer imports.
var may = map[layer][]layer{
	vocabulary: {vocabulary},
	port:       {vocabulary},
	story:      {vocabulary, port},
	adapter:    {vocabulary, port, story, schema},
	running:    {vocabulary},
	wiring:     {vocabulary, port, story, adapter, running, schema},
	mains:      {wiring},
	bench:      {vocabulary, port, story, adapter, running, wiring, bench, support, schema},
	support:    {vocabulary, port, story, adapter, support, schema},
	schema:     {},
}

// edges are the imports that are allowed besides, one by one.
var edges = map[string][]string{
	"shared/note":            {"shared/receipts"},
	"shared/receipts":        {"shared/redact"},
	"shared/enhance":         {"shared/prompt", "shared/receipts", "shared/note", "shared/redact", "shared/suspicion", "shared/canary", "shared/ownership"},
	"shared/catalogue":       {"shared/canary", "shared/ownership"},
	"shared/admin":           {"shared/enhance", "shared/catalogue", "shared/feedback"},
	"shared/preview":         {"shared/retrieval", "shared/redact"},
	"shared/evaluate":        {"shared/retrieval"},
	"shared/feedback":        {"shared/redact"},
	"shared/outcome":         {"shared/retrieval"},
	"shared/quality":         {"shared/feedback", "shared/outcome"},
	"shared/operator":        {"shared/enhance", "shared/catalogue", "shared/admin", "shared/doctor", "shared/evaluate", "shared/preview", "shared/quality"},
	"shared/cli":             {"shared/enhance", "shared/receipts", "shared/catalogue", "shared/admin", "shared/admin/access", "shared/doctor", "shared/evaluate", "shared/preview", "shared/preview/page", "shared/operator", "shared/quality"},
	"shared/host":            {"shared/queue"},
	"shared/postgres/pgtest": {"localstack/pgserver"},
	"functions":              {"shared/host", "shared/config", "shared/cli"},
	"cmd":                    {"shared/host", "shared/config", "shared/cli", "shared/lambda"},
}

// layerOf gives the layer of a package of this module, "" for one that no
// table knows.
func layerOf(p string) layer {
	top, rest, _ := strings.Cut(p, "/")
	switch top {
	case "functions", "cmd":
		return mains
	case "localstack", "tests":
		return bench
	case "migrations":
		return schema
	case "shared":
		home, _, nested := strings.Cut(rest, "/")
		if isSupport(p) {
			return support
		}
		if l := homes[home]; !nested || (l != vocabulary && l != port) {
			return l
		}
		return adapter
	}
	return ""
}

// isSupport tells whether a package is for tests and for the local machine.
func isSupport(p string) bool {
	name := path.Base(p)
	return strings.HasSuffix(name, "fake") || strings.HasSuffix(name, "test")
}

// own tells whether an import is of this module: everything else has a dot in
// its first element, or is the standard library.
func own(i string) bool {
	top, _, _ := strings.Cut(i, "/")
	return slices.Contains([]string{"shared", "functions", "cmd", "localstack", "tests", "migrations"}, top)
}

// within tells whether p is parent, or lies in it.
func within(p, parent string) bool { return p == parent || strings.HasPrefix(p, parent+"/") }

func layers(r repository) (complaints []string) {
	for _, p := range r.Packages {
		l := layerOf(p.Path)
		if l == "" {
			complaints = append(complaints, fmt.Sprintf("%s has no layer: name it after what it does, and add it to "+
				"docs/architecture.md and to homes in tests/architecture", p.Path))
			continue
		}
		for _, i := range p.Imports() {
			if own(i) && !allowed(p.Path, i) {
				complaints = append(complaints, fmt.Sprintf("%s (%s) imports %s (%s): ask for an interface of your own "+
					"instead, and let shared/app wire it", p.Path, l, i, layerOf(i)))
			}
		}
	}
	return complaints
}

// allowed tells whether the package p may import i, both of this module.
func allowed(p, i string) bool {
	from, to := layerOf(p), layerOf(i)
	if slices.Contains(may[from], to) {
		return true
	}
	for parent, imports := range edges {
		if within(p, parent) && slices.Contains(imports, i) {
			return true
		}
	}
	switch from {
	case story: // a story may be more than one package
		return to == story && strings.Split(p, "/")[1] == strings.Split(i, "/")[1]
	case adapter: // postgres/ledger -> postgres
		return within(p, i)
	}
	return false
}

// telemetryAPI is what vocabulary and ports may import besides the standard library.
var telemetryAPI = []string{
	"go.opentelemetry.io/otel", "go.opentelemetry.io/otel/attribute", "go.opentelemetry.io/otel/baggage",
	"go.opentelemetry.io/otel/codes", "go.opentelemetry.io/otel/metric", "go.opentelemetry.io/otel/propagation",
	"go.opentelemetry.io/otel/trace",
}

func pureLowerLayers(r repository) (complaints []string) {
	for _, p := range r.Packages {
		if l := layerOf(p.Path); l != vocabulary && l != port {
			continue
		}
		for _, i := range p.Imports() {
			if thirdParty(i) && !slices.Contains(telemetryAPI, i) {
				complaints = append(complaints, fmt.Sprintf("%s imports %s: vocabulary and ports use the standard library "+
					"and the OpenTelemetry API only; put the code that needs it into an adapter", p.Path, i))
			}
		}
	}
	return complaints
}

func thirdParty(i string) bool {
	top, _, _ := strings.Cut(i, "/")
	return strings.Contains(top, ".")
}

// vendors are the libraries by which an adapter talks to something.
var vendors = []string{
	"github.com/jackc/pgx", "github.com/aws", "github.com/redis/go-redis", "github.com/riverqueue/river",
	"github.com/openai/openai-go", "database/sql",
}

func storiesWithoutVendors(r repository) (complaints []string) {
	for _, p := range r.Packages {
		if layerOf(p.Path) != story {
			continue
		}
		for _, i := range p.Imports() {
			if slices.ContainsFunc(vendors, func(v string) bool { return within(i, v) }) {
				complaints = append(complaints, fmt.Sprintf("%s imports %s: a story says what it needs as an interface, "+
					"an adapter implements it", p.Path, i))
			}
		}
	}
	return complaints
}

func lambdaOnlyInHost(r repository) (complaints []string) {
	for _, p := range r.Packages {
		if p.Path == "shared/host" || layerOf(p.Path) == bench {
			continue
		}
		for _, i := range p.Imports() {
			if within(i, "github.com/aws/aws-lambda-go") || within(i, "github.com/akrylysov/algnhsa") {
				complaints = append(complaints, fmt.Sprintf("%s imports %s: only shared/host knows Lambda; give it an "+
					"http.Handler or a queue.Handler", p.Path, i))
			}
		}
	}
	return complaints
}

// embedded are the servers and packages that never belong to the product.
var embedded = []string{
	"github.com/alicebob/miniredis", "github.com/fergusstrange/embedded-postgres", "testing", "net/http/httptest",
	"pgregory.net/rapid", "go.uber.org/goleak", "github.com/google/go-cmp",
}

func fakesStayOutside(r repository) (complaints []string) {
	for _, p := range r.Packages {
		if l := layerOf(p.Path); l == bench || l == support {
			continue
		}
		for _, i := range p.Imports() {
			fake := own(i) && isSupport(i)
			if fake || slices.ContainsFunc(embedded, func(e string) bool { return within(i, e) }) {
				complaints = append(complaints, fmt.Sprintf("%s imports %s: fakes, embedded servers and test libraries are "+
					"for localstack, tests, _test files and packages named ...test or ...fake", p.Path, i))
			}
		}
	}
	return complaints
}
