package admin

import (
	"maps"
	"time"

	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// What goes over the wire. The doc tags are the texts of openapi.json.

type listView[T any] struct {
	Items []T `json:"items"`
}

type meView struct {
	Name    string                    `json:"name" doc:"As it stands in the audit trail."`
	All     access.Role               `json:"all_tenants" doc:"Your role on every tenant."`
	Tenants map[tenant.ID]access.Role `json:"tenants,omitempty" doc:"Your roles on single tenants besides."`
}

type tenantRow struct {
	ID       tenant.ID `json:"id"`
	Name     string    `json:"name"`
	Disabled bool      `json:"disabled"`
}

type tenantView struct {
	tenantRow
	Settings tenant.Settings `json:"settings"`
	Version  int             `json:"version" doc:"Give it in If-Match to change what you read."`
}

func viewTenant(v Version[tenant.Tenant]) tenantView {
	return tenantView{tenantRow{v.Value.ID, v.Value.Name, v.Value.Disabled}, v.Value.Settings, v.Number}
}

type tenantBody struct {
	Name     string          `json:"name" doc:"Name for people, 1 to 200 characters." need:"yes"`
	Settings tenant.Settings `json:"settings"`
}

type newTenant struct {
	ID tenant.ID `json:"id" doc:"1 to 63 characters of a-z, 0-9 and inner hyphens; it cannot be changed." need:"yes"`
	tenantBody
}

type connectionRow struct {
	ID       string               `json:"id"`
	Tool     string               `json:"tool"`
	Routes   map[string]tenant.ID `json:"routes" doc:"The tool's own account, to the tenant that it is. The account \"\" stands alone and takes every ticket."`
	Disabled bool                 `json:"disabled"`
}

type connectionView struct {
	connectionRow
	Values  map[string]string `json:"values" doc:"The fields that are no secrets."`
	Secrets map[string]string `json:"secrets" doc:"The secret fields that have a value: \"set\". The values are never given."`
	Verify  tenant.Verify     `json:"verify" doc:"How the webhooks prove that they are genuine."`
	Signing int               `json:"signing_secrets" doc:"How many signing secrets are valid: two while one is rotated."`
	Version int               `json:"version" doc:"Give it in If-Match to change what you read."`
}

// viewConnection shows what is no secret: a field that the tool's form does not
// have any more counts as one.
func viewConnection(tools integration.Set[ticketing.Tool], v Version[tenant.Connection]) connectionView {
	c := v.Value
	view := connectionView{
		connectionRow: row(c), Values: map[string]string{}, Secrets: map[string]string{},
		Verify: c.Verify, Signing: len(c.Signing), Version: v.Number,
	}
	public := map[string]bool{}
	if kind, err := tools.Find(c.Tool); err == nil {
		for _, f := range kind.Form {
			public[f.Name] = !f.Secret
		}
	}
	for name, value := range c.Values {
		if public[name] {
			view.Values[name] = value
		} else {
			view.Secrets[name] = "set"
		}
	}
	return view
}

func row(c tenant.Connection) connectionRow {
	return connectionRow{c.ID, c.Tool, maps.Clone(c.Routes), c.Disabled}
}

type connectionBody struct {
	Tool   string               `json:"tool" need:"yes"`
	Values map[string]string    `json:"values" doc:"The fields that the tool asks for, secret ones too. They are sealed, and secret ones never given back." need:"yes"`
	Routes map[string]tenant.ID `json:"routes" doc:"The tool's own account, to the tenant that it is; {\"\": \"acme\"} gives every ticket to one." need:"yes"`
}

func (b connectionBody) into(c *tenant.Connection) {
	c.Tool, c.Values, c.Routes = b.Tool, integration.Values(maps.Clone(b.Values)), b.Routes
	if c.Values == nil {
		c.Values = integration.Values{}
	}
}

type newConnection struct {
	ID string `json:"id" doc:"Stands in the webhook's URL; 1 to 63 characters of a-z, 0-9 and inner hyphens." need:"yes"`
	connectionBody
	Verify tenant.Verify `json:"verify" doc:"How the webhooks prove that they are genuine; hmac where left out."`
}

// changedConnection has no default for verify: what is left out must not take
// webhooks in another way than before.
type changedConnection struct {
	connectionBody
	Verify *tenant.Verify `json:"verify" doc:"How the webhooks prove that they are genuine. Where it changes, the signing secrets end." need:"yes"`
}

type connectionSecret struct {
	connectionView
	Secret string `json:"secret" doc:"The new signing secret. It is not shown again."`
}

type connectionChanged struct {
	connectionView
	Secret string `json:"secret,omitempty" doc:"A new signing secret, where verify changed, or the ones before could not be opened. It is not shown again."`
}

func showSecret(tools integration.Set[ticketing.Tool], v Version[tenant.Connection]) connectionSecret {
	return connectionSecret{viewConnection(tools, v), v.Value.Signing[0].Reveal()}
}

type unmappedView struct {
	Connection string    `json:"connection"`
	Account    string    `json:"account" doc:"The tool's own account; empty: tickets that name none."`
	Seen       int64     `json:"tickets"`
	First      time.Time `json:"first_seen_at"`
	Last       time.Time `json:"last_seen_at"`
}

type testView struct {
	OK       bool      `json:"ok"`
	Findings []Finding `json:"findings"`
}

type newToken struct {
	Name    string      `json:"name" doc:"What the token is for, 1 to 100 characters." need:"yes"`
	Role    access.Role `json:"role" need:"yes"`
	Tenants []tenant.ID `json:"tenants" doc:"The tenants that it is limited to; empty: all."`
	Expires time.Time   `json:"expires_at" doc:"At most 366 days from now." need:"yes"`
}

type tokenSecret struct {
	access.Token
	Secret string `json:"secret" doc:"The token itself. It is not shown again."`
}

func showToken(text secret.Text, t access.Token) tokenSecret { return tokenSecret{t, text.Reveal()} }
