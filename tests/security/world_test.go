// Package security_test attacks the whole product as it runs: real Postgres, a
// server that speaks Redis's protocol, and fakes of ServiceDesk Plus and of a
// model endpoint, over HTTP. Each test has the name of its OWASP item (Top 10,
// API Top 10), and says how much it tried; what one package can show alone is
// tested there. docs/security.md has the table of all of them.
package security_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/deskhand/deskhand/shared/app"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/telemetry"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
	"github.com/deskhand/deskhand/shared/webhook"
	"github.com/deskhand/deskhand/tests/keep"
)

// tally counts what a test tried, and what went through that must not.
type tally struct{ attempts, passed int }

// tell prints the line that `make security` reads. A test that tried nothing
// has failed.
func (c *tally) tell(t *testing.T) {
	t.Helper()
	t.Logf("SECURITY %s: %d attempts, %d succeeded", t.Name(), c.attempts, c.passed)
	if c.attempts == 0 {
		t.Error("nothing was tried")
	}
}

// breach notes an attack that succeeded.
func (c *tally) breach(t *testing.T, format string, args ...any) {
	t.Helper()
	c.passed++
	t.Errorf(format, args...)
}

// signing is the webhook secret of a tenant's connection.
func signing(id tenant.ID) secret.Text { return secret.New("signing-secret-of-" + string(id)) }

// apiKey is the key of a tenant's tool.
func apiKey(id tenant.ID) string { return "key-of-" + string(id) }

// administrator signs in to the admin API.
const administrator, password = "anna", "correct-horse-battery"

// world is an installation with two tenants, each with a ServiceDesk Plus and
// one of the two formats of notes.
type world struct {
	t     *testing.T
	cfg   config.Config
	app   *app.App
	url   string
	log   *lines
	owner *pgxpool.Pool
	model *llmtest.Server
	redis *miniredis.Miniredis
	desks map[tenant.ID]*servicedeskplusfake.Server
	sites map[tenant.ID]string // the tools' addresses
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

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs the product in this process until the test ends.
func start(t *testing.T) *world {
	t.Helper()
	key, err := keyset.New()
	if err != nil {
		t.Fatal(err)
	}
	db := pgtest.New(t)
	model, modelURL := llmtest.Start(t)
	w := &world{
		t: t, owner: db.Owner(t), model: model, log: &lines{}, redis: miniredis.RunT(t),
		desks: map[tenant.ID]*servicedeskplusfake.Server{}, sites: map[tenant.ID]string{},
	}
	keep.Log(t, w.log.String)
	addr := freeAddr(t)
	w.url = "http://" + addr
	w.cfg = config.Config{
		DatabaseURL: secret.New(db.AppURL), DatabaseAdminURL: secret.New(db.AdminURL), DatabaseQueueURL: secret.New(db.QueueURL), DatabaseOwnerURL: secret.New(db.OwnerURL),
		DatabaseConns: 8, RedisURL: secret.New("redis://" + w.redis.Addr()), SealingKey: key,
		OpenAIBaseURL: modelURL, OpenAIKey: secret.New("sk-model-key"), OpenAIModel: "scripted", AdminBasic: secret.New(administrator + ":" + password),
		WorkerConcurrency: 4, WebhooksPerMinute: 10_000, DrainTime: 5 * time.Second, LogLevel: "debug", LogFormat: "json", Addr: addr,
	}
	if _, err := app.Migrate(t.Context(), w.cfg); err != nil {
		t.Fatal(err)
	}
	w.run()
	return w
}

// run starts the product with its tenants.
func (w *world) run() {
	w.t.Helper()
	tel, err := telemetry.Setup(w.t.Context(), telemetry.Options{Service: "security", Level: w.cfg.LogLevel, Format: w.cfg.LogFormat, Out: w.log})
	if err != nil {
		w.t.Fatal(err)
	}
	if w.app, err = app.New(w.t.Context(), w.cfg, tel); err != nil {
		w.t.Fatal(err)
	}
	w.connect("acme", "html")
	w.connect("globex", "markdown")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.app.RunAll(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the product ended with: %v", err)
		}
		_ = w.app.Close(context.Background())
	})
	w.eventually("the product is ready", func() bool {
		code, _ := w.get("/readyz")
		return code == http.StatusOK
	})
}

// connect adds a tenant with a tool of its own.
func (w *world) connect(id tenant.ID, format string) {
	w.t.Helper()
	desk := servicedeskplusfake.New(servicedeskplusfake.Options{APIKey: apiKey(id)})
	s := httptest.NewServer(desk)
	w.t.Cleanup(func() { s.CloseClientConnections(); s.Close(); desk.Close() })
	w.desks[id], w.sites[id] = desk, s.URL
	settings := tenant.Settings{AllowedNetworks: []string{"127.0.0.0/8", "::1/128"}, NoteFormat: format}
	installed := tenant.Tenant{ID: id, Name: string(id), Settings: settings}
	if err := w.app.Office().Install(w.t.Context(), w.app.AtTheDesk(), installed, tenant.Connection{
		ID: string(id), Tool: "servicedesk_plus", Signing: []secret.Text{signing(id)}, Routes: map[string]tenant.ID{"": id},
		Values: integration.Values{"base_url": s.URL, "api_key": apiKey(id)},
	}); err != nil {
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

// post sends a webhook, signed with the key where there is one.
func (w *world) post(path, body string, key secret.Text, header map[string]string) (code int, answer string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if !key.Empty() {
		stamp := strconv.FormatInt(time.Now().Unix(), 10)
		r.Header.Set(webhook.TimestampHeader, stamp)
		r.Header.Set(webhook.SignatureHeader, webhook.Sign(key, stamp, []byte(body)))
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	return w.do(r)
}

func (w *world) get(path string) (code int, answer string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.do(r)
}

// do sends a request; where nobody answers, the code is 0.
func (w *world) do(r *http.Request) (code int, answer string) {
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, fmt.Sprint(resp.Header, string(b))
}

// count gives the number that a statement gives to the owner.
func (w *world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	if err := w.owner.QueryRow(w.t.Context(), sql, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// eventually fails the test where ok does not become true in two minutes: the
// machine may have other work.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			log := w.log.String()
			w.t.Fatalf("not in time: %s\nthe log ends with:\n%s", what, log[max(len(log)-5000, 0):])
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// freeAddr gives a loopback address that nobody listens on now.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
