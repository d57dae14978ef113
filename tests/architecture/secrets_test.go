package architecture_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/tests/credentials"
)

// invented are the secrets that the repository may have, because they open
// nothing: in which file, and how they begin. Some are put together here, for
// this file is searched, too.
var invented = []struct{ file, text string }{
	{"shared/llm/llmtest/conformance.go", "sk-test-"},
	{"shared/llm/openai/openai_test.go", "sk-from-" + "the-environment"},
	{"shared/redact/redact_test.go", "sk-bratislava-"},
	{"shared/redact/redact_test.go", "-----BEGIN "},
	{"shared/redact/redact_test.go", "AKIAIOSFODNN7" + "EXAMPLE"}, // of AWS's own documentation
	{"shared/redact/redact_test.go", "xoxb-" + "123456789012-"},
	{"shared/redact/redact_test.go", "AIzaSyA1234567890"},
	{"shared/redact/redact_test.go", "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0"},
	{"tests/evals/cases/secrets/case.json", "sk-live-4f9a8b7c"},
	{"tests/e2e/flow_test.go", "AKIAIOSFODNN7" + "EXAMPLE"},
}

// secrets says where a file has what looks like a credential, and does not
// quote it. used gets the entries of invented that it met.
func secrets(list []text, used map[int]bool) (complaints []string) {
	for _, t := range list {
		for kind, shape := range credentials.Shapes {
			for _, at := range shape.FindAllIndex(t.Body, -1) {
				if i := allowance(t.Path, string(t.Body[at[0]:at[1]])); i >= 0 {
					used[i] = true
					continue
				}
				line := 1 + strings.Count(string(t.Body[:at[0]]), "\n")
				complaints = append(complaints, fmt.Sprintf("%s:%d: %s: revoke it, then take it out of the history; an invented one goes into invented", t.Path, line, kind))
			}
		}
	}
	return complaints
}

// allowance gives the entry of invented for a match, -1 for none.
func allowance(file, match string) int {
	for i, in := range invented {
		if in.file == file && strings.HasPrefix(match, in.text) {
			return i
		}
	}
	return -1
}

func TestTheRepositoryHasNoSecrets(t *testing.T) {
	t.Parallel()
	used := map[int]bool{}
	for _, complaint := range secrets(texts(t), used) {
		t.Error(complaint)
	}
	for i, in := range invented {
		if !used[i] {
			t.Errorf("%s has no %s any more: take it from the list", in.file, in.text)
		}
	}
}

func TestEachKindOfSecretIsFound(t *testing.T) {
	t.Parallel()
	samples := credentials.Samples()
	if len(samples) != len(credentials.Shapes) {
		t.Errorf("%d samples of %d shapes", len(samples), len(credentials.Shapes))
	}
	for kind, sample := range samples {
		found := secrets([]text{{"docs/x.md", []byte("first\n" + sample)}}, map[int]bool{})
		if len(found) != 1 || !strings.Contains(found[0], "docs/x.md:2: "+kind) {
			t.Errorf("%s: found %q", kind, found)
		}
		if len(found) == 1 && strings.Contains(found[0], sample) {
			t.Errorf("%s is quoted", kind)
		}
	}
	for i, in := range invented {
		if allowance("docs/x.md", in.text) >= 0 || allowance(in.file, in.text+"x") < 0 {
			t.Errorf("entry %d is for its own file alone", i)
		}
	}
	for _, harmless := range []string{"deskhand_webhook.deluge", "sk-SK", "deskhand_down", "-----BEGIN CERTIFICATE-----", "AKIA"} {
		if found := secrets([]text{{"docs/x.md", []byte(harmless)}}, map[int]bool{}); len(found) > 0 {
			t.Errorf("%s: %q", harmless, found)
		}
	}
}
