// Package catalogue keeps what a tenant knows up to date: past tickets as they
// are resolved or imported, articles and systems on a schedule. Schedules is
// the one list of timers of the product.
package catalogue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/ownership"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// Where a past ticket came from, as ticket_history.source has it.
const (
	FromImport  = "bulk_import"
	FromWebhook = "webhook_resolved"
)

// Library stores past tickets. Storing again replaces; a ticket without a
// resolution does not erase one that is there.
type Library interface {
	PutTickets(ctx context.Context, id tenant.ID, connection, source string, tickets []ticket.Ticket) error
	// DropTickets removes those that the tenant has, and gives their number.
	DropTickets(ctx context.Context, id tenant.ID, connection string, keys []string) (int, error)
}

// Articles stores the knowledge base.
type Articles interface {
	PutArticles(ctx context.Context, id tenant.ID, connection string, articles []ticketing.Article) error
	// KeepArticles removes all of the connection but these, and gives the number.
	KeepArticles(ctx context.Context, id tenant.ID, connection string, keys []string) (int, error)
}

// Systems stores the inventory.
type Systems interface {
	PutSystems(ctx context.Context, id tenant.ID, connection string, systems []ticketing.System) error
	// KeepSystems removes all of the connection but these, and gives the number.
	KeepSystems(ctx context.Context, id tenant.ID, connection string, keys []string) (int, error)
}

// Origin is where something that a tenant knows came from: a connection, and
// the tool's own account there.
type Origin struct{ Connection, Account string }

// Memory is a store of what tenants know, by where it came from.
type Memory interface {
	// Origins gives each origin of something that the tenant knows.
	Origins(ctx context.Context, id tenant.ID) ([]Origin, error)
	// Forget removes what came from the origin and was stored before that time,
	// and gives the number.
	Forget(ctx context.Context, id tenant.ID, from Origin, before time.Time) (int, error)
}

// Catalogue does the work. It is safe for concurrent use.
type Catalogue struct {
	Directory func() tenant.Directory
	Open      func(tenant.Connection) (ticketing.Tool, error)
	// Guard holds resolved tickets to the tenant of their event.
	Guard    ownership.Guard
	Library  Library
	Articles Articles
	Systems  Systems
	Memories []Memory     // all that the three above store
	Queue    queue.Sender // the catalogue queue, for Tick
	// Sweep fails the tenant's enhancements that no worker has touched for idle.
	Sweep func(ctx context.Context, id tenant.ID, idle time.Duration) (int, error)
	// Claim does something once for the schedule's slot, whoever asks; where
	// that fails the slot stays free.
	Claim func(ctx context.Context, id tenant.ID, schedule string, slot time.Time, do func(context.Context) error) error
	// Canary gives the tenant's leak canary, for its decoys.
	Canary func(ctx context.Context, id tenant.ID) (string, error)
	// Probe looks for decoys as the tenant, and fails where it finds another's.
	Probe func(ctx context.Context, id tenant.ID) error
	// Learn brings what is derived from a tenant's tickets up to date: the latent
	// factors by which they are found. It can be stopped anywhere, and goes on.
	Learn func(ctx context.Context, id tenant.ID) error
	// Compare compares a resolved ticket with the note on it.
	Compare func(ctx context.Context, ref ticket.Ref, t ticket.Ticket) error
	Policy  queue.Policy
	Now     func() time.Time
	Log     *slog.Logger
}

// Handle is the queue's handler for catalogue messages: a resolved or closed
// ticket, or a tick of one of Schedules.
func (c *Catalogue) Handle(ctx context.Context, m queue.Message) error {
	ctx = metric.About(metric.Continue(ctx, m.Trace), string(m.Tenant), "", m.ID)
	start := c.Now()
	err := c.dispatch(ctx, m)
	fields := []any{"operation", "catalogue_" + m.Kind, "duration_ms", c.Now().Sub(start).Milliseconds()}
	switch v := c.Policy.Decide(m, err, c.Now()); {
	case err == nil:
		c.Log.InfoContext(ctx, "catalogue work done", append(fields, "status", "success")...)
	case v.Action == queue.Again && !v.Failed:
		c.Log.InfoContext(ctx, "catalogue work put off", append(fields, "status", "retry", "again_in_ms", v.Delay.Milliseconds(), "error", err.Error())...)
	default:
		c.Log.WarnContext(ctx, "catalogue work failed", append(fields, "status", "failure", "error", err.Error())...)
	}
	return err
}

func (c *Catalogue) dispatch(ctx context.Context, m queue.Message) error {
	if ticket.Kind(m.Kind).Past() {
		return c.resolved(ctx, m)
	}
	for _, s := range Schedules() {
		if s.Name == m.Kind {
			return s.run(c, ctx, m.Tenant)
		}
	}
	return queue.Discard(fmt.Errorf("catalogue: message %s is of unknown kind %q", m.ID, m.Kind))
}

// rereadAfter is how long after the webhook a ticket without a resolution is
// looked at again: the hook may fire before the text is saved (contracts 3.6).
const rereadAfter = 5 * time.Minute

// resolved stores the ticket that the webhook of its end names; a tool may send
// two, for resolved and for closed. The ticket is read
// again; what the webhook told stands in only where that fails and the
// signature covered it.
func (c *Catalogue) resolved(ctx context.Context, m queue.Message) error {
	var ev ticket.Event
	if err := json.Unmarshal(m.Body, &ev); err != nil || ev.Ref.Tenant != m.Tenant {
		return queue.Discard(errors.Join(fmt.Errorf("catalogue: message %s is no event of tenant %s", m.ID, m.Tenant), err))
	}
	ctx = metric.About(ctx, string(m.Tenant), ev.Ref.Key, ev.Job)
	start := c.Now()
	conn, t, err := c.read(ctx, ev)
	if err != nil {
		c.stored(ctx, m.Tenant, FromWebhook, "failure", 1)
		return err
	}
	left := rereadAfter - c.Now().Sub(ev.Received)
	if !t.Closed {
		if left > 0 {
			return queue.RetryAfter(left, errors.New("the ticket is still open"))
		}
		return queue.Discard(fmt.Errorf("ticket %s is not resolved: the tool shows it with a status that the connection does not count as closed", ev.Ref))
	}
	t = complete(t, ev)
	if err := c.store(ctx, conn, m.Tenant, FromWebhook, []ticket.Ticket{t}); err != nil {
		c.stored(ctx, m.Tenant, FromWebhook, "failure", 1)
		return fmt.Errorf("store ticket %s (source %s): %w", ev.Ref, FromWebhook, err)
	}
	c.stored(ctx, m.Tenant, FromWebhook, "success", 1)
	c.Log.InfoContext(ctx, "past ticket stored", "operation", "store_ticket", "source", FromWebhook, "duration_ms", c.Now().Sub(start).Milliseconds())
	if t.Resolution == "" && left > 0 {
		return queue.RetryAfter(left, errors.New("the resolution is still empty"))
	}
	ref := ev.Ref
	ref.Key = t.Key // the webhook may name it in another way than the API
	return c.Compare(ctx, ref, t)
}

// read reads the ticket, and holds it to the tenant of the event. What is
// another's leaves that tenant's knowledge first, so that where this fails, the
// next try raises the alarm, and once.
func (c *Catalogue) read(ctx context.Context, ev ticket.Event) (tenant.Connection, ticket.Ticket, error) {
	conn, tool, err := c.tool(ev)
	if err != nil {
		return conn, ticket.Ticket{}, err
	}
	t, err := tool.Ticket(ctx, ev.Ref.Key)
	limited, ok := errors.AsType[*ticketing.LimitedError](err)
	switch {
	case ok:
		return conn, t, queue.RetryAfter(limited.After, err)
	case err == nil:
		if !ownership.Owns(ev.Ref.Tenant, conn, t.Account) {
			if err := c.drop(ctx, ev.Ref.Tenant, conn, []string{t.Key}); err != nil {
				return conn, t, err
			}
		}
		return conn, t, c.Guard.Check(ctx, conn, ev, t.Account)
	case errors.Is(err, ticketing.ErrNotFound):
		return conn, t, queue.Discard(err)
	case ev.Signed && ev.Told.Description != "" && ev.Told.Resolution != "" && conn.OneClient():
		c.Log.WarnContext(ctx, "the webhook's text stands in for the ticket", "operation", "read_ticket", "error", err.Error())
		return conn, ticket.Ticket{
			Key: ev.Ref.Key, Number: ev.Ref.Key, Subject: ev.Told.Subject, Description: ev.Told.Description,
			Priority: ev.Told.Priority, Closed: true,
		}, nil
	}
	return conn, t, err
}

// complete adds to a closed ticket what the webhook tells and the API does not
// show yet: the resolution, where the signature covered it, and the time.
func complete(t ticket.Ticket, ev ticket.Event) ticket.Ticket {
	if t.Resolution == "" && ev.Signed {
		t.Resolution = ev.Told.Resolution
	}
	for _, at := range []time.Time{ev.Told.Resolved, ev.Received} {
		if t.Resolved.IsZero() {
			t.Resolved = at
		}
	}
	return t
}

// tool opens the connection of a ticket. A tenant or connection that is gone is
// no reason to try again; one that may be new to this process is.
func (c *Catalogue) tool(ev ticket.Event) (tenant.Connection, ticketing.Tool, error) {
	d := c.Directory()
	if d.Loaded.IsZero() {
		return tenant.Connection{}, nil, queue.RetryAfter(time.Second, errors.New("the directory of tenants is not loaded yet"))
	}
	conn, err := d.Connection(ev.Ref.Tool, ev.Ref.Connection)
	t, errTenant := d.Tenant(ev.Ref.Tenant)
	if err = errors.Join(err, errTenant); err != nil && !d.After(ev.Received) {
		return conn, nil, queue.RetryAfter(5*time.Second, err)
	}
	if err != nil {
		return conn, nil, queue.Discard(err)
	}
	conn = conn.For(t.Settings)
	tool, err := c.Open(conn)
	if err != nil {
		return conn, nil, fmt.Errorf("open connection %s: %w", conn.ID, err)
	}
	return conn, tool, nil
}

func (c *Catalogue) stored(ctx context.Context, id tenant.ID, source, status string, n int) {
	metric.HistoryStored.Add(ctx, int64(n), metric.With(metric.Tenant(string(id)), metric.Source(source), metric.Status(status)))
}
