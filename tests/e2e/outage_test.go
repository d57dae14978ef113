package e2e_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/app"
	"github.com/deskhand/deskhand/shared/catalogue"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/secret"
)

// wire is a TCP line to Postgres that a test cuts, silences and mends.
type wire struct {
	to       string
	listener net.Listener
	mu       sync.Mutex
	cut      bool
	silent   chan struct{} // closed when it speaks again; nil where it does
	ends     map[net.Conn]bool
}

// end is an end of a wire, which gives nothing while the wire is silent.
type end struct {
	net.Conn
	wire *wire
}

func (e end) Read(b []byte) (int, error) {
	n, err := e.Conn.Read(b)
	e.wire.mu.Lock()
	silent := e.wire.silent
	e.wire.mu.Unlock()
	if silent != nil {
		<-silent
	}
	return n, err
}

// wired gives the database behind a wire.
func wired(t *testing.T, db pgtest.DB) (*wire, pgtest.DB) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(db.AppURL)
	if err != nil {
		t.Fatal(err)
	}
	wr := &wire{to: u.Host, listener: listener, ends: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = listener.Close(); wr.Cut() })
	go wr.serve()
	over := func(raw string) string { return strings.Replace(raw, u.Host, listener.Addr().String(), 1) }
	return wr, pgtest.DB{OwnerURL: db.OwnerURL, AppURL: over(db.AppURL), AdminURL: over(db.AdminURL), QueueURL: over(db.QueueURL)}
}

func (wr *wire) serve() {
	for {
		near, err := wr.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", wr.to)
		if err != nil || !wr.keep(near, far) {
			_ = near.Close()
			continue
		}
		for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
			go func() {
				_, _ = io.Copy(way[0], end{way[1], wr})
				_, _ = way[0].Close(), way[1].Close()
			}()
		}
	}
}

func (wr *wire) keep(ends ...net.Conn) bool {
	wr.mu.Lock()
	defer wr.mu.Unlock()
	for _, c := range ends {
		wr.ends[c] = true
		if wr.cut {
			_ = c.Close()
		}
	}
	return !wr.cut
}

// Cut ends every connection and refuses new ones until Mend.
func (wr *wire) Cut() {
	wr.mu.Lock()
	defer wr.mu.Unlock()
	wr.speak()
	wr.cut = true
	for c := range wr.ends {
		_ = c.Close()
	}
}

// Silence keeps all that is said on it, old connections and new, until Mend.
func (wr *wire) Silence() {
	wr.mu.Lock()
	defer wr.mu.Unlock()
	wr.silent = make(chan struct{})
}

func (wr *wire) Mend() {
	wr.mu.Lock()
	defer wr.mu.Unlock()
	wr.speak()
	wr.cut = false
}

func (wr *wire) speak() {
	if wr.silent != nil {
		close(wr.silent)
		wr.silent = nil
	}
}

func TestPostgresDownIsSaidAtOnceAndNothingIsHalfAccepted(t *testing.T) {
	t.Parallel()
	wr, db := wired(t, pgtest.New(t))
	w := buildOn(t, db)
	w.run()
	w.ticket = w.desks["acme"].AddTicket(printing)
	d := said("acme", "request.created", w.ticket)

	wr.Silence()
	w.toldLater(d)
	wr.Cut()
	w.toldLater(d)
	if code, page := w.get("/readyz"); code != http.StatusServiceUnavailable || strings.Count(page, `"down"`) < 3 {
		t.Errorf("readyz: %d %s", code, page)
	}
	if code, _ := w.get("/healthz"); code != http.StatusOK {
		t.Errorf("healthz: %d", code)
	}
	if code, _, _ := w.send(delivery{path: d.path, body: d.body}); code != http.StatusUnauthorized {
		t.Errorf("a forgery during the outage: %d", code)
	}

	wr.Mend()
	w.eventually("webhooks are taken again", 20*time.Second, func() bool {
		code, _, _ := w.send(d)
		return code == http.StatusAccepted
	})
	w.note("acme", w.ticket)
	if wrong := w.wrong(1); wrong != "" {
		t.Error(wrong)
	}
}

// toldLater sends the webhook some times, and wants 503 and Retry-After within
// a second. On a busy machine many may take longer, but not all of ten.
func (w *world) toldLater(d delivery) {
	w.t.Helper()
	quickest := time.Hour
	for n := 0; n < 3 || n < 10 && quickest > time.Second; n++ {
		start := time.Now()
		code, answer, header := w.send(d)
		took := time.Since(start)
		if code != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || took > 3*time.Second {
			w.t.Errorf("%d %v after %s, Retry-After %q", code, answer, took, header.Get("Retry-After"))
		}
		quickest = min(quickest, took)
		w.t.Logf("503 after %s", took.Round(time.Millisecond))
	}
	if quickest > time.Second {
		w.t.Errorf("the quickest answer took %s", quickest)
	}
}

func TestAColdProcessWithoutPostgresSaysLaterAndNeverUnknown(t *testing.T) {
	t.Parallel()
	for _, queue := range []string{onPostgres, onSQS} {
		t.Run(queue, func(t *testing.T) {
			t.Parallel()
			wr, db := wired(t, pgtest.New(t))
			w := buildOn(t, db)
			if queue == onSQS {
				w.onSQS()
			}
			wr.Cut()
			w.cold = true
			w.serve()
			genuine := said("acme", "request.created", "1")
			forged := delivery{path: genuine.path, body: genuine.body}
			later := func() {
				t.Helper()
				for _, d := range []delivery{genuine, forged, said("nobody", "request.created", "1")} {
					if code, answer, header := w.send(d); code != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
						t.Errorf("%s: %d %v", d.path, code, answer)
					}
				}
			}
			later()
			w.redis.Close()
			later()
			wr.Mend()
			w.eventually("the process finds Postgres by itself", 30*time.Second, func() bool {
				code, _, _ := w.send(genuine)
				return code == http.StatusAccepted
			})
			if code, _, _ := w.send(forged); code != http.StatusUnauthorized {
				t.Errorf("a forgery: %d", code)
			}
		})
	}
}

func TestWithoutRedisTheProductGoesOn(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.redis.Close()
	key := w.desks["acme"].AddTicket(printing)
	job := w.created("acme", key)
	if again := w.created("acme", key); again != job {
		t.Error("a repeat was not recognised")
	}
	w.note("acme", key)
	if code, page := w.get("/readyz"); code != http.StatusOK || !strings.Contains(page, "degraded") {
		t.Errorf("readyz: %d %s", code, page)
	}
}

func TestAProcessRefusesARoleThatRowLevelSecurityDoesNotHold(t *testing.T) {
	t.Parallel()
	w := build(t)
	appURL := w.cfg.DatabaseURL
	w.cfg.DatabaseURL = w.cfg.DatabaseOwnerURL
	w.cfg.Addr = freeAddr(t)
	a, err := app.New(t.Context(), w.cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close(context.Background())
	for name, run := range map[string]func(context.Context) error{"webhook": a.RunWebhook, "enhance": a.RunEnhance, "catalogue": a.RunCatalogue} {
		if err := run(t.Context()); err == nil || !strings.Contains(err.Error(), "app_user") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for want, cfg := range map[string]func(*config.Config){
		"administers all tenants":      func(c *config.Config) { c.DatabaseURL = c.DatabaseAdminURL }, // of the webhook, which must not
		"app_user is not admin_user":   func(c *config.Config) { c.DatabaseURL, c.DatabaseAdminURL = appURL, appURL },
		"is a superuser":               func(c *config.Config) { c.DatabaseURL, c.DatabaseAdminURL = appURL, c.DatabaseOwnerURL },
		"DATABASE_ADMIN_URL: required": func(c *config.Config) { c.DatabaseURL, c.DatabaseAdminURL = appURL, secret.Text{} },
	} {
		c := w.cfg
		cfg(&c)
		a, err := app.New(t.Context(), c, quiet())
		if err != nil {
			t.Fatal(err)
		}
		if err := a.RunAdmin(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		_ = a.Close(context.Background())
	}
}

func TestEachRoleRunsByItself(t *testing.T) {
	t.Parallel()
	w := build(t)
	w.serve()
	roles := map[string]func(*app.App, context.Context) error{"enhance": (*app.App).RunEnhance, "catalogue": (*app.App).RunCatalogue}
	for name, role := range roles {
		cfg := w.cfg
		cfg.Addr = freeAddr(t)
		a, err := app.New(t.Context(), cfg, quiet())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- role(a, ctx) }()
		t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("%s ended with %v", name, err)
			}
			_ = a.Close(context.Background())
		})
	}
	key := w.desks["acme"].AddTicket(printing)
	w.created("acme", key)
	w.note("acme", key)
	w.eventually("the schedules were kept", 30*time.Second, func() bool {
		var n int
		err := w.owner.QueryRow(t.Context(), "SELECT count(*) FROM schedule_slots").Scan(&n)
		return err == nil && n == 2*len(catalogue.Schedules())
	})
}

func TestABrokenConfigurationIsNamed(t *testing.T) {
	t.Parallel()
	w := build(t)
	bad := w.cfg
	bad.SealingKey = secret.New("not-a-keyset")
	if _, err := app.New(t.Context(), bad, quiet()); err == nil || !strings.Contains(err.Error(), "keygen") || strings.Contains(err.Error(), "not-a-keyset") {
		t.Errorf("a bad key: %v", err)
	}
	bad = w.cfg
	bad.DatabaseQueueURL = secret.New("mysql://user:hunter2@db:what")
	if _, err := app.New(t.Context(), bad, quiet()); err == nil || !strings.Contains(err.Error(), "DATABASE_QUEUE_URL") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a bad queue URL: %v", err)
	}
	bad = w.cfg
	bad.RedisURL = secret.New("http://user:hunter2@cache")
	if _, err := app.New(t.Context(), bad, quiet()); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a bad Redis URL: %v", err)
	}
	bad = w.cfg
	bad.DatabaseOwnerURL = secret.Text{}
	if _, err := app.Migrate(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "DATABASE_OWNER_URL") {
		t.Errorf("migrations without an owner: %v", err)
	}
	if out := w.cli("migrate"); !strings.Contains(out, "0 migrations applied") {
		t.Error(out)
	}
}
