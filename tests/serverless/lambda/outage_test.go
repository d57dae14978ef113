package lambda_test

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/localstack/lambdaruntime"
	"github.com/deskhand/deskhand/localstack/pgserver"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/tenant"
)

// server starts a Postgres that the test may stop.
func server(t *testing.T) (*pgserver.Server, pgtest.DB) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "deskhand-outage-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil { // for the server's user
		t.Fatal(err)
	}
	s, err := pgserver.Start(t.Context(), pgserver.Options{Dir: dir, Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	owner, err := s.CreateDatabase(t.Context(), "deskhand")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(owner)
	if err != nil {
		t.Fatal(err)
	}
	as := func(role string) string {
		u.User = url.UserPassword(role, "of-this-test")
		return u.String()
	}
	return s, pgtest.DB{OwnerURL: owner, AppURL: as("app_user"), AdminURL: as("admin_user")}
}

func TestWebhooksAreTakenWithoutPostgresAndWithoutRedis(t *testing.T) {
	t.Parallel()
	postgres, db := server(t)
	w := buildOn(t, db)
	warm := lambdaruntime.Gateway{Function: w.deploy("webhook")}
	taken := map[string]bool{}
	slowest := time.Duration(0)
	takes := func(id tenant.ID) {
		t.Helper()
		start := time.Now()
		code, answer, _ := send(warm, request(id, signing(id), w.desks[id].AddTicket(printing), time.Now()))
		job, _ := answer["job_id"].(string)
		if code != http.StatusAccepted || job == "" || taken[job] {
			t.Fatalf("%d %v\n%s", code, answer, w.log)
		}
		taken[job] = true
		slowest = max(slowest, time.Since(start))
	}
	both := func() { t.Helper(); takes("acme"); takes("globex") }
	both()
	w.redis.Close()
	both()
	if err := w.redis.Restart(); err != nil {
		t.Fatal(err)
	}
	both()
	if err := postgres.Stop(); err != nil {
		t.Fatal(err)
	}
	both()
	w.redis.Close()
	// Long enough for the directory to be due, which Postgres would have.
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		both()
	}
	t.Logf("%d webhooks were taken, the slowest in %s", len(taken), slowest.Round(time.Millisecond))
	if s, err := w.enhancing.Stats(t.Context()); err != nil || s.Depth != len(taken) {
		t.Errorf("%d on the queue, %v, want %d", s.Depth, err, len(taken))
	}
	if s := warm.Function.(*lambdaruntime.Function).Stats(); s.Cold != 1 {
		t.Errorf("%+v, want one instance", s)
	}
	if code, answer, _ := send(warm, request("acme", signing("globex"), "43", time.Now())); code != http.StatusUnauthorized {
		t.Errorf("a forgery during the outage: %d %v", code, answer)
	}

	cold := lambdaruntime.Gateway{Function: w.deploy("webhook")}
	for range 2 {
		code, answer, header := send(cold, request("acme", signing("acme"), "44", time.Now()))
		if code != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
			t.Errorf("a cold function answers %d %v, want 503 and Retry-After, never 401", code, answer)
		}
	}
}

func TestAQueueOnPostgresIsRefusedByFunctionsThatWork(t *testing.T) {
	t.Parallel()
	w := build(t)
	for _, name := range []string{"QUEUE_URL", "QUEUE_DEAD_URL", "CATALOGUE_QUEUE_URL", "CATALOGUE_QUEUE_DEAD_URL"} {
		delete(w.env, name)
	}
	w.env["DATABASE_QUEUE_URL"] = w.env["DATABASE_URL"]
	for _, name := range []string{"enhance", "catalogue"} {
		r, err := w.deploy(name).Invoke(t.Context(), []byte(`{}`))
		if err != nil || r.Failure().Type != "Runtime.ExitError" || !strings.Contains(w.log.all(), "QUEUE_URL: required in Lambda") {
			t.Errorf("%s: %s, %v\n%s", name, r.Payload, err, w.log)
		}
	}
}
