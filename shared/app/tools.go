package app

import (
	"maps"
	"sync"

	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// opened keeps the tools of the connections, so that what a tool learnt about
// its instance lasts. A connection whose values change is opened anew.
type opened struct {
	env   integration.Env
	mu    sync.Mutex
	tools map[string]entry
}

type entry struct {
	kind   string
	values integration.Values
	tool   ticketing.Tool
}

func (o *opened) open(c tenant.Connection) (ticketing.Tool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e, ok := o.tools[c.ID]; ok && e.kind == c.Tool && maps.Equal(e.values, c.Values) {
		return e.tool, nil
	}
	kind, err := Tools.Find(c.Tool)
	if err != nil {
		return nil, err
	}
	values, err := kind.Fill(c.Values)
	if err != nil {
		return nil, err
	}
	env := o.env
	env.Key = c.ID
	tool, err := kind.Open(values, env)
	if err != nil {
		return nil, err
	}
	if o.tools == nil {
		o.tools = map[string]entry{}
	}
	o.tools[c.ID] = entry{c.Tool, c.Values, tool}
	return tool, nil
}
