package app

import (
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/deskhand/deskhand/shared/egress"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/telemetry"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// opened keeps the tools of the connections, so that what a tool learnt about
// its instance lasts. A connection whose values change, or whose tenants allow
// other networks, is opened anew.
type opened struct {
	env       integration.Env // but HTTP, which each connection has of its own
	log       *slog.Logger
	directory func() tenant.Directory
	through   func(http.RoundTripper) http.RoundTripper // sees every call, where not nil
	mu        sync.Mutex
	tools     map[opening]entry
}

// opening is what is opened once: a connection, with the closed statuses that a
// tenant may have of its own.
type opening struct{ connection, closed string }

type entry struct {
	kind     string
	values   integration.Values
	networks [][]netip.Prefix
	checked  time.Time // the directory by which the networks are known to be these
	guard    *egress.Guard
	tool     ticketing.Tool
}

func (o *opened) open(c tenant.Connection) (ticketing.Tool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := opening{c.ID, c.Values[tenant.ClosedStatus]}
	before, found := o.tools[key]
	dir := o.directory()
	same := found && before.kind == c.Tool && maps.Equal(before.values, c.Values)
	if same && before.checked.Equal(dir.Loaded) {
		return before.tool, nil
	}
	networks := o.networks(dir, c)
	if same && slices.EqualFunc(before.networks, networks, slices.Equal) {
		before.checked = dir.Loaded
		o.tools[key] = before
		return before.tool, nil
	}
	kind, err := Tools.Find(c.Tool)
	if err != nil {
		return nil, err
	}
	values := maps.Clone(c.Values)
	if !slices.ContainsFunc(kind.Form, func(f integration.Field) bool { return f.Name == tenant.ClosedStatus }) {
		delete(values, tenant.ClosedStatus) // a tenant's names of what the tool tells by itself
	}
	values, err = kind.Fill(values)
	if err != nil {
		return nil, err
	}
	guard := egress.NewGuard(nil, networks...)
	var way http.RoundTripper = telemetry.Transport{Next: guard, Log: o.log}
	if o.through != nil {
		way = o.through(way)
	}
	env := o.env
	env.Key, env.HTTP = c.ID, egress.Client(way)
	tool, err := kind.Open(values, env)
	if err != nil {
		return nil, err
	}
	if o.tools == nil {
		o.tools = map[opening]entry{}
	}
	if found {
		before.guard.CloseIdleConnections() // they may lead where this one may not
	}
	o.tools[key] = entry{c.Tool, c.Values, networks, dir.Loaded, guard, tool}
	return tool, nil
}

// forget lets go of the tools, and with them the credentials, of connections
// that the directory does not have.
func (o *opened) forget(dir tenant.Directory) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, e := range o.tools {
		if _, found := dir.Connections[key.connection]; !found {
			e.guard.CloseIdleConnections()
			delete(o.tools, key)
		}
	}
}

// close gives back what the tools hold. They may be opened again.
func (o *opened) close() { o.forget(tenant.Directory{}) }

// networks gives what each tenant of the connection allows, in the order of
// their ids. A tenant that the directory does not have allows nothing, and an
// entry that is no network opens none.
func (o *opened) networks(dir tenant.Directory, c tenant.Connection) [][]netip.Prefix {
	owners := slices.Compact(slices.Sorted(maps.Values(c.Routes)))
	networks := make([][]netip.Prefix, len(owners))
	for i, id := range owners {
		allowed, err := dir.Tenants[id].Settings.Networks()
		if err != nil {
			o.log.Warn("a setting is wrong", "operation", "open_connection", "tenant", string(id), "connection", c.ID, "error", err.Error())
		}
		networks[i] = allowed
	}
	return networks
}
