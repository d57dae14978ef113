package architecture_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// credentials are the shapes of secrets that end up in repositories.
var credentials = map[string]*regexp.Regexp{
	"a private key":               regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`),
	"an AWS access key":           regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`),
	"an AWS secret":               regexp.MustCompile(`(?i)aws_?secret_?access_?key["']?\s*[:=]\s*["']?[A-Za-z0-9+/]{40}`),
	"a key of a model's endpoint": regexp.MustCompile(`\bsk-[A-Za-z0-9_-]{20,}`),
	"a token of the admin API":    regexp.MustCompile(`\bdeskhand_[A-Za-z0-9_-]{26,}`),
	"a Tink keyset":               regexp.MustCompile(`"value"\s*:\s*"[A-Za-z0-9+/=]{22,}"\s*,\s*"keyMaterialType"|"keyMaterialType"\s*:\s*"SYMMETRIC"\s*,\s*"typeUrl"[^}]*"value"\s*:\s*"[A-Za-z0-9+/=]{22,}"`),
	"a token of GitHub":           regexp.MustCompile(`\bgh[pousr]_[A-Za-z0-9]{36}`),
	"a token of Slack":            regexp.MustCompile(`\bxox[abprs]-[A-Za-z0-9-]{10,}`),
	"a key of Google":             regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{35}`),
	"a token of Zoho":             regexp.MustCompile(`\b1000\.[0-9a-f]{32}\.[0-9a-f]{32}\b`),
	"a JSON web token":            regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}`),
}

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
	{"tests/e2e/flow_test.go", "AKIAIOSFODNN7" + "EXAMPLE"},
}

// secrets says where a file has what looks like a credential, and does not
// quote it. used gets the entries of invented that it met.
func secrets(list []text, used map[int]bool) (complaints []string) {
	for _, t := range list {
		for kind, shape := range credentials {
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

// TestEachKindOfSecretIsFound has one of each kind, put together here, so that
// this file has none.
func TestEachKindOfSecretIsFound(t *testing.T) {
	t.Parallel()
	n := strings.Repeat
	for kind, sample := range map[string]string{
		"a private key":               "x = `-----BEGIN EC " + "PRIVATE KEY-----`",
		"an AWS access key":           "key: AKIA" + n("Q", 16),
		"an AWS secret":               "AWS_SECRET_ACCESS_KEY=" + n("aB3/", 10),
		"a key of a model's endpoint": "OPENAI_API_KEY=sk-or-v1-" + n("0", 40),
		"a token of the admin API":    "Bearer deskhand_" + n("a", 43),
		"a Tink keyset":               `{"keyData":{"keyMaterialType":"SYMMETRIC", "typeUrl":"x", "value":"` + n("A", 48) + `"}}`,
		"a token of GitHub":           "ghp_" + n("x", 36),
		"a token of Slack":            "xoxb-" + n("1", 20),
		"a key of Google":             "AIza" + n("x", 35),
		"a token of Zoho":             "1000." + n("a", 32) + "." + n("b", 32),
		"a JSON web token":            "eyJ" + n("a", 12) + ".eyJ" + n("b", 12),
	} {
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
