package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/catalogue"
	"github.com/deskhand/deskhand/shared/cli"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// world is everything that the commands act on.
type world struct {
	directory tenant.Directory
	in        string
	queue     fakeQueue
	rights    rights
	past      past
	looking   looking
	kept      kept
	counter   counter
	span      catalogue.Span
	importErr error
	closed    int
	tool      *desk
	now       time.Time
	figures   figures
	out, err  bytes.Buffer
}

type fakeQueue struct {
	letters          []queue.DeadLetter
	redriven, purged []string
}

func (q *fakeQueue) Stats(context.Context) (queue.Stats, error) {
	return queue.Stats{Depth: 3, Running: 1, Dead: len(q.letters), Oldest: 90 * time.Second}, nil
}

func (q *fakeQueue) Peek(context.Context, int) ([]queue.Message, error) {
	return []queue.Message{{ID: "job-1", Tenant: "acme", Kind: "created", Errors: 2, Sent: start.Add(-time.Minute)}}, nil
}
func (q *fakeQueue) List(context.Context, int) ([]queue.DeadLetter, error) { return q.letters, nil }
func (q *fakeQueue) Redrive(_ context.Context, ids ...string) (int, error) {
	q.redriven = append(q.redriven, strings.Join(ids, "+"))
	return len(q.letters), nil
}

func (q *fakeQueue) Purge(_ context.Context, ids ...string) (int, error) {
	q.purged = append(q.purged, strings.Join(ids, "+"))
	return len(q.letters), nil
}

// desk is a tool for the smoke test.
type desk struct {
	ticketing.Tool
	notes []ticketing.PostedNote
}

func (d *desk) Create(context.Context, string, string) (string, error) { return "77", nil }
func (d *desk) Notes(context.Context, string) ([]ticketing.PostedNote, error) {
	return d.notes, nil
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newWorld() *world {
	return &world{
		now:  start,
		tool: &desk{},
		directory: tenant.NewDirectory(
			map[tenant.ID]tenant.Tenant{"acme": {ID: "acme", Name: "Acme Legal"}, "gone": {ID: "gone", Disabled: true}},
			map[string]tenant.Connection{"acme": {
				ID: "acme", Tool: "servicedesk_plus", Values: integration.Values{"base_url": "https://sdp.acme.example", "api_key": "k"}, Signing: []secret.Text{secret.New("s3cret")}, Routes: map[string]tenant.ID{"": "acme"},
			}},
			start,
		),
	}
}

func tools(w *world) integration.Set[ticketing.Tool] {
	return integration.Set[ticketing.Tool]{{
		Name: "servicedesk_plus", Path: "servicedesk", Label: "ServiceDesk Plus",
		Form: []integration.Field{{Name: "base_url", Label: "URL", URL: true, Required: true}, {Name: "api_key", Label: "API key", Secret: true, Required: true}},
		Open: func(integration.Values, integration.Env) (ticketing.Tool, error) { return w.tool, nil },
	}}
}

func (w *world) run(t *testing.T, args ...string) int {
	t.Helper()
	return w.program().Run(t.Context(), args)
}

// program is the command on this world.
func (w *world) program() *cli.Program {
	return cli.New(operator.Program{
		Version: "v1", In: strings.NewReader(w.in), Out: &w.out, Err: &w.err, Now: func() time.Time { return w.now },
		Tools: tools(w),
		Open: func(context.Context) (*operator.Desk, error) {
			d := &operator.Desk{
				Directory: func(context.Context) (tenant.Directory, error) { return w.directory, nil },
				Open:      func(tenant.Connection) (ticketing.Tool, error) { return w.tool, nil },
				Import: func(_ context.Context, _ tenant.ID, s catalogue.Span, progress func(catalogue.Progress, []error)) (catalogue.Progress, error) {
					w.span = s
					progress(catalogue.Progress{Stored: 99, Skipped: 1, Total: 250}, []error{errors.New("ticket 9: no subject")})
					progress(catalogue.Progress{Stored: 249, Skipped: 1, Total: 250}, nil)
					return catalogue.Progress{Stored: 249, Skipped: 1, Total: 250}, w.importErr
				},
				Queues: map[string]operator.Queue{"enhancement": &w.queue, "catalogue": &fakeQueue{}},
				Close:  func(context.Context) error { w.closed++; return nil },
			}
			w.counter.extend(w, d)
			w.rights.extend(d)
			w.past.extend(d)
			w.looking.extend(d)
			w.kept.extend(d)
			d.Quality = &w.figures
			return d, nil
		},
		Migrate: func(context.Context) (int, error) { return 4, nil },
		Serve:   func(context.Context) error { return errors.New("the port is taken") },
		Keygen:  func(context.Context, string) (secret.Text, error) { return secret.New(`{"key":1}`), nil },
		Sign: func(key secret.Text, stamp string, body []byte) string {
			return "sha256=" + key.Reveal() + stamp + fmt.Sprint(len(body))
		},
		Config: func() string { return "# Configuration" },
	})
}

func TestCommandsSayWhatTheyDid(t *testing.T) {
	t.Parallel()
	letter := queue.DeadLetter{Message: queue.Message{ID: "job-9", Tenant: "acme", Kind: "created"}, Reason: "failed 4 times,\n last: \x1b[31mHTML", Died: start}
	for _, c := range []struct {
		args string
		code int
		out  []string
		err  []string
	}{
		{"--help", 0, []string{"serve", "migrate", "tenant", "import", "queue", "smoke"}, nil},
		{"import --help", 0, []string{"deskhand import --tenant acme --days 90"}, nil},
		{"--version", 0, []string{"v1"}, nil},
		{"migrate", 0, []string{"4 migrations applied"}, nil},
		{"keygen", 0, []string{`{"key":1}`}, nil},
		{"docs", 0, []string{"# Configuration"}, nil},
		{"serve", 1, nil, []string{"deskhand serve: the port is taken"}},
		{"nonsense", 2, nil, []string{"nonsense", "deskhand --help"}},
		{"import", 2, nil, []string{"--tenant"}},
		{"import --tenant acme --days 30", 0, []string{"Imported 249 tickets of tenant acme, 1 invalid ones skipped"}, []string{"Imported 100/250 tickets (40%)", "Imported 200/250 tickets (80%)", "skipped: ticket 9"}},
		{"import --tenant Acme!", 1, nil, []string{"tenant id"}},
		{"import --tenant acme --start-date 2026-05-01", 1, nil, []string{"the time is empty"}},
		{"tenant list", 0, []string{"acme", "Acme Legal", "servicedesk_plus/acme", "disabled", `"Initech \x1b[31m"`, "(tickets without an account)", "--account"}, nil},
		{"tenant add globex --set base_url=nowhere", 1, nil, []string{"base_url", "api_key"}},
		{"queue depth", 0, []string{"enhancement", "1m30s", "catalogue"}, nil},
		{"queue peek", 0, []string{"job-1", "1m0s"}, nil},
		{"queue peek --dead", 0, []string{"job-9", "failed 4 times, last: [31mHTML"}, nil},
		{"queue peek --queue none", 1, nil, []string{"catalogue, enhancement"}},
		{"queue redrive", 1, nil, []string{"--all"}},
		{"queue redrive job-9 --all", 1, nil, []string{"--all"}},
		{"queue redrive --all", 0, []string{"1 dead letters of queue enhancement sent again"}, nil},
		{"queue purge job-9", 0, []string{"1 dead letters of queue enhancement deleted"}, nil},
		{"smoke --tenant nobody", 1, []string{"1. find the tenant's tool", "FAILED"}, []string{"step 1", "unknown tenant"}},
		{"smoke --help", 0, []string{"signs the webhook in Deskhand's own scheme"}, nil},
		{"smoke --url http://127.0.0.1:1", 1, []string{"3. send the signed webhook", "FAILED"}, []string{"make run"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.queue.letters = []queue.DeadLetter{letter}
			if code := w.run(t, strings.Fields(c.args)...); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, want := range c.out {
				if !strings.Contains(w.out.String(), want) {
					t.Errorf("standard output lacks %q:\n%s", want, w.out.String())
				}
			}
			for _, want := range c.err {
				if !strings.Contains(w.err.String(), want) {
					t.Errorf("standard error lacks %q:\n%s", want, w.err.String())
				}
			}
			if strings.Contains(w.out.String(), "\x1b") {
				t.Error("a control character of a dead letter reached the terminal")
			}
		})
	}
}

func TestImportTakesWholeDays(t *testing.T) {
	t.Parallel()
	w := newWorld()
	if code := w.run(t, "import", "--tenant", "acme", "--start-date", "2026-01-01", "--end-date", "2026-01-31"); code != 0 {
		t.Fatal(w.err.String())
	}
	day := func(m time.Month, d int) time.Time { return time.Date(2026, m, d, 0, 0, 0, 0, time.UTC) }
	if !w.span.Since.Equal(day(1, 1)) || !w.span.Until.Equal(day(2, 1)) || w.closed != 1 {
		t.Errorf("span %v, closed %d", w.span, w.closed)
	}
	w = newWorld()
	w.importErr = errors.New("the tool refuses the credential")
	if code := w.run(t, "import", "--tenant", "acme"); code != 1 || !strings.Contains(w.err.String(), "run it again") || w.closed != 1 {
		t.Errorf("exit code %d, closed %d: %s", code, w.closed, w.err.String())
	}
}

func TestSmokeRefusesAConnectionThatItCannotSignFor(t *testing.T) {
	t.Parallel()
	for _, v := range tenant.Verifies {
		w := newWorld()
		c := w.directory.Connections["acme"]
		c.Verify = v
		w.directory.Connections["acme"] = c
		code := w.run(t, "smoke", "--url", "http://127.0.0.1:1")
		ours := v == tenant.VerifyHMAC || v == tenant.VerifyPlain
		refused := strings.Contains(w.err.String(), "connection acme verifies its webhooks by "+v.String()+", and this signs only by hmac, Deskhand's own scheme")
		if code != 1 || refused == ours || strings.Contains(w.out.String(), "2. create a ticket") != ours {
			t.Errorf("%s: exit code %d\n%s%s", v, code, w.out.String(), w.err.String())
		}
	}
}

// deployment answers webhooks, and may put a note on the ticket.
func deployment(t *testing.T, w *world, status int, note *ticketing.PostedNote) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var told map[string]string
		if err := json.Unmarshal(body, &told); err != nil || told["ticket_id"] != "77" || r.URL.Path != "/webhook/servicedesk/acme" ||
			!strings.HasPrefix(r.Header.Get("X-ServiceDesk-Signature"), "sha256=s3cret"+r.Header.Get("X-ServiceDesk-Timestamp")) {
			t.Errorf("webhook: %s %v %s", r.URL.Path, r.Header, body)
		}
		if note != nil {
			w.tool.notes = []ticketing.PostedNote{*note}
		}
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, `{"job_id":"j-1","status":"queued"}`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestSmokePassesWhenTheNoteIsThere(t *testing.T) {
	t.Parallel()
	marker := ticket.Ref{Tenant: "acme", Tool: "servicedesk_plus", Connection: "acme", Key: "77"}.Marker()
	for name, c := range map[string]struct {
		status int
		note   *ticketing.PostedNote
		code   int
		want   string
	}{
		"a note":        {202, &ticketing.PostedNote{ID: "5", Body: "<p>seen before</p> Ref: " + marker}, 0, "ok: webhook to note in"},
		"a public note": {202, &ticketing.PostedNote{ID: "5", Body: "Ref: " + marker, Public: true}, 1, "visible to the requester"},
		"no note":       {202, nil, 1, "queue peek --dead"},
		"refused":       {401, nil, 1, "401"},
		"late":          {202, &ticketing.PostedNote{ID: "5", Body: "Ref: " + marker}, 1, "--within"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			within := "60s"
			if name == "late" {
				within = "-1s" // the test's clock stands still
			}
			code := w.run(t, "smoke", "--wait", "100ms", "--within="+within, "--url", deployment(t, w, c.status, c.note))
			if code != c.code || !strings.Contains(w.out.String()+w.err.String(), c.want) {
				t.Errorf("exit code %d:\n%s%s", code, w.out.String(), w.err.String())
			}
			if c.status == 202 && !strings.Contains(w.out.String()+w.err.String(), "j-1") {
				t.Error("the correlation id is not shown")
			}
		})
	}
}
