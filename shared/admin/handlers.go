package admin

import (
	_ "embed" // for openapi.json
	"encoding/json"
	"errors"
	"maps"

	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

// openAPI is written by the test of it, from Routes and the views.
//
//go:embed openapi.json
var openAPI []byte

func describe(*Office, *call) (answer, error) { return answer{body: json.RawMessage(openAPI)}, nil }

func whoAmI(_ *Office, c *call) (answer, error) {
	return answer{body: meView{c.Name, c.All, maps.Clone(c.Tenants)}}, nil
}

func listTenants(o *Office, c *call) (answer, error) {
	list, err := o.ListTenants(c.r.Context(), c.Caller)
	rows := make([]tenantRow, len(list))
	for i, t := range list {
		rows[i] = tenantRow{t.ID, t.Name, t.Disabled}
	}
	return answer{body: listView[tenantRow]{rows}}, err
}

func tenantAnswer(v Version[tenant.Tenant], err error) (answer, error) {
	return answer{body: viewTenant(v), version: v.Number}, err
}

func (c *call) tenant() tenant.ID { return tenant.ID(c.r.PathValue("tenant")) }

func addTenant(o *Office, c *call) (answer, error) {
	var b newTenant
	if err := c.read(&b); err != nil {
		return answer{}, err
	}
	return tenantAnswer(o.AddTenant(c.r.Context(), c.Caller, tenant.Tenant{ID: b.ID, Name: b.Name, Settings: b.Settings}))
}

func readTenant(o *Office, c *call) (answer, error) {
	return tenantAnswer(o.Tenant(c.r.Context(), c.Caller, c.tenant()))
}

func changeTenant(o *Office, c *call) (answer, error) {
	var b tenantBody
	if err := c.read(&b); err != nil {
		return answer{}, err
	}
	want := Version[tenant.ID]{c.tenant(), c.version}
	return tenantAnswer(o.ChangeTenant(c.r.Context(), c.Caller, want, func(t *tenant.Tenant) { t.Name, t.Settings = b.Name, b.Settings }))
}

func disableTenant(off bool) func(*Office, *call) (answer, error) {
	return func(o *Office, c *call) (answer, error) {
		want := Version[tenant.ID]{c.tenant(), c.version}
		return tenantAnswer(o.ChangeTenant(c.r.Context(), c.Caller, want, func(t *tenant.Tenant) { t.Disabled = off }))
	}
}

func (c *call) connection() Version[string] {
	return Version[string]{c.r.PathValue("connection"), c.version}
}

func connectionAnswer(o *Office) func(Version[tenant.Connection], error) (answer, error) {
	return func(v Version[tenant.Connection], err error) (answer, error) {
		return answer{body: viewConnection(o.Tools, v), version: v.Number}, err
	}
}

func secretAnswer(o *Office) func(Version[tenant.Connection], error) (answer, error) {
	return func(v Version[tenant.Connection], err error) (answer, error) {
		if err != nil {
			return answer{}, err
		}
		return answer{body: showSecret(o.Tools, v), version: v.Number}, nil
	}
}

func listConnections(o *Office, c *call) (answer, error) {
	list, err := o.ListConnections(c.r.Context(), c.Caller)
	rows := make([]connectionRow, len(list))
	for i, conn := range list {
		rows[i] = row(conn)
	}
	return answer{body: listView[connectionRow]{rows}}, err
}

func addConnection(o *Office, c *call) (answer, error) {
	var b newConnection
	if err := c.read(&b); err != nil {
		return answer{}, err
	}
	conn := tenant.Connection{ID: b.ID}
	b.into(&conn)
	conn.Verify = b.Verify
	return secretAnswer(o)(o.AddConnection(c.r.Context(), c.Caller, conn))
}

func readConnection(o *Office, c *call) (answer, error) {
	return connectionAnswer(o)(o.Connection(c.r.Context(), c.Caller, c.connection().Value))
}

func changeConnection(o *Office, c *call) (answer, error) {
	var b changedConnection
	if err := c.read(&b); err != nil {
		return answer{}, err
	}
	if b.Verify == nil {
		return answer{}, invalid(errors.New("verify: say how the webhooks prove that they are genuine"))
	}
	var before []secret.Text
	v, err := o.ChangeConnection(c.r.Context(), c.Caller, c.connection(), audit.ConnectionChanged, func(conn *tenant.Connection) {
		before = conn.Signing
		b.into(conn)
		conn.Verify = *b.Verify
	})
	if err != nil {
		return answer{}, err
	}
	view := connectionChanged{connectionView: viewConnection(o.Tools, v)}
	if newest := v.Value.Signing[0]; len(before) == 0 || !same(newest, before[0]) {
		view.Secret = newest.Reveal()
	}
	return answer{body: view, version: v.Number}, nil
}

func listUnmapped(o *Office, c *call) (answer, error) {
	list, err := o.ListUnmapped(c.r.Context(), c.Caller)
	rows := make([]unmappedView, len(list))
	for i, u := range list {
		rows[i] = unmappedView{u.Connection, u.Account, u.Seen, u.First, u.Last}
	}
	return answer{body: listView[unmappedView]{rows}}, err
}

func disableConnection(off bool) func(*Office, *call) (answer, error) {
	operation := map[bool]audit.Operation{true: audit.ConnectionDisabled, false: audit.ConnectionEnabled}[off]
	return func(o *Office, c *call) (answer, error) {
		change := func(conn *tenant.Connection) { conn.Disabled = off }
		return connectionAnswer(o)(o.ChangeConnection(c.r.Context(), c.Caller, c.connection(), operation, change))
	}
}

func rotateSecret(o *Office, c *call) (answer, error) {
	return secretAnswer(o)(o.RotateSecret(c.r.Context(), c.Caller, c.connection()))
}

func retireSecret(o *Office, c *call) (answer, error) {
	return connectionAnswer(o)(o.RetireSecret(c.r.Context(), c.Caller, c.connection()))
}

func testConnection(o *Office, c *call) (answer, error) {
	findings, err := o.TestConnection(c.r.Context(), c.Caller, c.connection().Value)
	view := testView{OK: true, Findings: findings}
	for _, f := range findings {
		view.OK = view.OK && f.OK
	}
	return answer{body: view}, err
}

func listTokens(o *Office, c *call) (answer, error) {
	list, err := o.ListTokens(c.r.Context(), c.Caller)
	if list == nil {
		list = []access.Token{}
	}
	return answer{body: listView[access.Token]{list}}, err
}

func addToken(o *Office, c *call) (answer, error) {
	var b newToken
	if err := c.read(&b); err != nil {
		return answer{}, err
	}
	text, t, err := o.AddToken(c.r.Context(), c.Caller, access.Token{Name: b.Name, Role: b.Role, Tenants: b.Tenants, Expires: b.Expires})
	if err != nil {
		return answer{}, err
	}
	return answer{body: showToken(text, t)}, nil
}

func revokeToken(o *Office, c *call) (answer, error) {
	return answer{}, o.RevokeToken(c.r.Context(), c.Caller, c.r.PathValue("token"))
}
