// Package lambda_test runs the functions as they are deployed: the built
// bootstrap files as processes of a local Lambda runtime, with a real Postgres
// and a server that speaks Redis's protocol.
package lambda_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/deskhand/deskhand/localstack/lambdaruntime"
	"github.com/deskhand/deskhand/shared/app"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/telemetry"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/webhook"
)

// bootstraps has the built files, by function.
var bootstraps string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "bootstraps")
	if err != nil {
		panic(err)
	}
	bootstraps = dir
	for _, name := range []string{"webhook", "enhance", "catalogue"} {
		build := exec.Command("go", "build", "-tags", "lambda.norpc", "-ldflags=-s -w",
			"-o", bootstrap(name), "../../functions/"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			panic(name + ": " + string(out))
		}
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func bootstrap(name string) string { return filepath.Join(bootstraps, name, "bootstrap") }

// world is an installation without processes.
type world struct {
	t     *testing.T
	owner *pgxpool.Pool
	env   map[string]string
	log   *lines
}

// lines is what the processes print.
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

func signing(id tenant.ID) secret.Text { return secret.New("signing-secret-of-" + string(id)) }

// build makes an installation with two tenants.
func build(t *testing.T) *world {
	t.Helper()
	key, err := keyset.New()
	if err != nil {
		t.Fatal(err)
	}
	db, redis := pgtest.New(t), miniredis.RunT(t)
	w := &world{t: t, owner: db.Owner(t), log: &lines{}, env: map[string]string{
		"DATABASE_URL": db.AppURL, "DATABASE_QUEUE_URL": db.QueueURL, "DATABASE_CONNS": "2",
		"REDIS_URL": "redis://" + redis.Addr(), "SEALING_KEY": key.Reveal(),
	}}
	cfg := config.Config{
		DatabaseURL: secret.New(db.AppURL), DatabaseQueueURL: secret.New(db.QueueURL), DatabaseOwnerURL: secret.New(db.OwnerURL),
		DatabaseConns: 2, SealingKey: key, WorkerConcurrency: 1, WebhooksPerMinute: 1, LogLevel: "error", LogFormat: "json",
	}
	if _, err := app.Migrate(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	tel, err := telemetry.Setup(t.Context(), "setup", cfg.LogLevel, cfg.LogFormat, w.log)
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), cfg, tel)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close(t.Context())
	for _, id := range []tenant.ID{"acme", "globex"} {
		if err := a.Tenants.PutTenant(t.Context(), tenant.Tenant{ID: id, Name: string(id)}); err != nil {
			t.Fatal(err)
		}
		if err := a.Tenants.PutConnection(t.Context(), tenant.Connection{
			ID: string(id), Tool: "servicedesk_plus", Signing: []secret.Text{signing(id)}, Routes: map[string]tenant.ID{"": id},
			Values: integration.Values{"base_url": "https://desk-of-" + string(id) + ".example", "api_key": "key"},
		}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// deploy makes a function of a built file.
func (w *world) deploy(name string) *lambdaruntime.Function {
	f := &lambdaruntime.Function{Name: name, Bootstrap: bootstrap(name), Env: w.env, Timeout: 30 * time.Second, Output: w.log}
	w.t.Cleanup(f.Close)
	return f
}

// request is a signed webhook about a ticket.
func request(id tenant.ID, key secret.Text, ticket string) *http.Request {
	body := fmt.Sprintf(`{"event":"request.created","request_id":%q}`, ticket)
	r := httptest.NewRequest(http.MethodPost, "/webhook/servicedesk/"+string(id), strings.NewReader(body))
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(webhook.TimestampHeader, stamp)
	r.Header.Set(webhook.SignatureHeader, webhook.Sign(key, stamp, []byte(body)))
	return r
}

func send(g lambdaruntime.Gateway, r *http.Request) (int, map[string]any) {
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	var answer map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &answer)
	return w.Code, answer
}

func (w *world) queued() (n int) {
	w.t.Helper()
	if err := w.owner.QueryRow(w.t.Context(), "SELECT count(*) FROM river.river_job").Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func TestASignedWebhookThroughAPIGatewayIsOnTheQueue(t *testing.T) {
	t.Parallel()
	for _, v2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP API %t", v2), func(t *testing.T) {
			t.Parallel()
			w := build(t)
			g := lambdaruntime.Gateway{Function: w.deploy("webhook"), HTTPAPI: v2}
			for n, id := range []tenant.ID{"acme", "globex"} {
				code, answer := send(g, request(id, signing(id), "42"))
				if code != http.StatusAccepted || answer["job_id"] == "" || w.queued() != n+1 {
					t.Fatalf("%s: %d %v, %d queued\n%s", id, code, answer, w.queued(), w.log)
				}
			}
			if code, answer := send(g, request("acme", signing("globex"), "43")); code != http.StatusUnauthorized || w.queued() != 2 {
				t.Errorf("another tenant's signature: %d %v", code, answer)
			}
			if !strings.Contains(w.log.String(), `"request_id":"`) {
				t.Errorf("no line of the log has the id of the invocation:\n%s", w.log)
			}
		})
	}
}

func TestColdAndWarmTimes(t *testing.T) {
	w := build(t) // alone on the machine: no t.Parallel
	f := w.deploy("webhook")
	payload, err := os.ReadFile("../../shared/host/testdata/events/apigw-v1.json")
	if err != nil {
		t.Fatal(err)
	}
	var cold, warm []time.Duration
	for range 5 {
		first, err := f.Invoke(t.Context(), payload)
		if err != nil || !first.Cold || first.FunctionError != "" {
			t.Fatalf("%+v, %v\n%s", first, err, w.log)
		}
		cold = append(cold, first.Init)
		for range 20 {
			r, err := f.Invoke(t.Context(), payload)
			if err != nil || r.Cold {
				t.Fatalf("%+v, %v", r, err)
			}
			warm = append(warm, r.Duration)
		}
		for f.Kill() > 0 {
			time.Sleep(time.Millisecond)
		}
	}
	slices.Sort(cold)
	slices.Sort(warm)
	t.Logf("webhook: init %s to %s, median %s; warm median %s, p95 %s", cold[0], cold[4], cold[2], warm[50], warm[95])
}

func TestAQueueOnPostgresIsRefusedByFunctionsThatWork(t *testing.T) {
	t.Parallel()
	w := build(t)
	for _, name := range []string{"enhance", "catalogue"} {
		r, err := w.deploy(name).Invoke(t.Context(), []byte(`{}`))
		if err != nil || r.Failure().Type != "Runtime.ExitError" || !strings.Contains(w.log.String(), "QUEUE_URL: required in Lambda") {
			t.Errorf("%s: %s, %v\n%s", name, r.Payload, err, w.log)
		}
	}
}

func TestAColdFunctionWithoutPostgresAsksToComeBack(t *testing.T) {
	t.Parallel()
	w := build(t)
	w.env["DATABASE_URL"] = "postgres://app_user:x@127.0.0.1:1/none?sslmode=disable"
	code, answer := send(lambdaruntime.Gateway{Function: w.deploy("webhook")}, request("acme", signing("acme"), "42"))
	if code != http.StatusServiceUnavailable {
		t.Errorf("%d %v, want 503, never 401", code, answer)
	}
}
