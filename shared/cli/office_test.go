package cli_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/admin"
	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// counter is what stands behind the office: the world's directory.
type counter struct {
	w      *world
	events []audit.Event
	tokens []access.Token
	found  []ticketing.Permission
	stale  bool // somebody else was quicker, always
	// quicker changes the connection after the second read, the first of which
	// looks whether the command makes sense.
	quicker func(*tenant.Connection)
	reads   int
	damaged bool // connections do not open
	number  map[string]int
}

func (c *counter) extend(w *world, d *operator.Desk) {
	c.w = w
	d.Caller = admin.Caller{Principal: access.Principal{Name: "cli:anna", All: access.Admin}, Need: access.Admin}
	d.Office = &admin.Office{
		Tenants: c, Connections: c, Tokens: c, Sources: []string{"history"}, Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler), Tools: tools(w),
		Open: func(tenant.Connection) (ticketing.Tool, error) { return checked{found: c.found}, nil },
		Unmapped: func(context.Context) ([]tenant.Unmapped, error) {
			return []tenant.Unmapped{{Connection: "msp", Account: "Initech \x1b[31m", First: start, Last: start, Seen: 7}, {Connection: "msp"}}, nil
		},
	}
}

type checked struct {
	ticketing.Tool
	found []ticketing.Permission
}

func (c checked) Check(context.Context) []ticketing.Permission { return c.found }

func (c *counter) Directory(context.Context) (tenant.Directory, error) { return c.w.directory, nil }

func (c *counter) ReadTenant(_ context.Context, id tenant.ID) (admin.Version[tenant.Tenant], error) {
	t, ok := c.w.directory.Tenants[id]
	if !ok {
		return admin.Version[tenant.Tenant]{}, tenant.ErrUnknown
	}
	return admin.Version[tenant.Tenant]{Value: t, Number: 3}, nil
}

func (c *counter) WriteTenant(_ context.Context, v admin.Version[tenant.Tenant], e audit.Event) (int, error) {
	if c.stale {
		return 0, admin.ErrConflict
	}
	c.w.directory.Tenants[v.Value.ID] = v.Value
	c.events = append(c.events, e)
	return v.Number + 1, nil
}

func (c *counter) ReadConnection(_ context.Context, id string) (admin.Version[tenant.Connection], error) {
	conn, ok := c.w.directory.Connections[id]
	if !ok {
		return admin.Version[tenant.Connection]{}, tenant.ErrUnknown
	}
	v := admin.Version[tenant.Connection]{Value: conn, Number: 5 + c.number[id]}
	if c.reads++; c.reads == 2 && c.quicker != nil {
		c.quicker(&conn)
		c.put(conn)
	}
	if c.damaged {
		v.Value.Values, v.Value.Signing = nil, nil
		return v, fmt.Errorf("connection %s: %w", id, admin.ErrDamaged)
	}
	return v, nil
}

func (c *counter) put(conn tenant.Connection) {
	if c.number == nil {
		c.number = map[string]int{}
	}
	c.number[conn.ID]++
	c.w.directory.Connections[conn.ID] = conn
}

func (c *counter) WriteConnection(_ context.Context, v admin.Version[tenant.Connection], e audit.Event) (int, error) {
	if _, there := c.w.directory.Connections[v.Value.ID]; there && v.Number != 5+c.number[v.Value.ID] {
		return 0, admin.ErrConflict
	}
	c.put(v.Value)
	c.events = append(c.events, e)
	return v.Number + 1, nil
}

// AddToken refuses a token of a tenant that is not there, as the database does.
func (c *counter) AddToken(_ context.Context, t access.Token, _ access.Hash, e audit.Event) error {
	for _, id := range t.Tenants {
		if _, ok := c.w.directory.Tenants[id]; !ok {
			return tenant.ErrUnknown
		}
	}
	c.tokens, c.events = append(c.tokens, t), append(c.events, e)
	return nil
}
func (c *counter) ListTokens(context.Context) ([]access.Token, error) { return c.tokens, nil }
func (c *counter) RevokeToken(_ context.Context, t access.Token, e audit.Event) error {
	for i := range c.tokens {
		if c.tokens[i].ID == t.ID {
			c.tokens[i].Revoked = &start
		}
	}
	c.events = append(c.events, e)
	return nil
}

// ok runs a command that must succeed, and gives what it said.
func (w *world) ok(t *testing.T, args ...string) string {
	t.Helper()
	w.out.Reset()
	if code := w.run(t, args...); code != 0 {
		t.Fatalf("%q: exit code %d: %s", args, code, w.err.String())
	}
	return w.out.String()
}

// fails runs a command that must fail with this.
func (w *world) fails(t *testing.T, want string, args ...string) {
	t.Helper()
	w.err.Reset()
	if code := w.run(t, args...); code == 0 || !strings.Contains(w.err.String(), want) {
		t.Errorf("%q: exit code %d, %q, want %q", args, code, w.err.String(), want)
	}
}

func TestATenantIsShownAndEdited(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.ok(t, "tenant", "edit", "acme", "--name", "Acme \"GmbH\"", "--set", "note_format=markdown", "--set", "sources_off=history", "history_days=30",
		"skip=subject:Sorry; I am away*,priority:P?", "model_rules=priority:High=openai/gpt-4o")
	shown := w.ok(t, "tenant", "show", "acme")
	for _, want := range []string{`"Acme \"GmbH\""`, "version 3", `"note_format": "markdown"`, `"subject:Sorry; I am away*"`, `"priority:P?"`, `"priority:High=openai/gpt-4o"`, "connection acme: servicedesk_plus, 1 signing secrets"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not in %s", want, shown)
		}
	}
	if strings.Contains(shown, "s3cret") {
		t.Error("a secret is shown")
	}
	w.ok(t, "tenant", "edit", "acme", "--set", "history_days=", "--name", "Acme")
	if days := w.directory.Tenants["acme"].Settings.HistoryDays; days != 0 {
		t.Errorf("history_days = %d", days)
	}
	w.fails(t, "want setting=value", "tenant", "edit", "acme", "language")
	w.fails(t, "skip: ", "tenant", "edit", "acme", "skip=Out of office*")
	w.fails(t, "is no setting", "tenant", "edit", "acme", "--set", "colour=red")
	w.fails(t, "note_format", "tenant", "edit", "acme", "--set", "note_format=rtf")
	w.fails(t, "name: want", "tenant", "edit", "acme", "--name", "Acme \x1b[31m")
	w.fails(t, "unknown", "tenant", "show", "nobody")
	w.counter.stale = true
	w.fails(t, "meanwhile", "tenant", "edit", "acme", "--set", "history_days=1")
	if e := w.counter.events[0]; e.Actor != "cli:anna" || e.Operation != audit.TenantChanged {
		t.Errorf("event %+v", e)
	}
}

func TestATenantIsDisabledAndServedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld()
	if out := w.ok(t, "tenant", "disable", "acme"); !strings.Contains(out, "its data stays") || !w.directory.Tenants["acme"].Disabled {
		t.Error(out)
	}
	if w.ok(t, "tenant", "disable", "acme", "--undo"); w.directory.Tenants["acme"].Disabled {
		t.Error("still disabled")
	}
}

func TestASecretIsRotatedInTwoSteps(t *testing.T) {
	t.Parallel()
	w := newWorld()
	out := w.ok(t, "tenant", "rotate-secret", "acme")
	signing := w.directory.Connections["acme"].Signing
	if len(signing) != 2 || !strings.Contains(out, signing[0].Reveal()) || signing[1].Reveal() != "s3cret" || strings.Contains(out, "s3cret") {
		t.Fatalf("%d secrets: %s", len(signing), out)
	}
	w.ok(t, "tenant", "rotate-secret", "acme", "--retire")
	if got := w.directory.Connections["acme"].Signing; len(got) != 1 || got[0].Reveal() != signing[0].Reveal() {
		t.Errorf("%d secrets are left", len(got))
	}
	w.fails(t, "no such connection", "tenant", "rotate-secret", "acme", "--connection", "other")
	w.directory.Connections["second"] = tenant.Connection{ID: "second", Tool: "servicedesk_plus", Values: integration.Values{"base_url": "https://x.example", "api_key": "k"}, Signing: []secret.Text{secret.New("x")}, Routes: map[string]tenant.ID{"": "acme"}}
	w.fails(t, "--connection", "tenant", "rotate-secret", "acme")
	w.ok(t, "tenant", "rotate-secret", "acme", "--connection", "second")
}

func TestTheTestOfATenantFailsWithTheMissingPermission(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.counter.found = []ticketing.Permission{{Name: "View requests"}}
	if out := w.ok(t, "tenant", "test", "acme"); !strings.Contains(out, "acme: View requests: ok") {
		t.Error(out)
	}
	w.counter.found = append(w.counter.found, ticketing.Permission{Name: "Add notes", Err: errors.New("code 4002")})
	w.fails(t, "1 permissions are missing", "tenant", "test", "acme")
	if !strings.Contains(w.out.String(), "Add notes: MISSING: code 4002") {
		t.Error(w.out.String())
	}
}

func TestATokenIsMadeListedAndRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld()
	out := w.ok(t, "token", "add", "monitoring", "--role", "operator", "--tenant", "acme", "--days", "30")
	if len(w.counter.tokens) != 1 || !strings.Contains(out, "deskhand_") || !strings.Contains(out, "operator of [acme] until 2026-03-31") {
		t.Fatal(out)
	}
	id := w.counter.tokens[0].ID
	if list := w.ok(t, "token", "list"); !strings.Contains(list, id) || !strings.Contains(list, "never") || strings.Contains(list, "deskhand_") {
		t.Error(list)
	}
	w.ok(t, "token", "revoke", id)
	if list := w.ok(t, "token", "list"); !strings.Contains(list, "revoked") {
		t.Error(list)
	}
	if out := w.ok(t, "token", "add", "all"); !strings.Contains(out, "viewer of all tenants") {
		t.Error(out)
	}
	w.now = w.now.AddDate(1, 0, 0)
	if list := w.ok(t, "token", "list"); !strings.Contains(list, "expired") {
		t.Error(list)
	}
	w.fails(t, "unknown", "token", "revoke", "nothing")
	w.fails(t, "unknown", "token", "add", "x", "--tenant", "acmee")
	w.fails(t, "366", "token", "add", "x", "--days", "999")
	w.fails(t, "--role", "token", "add", "x", "--role", "root")
}
