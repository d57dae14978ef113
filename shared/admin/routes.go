package admin

import (
	"net/http"

	"github.com/deskhand/deskhand/shared/admin/access"
)

// Base is what the paths of the API begin with.
const Base = "/api/v1"

// Route is one operation of the API. The table of routes is the one source of
// the mux, of the roles, of openapi.json and of the test of every role on every
// route.
type Route struct {
	Method, Path string // below Base
	Name         string // operationId
	Summary      string
	Need         access.Role
	Scope        Scope
	Body, Answer any // zero values of what goes in and out; nil: nothing
	Status       int // of success
	Lock         bool
	run          func(*Office, *call) (answer, error)
}

// Scope says what the caller's role is looked at for.
type Scope string

// The scopes.
const (
	Listed   Scope = "listed"   // on anything; the answer has only what it reaches
	Everyone Scope = "everyone" // on all tenants
	Named    Scope = "named"    // on the tenant, or on all tenants of the connection, in the path
	Given    Scope = "given"    // on the tenants in the body
)

// Routes is the API. What is not here is not there. It is a function, so that a
// program that serves no API does not carry it.
func Routes() []Route {
	return []Route{
		{Method: http.MethodGet, Path: "/openapi.json", Name: "describe", Summary: "This description.", Need: access.Viewer, Scope: Listed, Answer: map[string]any{}, Status: 200, run: describe},
		{Method: http.MethodGet, Path: "/me", Name: "whoAmI", Summary: "Who you are, and what you may do.", Need: access.Viewer, Scope: Listed, Answer: meView{}, Status: 200, run: whoAmI},

		{Method: http.MethodGet, Path: "/tenants", Name: "listTenants", Summary: "The tenants that you may see, disabled ones too.", Need: access.Viewer, Scope: Listed, Answer: listView[tenantRow]{}, Status: 200, run: listTenants},
		{Method: http.MethodPost, Path: "/tenants", Name: "addTenant", Summary: "Add a tenant.", Need: access.Admin, Scope: Everyone, Body: newTenant{}, Answer: tenantView{}, Status: 201, run: addTenant},
		{Method: http.MethodGet, Path: "/tenants/{tenant}", Name: "readTenant", Summary: "One tenant.", Need: access.Viewer, Scope: Named, Answer: tenantView{}, Status: 200, run: readTenant},
		{Method: http.MethodPut, Path: "/tenants/{tenant}", Name: "changeTenant", Summary: "Give a tenant another name and other settings. A setting that is left out gets its default.", Need: access.Operator, Scope: Named, Body: tenantBody{}, Answer: tenantView{}, Status: 200, Lock: true, run: changeTenant},
		{Method: http.MethodPost, Path: "/tenants/{tenant}/disable", Name: "disableTenant", Summary: "Stop serving a tenant. Its data stays.", Need: access.Admin, Scope: Named, Answer: tenantView{}, Status: 200, Lock: true, run: disableTenant(true)},
		{Method: http.MethodPost, Path: "/tenants/{tenant}/enable", Name: "enableTenant", Summary: "Serve a tenant again.", Need: access.Admin, Scope: Named, Answer: tenantView{}, Status: 200, Lock: true, run: disableTenant(false)},

		{Method: http.MethodGet, Path: "/connections", Name: "listConnections", Summary: "The connections of tenants that you may see: where one serves others too, you do not see it.", Need: access.Viewer, Scope: Listed, Answer: listView[connectionRow]{}, Status: 200, run: listConnections},
		{Method: http.MethodPost, Path: "/connections", Name: "addConnection", Summary: "Add a connection. The answer has its signing secret, this once.", Need: access.Admin, Scope: Everyone, Body: newConnection{}, Answer: connectionSecret{}, Status: 201, run: addConnection},
		{Method: http.MethodGet, Path: "/connections/{connection}", Name: "readConnection", Summary: "One connection, without its secrets.", Need: access.Viewer, Scope: Named, Answer: connectionView{}, Status: 200, run: readConnection},
		{Method: http.MethodPut, Path: "/connections/{connection}", Name: "changeConnection", Summary: "Change a connection. A secret value that is left out stays, unless an address changes. Routes, and fields that say whose a ticket is, are for administrators of all tenants. Where verify changes, the answer has a new signing secret, this once.", Need: access.Admin, Scope: Named, Body: changedConnection{}, Answer: connectionChanged{}, Status: 200, Lock: true, run: changeConnection},
		{Method: http.MethodPost, Path: "/connections/{connection}/disable", Name: "disableConnection", Summary: "Refuse the webhooks of a connection.", Need: access.Admin, Scope: Named, Answer: connectionView{}, Status: 200, Lock: true, run: disableConnection(true)},
		{Method: http.MethodPost, Path: "/connections/{connection}/enable", Name: "enableConnection", Summary: "Take the webhooks of a connection again.", Need: access.Admin, Scope: Named, Answer: connectionView{}, Status: 200, Lock: true, run: disableConnection(false)},
		{Method: http.MethodPost, Path: "/connections/{connection}/rotate-secret", Name: "rotateSecret", Summary: "Make a new signing secret, in the answer this once. The one before stays valid beside it.", Need: access.Admin, Scope: Named, Answer: connectionSecret{}, Status: 200, Lock: true, run: rotateSecret},
		{Method: http.MethodPost, Path: "/connections/{connection}/retire-secret", Name: "retireSecret", Summary: "End every signing secret but the newest.", Need: access.Admin, Scope: Named, Answer: connectionView{}, Status: 200, Lock: true, run: retireSecret},
		{Method: http.MethodPost, Path: "/connections/{connection}/test", Name: "testConnection", Summary: "Ask the tool which permissions the credential has. Nothing is changed there.", Need: access.Operator, Scope: Named, Answer: testView{}, Status: 200, run: testConnection},
		{Method: http.MethodGet, Path: "/unmapped", Name: "listUnmapped", Summary: "The accounts of shared connections that no tenant has: their tickets get no note.", Need: access.Viewer, Scope: Everyone, Answer: listView[unmappedView]{}, Status: 200, run: listUnmapped},

		{Method: http.MethodGet, Path: "/tokens", Name: "listTokens", Summary: "The API tokens of the tenants that you administer.", Need: access.Admin, Scope: Listed, Answer: listView[access.Token]{}, Status: 200, run: listTokens},
		{Method: http.MethodPost, Path: "/tokens", Name: "addToken", Summary: "Make an API token, in the answer this once. It may do what you may do, or less.", Need: access.Admin, Scope: Given, Body: newToken{}, Answer: tokenSecret{}, Status: 201, run: addToken},
		{Method: http.MethodDelete, Path: "/tokens/{token}", Name: "revokeToken", Summary: "End an API token, at once.", Need: access.Admin, Scope: Listed, Status: 204, run: revokeToken},
	}
}
