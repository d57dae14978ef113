package webhook_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/webhook"
)

const scripts = "../../docs/integrations/scripts/"

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestScriptsNameTheVectorOfTheContract holds the check value that people
// compare their own sender with to what the verifier computes. The Python
// script itself is run by tests/serverless/scripts, where python3 is.
func TestScriptsNameTheVectorOfTheContract(t *testing.T) {
	t.Parallel()
	if got := webhook.Sign(secret.New("sdp-demo-secret"), "1767225600", []byte(vectorBody)); got != "sha256="+vectorHex {
		t.Fatalf("signature is %s", got)
	}
	for _, path := range []string{scripts + "deskhand_webhook.py", scripts + "deskhand_webhook.deluge", "../../docs/integrations/servicedeskplus.md"} {
		text := read(t, path)
		for _, part := range []string{"sdp-demo-secret", "1767225600", vectorBody, vectorHex} {
			if !strings.Contains(text, part) {
				t.Errorf("%s does not have %s", path, part)
			}
		}
	}
}

// TestDelugeFunctionSignsTheBytesThatItSends works out its expressions, which
// no interpreter outside of the product can, and gives the verifier the result.
func TestDelugeFunctionSignsTheBytesThatItSends(t *testing.T) {
	t.Parallel()
	text := read(t, scripts+"deskhand_webhook.deluge")
	values := map[string]string{"requestId": "1001", "stamp": "1767225600"}
	value := func(expression string) string {
		t.Helper()
		var all strings.Builder
		for part := range strings.SplitSeq(expression, " + ") {
			literal, err := strconv.Unquote(part)
			if known, ok := values[part]; ok {
				literal, err = known, nil
			}
			if err != nil {
				t.Fatalf("%s in %s: %v", part, expression, err)
			}
			all.WriteString(literal)
		}
		return all.String()
	}
	for _, name := range []string{"event", "body"} {
		found := regexp.MustCompile(`(?m)^` + name + ` = (.+);$`).FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("no %s in the function", name)
		}
		values[name] = value(found[1])
	}
	signed := regexp.MustCompile(`(?m)^signature = zoho\.encryption\.hmacsha256\(secret, (.+), "hex"\);$`).FindStringSubmatch(text)
	if signed == nil {
		t.Fatal("the function signs nothing")
	}
	if got, want := value(signed[1]), "1767225600."+vectorBody; got != want {
		t.Errorf("it signs %s, want %s", got, want)
	}
	values["signature"] = vectorHex // of these bytes
	h := header()
	for _, put := range regexp.MustCompile(`(?m)^headers\.put\("([^"]+)", (.+)\);$`).FindAllStringSubmatch(text, -1) {
		h.Set(put[1], value(put[2]))
	}
	if !strings.Contains(text, "parameters :body\n") || !strings.Contains(text, "headers :headers\n") {
		t.Error("it sends something else than it signs")
	}
	b := setup(t)
	dir := directory()
	dir.Connections["acme"] = tenant.Connection{ID: "acme", Tool: "servicedesk_plus", Signing: []secret.Text{acmeKey}, Routes: map[string]tenant.ID{"": "acme"}}
	b.Directory = func() tenant.Directory { return dir }
	// Genuine, and refused only because the stand-in calls the id otherwise.
	if got := b.bare(t, "/webhook/servicedesk/acme", values["body"], h); got.status != 400 || !strings.Contains(got.body, `"field":"id"`) {
		t.Errorf("answered %d %s", got.status, got.body)
	}
}

// TestDocumentsNameEveryProfile keeps the table for administrators complete.
func TestDocumentsNameEveryProfile(t *testing.T) {
	t.Parallel()
	text := read(t, "../../docs/integrations/webhooks.md")
	for _, v := range tenant.Verifies {
		if !strings.Contains(text, "| `"+v.String()+"` |") {
			t.Errorf("webhooks.md has no row for %s", v)
		}
	}
}
