package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/llm/openai"
	"github.com/deskhand/deskhand/shared/ownership"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus"
	fake "github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
	"github.com/deskhand/deskhand/tests/evals/cases"
)

// desk is an installation for one case: the product's Enhancer and ServiceDesk
// Plus adapter on a stand-in for the tool, with a ledger and a queue in memory.
type desk struct {
	ticketing.Tool
	of     cases.Case
	tool   *fake.Server
	server *httptest.Server

	mu    sync.Mutex
	saved enhance.Enhancement
}

func open(c cases.Case) (*desk, error) {
	d := &desk{of: c, tool: fake.New(fake.Options{APIKey: "key", Now: func() time.Time { return c.Now }})}
	d.server = httptest.NewServer(d.tool)
	v, err := servicedeskplus.Kind.Fill(integration.Values{"base_url": d.server.URL, "api_key": "key"})
	if err == nil {
		d.Tool, err = servicedeskplus.Kind.Open(v, integration.Env{HTTP: d.server.Client(), Now: time.Now})
	}
	if err != nil {
		d.close()
		return nil, err
	}
	d.tool.AddTicket(c.AsTicket())
	return d, nil
}

func (d *desk) close() {
	d.server.Close()
	d.tool.Close()
}

// enhance runs the case with a model, or with none, and gives what came of it.
func (d *desk) enhance(ctx context.Context, model llm.Model) (outcome, error) {
	t := d.of.AsTicket()
	connection := tenant.Connection{ID: "desk", Tool: servicedeskplus.Kind.Name, Routes: map[string]tenant.ID{"": "acme"}}
	directory := tenant.Directory{
		Loaded:  d.of.Now,
		Tenants: map[tenant.ID]tenant.Tenant{"acme": {ID: "acme"}}, Connections: map[string]tenant.Connection{"desk": connection},
	}
	silent := slog.New(slog.DiscardHandler)
	e := enhance.Enhancer{
		Directory: func() tenant.Directory { return directory },
		Open:      func(tenant.Connection) (ticketing.Tool, error) { return d, nil },
		Ledger:    d, Sources: sources(d.of), Model: model, Policy: queue.DefaultPolicy, Queue: d,
		Now: func() time.Time { return d.of.Now }, Log: silent, Outcomes: &enhance.Outcomes{}, Guard: ownership.Guard{Log: silent},
		Whose: func(context.Context, []string) (map[string]tenant.ID, error) { return nil, nil },
	}
	ev := ticket.Event{
		Job: "eval", Kind: ticket.Created, Received: d.of.Now, Signed: true,
		Ref:  ticket.Ref{Tenant: "acme", Tool: connection.Tool, Connection: "desk", Key: t.Key},
		Told: ticket.Told{Subject: t.Subject, Description: t.Description, Priority: t.Priority},
	}
	judge := func(err error) queue.Verdict {
		return queue.DefaultPolicy.Decide(queue.Message{Sent: d.of.Now}, err, d.of.Now)
	}
	if err := e.Enhance(ctx, ev, judge); err != nil {
		return outcome{}, fmt.Errorf("case %s: %w", d.of.Name, err)
	}
	o := outcome{bundle: d.saved.Bundle, record: d.saved}
	for _, n := range d.tool.Notes(t.Key) {
		o.notes = append(o.notes, n.Body)
	}
	o.page = parse(strings.Join(o.notes, ""))
	return o, nil
}

// Ticket implements ticketing.Tool.
func (d *desk) Ticket(ctx context.Context, key string) (ticket.Ticket, error) {
	if d.of.Told {
		return ticket.Ticket{}, fmt.Errorf("this case's ticket cannot be read: %w", ticketing.ErrUnavailable)
	}
	return d.Tool.Ticket(ctx, key)
}

// Begin implements enhance.Ledger.
func (d *desk) Begin(_ context.Context, ev ticket.Event, _ time.Duration) (enhance.Attempt, error) {
	return enhance.Attempt{Job: ev.Job, Ref: ev.Ref, Token: "1", Try: 1}, nil
}

// Keep implements enhance.Ledger.
func (d *desk) Keep(context.Context, enhance.Attempt, time.Duration) error { return nil }

// Save implements enhance.Ledger.
func (d *desk) Save(_ context.Context, _ enhance.Attempt, e enhance.Enhancement) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.saved = e
	return nil
}

// Send implements queue.Sender: what is to be tried again later is not.
func (d *desk) Send(context.Context, ...queue.Message) error { return nil }

// known knows what one source of a case knows.
type known struct {
	name, label string
	items       []evidence.Item
	err         error
}

// labels are what the product's sources are called in a note.
var labels = map[string]string{"history": "similar tickets", "knowledge_base": "knowledge base", "inventory": "system inventory"}

// sources gives those of the product; the case says what they find.
func sources(c cases.Case) []evidence.Source {
	var list []evidence.Source
	for _, name := range []string{"history", "knowledge_base", "inventory"} {
		s := known{name: name, label: labels[name]}
		for _, it := range c.Items {
			if it.Source == name {
				s.items = append(s.items, it)
			}
		}
		for _, g := range c.Gaps {
			if g.Source == name {
				s.err = errors.New(g.Reason)
			}
		}
		list = append(list, s)
	}
	return list
}

// Name implements evidence.Source.
func (k known) Name() string { return k.name }

// Label implements evidence.Source.
func (k known) Label() string { return k.label }

// Find implements evidence.Source.
func (k known) Find(context.Context, evidence.Query) ([]evidence.Item, error) { return k.items, k.err }

// scripted is the product's client of an endpoint that always answers like this.
type scripted struct {
	llm.Model
	server *httptest.Server
}

func script(a llmtest.Answer) (scripted, error) {
	var endpoint llmtest.Server
	endpoint.Usually(a)
	s := scripted{server: httptest.NewServer(&endpoint)}
	model, err := client(s.server.URL+"/v1", llmtest.Model, "", s.server.Client())
	s.Model = model
	return s, err
}

func client(url, model, key string, h *http.Client) (llm.Model, error) {
	return openai.New(openai.Options{BaseURL: url, Model: model, APIKey: secret.New(key), HTTP: h})
}

// judged runs a case and looks at the outcome: with the answers of a, with a
// model, or with none.
func judged(ctx context.Context, c cases.Case, model llm.Model, floor *page) (outcome, error) {
	d, err := open(c)
	if err != nil {
		return outcome{}, err
	}
	defer d.close()
	o, err := d.enhance(ctx, model)
	o.floor = floor
	return o, err
}
