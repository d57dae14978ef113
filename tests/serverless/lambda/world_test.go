// Package lambda_test runs the product as it is deployed: the built bootstrap
// files as processes of a local Lambda runtime, on an SQS that this project did
// not write, with a real Postgres, a server that speaks Redis's protocol, and
// stateful fakes of ServiceDesk Plus and of a model: `make lambda-test`.
package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/deskhand/deskhand/localstack/lambdaruntime"
	"github.com/deskhand/deskhand/shared/app"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/queue/sqs"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/telemetry"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
	"github.com/deskhand/deskhand/tests/keep"
	"github.com/deskhand/deskhand/tests/serverless/moto"
)

// bootstraps has the built files, by function.
var bootstraps string

var functions = []string{"webhook", "enhance", "catalogue", "admin", "migrate"}

// nothing is the name of the function that does nothing.
const nothing = "bare"

// TestMain builds the functions once, as they are deployed, for this machine.
func TestMain(m *testing.M) {
	moto.Use()
	dir, err := os.MkdirTemp("", "bootstraps")
	if err != nil {
		panic(err)
	}
	bootstraps = dir
	start := time.Now()
	files := map[string]string{"./cmd/deskhand": filepath.Join(dir, "deskhand"), "./tests/load/bare": bootstrap(nothing)}
	for _, name := range functions {
		files["./functions/"+name] = bootstrap(name)
	}
	for name, file := range files {
		if err := lambdaruntime.Build(context.Background(), "../../..", name, runtime.GOARCH, file); err != nil {
			panic(err)
		}
	}
	fmt.Printf("built %d functions in %s\n", len(functions), time.Since(start).Round(time.Second))
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func bootstrap(name string) string { return filepath.Join(bootstraps, name, "bootstrap") }

// world is an installation with two tenants, each with a ServiceDesk Plus of
// its own; its functions run when a test deploys them.
type world struct {
	t         *testing.T
	cfg       config.Config
	env       map[string]string // of every function
	owner     *pgxpool.Pool
	redis     *miniredis.Miniredis
	log       *lines
	client    *awssqs.Client
	line      *line
	enhancing *sqs.Queue
	library   *sqs.Queue
	model     *llmtest.Server
	desks     map[tenant.ID]*desk
	signed    sync.Map // tenant and ticket of a webhook to the time.Time at which it was signed
}

// desk is a ServiceDesk Plus that can be made to fail for one ticket.
type desk struct {
	*servicedeskplusfake.Server
	mu   sync.Mutex
	sick map[string]bool // keys of tickets that cannot be read
}

// ServeHTTP implements http.Handler.
func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	sick := d.sick[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]
	d.mu.Unlock()
	if sick {
		http.Error(w, "the database of this product is down", http.StatusInternalServerError)
		return
	}
	d.Server.ServeHTTP(w, r)
}

func (d *desk) ail(key string, sick bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sick[key] = sick
}

// build makes an installation on a database of the test's own.
func build(t *testing.T) *world {
	t.Helper()
	return buildOn(t, pgtest.New(t))
}

func buildOn(t *testing.T, db pgtest.DB) *world {
	t.Helper()
	key, err := keyset.New()
	if err != nil {
		t.Fatal(err)
	}
	model, modelURL := llmtest.Start(t)
	w := &world{
		t: t, owner: db.Owner(t), redis: miniredis.RunT(t), log: &lines{}, client: moto.Connect(t), line: newLine(t), model: model,
		desks: map[tenant.ID]*desk{
			"acme":   {Server: servicedeskplusfake.New(servicedeskplusfake.Options{APIKey: "key-of-acme"}), sick: map[string]bool{}},
			"globex": {Server: servicedeskplusfake.New(servicedeskplusfake.Options{Dialect: servicedeskplusfake.Cloud, RefreshToken: "key-of-globex", RefreshQuota: 1000}), sick: map[string]bool{}},
		},
	}
	keep.Log(t, w.log.all)
	w.cfg = config.Config{
		DatabaseURL: secret.New(db.AppURL), DatabaseAdminURL: secret.New(db.AdminURL), DatabaseOwnerURL: secret.New(db.OwnerURL), DatabaseConns: 2, SealingKey: key,
		RedisURL: secret.New("redis://" + w.redis.Addr()), WorkerConcurrency: 4, WebhooksPerMinute: 100_000, LogLevel: "error", LogFormat: "json",
	}
	w.queues()
	w.env = moto.Environment()
	maps.Copy(w.env, map[string]string{
		"AWS_ENDPOINT_URL": w.line.URL, "DATABASE_URL": db.AppURL, "DATABASE_CONNS": "2", "REDIS_URL": w.cfg.RedisURL.Reveal(), "SEALING_KEY": key.Reveal(),
		"OPENAI_BASE_URL": modelURL, "OPENAI_API_KEY": "k", "OPENAI_MODEL": "scripted", "WEBHOOKS_PER_MINUTE": "100000",
		"QUEUE_URL": w.cfg.QueueURL, "QUEUE_DEAD_URL": w.cfg.QueueDeadURL,
		"CATALOGUE_QUEUE_URL": w.cfg.CatalogueQueueURL, "CATALOGUE_QUEUE_DEAD_URL": w.cfg.CatalogueQueueDeadURL,
	})
	if _, err := app.Migrate(t.Context(), w.cfg); err != nil {
		t.Fatal(err)
	}
	w.connect()
	return w
}

// queues makes the queues of this test.
func (w *world) queues() {
	w.t.Helper()
	name := moto.Name(w.t)
	w.cfg.QueueURL, w.cfg.QueueDeadURL = moto.Create(w.t, w.client, name+"-enhancement", "10")
	w.cfg.CatalogueQueueURL, w.cfg.CatalogueQueueDeadURL = moto.Create(w.t, w.client, name+"-catalogue", "10")
	open := func(name, url, dead string) *sqs.Queue {
		box, err := keyset.Open(w.cfg.SealingKey)
		if err != nil {
			w.t.Fatal(err)
		}
		return &sqs.Queue{
			Client: w.client, URL: url, DeadURL: dead, Name: name, Box: box, Policy: queue.DefaultPolicy, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		}
	}
	w.enhancing = open(app.EnhancementQueue, w.cfg.QueueURL, w.cfg.QueueDeadURL)
	w.library = open(app.CatalogueQueue, w.cfg.CatalogueQueueURL, w.cfg.CatalogueQueueDeadURL)
}

// signing is the webhook secret of a tenant's connection.
func signing(id tenant.ID) secret.Text { return secret.New("signing-secret-of-" + string(id)) }

// connect adds the tenants and their connections.
func (w *world) connect() {
	w.t.Helper()
	a, err := app.New(w.t.Context(), w.cfg, telemetry.Telemetry{
		Log: slog.New(slog.DiscardHandler), Close: func(context.Context) error { return nil },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	defer a.Close(context.Background())
	for id, d := range w.desks {
		s := httptest.NewServer(d)
		w.t.Cleanup(func() { s.CloseClientConnections(); s.Close(); d.Close() })
		values := integration.Values{"base_url": s.URL, "api_key": "key-of-acme"}
		if id == "globex" {
			values = integration.Values{
				"edition": "cloud", "base_url": s.URL, "portal": "itdesk", "accounts_url": s.URL,
				"client_id": "demo-client", "client_secret": "demo-client-secret", "refresh_token": "key-of-globex",
			}
		}
		installed := tenant.Tenant{ID: id, Name: strings.ToUpper(string(id)), Settings: tenant.Settings{AllowedNetworks: []string{"127.0.0.0/8", "::1/128"}}}
		if err := a.Office().Install(w.t.Context(), a.AtTheDesk(), installed, tenant.Connection{
			ID: string(id), Tool: "servicedesk_plus", Signing: []secret.Text{signing(id)}, Routes: map[string]tenant.ID{"": id}, Values: values,
		}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// deploy makes a function of a built file. It may be changed before it is
// first invoked.
func (w *world) deploy(name string) *lambdaruntime.Function {
	env := w.env
	if name == "admin" {
		env = w.administers()
	}
	f := &lambdaruntime.Function{Name: name, Bootstrap: bootstrap(name), Env: env, Timeout: 30 * time.Second, Output: w.log}
	w.t.Cleanup(f.Close)
	return f
}

// attach maps a queue to a function until the test ends or stop is called.
func (w *world) attach(q *sqs.Queue, f lambdaruntime.Invoker, m lambdaruntime.Mapping) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	m.Client, m.QueueURL, m.Function, m.Visibility = w.client, q.URL, f, time.Minute
	m.Log = slog.New(slog.NewJSONHandler(w.log, nil))
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(stop)
	return stop
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

// String gives the last lines, without measurements.
func (l *lines) String() string {
	all := slices.DeleteFunc(slices.Collect(strings.Lines(l.all())), func(line string) bool { return strings.HasPrefix(line, `{"_aws"`) })
	return strings.Join(all[max(0, len(all)-25):], "")
}

func (l *lines) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// count counts the lines of a job with this message.
func (l *lines) count(job, message string) (n int) {
	for line := range strings.Lines(l.all()) {
		var entry struct {
			Message     string `json:"msg"`
			Correlation string `json:"correlation_id"`
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Message == message && entry.Correlation == job {
			n++
		}
	}
	return n
}

// eventually fails the test where ok does not become true in time.
func (w *world) eventually(what string, limit time.Duration, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %s: %s\nlog:\n%s", limit, what, w.log)
		}
	}
}

// record is a job's row as the database has it.
type record struct {
	Status, Error string
	Tries         int
}

// ended waits until the job's record is completed or failed.
func (w *world) ended(job string) (r record) {
	w.t.Helper()
	w.eventually("the end of job "+job, 90*time.Second, func() bool {
		err := w.owner.QueryRow(w.t.Context(), "SELECT status, error, tries FROM enhancement_history WHERE job_id = $1", job).Scan(&r.Status, &r.Error, &r.Tries)
		return err == nil && r.Status != "pending"
	})
	return r
}

// once holds a ticket to what is promised: one note, and one record, which is
// completed.
func (w *world) once(id tenant.ID, key, job string) {
	w.t.Helper()
	if r := w.ended(job); r.Status != "completed" {
		w.t.Errorf("job %s: %+v", job, r)
	}
	if notes := w.desks[id].Notes(key); len(notes) != 1 {
		w.t.Errorf("%d notes on ticket %s of %s", len(notes), key, id)
	}
	var all, completed int
	if err := w.owner.QueryRow(w.t.Context(), "SELECT count(*), count(*) FILTER (WHERE status = 'completed') FROM enhancement_history WHERE tenant_id = $1 AND ticket_id = $2",
		string(id), key).Scan(&all, &completed); err != nil || all != 1 || completed != 1 {
		w.t.Errorf("ticket %s of %s: %d records, %d completed, %v", key, id, all, completed, err)
	}
}

// empty waits until nothing is left on the queue, and nothing died.
func (w *world) empty(q *sqs.Queue) {
	w.t.Helper()
	var s queue.Stats
	w.eventually("an empty queue", 30*time.Second, func() bool {
		var err error
		s, err = q.Stats(w.t.Context())
		return err == nil && s.Depth+s.Running == 0
	})
	if s.Dead != 0 {
		w.t.Errorf("%d dead letters", s.Dead)
	}
}
