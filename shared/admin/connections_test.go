package admin_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/postgres/tenants"
	"github.com/deskhand/deskhand/shared/postgres/unmapped"
	"github.com/deskhand/deskhand/shared/tenant"
)

// body is what PUT takes of the connection of acme, with some of it changed.
func body(changes map[string]any) map[string]any {
	b := map[string]any{"tool": "desk", "verify": "hmac", "values": map[string]any{"base_url": "https://desk.example.com"}, "routes": map[string]any{"": "acme"}}
	maps.Copy(b, changes)
	return b
}

// TestWhoAdministersOneTenantTakesNoAccounts: an MSP's tool has accounts of
// other clients, of whom nobody in acme may get a ticket.
func TestWhoAdministersOneTenantTakesNoAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, own := w.token(t, access.Admin), w.token(t, access.Admin, "acme")
	routes := map[string]any{"A": "acme"} // the tool has more accounts than are mapped so far
	w.call(t, root, "PUT /connections/acme", body(map[string]any{"routes": routes}), "If-Match", `"1"`).want(t, 200)
	for name, changes := range map[string]map[string]any{
		"another account": {"routes": map[string]any{"A": "acme", "Globex": "acme"}},
		"every account":   {"routes": map[string]any{"": "acme"}},
		"another field":   {"routes": routes, "values": map[string]any{"base_url": "https://desk.example.com", "account_field": "subject"}},
	} {
		got := w.call(t, own, "PUT /connections/acme", body(changes), "If-Match", `"2"`)
		if got.status != 403 {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
	}
	same := map[string]any{"routes": routes, "values": map[string]any{"base_url": "https://desk.example.com", "account_field": " account.name "}}
	w.call(t, own, "PUT /connections/acme", body(same), "If-Match", `"2"`).want(t, 200)
	same["values"] = map[string]any{"base_url": "https://desk.example.com", "account_field": "site.name"}
	w.call(t, root, "PUT /connections/acme", body(same), "If-Match", `"3"`).want(t, 200)
}

func TestAnotherProfileEndsTheSecretsAndShowsANewOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t, access.Admin)
	left := body(nil)
	delete(left, "verify")
	w.call(t, token, "PUT /connections/acme", left, "If-Match", `"1"`).want(t, 422)
	left["verify"] = nil
	w.call(t, token, "PUT /connections/acme", left, "If-Match", `"1"`).want(t, 422)
	kept := w.call(t, token, "PUT /connections/acme", body(nil), "If-Match", `"1"`).want(t, 200)
	if _, shown := kept.body["secret"]; shown {
		t.Error("a secret that did not change is shown")
	}
	changed := w.call(t, token, "PUT /connections/acme", body(map[string]any{"verify": "standard_webhooks"}), "If-Match", `"2"`).want(t, 200)
	stored, err := w.office.Connections.ReadConnection(t.Context(), "acme")
	if err != nil || len(stored.Value.Signing) != 1 || stored.Value.Signing[0].Reveal() != changed.body["secret"] {
		t.Fatalf("%d secrets, %v", len(stored.Value.Signing), err)
	}
	if _, err := stored.Value.Verify.Key(stored.Value.Signing[0]); err != nil {
		t.Error(err)
	}
	back := w.call(t, token, "PUT /connections/acme", body(nil), "If-Match", `"3"`).want(t, 200)
	if back.body["secret"] == nil || back.body["secret"] == changed.body["secret"] {
		t.Error("what was another profile's is taken again")
	}
}

func TestADamagedConnectionIsToldAndMendedByWhoMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, err := keyset.New()
	if err != nil {
		t.Fatal(err)
	}
	box, err := keyset.Open(key)
	if err != nil {
		t.Fatal(err)
	}
	w.office.Connections = tenants.Office{Store: tenants.Store{DB: w.db.Admin(t), Box: box}} // of another SEALING_KEY
	for _, role := range []access.Role{access.Viewer, access.Admin} {
		w.call(t, w.token(t, role, "acme"), "GET /connections/msp", nil).want(t, 404)
		w.call(t, w.token(t, role), "GET /connections/msp", nil).want(t, 409)
	}
	root, both := w.token(t, access.Admin), w.token(t, access.Admin, "acme", "globex")
	routes := map[string]any{"A": "acme", "G": "globex"}
	values := map[string]any{"base_url": "https://desk.example.com", "api_key": credential}
	w.call(t, root, "POST /connections/msp/rotate-secret", nil, "If-Match", `"1"`).want(t, 409)
	w.call(t, both, "PUT /connections/msp", body(map[string]any{"routes": routes, "values": values}), "If-Match", `"1"`).want(t, 409)
	w.call(t, root, "PUT /connections/msp", body(map[string]any{"routes": routes}), "If-Match", `"1"`).want(t, 422)
	mended := w.call(t, root, "PUT /connections/msp", body(map[string]any{"routes": routes, "values": values}), "If-Match", `"1"`).want(t, 200)
	v, err := w.office.Connections.ReadConnection(t.Context(), "msp")
	if err != nil || v.Value.Signing[0].Reveal() != mended.body["secret"] || !maps.Equal(v.Value.Routes, map[string]tenant.ID{"A": "acme", "G": "globex"}) {
		t.Errorf("routes %v, %v", v.Value.Routes, err)
	}
}

func TestUnmappedAccountsAreForWhoSeesAllTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := (unmapped.Store{DB: w.db.App(t)}).Note(t.Context(), "msp", "Initech"); err != nil {
		t.Fatal(err)
	}
	w.call(t, w.token(t, access.Admin, "acme", "globex"), "GET /unmapped", nil).want(t, 403)
	got := w.call(t, w.token(t, access.Viewer), "GET /unmapped", nil).want(t, 200)
	if !strings.Contains(got.text, `"connection":"msp","account":"Initech","tickets":1`) {
		t.Error(got.text)
	}
}

func TestAnEmptyListOfTenantsIsAllOfThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.call(t, w.token(t, access.Admin), "POST /tokens",
		map[string]any{"name": "all", "role": "viewer", "tenants": []string{}, "expires_at": time.Now().Add(time.Hour)}).want(t, 201)
	me := w.call(t, made.body["secret"].(string), "GET /me", nil).want(t, 200)
	if me.body["all_tenants"] != "viewer" {
		t.Error(me.text)
	}
	nobody := map[string]any{"name": "x", "role": "viewer", "tenants": []string{"nobody"}, "expires_at": time.Now().Add(time.Hour)}
	w.call(t, w.token(t, access.Admin), "POST /tokens", nobody).want(t, 422)
	// The trail of the installation has it, and the log has what every change is.
	var trail string
	err := w.db.Owner(t).QueryRow(t.Context(), "SELECT string_agg(operation || ' ' || subject, ', ') FROM installation_events WHERE actor LIKE 'token:%'").Scan(&trail)
	if err != nil || trail != "token_added "+made.body["id"].(string) {
		t.Errorf("trail %q, %v", trail, err)
	}
	if log := w.log.text(); !strings.Contains(log, `"msg":"administration","operation":"token_added"`) || !strings.Contains(log, `"operation":"tenant_added","actor":"cli:root","tenant":"globex"`) {
		t.Error(log)
	}
}

func TestKeysOfTheCallersOwnMayDifferByCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t, access.Admin)
	w.call(t, token, "PUT /connections/acme", body(map[string]any{"routes": map[string]any{"a": "acme", "A": "globex"}}), "If-Match", `"1"`).want(t, 200)
	w.call(t, token, "PUT /connections/acme", `{"tool":"desk","verify":"hmac","ROUTES":{"a":"acme","a":"globex"}}`, "If-Match", `"2"`).want(t, 400)
}

func TestNobodysChangeIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	calls := 0
	v, made, err := w.office.EnsureConnection(t.Context(), root, "msp", func(c *tenant.Connection) error {
		calls++
		if calls == 1 { // somebody else adds an account between the read and the write
			if _, _, err := w.office.EnsureConnection(t.Context(), root, "msp", func(c *tenant.Connection) error { c.Routes["X"] = "acme"; return nil }); err != nil {
				return err
			}
		}
		c.Routes["Y"] = "globex"
		return nil
	})
	if err != nil || made || calls != 2 || len(v.Value.Routes) != 4 || v.Number != 3 {
		t.Errorf("%d calls, version %d, routes %v, %v", calls, v.Number, v.Value.Routes, err)
	}
	if v, made, err = w.office.EnsureConnection(t.Context(), root, "msp", func(*tenant.Connection) error { return nil }); err != nil || made || v.Number != 3 {
		t.Errorf("what is so already was written: version %d, %v", v.Number, err)
	}
	tn, err := w.office.EnsureTenant(t.Context(), root, "acme", func(*tenant.Tenant) {})
	if err != nil || tn.Number != 1 {
		t.Errorf("what is so already was written: version %d, %v", tn.Number, err)
	}
}
