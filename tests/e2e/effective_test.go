package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/tenant"
)

// effective is how soon a change has to be effective in every process.
const effective = 10 * time.Second

// fleet is several built webhook functions, and a built admin function, each a
// process of its own, on one database.
type fleet struct {
	*world
	takers []*process
	admin  *process
	sent   int
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{world: build(t)}
	f.admin = f.start("admin", "ADMIN_BASIC=anna:correct horse", "DATABASE_ADMIN_URL="+f.cfg.DatabaseAdminURL.Reveal())
	for range 2 {
		f.takers = append(f.takers, f.takesWebhooks())
	}
	f.url = f.admin.url
	f.eventually("the admin function is ready", 20*time.Second, func() bool {
		code, _ := f.get("/readyz")
		return code == http.StatusOK
	})
	return f
}

// answers sends a new webhook of the tenant to a process.
func (f *fleet) answers(p *process, id tenant.ID) int {
	f.t.Helper()
	f.sent++
	f.url = p.url
	code, _, _ := f.send(said(id, "request.created", fmt.Sprint(5000+f.sent)))
	return code
}

// change calls the admin API.
func (f *fleet) change(method, path, version, body string) {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), method, f.admin.url+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	r.SetBasicAuth("anna", "correct horse")
	r.Header.Set("If-Match", version)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); resp.StatusCode/100 != 2 || err != nil {
		f.t.Fatalf("%s %s answers %d %s, %v", method, path, resp.StatusCode, text, err)
	}
}

// follow wants every process to answer a tenant's webhooks with the status,
// within the time in which a change is effective.
func (f *fleet) follow(id tenant.ID, status int) {
	f.t.Helper()
	since := time.Now()
	for i, p := range f.takers {
		f.eventually(fmt.Sprintf("process %d answers %s with %d", i, id, status), effective-time.Since(since), func() bool {
			return f.answers(p, id) == status
		})
		f.t.Logf("process %d follows after %s", i, time.Since(since).Round(10*time.Millisecond))
	}
}

// TestAChangeIsEffectiveInEveryProcessWithinTenSeconds changes a tenant in one
// process, by the API and by the command, and asks two others.
func TestAChangeIsEffectiveInEveryProcessWithinTenSeconds(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.follow("acme", http.StatusAccepted)

	f.change(http.MethodPut, "/tenants/acme", `"1"`, `{"name":"Acme","settings":{"webhooks_per_minute":1}}`)
	f.follow("acme", http.StatusTooManyRequests)

	f.cli("tenant", "disable", "acme")
	f.follow("acme", http.StatusUnauthorized)
	for _, p := range f.takers {
		if code := f.answers(p, "globex"); code != http.StatusAccepted {
			t.Errorf("the other tenant is answered %d", code)
		}
	}
}

// TestFailuresCountAgainstTheSourceBeforeTheProxies has two senders behind one
// proxy: one that fails again and again, and writes ever new addresses, and one
// that fails once.
func TestFailuresCountAgainstTheSourceBeforeTheProxies(t *testing.T) {
	t.Parallel()
	w := build(t)
	w.url = w.start("webhook", "TRUSTED_PROXIES=1").url
	w.eventually("the webhook function is ready", 20*time.Second, func() bool {
		code, _ := w.get("/readyz")
		return code == http.StatusOK
	})
	forged := func(forwarded string) int {
		d := said("acme", "request.created", "1")
		d.key, d.header = signing("globex"), map[string]string{"X-Forwarded-For": forwarded}
		code, _, _ := w.send(d)
		return code
	}
	for i := range 30 {
		if code := forged(fmt.Sprintf("198.51.100.%d, 203.0.113.7", i)); code != http.StatusUnauthorized {
			t.Fatalf("failure %d is answered %d", i+1, code)
		}
	}
	if code := forged("198.51.100.99, 203.0.113.7"); code != http.StatusTooManyRequests {
		t.Errorf("a source that forges where it comes from is answered %d", code)
	}
	if code := forged("203.0.113.8"); code != http.StatusUnauthorized {
		t.Errorf("another source behind the same proxy is answered %d", code)
	}
}
