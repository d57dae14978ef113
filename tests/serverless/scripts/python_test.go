// Package scripts_test runs what administrators install in a ticketing tool against
// the real verifier. It needs python3, as everything in this module does.
package scripts_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus"
	"github.com/deskhand/deskhand/shared/webhook"
)

// line is a queue that keeps what it is sent, a memory that forgets, and no
// limit.
type line struct {
	mu   sync.Mutex
	sent []ticket.Event
}

func (l *line) Send(_ context.Context, messages ...queue.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range messages {
		var ev ticket.Event
		if err := json.Unmarshal(m.Body, &ev); err != nil {
			return err
		}
		l.sent = append(l.sent, ev)
	}
	return nil
}

func (l *line) events() []ticket.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sent)
}

// Job implements webhook.Memory.
func (*line) Job(context.Context, tenant.ID, string) (string, bool) { return "", false }

// Mark implements webhook.Memory.
func (*line) Mark(context.Context, tenant.ID, string, string, time.Duration) {}

// Allow implements webhook.Limiter.
func (*line) Allow(context.Context, tenant.ID, int) (bool, time.Duration) { return true, 0 }

// receiver is the product's door, with the connection acme.
func receiver(t *testing.T) (url string, l *line) {
	t.Helper()
	l = &line{}
	dir := tenant.Directory{
		Tenants: map[tenant.ID]tenant.Tenant{"acme": {ID: "acme"}, "globex": {ID: "globex"}},
		Connections: map[string]tenant.Connection{"acme": {
			ID: "acme", Tool: servicedeskplus.Kind.Name, Signing: []secret.Text{secret.New("sdp-demo-secret")}, Routes: map[string]tenant.ID{"": "acme"},
		}},
		Loaded: time.Now(),
	}
	r := &webhook.Receiver{
		Directory: func() tenant.Directory { return dir },
		Tool:      func(path string) (string, bool) { return servicedeskplus.Kind.Name, path == servicedeskplus.Kind.Path },
		Open: func(tenant.Connection) (ticketing.Tool, error) {
			return servicedeskplus.Kind.Open(integration.Values{"base_url": "https://sdp.invalid", "api_key": "k"}, integration.Env{HTTP: http.DefaultClient})
		},
		Enhance: l, Catalogue: l, Seen: l, Limit: l, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	server := httptest.NewServer(r.Routes())
	t.Cleanup(server.Close)
	return server.URL + "/webhook/servicedesk/acme", l
}

// call is one run of the script.
type call struct {
	url, secret string
	file        string // what the product wrote
	args        []string
}

// run writes the files as the product and the administrator do, and gives the
// result that the product reads.
func run(t *testing.T, c call) (message string, took time.Duration) {
	t.Helper()
	dir := t.TempDir()
	file, key := filepath.Join(dir, "1042_1767225600123.json"), filepath.Join(dir, "secret")
	for path, text := range map[string]string{file: c.file, key: c.secret + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script := "../../../docs/integrations/scripts/deskhand_webhook.py"
	cmd := exec.CommandContext(t.Context(), "python3", append([]string{script, file}, c.args...)...)
	cmd.Env = append(os.Environ(), "DESKHAND_URL="+c.url, "DESKHAND_SECRET_FILE="+key)
	began := time.Now()
	out, err := cmd.Output() // an exit code other than 0 fails the ticket
	if err != nil {
		t.Fatalf("the script fails: %v\n%s", err, out)
	}
	var result struct{ Result, Message string }
	if err := json.Unmarshal(out, &result); err != nil || result.Result != "success" {
		t.Fatalf("the product is told %q, %v", out, err)
	}
	if strings.Contains(string(out), c.secret) {
		t.Errorf("the secret is in %s", out)
	}
	return result.Message, time.Since(began)
}

const written = `{"request":{"id":"1042","subject":"caf\u00e9 \"quoted\"","description":"a\nb"},"previous":{}}`

func TestThePythonScriptIsTakenForGenuine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		kind ticket.Kind
	}{
		"created": {nil, ticket.Created}, "updated": {[]string{"updated"}, ticket.Updated}, "replied": {[]string{"replied"}, ticket.Replied},
		"resolved": {[]string{"resolved"}, ticket.Resolved}, "closed": {[]string{"closed"}, ticket.Closed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, l := receiver(t)
			message, _ := run(t, call{url, "sdp-demo-secret", written, c.args})
			if !strings.HasPrefix(message, "Deskhand was told: job ") {
				t.Errorf("the history says %q", message)
			}
			events := l.events()
			if len(events) != 1 || events[0].Ref.Key != "1042" || events[0].Ref.Tenant != "acme" || events[0].Kind != c.kind || !events[0].Signed {
				t.Errorf("queued %+v", events)
			}
		})
	}
}

func TestThePythonScriptNeverFailsTheTicket(t *testing.T) {
	t.Parallel()
	url, l := receiver(t)
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(hanging.Close)
	t.Cleanup(func() { close(release) })
	for name, c := range map[string]call{
		"wrong secret":      {url, "another-secret", written, nil},
		"wrong address":     {url + "x", "sdp-demo-secret", written, nil},
		"no address":        {"deskhand", "sdp-demo-secret", written, nil},
		"nobody there":      {"http://127.0.0.1:1/webhook", "sdp-demo-secret", written, nil},
		"never answers":     {hanging.URL, "sdp-demo-secret", written, nil},
		"another file":      {url, "sdp-demo-secret", `{"id":1}`, nil},
		"a file of nothing": {url, "sdp-demo-secret", ``, nil},
		"an id of lists":    {url, "sdp-demo-secret", `{"request":{"id":[[]]}}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			message, took := run(t, c)
			if !strings.HasPrefix(message, "Deskhand was not told: ") || took > 20*time.Second {
				t.Errorf("after %s the history says %q", took, message)
			}
			if n := len(l.events()); n != 0 {
				t.Errorf("%d are queued", n)
			}
		})
	}
}
