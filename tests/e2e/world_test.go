// Package e2e_test runs the whole product against real Postgres, a server that
// speaks Redis's protocol, and stateful fakes of ServiceDesk Plus and of a
// model endpoint, over HTTP.
package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/deskhand/deskhand/shared/app"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/telemetry"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
	"github.com/deskhand/deskhand/tests/keep"
)

var (
	// spans keeps what every test of the package traced.
	spans = tracetest.NewSpanRecorder()
	// metrics is the page of the process: its instruments take the first
	// provider that is set, and keep it.
	metrics http.Handler
)

func TestMain(m *testing.M) {
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	tel, err := telemetry.Setup(context.Background(), telemetry.Options{Service: "e2e", Level: "error", Format: "json", Out: io.Discard})
	if err != nil {
		panic(err)
	}
	metrics = tel.Metrics
	sqsEnvironment()
	if builds, err = os.MkdirTemp("", "deskhand-e2e-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(builds)
	os.Exit(code)
}

// signing is the webhook secret of every connection here, by tenant.
func signing(id tenant.ID) secret.Text { return secret.New("signing-secret-of-" + string(id)) }

// world is an installation with two tenants, each with a ServiceDesk Plus of
// its own.
type world struct {
	t     *testing.T
	cfg   config.Config
	app   *app.App
	url   string
	log   *lines
	db    pgtest.DB
	owner *pgxpool.Pool
	model *llmtest.Server
	desks map[tenant.ID]*servicedeskplusfake.Server
	redis *miniredis.Miniredis
	cold  bool // do not wait until the product is ready

	gate   atomic.Pointer[gate] // where a call is held up; nil for nowhere
	built  binaries             // the functions that start runs
	slowly bool                 // what a dead process holds runs out by itself
	signed sync.Map             // path and body of a webhook to the time.Time at which it was signed

	// In the crash matrix.
	ticket   string   // of acme
	receiver *process // takes the webhooks
}

// lines is a log that a test reads.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// of gives the log lines of one correlation id, decoded.
func (l *lines) of(t *testing.T, job string) (found []map[string]any) {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("the log has a line that is no JSON: %s", line)
		}
		if entry["correlation_id"] == job {
			found = append(found, entry)
		}
	}
	return found
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// build makes an installation that does not run yet.
func build(t *testing.T) *world {
	t.Helper()
	return buildOn(t, pgtest.New(t))
}

// buildOn does the same on a database that is there.
func buildOn(t *testing.T, db pgtest.DB) *world {
	t.Helper()
	key, err := keyset.New()
	if err != nil {
		t.Fatal(err)
	}
	model, modelURL := llmtest.Start(t)
	w := &world{t: t, db: db, owner: db.Owner(t), model: model, log: &lines{}, redis: miniredis.RunT(t), built: sound}
	keep.Log(t, w.log.String)
	t.Cleanup(w.nothingLeaked)
	w.desks = map[tenant.ID]*servicedeskplusfake.Server{
		"acme": servicedeskplusfake.New(servicedeskplusfake.Options{
			APIKey: "key-of-acme", Before: w.pass(before), After: w.pass(after),
		}),
		"globex": servicedeskplusfake.New(servicedeskplusfake.Options{Dialect: servicedeskplusfake.Cloud, RefreshToken: "key-of-globex", RefreshQuota: 100}),
	}
	w.cfg = config.Config{
		DatabaseURL: secret.New(db.AppURL), DatabaseAdminURL: secret.New(db.AdminURL), DatabaseQueueURL: secret.New(db.QueueURL), DatabaseOwnerURL: secret.New(db.OwnerURL),
		DatabaseConns: 8, RedisURL: secret.New("redis://" + w.redis.Addr()), SealingKey: key,
		OpenAIBaseURL: modelURL, OpenAIKey: secret.New("sk-model-key"), OpenAIModel: "scripted",
		WorkerConcurrency: 4, WebhooksPerMinute: 100, DrainTime: 5 * time.Second, LogLevel: "info", LogFormat: "json", Addr: "127.0.0.1:0",
	}
	if _, err := app.Migrate(t.Context(), w.cfg); err != nil {
		t.Fatal(err)
	}
	w.connect()
	return w
}

// connect adds the tenants and their connections.
func (w *world) connect() {
	w.t.Helper()
	a, err := app.New(w.t.Context(), w.cfg, quiet())
	if err != nil {
		w.t.Fatal(err)
	}
	defer a.Close(context.Background())
	for id, desk := range w.desks {
		s := httptest.NewServer(desk)
		w.t.Cleanup(func() { s.CloseClientConnections(); s.Close(); desk.Close() })
		installed := tenant.Tenant{ID: id, Name: strings.ToUpper(string(id)), Settings: tenant.Settings{AllowedNetworks: []string{"127.0.0.0/8", "::1/128"}}}
		if err := a.Office().Install(w.t.Context(), a.AtTheDesk(), installed, tenant.Connection{
			ID: string(id), Tool: "servicedesk_plus", Signing: []secret.Text{signing(id)}, Routes: map[string]tenant.ID{"": id},
			Values: values(id, s.URL),
		}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// values are the fields of the connection: acme is on-premises, globex in the
// cloud.
func values(id tenant.ID, address string) integration.Values {
	if id == "acme" {
		return integration.Values{"base_url": address, "api_key": "key-of-acme"}
	}
	return integration.Values{
		"edition": "cloud", "base_url": address, "portal": "itdesk", "accounts_url": address,
		"client_id": "demo-client", "client_secret": "demo-client-secret", "refresh_token": "key-of-globex",
	}
}

// start runs the product in this process until the test ends.
func start(t *testing.T) *world {
	t.Helper()
	w := build(t)
	w.run()
	return w
}

// run does everything in this process; serve takes webhooks only.
func (w *world) run()   { w.t.Helper(); w.launch((*app.App).RunAll) }
func (w *world) serve() { w.t.Helper(); w.launch((*app.App).RunWebhook) }

func (w *world) launch(role func(*app.App, context.Context) error) {
	w.t.Helper()
	tel, err := telemetry.Setup(w.t.Context(), telemetry.Options{Service: "e2e", Level: w.cfg.LogLevel, Format: w.cfg.LogFormat, Out: w.log})
	if err != nil {
		w.t.Fatal(err)
	}
	tel.Metrics = metrics
	w.cfg.Addr = freeAddr(w.t)
	w.url = "http://" + w.cfg.Addr
	if w.app, err = app.New(w.t.Context(), w.cfg, tel); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- role(w.app, ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the product ended with: %v", err)
		}
		_ = w.app.Close(context.Background())
	})
	w.eventually("the product listens", 20*time.Second, func() bool {
		code, _ := w.get("/healthz")
		return code == http.StatusOK
	})
	if w.cold {
		return
	}
	w.eventually("the product is ready", 20*time.Second, func() bool {
		code, _ := w.get("/readyz")
		return code == http.StatusOK
	})
}

// knows gives the tenant a past, through the tool and the import.
func (w *world) knows(id tenant.ID) {
	w.t.Helper()
	now := time.Now()
	desk := w.desks[id]
	for i, resolution := range []string{"Stopped the Print Spooler on PS-01, emptied the spool folder, started it again. Secret of " + string(id) + ".", "Replaced the toner."} {
		desk.AddTicket(ticket.Ticket{
			Key: fmt.Sprint(700 + i), Subject: []string{"Print queue on PRN-03 stuck, jobs wait", "Pages come out grey"}[i],
			Description: []string{"All print jobs to PRN-03 wait in the queue since this morning.", "The office printer prints grey pages."}[i],
			Closed:      true, Status: "Closed", Resolution: resolution, Created: now.AddDate(0, 0, -30), Resolved: now.AddDate(0, 0, -29),
		})
	}
	desk.AddArticle(ticketing.Article{Key: "31", Title: "Clear a stuck print queue", Text: "Stop the spooler, empty the folder, start the spooler. Print jobs wait in the queue."})
	desk.AddSystem(ticketing.System{Key: "51", Hostname: "prn-03", Role: "printer", Client: string(id), Location: "3rd floor", Addresses: []string{"10.20.4.31", "2001:db8::31"}})
	w.cli("import", "--tenant", string(id), "--days", "365")
	if err := w.app.Catalogue().Refresh(w.t.Context(), id); err != nil {
		w.t.Fatal(err)
	}
}

// cli runs the operator's command and gives what it printed.
func (w *world) cli(args ...string) string {
	w.t.Helper()
	var out bytes.Buffer
	p := app.Program("test", func() (config.Config, error) { return w.cfg, nil })
	p.Out, p.Err = &out, &out
	if code := p.Run(w.t.Context(), args); code != 0 {
		w.t.Fatalf("deskhand %v: exit code %d\n%s", args, code, &out)
	}
	return out.String()
}

// printing is a ticket that the past answers.
var printing = ticket.Ticket{
	Subject: "Print jobs wait", Description: "The print queue on PRN-03 (10.20.4.31) is stuck, all jobs wait.", Requester: "Ana Ruiz", Status: "Open",
}

// note waits for the one note on the ticket.
func (w *world) note(id tenant.ID, key string) ticketing.PostedNote {
	w.t.Helper()
	var notes []ticketing.PostedNote
	w.eventually("a note on ticket "+key+" of "+string(id), 30*time.Second, func() bool {
		notes = w.desks[id].Notes(key)
		return len(notes) > 0
	})
	return notes[0]
}

// row is a job's record as the database has it.
type row struct{ Status, Error, Skipped string }

// ended waits until the job's record is completed or failed.
func (w *world) ended(job string) (r row) {
	w.t.Helper()
	w.eventually("the end of job "+job, 60*time.Second, func() bool {
		err := w.owner.QueryRow(w.t.Context(), "SELECT status, error, skipped FROM enhancement_history WHERE job_id = $1", job).Scan(&r.Status, &r.Error, &r.Skipped)
		return err == nil && r.Status != "pending"
	})
	return r
}

func (w *world) get(path string) (int, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

// eventually fails the test where ok does not become true in time.
func (w *world) eventually(what string, limit time.Duration, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %s: %s\nlog:\n%s", limit, what, w.log)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
