package admin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/admin"
	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/feedback"
	"github.com/deskhand/deskhand/shared/tenant"
)

// The callers of the walk: each role, on the tenant in the path, on the other
// one, on both, on all; and none.
type caller struct {
	role access.Role
	on   string // own, other, both, all
}

// expected says what a caller gets on a route, from the table of routes alone.
// 0 is any success: what the operation itself says of the request does not
// matter here.
func expected(r admin.Route, c caller) int {
	switch {
	case c.role == access.None:
		return http.StatusUnauthorized
	case c.role < r.Need: // whatever the tenant
		return http.StatusForbidden
	}
	switch r.Scope {
	case admin.Everyone:
		if c.on != "all" {
			return http.StatusForbidden
		}
	case admin.Given: // the walk gives acme
		if c.on == "other" {
			return http.StatusForbidden
		}
	case admin.Named:
		shared := strings.Contains(r.Path, "{connection}")
		if c.on == "other" || (shared && c.on == "own") {
			return http.StatusNotFound
		}
	case admin.Listed:
		if r.Name == "revokeToken" {
			return http.StatusNotFound // the walk names none that is there
		}
	}
	return 0
}

// bodies are what the routes take.
var bodies = map[string]any{
	"addTenant":        map[string]any{"id": "hooli", "name": "Hooli"},
	"changeTenant":     map[string]any{"name": "acme"},
	"addConnection":    map[string]any{"id": "hooli", "tool": "desk", "values": map[string]any{"base_url": "https://h.example.com", "api_key": "k"}, "routes": map[string]any{"": "acme"}},
	"changeConnection": map[string]any{"tool": "desk", "values": map[string]any{"base_url": "https://desk.example.com"}, "routes": map[string]any{"A": "acme", "G": "globex"}, "verify": "hmac"},
	"addToken":         map[string]any{"name": "t", "role": "viewer", "tenants": []string{"acme"}, "expires_at": time.Now().Add(time.Hour)},
}

func TestEveryRouteForEveryRoleAndTenant(t *testing.T) {
	t.Parallel()
	scopes := map[string][]tenant.ID{"own": {"acme"}, "other": {"globex"}, "both": {"acme", "globex"}, "all": nil}
	w := newWorld(t)
	tokens := map[caller]string{{access.None, "none"}: "", {access.None, "forged"}: "deskhand_forged"}
	for _, role := range []access.Role{access.Viewer, access.Operator, access.Admin} {
		for on, ids := range scopes {
			tokens[caller{role, on}] = w.token(t, role, ids...)
		}
	}
	calls := 0
	for _, route := range admin.Routes() {
		for c, token := range tokens {
			got := w.walk(t, route, token, "acme", "msp")
			want := expected(route, c)
			if want == 0 && got.status < 300 || want == 0 && got.status == http.StatusPreconditionFailed || want == 0 && got.status == http.StatusConflict ||
				want == 0 && got.status == http.StatusUnprocessableEntity || got.status == want {
				calls++
				continue
			}
			t.Errorf("%s %s by %s on %s: %d, want %d: %s", route.Method, route.Path, c.role, c.on, got.status, want, got.text)
		}
	}
	t.Logf("%d calls of %d routes, all as the table says", calls, len(admin.Routes()))
}

// walk calls the route with these names in its path.
func (w *world) walk(t *testing.T, route admin.Route, token, id, connection string) answer {
	t.Helper()
	path := strings.NewReplacer("{tenant}", id, "{connection}", connection, "{token}", "nothing00").Replace(route.Path)
	return w.call(t, token, route.Method+" "+path, bodies[route.Name], "If-Match", `"1"`)
}

// TestFeedbackAloneNeedsNoSignIn asks for every route, and for paths near those of
// the links, as nobody and as each role.
func TestFeedbackAloneNeedsNoSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	status := func(method, path, token string) int {
		r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		recorder := httptest.NewRecorder()
		w.handler.ServeHTTP(recorder, r)
		return recorder.Code
	}
	for _, token := range []string{"", w.token(t, access.Viewer, "acme"), w.token(t, access.Admin)} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
			if got := status(method, feedback.Path+"x", token); got != http.StatusTeapot {
				t.Errorf("%s of a link: %d", method, got)
			}
			for _, path := range []string{"/", "/feedbac", "/feedbackx", "/Feedback/x", admin.Base + "/feedback/x", admin.Base + "/tenants/feedback/"} {
				if got := status(method, path, token); got == http.StatusTeapot || token == "" && got != http.StatusUnauthorized {
					t.Errorf("%s %s: %d", method, path, got)
				}
			}
		}
	}
	for _, route := range admin.Routes() {
		if got := w.walk(t, route, "", "acme", "acme"); got.status != http.StatusUnauthorized {
			t.Errorf("%s without sign-in: %d", route.Name, got.status)
		}
	}
}

// Who may not know a tenant gets for it, to the letter, what they get for one
// that is not there.
func TestWhatIsAnothersLooksLikeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, role := range []access.Role{access.None, access.Viewer, access.Operator, access.Admin} {
		token := ""
		if role > access.None {
			token = w.token(t, role, "globex")
		}
		for _, route := range admin.Routes() {
			if !strings.Contains(route.Path, "{") {
				continue
			}
			there := w.walk(t, route, token, "acme", "acme")
			nothing := w.walk(t, route, token, "nobody", "nobody")
			for _, a := range []*answer{&there, &nothing} {
				a.text = strings.ReplaceAll(a.text, a.body["instance"].(string), "")
				a.header.Del("X-Request-Id")
			}
			if there.status < 400 || there.text != nothing.text || fmt.Sprint(there.header) != fmt.Sprint(nothing.header) {
				t.Errorf("%s by %s of another tenant: %d %s %v, and of none: %d %s %v",
					route.Name, role, there.status, there.text, there.header, nothing.status, nothing.text, nothing.header)
			}
		}
	}
}

func TestListsHaveOnlyWhatTheCallerMaySee(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		on          []tenant.ID
		has, hasNot string
	}{
		{[]tenant.ID{"acme"}, `"id":"acme"`, "globex"},
		{[]tenant.ID{"globex"}, `"id":"globex"`, "acme"},
	} {
		for _, path := range []string{"/tenants", "/connections"} {
			got := w.call(t, w.token(t, access.Viewer, c.on...), "GET "+path, nil).want(t, 200)
			if !strings.Contains(got.text, c.has) || strings.Contains(got.text, c.hasNot) || strings.Contains(got.text, "msp") {
				t.Errorf("%v %s: %s", c.on, path, got.text)
			}
		}
	}
	// To give a tenant that is not theirs a share in a connection is no way in.
	body := map[string]any{"tool": "desk", "verify": "hmac", "values": map[string]any{"base_url": "https://desk.example.com"}, "routes": map[string]any{"": "globex"}}
	w.call(t, w.token(t, access.Admin, "acme"), "PUT /connections/acme", body, "If-Match", `"1"`).want(t, 404)
}

func TestEveryRouteNeedsARole(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, r := range admin.Routes() {
		if r.Need < access.Viewer || r.Scope == "" || names[r.Name] || r.Status == 0 || r.Summary == "" {
			t.Errorf("%s %s is not complete, or its name is taken", r.Method, r.Path)
		}
		if r.Method != http.MethodGet && r.Need < access.Operator {
			t.Errorf("%s: a viewer must not change anything", r.Name)
		}
		names[r.Name] = true
	}
}
