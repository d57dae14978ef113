package admin_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing"
)

func TestATenantIsReadAndChangedByItsVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t, access.Operator, "acme")
	read := w.call(t, token, "GET /tenants/acme", nil).want(t, 200)
	if read.header.Get("ETag") != `"1"` || read.body["version"] != 1.0 || read.header.Get("Cache-Control") != "no-store" {
		t.Errorf("read %v %s", read.header, read.text)
	}
	change := map[string]any{"name": "Acme Legal", "settings": map[string]any{"note_format": "markdown", "sources_off": []string{"history"}, "history_days": 90}}
	changed := w.call(t, token, "PUT /tenants/acme", change, "If-Match", `"1"`).want(t, 200)
	if changed.header.Get("ETag") != `"2"` {
		t.Errorf("changed: %v %s", changed.header, changed.text)
	}
	again := w.call(t, token, "GET /tenants/acme", nil).want(t, 200)
	if diff := cmp.Diff(changed.body, again.body); diff != "" {
		t.Error(diff)
	}
	w.call(t, token, "PUT /tenants/acme", change, "If-Match", `"1"`).want(t, 412)
	w.call(t, token, "PUT /tenants/acme", change).want(t, 428)
	for _, bad := range []string{"", "*", `W/"2"`, `"2", "3"`, `"0"`, `"-2"`, `"x"`, `"99999999999"`} {
		w.call(t, token, "PUT /tenants/acme", change, "If-Match", bad).want(t, 400)
	}
	if got := w.trail(t, "acme"); !slices.Equal(got, []string{"tenant_changed "}) {
		t.Errorf("trail %q: want the one change, and none that was refused", got)
	}
}

func TestOfTwoChangesAtOnceOneIsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t, access.Admin)
	for _, path := range []string{"/tenants/acme/disable", "/connections/msp/rotate-secret"} {
		var statuses [8]int
		var wg sync.WaitGroup
		for i := range statuses {
			wg.Go(func() { statuses[i] = w.call(t, token, "POST "+path, nil, "If-Match", `"1"`).status })
		}
		wg.Wait()
		slices.Sort(statuses[:])
		if !slices.Equal(statuses[:], []int{200, 412, 412, 412, 412, 412, 412, 412}) {
			t.Errorf("%s: %v", path, statuses)
		}
	}
}

func TestATenantIsAddedOnceDisabledAndEnabled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t, access.Admin)
	added := map[string]any{"id": "initech", "name": "Initech", "settings": map[string]any{}}
	w.call(t, token, "POST /tenants", added).want(t, 201)
	w.call(t, token, "POST /tenants", added).want(t, 409)
	w.call(t, token, "POST /tenants/initech/disable", nil, "If-Match", `"1"`).want(t, 200)
	list := w.call(t, token, "GET /tenants", nil).want(t, 200)
	if !strings.Contains(list.text, `{"id":"initech","name":"Initech","disabled":true}`) {
		t.Errorf("list %s", list.text)
	}
	w.call(t, token, "POST /tenants/initech/enable", nil, "If-Match", `"2"`).want(t, 200)
	if got := w.trail(t, "initech"); !slices.Equal(got, []string{"tenant_added ", "tenant_disabled ", "tenant_enabled "}) {
		t.Errorf("trail %q", got)
	}
}

func TestWhatIsWrongIsRefusedWithItsName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t, access.Admin)
	settings := func(s string) string { return `{"name":"Acme","settings":` + s + `}` }
	for name, c := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"unknown field":           {`{"name":"Acme","colour":"red"}`, 400, "colour"},
		"unknown setting":         {settings(`{"colour":"red"}`), 400, "colour"},
		"a field twice":           {`{"name":"Acme","name":"Evil"}`, 400, "twice"},
		"a field twice, folded":   {`{"name":"A","NAME":"B"}`, 400, "twice"},
		"a setting twice, folded": {settings(`{"history_dayſ":1,"HISTORY_DAYS":2}`), 400, "twice"},
		"a setting twice":         {settings(`{"model":"a","model":"b"}`), 400, "twice"},
		"no object":               {`[]`, 400, "object"},
		"nothing":                 {``, 400, "object"},
		"two objects":             {`{} {}`, 400, "behind"},
		"broken":                  {`{"name":`, 400, "broken"},
		"deep":                    {`{"name":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`, 400, "deep"},
		"other type":              {`{"name":7}`, 400, "name"},
		"large":                   {`{"name":"` + strings.Repeat("x", 70_000) + `"}`, 413, "65536"},
		"no name":                 {`{"name":" "}`, 422, "name"},
		"control characters":      {`{"name":"a\u0000b"}`, 422, "name"},
		"long name":               {`{"name":"` + strings.Repeat("ä", 201) + `"}`, 422, "name"},
		"note format":             {settings(`{"note_format":"rtf"}`), 422, "note_format"},
		"source":                  {settings(`{"sources_off":["nonsense"]}`), 422, "sources_off"},
		"history":                 {settings(`{"history_days":-1}`), 422, "history_days"},
		"rate":                    {settings(`{"webhooks_per_minute":-1}`), 422, "webhooks_per_minute"},
		"network":                 {settings(`{"allowed_networks":["everywhere"]}`), 422, "allowed_networks"},
		"header line":             {settings(`{"app_title":"a\r\nX: y"}`), 422, "app_title"},
		"several at once":         {settings(`{"note_format":"rtf","history_days":9999}`), 422, "history_days"},
	} {
		got := w.call(t, token, "PUT /tenants/acme", c.body, "If-Match", `"1"`).want(t, c.status)
		if !strings.Contains(got.body["detail"].(string), c.want) {
			t.Errorf("%s: %s, want %q", name, got.text, c.want)
		}
	}
	w.call(t, token, "PUT /tenants/acme", `{"name":"Acme"}`, "If-Match", `"1"`, "Content-Type", "text/plain").want(t, 415)
	w.call(t, token, "POST /tenants/acme/disable", `{}`, "If-Match", `"1"`).want(t, 400)
	w.call(t, token, "POST /tenants", `{"id":"No","name":"x"}`).want(t, 422)
	w.call(t, token, "PUT /tenants/nobody", `{"name":"x"}`, "If-Match", `"1"`).want(t, 404)
	w.call(t, token, "GET /tenants/..%2f", nil).want(t, 404)
	w.call(t, token, "DELETE /tenants/acme", nil).want(t, 404)
	w.call(t, token, "GET /nothing", nil).want(t, 404)
	w.call(t, token, "POST /tenants", `{"id":"x","name":"x"}`, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example").want(t, 403)
	if w.call(t, token, "GET /tenants/x", nil).status != http.StatusNotFound {
		t.Error("a foreign page changed something")
	}
}

func TestNoSecretOfAConnectionEverComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t, access.Admin)
	texts := []string{
		w.call(t, token, "GET /connections", nil).want(t, 200).text,
		w.call(t, token, "GET /connections/acme", nil).want(t, 200).text,
	}
	if !strings.Contains(texts[1], `"secrets":{"api_key":"set"}`) || !strings.Contains(texts[1], `"base_url":"https://desk.example.com"`) {
		t.Error(texts[1])
	}
	body := map[string]any{"tool": "desk", "verify": "hmac", "values": map[string]any{"base_url": "https://desk.example.com"}, "routes": map[string]any{"": "acme"}}
	kept := w.call(t, token, "PUT /connections/acme", body, "If-Match", `"1"`).want(t, 200)
	texts = append(texts, kept.text)
	stored, err := w.office.Connections.ReadConnection(t.Context(), "acme")
	if err != nil || stored.Value.Values["api_key"] != credential {
		t.Errorf("the secret that was left out did not stay: %v %v", stored.Value.Values, err)
	}
	// Whoever may change the address must not have the old credential sent there.
	body["values"] = map[string]any{"base_url": "https://evil.example.com"}
	moved := w.call(t, token, "PUT /connections/acme", body, "If-Match", `"2"`).want(t, 422)
	body["values"] = map[string]any{"base_url": "https://new.example.com", "api_key": credential}
	texts = append(texts, moved.text, w.call(t, token, "PUT /connections/acme", body, "If-Match", `"2"`).want(t, 200).text)
	for _, bad := range []map[string]any{
		{"tool": "desk", "verify": "hmac", "values": map[string]any{"base_url": "ftp://x"}, "routes": map[string]any{"": "acme"}},
		{"tool": "desk", "verify": "hmac", "values": map[string]any{"colour": credential}, "routes": map[string]any{"": "acme"}},
		{"tool": "nothing", "verify": "hmac", "values": map[string]any{}, "routes": map[string]any{"": "acme"}},
		{"tool": "desk", "verify": "hmac", "values": map[string]any{"base_url": "https://new.example.com"}, "routes": map[string]any{}},
		{"tool": "desk", "verify": "hmac", "values": map[string]any{"base_url": "https://new.example.com"}, "routes": map[string]any{"": "acme", "G": "globex"}},
		{"tool": "desk", "verify": "hmac", "values": map[string]any{"base_url": "https://new.example.com"}, "routes": map[string]any{"": "initech"}},
		{"tool": "desk", "verify": "hmac", "values": map[string]any{"base_url": "https://new.example.com"}, "routes": map[string]any{"": "N O"}},
	} {
		texts = append(texts, w.call(t, token, "PUT /connections/acme", bad, "If-Match", `"3"`).want(t, 422).text)
	}
	w.wantNoSecret(t, texts...)
	if got := w.trail(t, "acme"); !slices.Equal(got, []string{"connection_changed acme", "connection_changed acme"}) {
		t.Errorf("trail %q", got)
	}
}

func TestASigningSecretIsShownOnceAndTheOldOneStaysValid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t, access.Admin)
	rotated := w.call(t, token, "POST /connections/msp/rotate-secret", nil, "If-Match", `"1"`).want(t, 200)
	stored, err := w.office.Connections.ReadConnection(t.Context(), "msp")
	if err != nil || len(stored.Value.Signing) != 2 || stored.Value.Signing[0].Reveal() != rotated.body["secret"] || stored.Value.Signing[1].Reveal() != "signing-msp" {
		t.Fatalf("stored %d secrets, %v", len(stored.Value.Signing), err)
	}
	w.call(t, token, "POST /connections/msp/rotate-secret", nil, "If-Match", `"1"`).want(t, 412)
	shown := w.call(t, token, "GET /connections/msp", nil).want(t, 200)
	if shown.body["signing_secrets"] != 2.0 || strings.Contains(shown.text+w.log.text(), rotated.body["secret"].(string)) {
		t.Errorf("shown %s", shown.text)
	}
	w.call(t, token, "POST /connections/msp/retire-secret", nil, "If-Match", `"2"`).want(t, 200)
	stored, err = w.office.Connections.ReadConnection(t.Context(), "msp")
	if err != nil || !slices.EqualFunc(stored.Value.Signing, []string{rotated.body["secret"].(string)}, func(a secret.Text, b string) bool { return a.Reveal() == b }) {
		t.Errorf("the old secret did not end: %d, %v", len(stored.Value.Signing), err)
	}
	for _, id := range []tenant.ID{"acme", "globex"} {
		if got := w.trail(t, id); !slices.Equal(got, []string{"secret_rotated msp", "secret_retired msp"}) {
			t.Errorf("trail of %s: %q", id, got)
		}
	}
}

func TestAConnectionIsAddedWithASecretOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t, access.Admin)
	body := map[string]any{
		"id": "second", "tool": "desk", "verify": "standard_webhooks", "routes": map[string]any{"": "globex"},
		"values": map[string]any{"base_url": "https://two.example.com", "api_key": credential},
	}
	added := w.call(t, token, "POST /connections", body).want(t, 201)
	if s, _ := added.body["secret"].(string); !strings.HasPrefix(s, "whsec_") || added.header.Get("ETag") != `"1"` {
		t.Errorf("added %v", added.header)
	}
	w.call(t, token, "POST /connections", body).want(t, 409)
	for _, reserved := range []string{"resolved", "updated", "replied", "closed"} {
		body["id"] = reserved
		w.call(t, token, "POST /connections", body).want(t, 422)
	}
	w.call(t, token, "POST /connections/second/disable", nil, "If-Match", `"1"`).want(t, 200)
	stored, err := w.office.Connections.ReadConnection(t.Context(), "second")
	if err != nil || !stored.Value.Disabled || stored.Value.Verify != tenant.VerifyStandard {
		t.Errorf("stored %v %v", stored.Value.Disabled, err)
	}
}

func TestTheTestOfAConnectionNamesTheMissingPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t, access.Operator, "acme")
	w.tool.permissions = []ticketing.Permission{{Name: "View requests"}, {Name: "Edit notes", Err: ticketing.ErrDenied}}
	got := w.call(t, token, "POST /connections/acme/test", nil).want(t, 200)
	want := map[string]any{"ok": false, "findings": []any{
		map[string]any{"permission": "View requests", "ok": true},
		map[string]any{"permission": "Edit notes", "ok": false, "problem": ticketing.ErrDenied.Error()},
	}}
	if diff := cmp.Diff(want, got.body); diff != "" {
		t.Error(diff)
	}
	w.call(t, w.token(t, access.Operator), "POST /connections/msp/test", nil).want(t, 422)
}

func TestTokensAreShownOnceAndEndAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.token(t, access.Admin, "acme")
	body := map[string]any{"name": "ci", "role": "viewer", "tenants": []string{"acme"}, "expires_at": time.Now().Add(time.Hour)}
	made := w.call(t, admin, "POST /tokens", body).want(t, 201)
	token, id := made.body["secret"].(string), made.body["id"].(string)
	w.call(t, token, "GET /tenants/acme", nil).want(t, 200)
	me := w.call(t, token, "GET /me", nil).want(t, 200)
	if me.body["name"] != "token:"+id || me.body["all_tenants"] != "none" {
		t.Errorf("me %s", me.text)
	}
	list := w.call(t, admin, "GET /tokens", nil).want(t, 200)
	if !strings.Contains(list.text, id) || !strings.Contains(list.text, "last_used_at") || strings.Contains(list.text, token) {
		t.Errorf("list %s", list.text)
	}
	w.call(t, admin, "DELETE /tokens/"+id, nil).want(t, 204)
	w.call(t, token, "GET /tenants/acme", nil).want(t, 401)
	w.call(t, admin, "DELETE /tokens/"+id, nil).want(t, 404)
	if got := w.trail(t, "acme"); !slices.Equal(got, []string{"token_added " + id, "token_revoked " + id}) {
		t.Errorf("trail %q", got)
	}
}

func TestNobodyHandsOutMoreThanTheyHave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := w.token(t, access.Admin, "acme")
	all := w.call(t, w.token(t, access.Admin), "POST /tokens",
		map[string]any{"name": "all", "role": "admin", "expires_at": time.Now().Add(time.Hour)}).want(t, 201)
	for name, c := range map[string]struct {
		body   map[string]any
		status int
	}{
		"all tenants":   {map[string]any{"role": "viewer"}, 403},
		"another":       {map[string]any{"role": "viewer", "tenants": []string{"globex"}}, 403},
		"one not there": {map[string]any{"role": "viewer", "tenants": []string{"nobody"}}, 403},
		"both":          {map[string]any{"role": "viewer", "tenants": []string{"acme", "globex"}}, 403},
		"no role":       {map[string]any{"role": "none", "tenants": []string{"acme"}}, 400},
		"ever":          {map[string]any{"role": "viewer", "tenants": []string{"acme"}, "expires_at": time.Now().Add(9000 * time.Hour)}, 422},
		"over already":  {map[string]any{"role": "viewer", "tenants": []string{"acme"}, "expires_at": time.Now()}, 422},
		"no name":       {map[string]any{"role": "viewer", "tenants": []string{"acme"}, "name": ""}, 422},
		"their own":     {map[string]any{"role": "admin", "tenants": []string{"acme"}}, 201},
	} {
		body := map[string]any{"name": "x", "expires_at": time.Now().Add(time.Hour)}
		for k, v := range c.body {
			body[k] = v
		}
		if got := w.call(t, own, "POST /tokens", body); got.status != c.status {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
	}
	id := all.body["id"].(string)
	if list := w.call(t, own, "GET /tokens", nil).want(t, 200); strings.Contains(list.text, id) {
		t.Error("a token for all tenants is shown to the administrator of one")
	}
	w.call(t, own, "DELETE /tokens/"+id, nil).want(t, 404)
}

func TestLimitsOfTheInstallationAreForItsAdministrators(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, setting := range []string{`"allowed_networks":["10.0.0.0/8"]`, `"webhooks_per_minute":5000`} {
		body := `{"name":"acme","settings":{` + setting + `}}`
		w.call(t, w.token(t, access.Admin, "acme"), "PUT /tenants/acme", body, "If-Match", `"1"`).want(t, 403)
		w.call(t, w.token(t, access.Operator), "PUT /tenants/acme", body, "If-Match", `"1"`).want(t, 403)
	}
	w.call(t, w.token(t, access.Admin), "PUT /tenants/acme", `{"name":"acme","settings":{"allowed_networks":["10.0.0.0/8"]}}`, "If-Match", `"1"`).want(t, 200)
	// What an administrator allowed stays when somebody else changes the rest.
	w.call(t, w.token(t, access.Operator, "acme"), "PUT /tenants/acme", `{"name":"A","settings":{"allowed_networks":["10.0.0.0/8"]}}`, "If-Match", `"2"`).want(t, 200)
}

func TestTheLogHasWhoDidWhatAndTheRequestIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.call(t, w.token(t, access.Viewer), "GET /tenants", nil, "X-Request-Id", "request-0815").want(t, 200)
	if got.header.Get("X-Request-Id") != "request-0815" || !strings.Contains(w.log.text(), `"correlation_id":"request-0815"`) || !strings.Contains(w.log.text(), `"actor":"token:`) {
		t.Error(got.header, w.log.text())
	}
	forged := w.call(t, "", "GET /tenants", nil, "X-Request-Id", "a b\nc").want(t, 401)
	if id := forged.header.Get("X-Request-Id"); id == "" || strings.Contains(id, " ") {
		t.Errorf("request id %q", id)
	}
}
