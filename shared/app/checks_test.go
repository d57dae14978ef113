package app

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/cli"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/doctor"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	fake "github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
)

// ward is an installation with a tool and a model, to be examined.
type ward struct {
	cfg  config.Config
	app  *App
	tool *fake.Server
	late time.Duration // the tool's clock
}

func newWard(t *testing.T) *ward {
	t.Helper()
	w := &ward{app: instances(t, 1)[0], tool: fake.New(fake.Options{})}
	w.cfg = w.app.Config
	w.cfg.LogLevel = "info"
	_, w.cfg.OpenAIBaseURL = llmtest.Start(t)
	w.cfg.OpenAIKey, w.cfg.OpenAIModel = secret.New("k"), "small"
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Date", time.Now().Add(w.late).UTC().Format(http.TimeFormat))
		w.tool.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	for _, id := range []tenant.ID{"acme", "globex"} {
		err := w.app.Office().Install(t.Context(), w.app.AtTheDesk(),
			tenant.Tenant{ID: id, Name: string(id), Settings: tenant.Settings{AllowedNetworks: []string{"127.0.0.0/8"}}}, tenant.Connection{
				ID: string(id), Tool: "servicedesk_plus", Routes: map[string]tenant.ID{"": id}, Signing: []secret.Text{secret.New("s")},
				Values: integration.Values{"base_url": server.URL, "api_key": "demo-api-key"}, Disabled: id == "globex",
			})
		if err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *ward) examine(t *testing.T) []doctor.Result {
	t.Helper()
	return examine(t.Context(), func() (config.Config, error) { return w.cfg, nil })
}

// of gives the results of one check.
func of(results []doctor.Result, check string) (found []doctor.Result) {
	for _, r := range results {
		if r.Check == check {
			found = append(found, r)
		}
	}
	return found
}

// wantVerdict wants a result of the check to have the verdict and to say text.
func wantVerdict(t *testing.T, results []doctor.Result, check string, v doctor.Verdict, text string) {
	t.Helper()
	found := of(results, check)
	if !slices.ContainsFunc(found, func(r doctor.Result) bool {
		return r.Verdict == v && strings.Contains(r.Subject+": "+r.Detail, text)
	}) {
		t.Errorf("%s: %+v, want %s with %q", check, found, v, text)
	}
}

func TestAHealthyInstallationPasses(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	ticketOf(t, w)
	results := w.examine(t)
	for _, r := range results {
		if r.Verdict != doctor.OK && r.Check != "egress" { // tests may run without a network
			t.Errorf("%+v", r)
		}
	}
	wantVerdict(t, results, "directory", doctor.OK, "2 connections")
	wantVerdict(t, results, "permissions", doctor.OK, "acme: View requests")
	wantVerdict(t, results, "model", doctor.OK, "small answers")
	if n := len(of(results, "permissions")); n != 3 {
		t.Errorf("%d permissions, want three of the connection that is in use", n)
	}
}

// ticketOf puts a request into the tool, for without one permissions cannot be asked.
func ticketOf(t *testing.T, w *ward) {
	t.Helper()
	if err := w.app.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	tool, err := w.app.tools.open(w.app.watch.Current().Connections["acme"])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tool.(interface {
		Create(context.Context, string, string) (string, error)
	}).Create(t.Context(), "a printer", "does not print"); err != nil {
		t.Fatal(err)
	}
}

func TestEachIllnessIsNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ail         func(*testing.T, *ward)
		check, text string
		verdict     doctor.Verdict
	}{
		"no database":    {func(_ *testing.T, w *ward) { w.cfg.DatabaseURL = secret.New("postgres://u:hunter2@127.0.0.1:1/x") }, "postgres", "refused", doctor.Fail},
		"no queue":       {func(_ *testing.T, w *ward) { w.cfg.DatabaseQueueURL = secret.New("postgres://u:hunter2@127.0.0.1:1/x") }, "queue", "refused", doctor.Fail},
		"the owner":      {func(t *testing.T, w *ward) { w.cfg.DatabaseURL = secret.New(pgtest.New(t).OwnerURL) }, "role", "row-level security", doctor.Fail},
		"queue as owner": {func(t *testing.T, w *ward) { w.cfg.DatabaseQueueURL = secret.New(pgtest.New(t).OwnerURL) }, "queue", "is a superuser", doctor.Fail},
		"queue as app":   {func(_ *testing.T, w *ward) { w.cfg.DatabaseQueueURL = w.cfg.DatabaseURL }, "queue", "tables or functions of the application", doctor.Fail},
		"another key":    {func(_ *testing.T, w *ward) { w.cfg.SealingKey, _ = keyset.New() }, "directory", "connection/acme", doctor.Fail},
		"no Redis":       {func(_ *testing.T, w *ward) { w.cfg.RedisURL = secret.New("redis://:hunter2@127.0.0.1:1/0") }, "redis", "ping", doctor.Warn},
		"no model":       {func(_ *testing.T, w *ward) { w.cfg.OpenAIBaseURL = "http://127.0.0.1:1/v1" }, "model", "not answer", doctor.Warn},
		"no key":         {func(_ *testing.T, w *ward) { w.cfg.OpenAIKey = secret.Text{} }, "model", "no OPENAI_API_KEY", doctor.Warn},
		"no permission":  {refusesNotes, "permissions", "acme: View notes of requests", doctor.Fail},
		"an old tool":    {func(_ *testing.T, w *ward) { w.late = -time.Hour }, "tool clocks", "behind this machine", doctor.Warn},
		"no secret":      {func(_ *testing.T, w *ward) { w.cfg.SealingKey = secret.Text{} }, "configuration", "SEALING_KEY", doctor.Fail},
		"a broken key":   {func(_ *testing.T, w *ward) { w.cfg.SealingKey = secret.New("hunter2") }, "configuration", "keygen", doctor.Fail},
		"a secret of another profile": {func(t *testing.T, w *ward) {
			t.Helper()
			owner := pgtest.DB{OwnerURL: w.cfg.DatabaseOwnerURL.Reveal()}.Owner(t)
			if _, err := owner.Exec(t.Context(), "UPDATE connections SET verify = 'standard_webhooks' WHERE id = 'acme'"); err != nil {
				t.Fatal(err)
			}
		}, "directory", "connection acme takes webhooks by standard_webhooks", doctor.Fail},
		"no role of administrators": {func(_ *testing.T, w *ward) { w.cfg.DatabaseAdminURL = w.cfg.DatabaseURL }, "role", "app_user is not admin_user", doctor.Fail},
		"no connections": {func(t *testing.T, w *ward) {
			w.cfg.DatabaseURL, w.cfg.DatabaseAdminURL = secret.New(pgtest.New(t).AppURL), secret.Text{}
		}, "permissions", "tenant add", doctor.Warn},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWard(t)
			ticketOf(t, w)
			c.ail(t, w)
			results := w.examine(t)
			wantVerdict(t, results, c.check, c.verdict, c.text)
			if (doctor.Failures(results) > 0) != (c.verdict == doctor.Fail) {
				t.Errorf("%d failures", doctor.Failures(results))
			}
			for _, r := range results {
				if strings.Contains(r.Detail, "hunter2") || (r.Verdict == doctor.Fail) && (r.Fix == "" || r.Means == "") {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

func TestNoProcessStartsWithAQueueRoleThatReachesMore(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	if err := w.app.check(t.Context()); err != nil {
		t.Fatalf("as queue_user: %v", err)
	}
	for name, url := range map[string]secret.Text{"the owner": secret.New(pgtest.New(t).OwnerURL), "app_user": w.cfg.DatabaseURL} {
		cfg := w.cfg
		cfg.DatabaseQueueURL = url
		a, err := New(t.Context(), cfg, w.app.Telemetry)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.pool.Close)
		if err := a.check(t.Context()); !errors.Is(err, postgres.ErrRole) || !strings.Contains(err.Error(), "DATABASE_QUEUE_URL") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := a.enhancing.Stats(t.Context()); !errors.Is(err, postgres.ErrRole) {
			t.Errorf("%s, without the check: %v", name, err)
		}
	}
}

func refusesNotes(_ *testing.T, w *ward) {
	w.tool.Fail(fake.Fault{Route: "GET requests/{id}/notes", Times: -1, Status: http.StatusForbidden, Body: "{}"})
}

func TestAConfigurationThatCannotBeReadIsAFinding(t *testing.T) {
	t.Parallel()
	results := examine(t.Context(), func() (config.Config, error) { return config.Config{}, errors.New("SEALING_KEY_FILE: no such file") })
	wantVerdict(t, results, "configuration", doctor.Fail, "SEALING_KEY_FILE")
	if len(results) != len((&App{}).checks()) {
		t.Errorf("%d results", len(results))
	}
}

func TestReadinessAsksTheQuickChecksOfTheList(t *testing.T) {
	t.Parallel()
	a := instances(t, 1)[0]
	var names []string
	for _, c := range a.Checks() {
		names = append(names, c.Name)
		if err := c.Ping(t.Context()); (err == nil) == (c.Name == "postgres") {
			t.Errorf("%s before the directory is loaded: %v", c.Name, err)
		}
	}
	if got := strings.Join(names, " "); got != "postgres schema queue redis" {
		t.Errorf("asked: %s", got)
	}
}

// TestTheRunbookHasTheList holds docs/runbooks/doctor.md to the code.
func TestTheRunbookHasTheList(t *testing.T) {
	t.Parallel()
	checks := (&App{}).checks()
	book, err := os.ReadFile("../../docs/runbooks/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	if table := doctor.Markdown(checks); !strings.Contains(string(book), table) {
		t.Errorf("docs/runbooks/doctor.md needs this table:\n%s", table)
	}
	seen := map[string]bool{"": true}
	for _, c := range checks {
		if !seen[c.After] || seen[c.Name] || c.Run == nil || c.Means == "" || !strings.Contains(c.Fix, "`") {
			t.Errorf("check %q: unique, after an earlier one, with a question, a meaning and a command", c.Name)
		}
		seen[c.Name] = true
	}
}

func TestKeysRotateWithoutLosingACredential(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	load := func() (config.Config, error) { return w.cfg, nil }
	for _, step := range []struct {
		how  cli.Rotation
		want cli.Resealed
	}{{cli.AddKey, cli.Resealed{Already: 2}}, {cli.UseKey, cli.Resealed{Done: 2}}, {cli.RetireKey, cli.Resealed{Already: 2}}} {
		var err error
		if w.cfg.SealingKey, err = rotate(t.Context(), load, step.how, ""); err != nil {
			t.Fatal(err)
		}
		desk, err := openDesk(t.Context(), load)
		if err != nil {
			t.Fatal(err)
		}
		got, err := desk.Reseal(t.Context())
		if err != nil || got != step.want {
			t.Errorf("after %s: %+v, %v; want %+v", step.how, got, err, step.want)
		}
		d, err := desk.Directory(t.Context())
		if err != nil || d.Connections["acme"].Values["api_key"] != "demo-api-key" {
			t.Errorf("after %s: %d connections open, %v", step.how, len(d.Connections), err)
		}
		if err := desk.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}
