package app

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/admin"
	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/queue/river"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/telemetry"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/webhook"
)

// instances gives processes' worth of parts on one database, with two tenants.
func instances(t *testing.T, n int) []*App {
	t.Helper()
	db := pgtest.New(t)
	if err := river.Migrate(t.Context(), db.OwnerURL); err != nil {
		t.Fatal(err)
	}
	key, err := keyset.New()
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Config{
		DatabaseURL: secret.New(db.AppURL), DatabaseAdminURL: secret.New(db.AdminURL), DatabaseQueueURL: secret.New(db.QueueURL), DatabaseOwnerURL: secret.New(db.OwnerURL), DatabaseConns: 4, SealingKey: key, Addr: "127.0.0.1:0",
		WorkerConcurrency: 1, WebhooksPerMinute: 100, DrainTime: time.Second, AdminBasic: secret.New("anna:correct horse"), LogLevel: "error", LogFormat: "json",
	}
	apps := make([]*App, n)
	for i := range apps {
		tel, err := telemetry.Setup(t.Context(), telemetry.Options{Service: "test", Level: "error", Format: "json", Out: io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		if apps[i], err = New(t.Context(), cfg, tel); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = apps[i].Close(context.Background()) })
	}
	for _, id := range []tenant.ID{"acme", "globex"} {
		installed := tenant.Tenant{ID: id, Name: string(id)}
		c := tenant.Connection{
			ID: string(id), Tool: "servicedesk_plus", Routes: map[string]tenant.ID{"": id}, Signing: []secret.Text{secret.New("signing-" + string(id))},
			Values: integration.Values{"base_url": "https://sdp.example.com", "api_key": "k"},
		}
		if err := apps[0].Office().Install(t.Context(), apps[0].AtTheDesk(), installed, c); err != nil {
			t.Fatal(err)
		}
	}
	return apps
}

// ask calls the admin API of a as the administrator of the laptop.
func ask(t *testing.T, a *App, operation, etag, body string) (int, string) {
	t.Helper()
	method, path, _ := strings.Cut(operation, " ")
	r := httptest.NewRequestWithContext(t.Context(), method, admin.Base+path, strings.NewReader(body))
	r.SetBasicAuth("anna", "correct horse")
	r.Header.Set("If-Match", etag)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	a.everything().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// TestAChangeIsEffectiveEverywhereWithinTenSeconds makes changes through one
// process and waits for them in another, which was told nothing.
func TestAChangeIsEffectiveEverywhereWithinTenSeconds(t *testing.T) {
	t.Parallel()
	apps := instances(t, 2)
	here, there := apps[0], apps[1]
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- there.RunWebhook(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	until(t, 10*time.Second, "the first directory", func() bool { return len(there.watch.Current().Tenants) == 2 })

	old := send(t, there, secret.New("signing-acme"))
	if old != http.StatusAccepted {
		t.Fatalf("before the rotation: %d", old)
	}
	code, rotated := ask(t, here, "POST /connections/acme/rotate-secret", `"1"`, "")
	if code != http.StatusOK {
		t.Fatalf("rotate: %d %s", code, rotated)
	}
	_, after, _ := strings.Cut(rotated, `"secret":"`)
	fresh, _, _ := strings.Cut(after, `"`)
	if code, text := ask(t, here, "PUT /tenants/acme", `"1"`, `{"name":"Acme Legal","settings":{"note_format":"markdown"}}`); code != http.StatusOK {
		t.Fatalf("change: %d %s", code, text)
	}
	if code, text := ask(t, here, "POST /tenants/globex/disable", `"1"`, ""); code != http.StatusOK {
		t.Fatalf("disable: %d %s", code, text)
	}
	until(t, 10*time.Second, "the changes", func() bool {
		d := there.watch.Current()
		_, gone := d.Tenant("globex")
		return d.Tenants["acme"].Settings.NoteFormat == "markdown" && gone != nil && len(d.Connections["acme"].Signing) == 2
	})
	for name, key := range map[string]string{"new": fresh, "old": "signing-acme"} {
		if code := send(t, there, secret.New(key)); code != http.StatusAccepted {
			t.Errorf("a webhook signed with the %s secret: %d", name, code)
		}
	}
	if code, text := ask(t, here, "POST /connections/acme/retire-secret", `"2"`, ""); code != http.StatusOK {
		t.Fatalf("retire: %d %s", code, text)
	}
	until(t, 10*time.Second, "the end of the old secret", func() bool { return send(t, there, secret.New("signing-acme")) == http.StatusUnauthorized })
}

// TestLinksOfNotesLeadToTheirPageInEveryProcess signs a link in one process, and
// follows it in another.
func TestLinksOfNotesLeadToTheirPageInEveryProcess(t *testing.T) {
	t.Parallel()
	apps := instances(t, 2)
	here, there := apps[0], apps[1]
	if up, down := here.links("acme", "eaa78a6a-ad7b-8c8a-979a-1d8609752b89"); up != "" || down != "" {
		t.Errorf("without PUBLIC_URL: %q, %q", up, down)
	}
	here.Config.PublicURL = "https://desk.example.com"
	if err := there.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := here.db.Pool.Exec(t.Context(), `BEGIN; SET LOCAL app.tenant = 'acme'; INSERT INTO enhancement_history (tenant_id, job_id, tool, connection_id, ticket_id, kind, note, received_at)
VALUES ('acme', 'eaa78a6a-ad7b-8c8a-979a-1d8609752b89', 'servicedesk_plus', 'acme', '7', 'created', 'A note', now()); COMMIT`)
	if err != nil {
		t.Fatal(err)
	}
	up, _ := here.links("acme", "eaa78a6a-ad7b-8c8a-979a-1d8609752b89")
	link, err := url.Parse(up)
	if err != nil || link.Host != "desk.example.com" {
		t.Fatal(up, err)
	}
	follow := func(h http.Handler, path string) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return w.Code
	}
	for name, h := range map[string]http.Handler{"admin": there.Admin(), "one process": there.everything()} {
		if code := follow(h, link.Path); code != http.StatusOK {
			t.Errorf("%s: %d", name, code)
		}
		if code := follow(h, link.Path+"x"); code != http.StatusNotFound {
			t.Errorf("%s, forged: %d", name, code)
		}
	}
	limited := there.feedback()
	codes := map[int]int{}
	for range votesPerMinute + 20 {
		codes[follow(limited, "/feedback/x")]++
	}
	if codes[http.StatusTooManyRequests] == 0 || codes[http.StatusNotFound] < votesPerMinute/2 {
		t.Errorf("answers to many forged links: %v", codes)
	}
}

// send sends a webhook for a new ticket of acme, and gives the status.
func send(t *testing.T, a *App, key secret.Text) int {
	t.Helper()
	ticketID := strconv.FormatInt(time.Now().UnixNano(), 10) // never the same: that would be a replay
	body := []byte(`{"tenant_id":"acme","ticket_id":"` + ticketID + `","description":"the printer is on fire","priority":"high","created_at":"2026-03-01T12:00:00Z"}`)
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhook/servicedesk/acme", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(webhook.TimestampHeader, stamp)
	r.Header.Set(webhook.SignatureHeader, webhook.Sign(key, stamp, body))
	w := httptest.NewRecorder()
	a.Webhook().ServeHTTP(w, r)
	return w.Code
}

func until(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !done(); {
		if time.Now().After(end) {
			t.Fatalf("waited %s for %s", limit, what)
		}
		select {
		case <-t.Context().Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestTheOfficeKnowsEverySourceAndTool(t *testing.T) {
	t.Parallel()
	office := instances(t, 1)[0].Office()
	if len(office.Sources) != 3 || office.Tools.Check() != nil {
		t.Errorf("sources %q", office.Sources)
	}
	caller := admin.Caller{Principal: access.Principal{Name: "test", All: access.Viewer}, Need: access.Viewer}
	if list, err := office.ListTenants(t.Context(), caller); err != nil || len(list) != 2 {
		t.Errorf("%d tenants, %v", len(list), err)
	}
}
