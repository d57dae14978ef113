package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/admin"
	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/postgres/console"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/postgres/tenants"
	"github.com/deskhand/deskhand/shared/postgres/unmapped"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// credential is what no answer and no log line may have.
const credential = "hunter2-the-credential"

// world is the API on a real database with two tenants, each with a connection,
// and one connection that both share.
type world struct {
	db      pgtest.DB
	office  *admin.Office
	gate    *access.Gate
	handler http.Handler
	tool    *tool
	log     *lines
}

// tool answers what the test says.
type tool struct {
	ticketing.Tool
	permissions []ticketing.Permission
}

func (t *tool) Check(context.Context) []ticketing.Permission { return t.permissions }

// lines is a log that many write to.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.String()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := pgtest.New(t)
	app := db.Admin(t)
	key, err := keyset.New()
	if err != nil {
		t.Fatal(err)
	}
	box, err := keyset.Open(key)
	if err != nil {
		t.Fatal(err)
	}
	store := tenants.Office{Store: tenants.Store{DB: app, Box: box}}
	tokens := console.Store{DB: app}
	w := &world{db: db, tool: &tool{}, log: &lines{}}
	log := slog.New(slog.NewJSONHandler(w.log, nil))
	w.office = &admin.Office{
		Tenants: store, Connections: store, Tokens: tokens, Sources: []string{"history", "articles"}, Now: time.Now, Log: log,
		Unmapped: unmapped.Store{DB: app}.List,
		Tools: integration.Set[ticketing.Tool]{{
			Name: "desk", Path: "desk", Label: "Desk",
			Form: []integration.Field{{Name: "base_url", Label: "URL", URL: true, Required: true}, {Name: "api_key", Label: "API key", Secret: true, Required: true}, {Name: "account_field", Label: "Account", Default: "account.name", Routes: true}},
		}},
		Open: func(c tenant.Connection) (ticketing.Tool, error) {
			if c.ID == "msp" {
				return nil, errors.New("it cannot be opened")
			}
			return w.tool, nil
		},
	}
	w.gate = &access.Gate{Token: tokens.SignIn}
	w.handler = (&admin.API{Office: w.office, SignIn: w.gate.SignIn, Log: log, Feedback: http.HandlerFunc(voted)}).Handler()
	for _, id := range []tenant.ID{"acme", "globex"} {
		if _, err := w.office.EnsureTenant(t.Context(), root, id, func(tn *tenant.Tenant) { tn.Name = string(id) }); err != nil {
			t.Fatal(err)
		}
	}
	for id, routes := range map[string]map[string]tenant.ID{"acme": {"": "acme"}, "globex": {"": "globex"}, "msp": {"A": "acme", "G": "globex"}} {
		c := tenant.Connection{
			ID: id, Tool: "desk", Routes: routes, Signing: []secret.Text{secret.New("signing-" + id)},
			Values: integration.Values{"base_url": "https://desk.example.com", "api_key": credential},
		}
		if _, _, err := w.office.EnsureConnection(t.Context(), root, id, func(conn *tenant.Connection) error { *conn = c; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// voted stands for the page behind the links of notes.
func voted(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }

// root is who may do everything.
var root = admin.Caller{Principal: access.Principal{Name: "cli:root", All: access.Admin}, Need: access.Admin}

// token makes a token of this role, limited to the tenants where some are named.
func (w *world) token(t *testing.T, role access.Role, ids ...tenant.ID) string {
	t.Helper()
	text, hash := access.NewToken()
	now := time.Now()
	made := access.Token{ID: access.NewID(), Name: "test", Role: role, Tenants: ids, CreatedBy: "test", Expires: now.Add(time.Hour)}
	if err := w.office.Tokens.AddToken(t.Context(), made, hash, audit.Event{Operation: audit.TokenAdded, Actor: "test", Status: audit.Success}); err != nil {
		t.Fatal(err)
	}
	return text.Reveal()
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	text   string
}

// call sends a request of method and path. Headers are name, value, name, value.
func (w *world) call(t *testing.T, token, operation string, body any, headers ...string) answer {
	t.Helper()
	method, path, _ := strings.Cut(operation, " ")
	var sent io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		sent = strings.NewReader(b)
	default:
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		sent = bytes.NewReader(text)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, admin.Base+path, sent)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	got := answer{status: recorder.Code, header: recorder.Header(), text: recorder.Body.String()}
	if got.text != "" {
		if err := json.Unmarshal([]byte(got.text), &got.body); err != nil {
			t.Fatalf("%s %s: the answer is no JSON object: %q", method, path, got.text)
		}
	}
	return got
}

// want fails where the status is another one, or an error is no problem document.
func (a answer) want(t *testing.T, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.text)
	}
	if status < 400 {
		return a
	}
	if a.header.Get("Content-Type") != "application/problem+json" || a.body["title"] != http.StatusText(status) ||
		a.body["status"] != float64(status) || !strings.HasPrefix(a.body["instance"].(string), "urn:request:") {
		t.Errorf("not a problem document: %v %s", a.header, a.text)
	}
	return a
}

func (w *world) wantNoSecret(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range append(texts, w.log.text()) {
		for _, bad := range []string{credential, "signing-acme", "deskhand_"} {
			if strings.Contains(text, bad) {
				t.Errorf("%q is in %s", bad, text)
			}
		}
	}
}

// trail gives the operations in a tenant's audit trail, as actor and operation.
func (w *world) trail(t *testing.T, id tenant.ID) []string {
	t.Helper()
	var list []string
	err := w.db.Owner(t).QueryRow(t.Context(),
		`SELECT coalesce(array_agg(operation || ' ' || ticket_id ORDER BY id), '{}') FROM audit_events WHERE tenant_id = $1 AND actor LIKE 'token:%'`, string(id)).Scan(&list)
	if err != nil {
		t.Fatal(err)
	}
	return list
}
