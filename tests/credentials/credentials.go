// Package credentials knows the shapes that secrets have: what no file of the
// repository, and nothing that the suite prints, may contain.
package credentials

import (
	"regexp"
	"strings"
)

// Shapes are the shapes of secrets, by what they are.
var Shapes = map[string]*regexp.Regexp{
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

// Samples has an invented one of each shape, put together here so that this
// file has none.
func Samples() map[string]string {
	return map[string]string{
		"a private key":               "-----BEGIN EC " + "PRIVATE KEY-----",
		"an AWS access key":           "key: AKIA" + strings.Repeat("Q", 16),
		"an AWS secret":               "AWS_SECRET_ACCESS_KEY=" + strings.Repeat("aB3/", 10),
		"a key of a model's endpoint": "OPENAI_API_KEY=sk-or-v1-" + strings.Repeat("0", 40),
		"a token of the admin API":    "token deskhand_" + strings.Repeat("a", 43),
		"a Tink keyset":               `{"keyData":{"keyMaterialType":"SYMMETRIC", "typeUrl":"x", "value":"` + strings.Repeat("A", 48) + `"}}`,
		"a token of GitHub":           "ghp_" + strings.Repeat("x", 36),
		"a token of Slack":            "xoxb-" + strings.Repeat("1", 20),
		"a key of Google":             "AIza" + strings.Repeat("x", 35),
		"a token of Zoho":             "1000." + strings.Repeat("a", 32) + "." + strings.Repeat("b", 32),
		"a JSON web token":            "eyJ" + strings.Repeat("a", 12) + ".eyJ" + strings.Repeat("b", 12),
	}
}
