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

// Library stores past tickets and articles. Storing again replaces; a ticket
// without a resolution does not erase one that is there.
type Library interface {
	PutTickets(ctx context.Context, id tenant.ID, connection, source string, tickets []ticket.Ticket) error
	PutArticles(ctx context.Context, id tenant.ID, connection string, articles []ticketing.Article) error
}

// Systems stores the inventory.
type Systems interface {
	PutSystems(ctx context.Context, id tenant.ID, connection string, systems []ticketing.System) error
}

// Catalogue does the work. It is safe for concurrent use.
type Catalogue struct {
	Directory func() tenant.Directory
	Open      func(tenant.Connection) (ticketing.Tool, error)
	Library   Library
	Systems   Systems
	Queue     queue.Sender // the catalogue queue, for Tick
	// Sweep fails the tenant's enhancements that no worker has touched for idle.
	Sweep func(ctx context.Context, id tenant.ID, idle time.Duration) (int, error)
	// Claim does something once for the schedule's slot, whoever asks; where
	// that fails the slot stays free.
	Claim func(ctx context.Context, id tenant.ID, schedule string, slot time.Time, do func(context.Context) error) error
	// Canary gives the tenant's leak canary, for its decoys.
	Canary func(ctx context.Context, id tenant.ID) (string, error)
	// Probe looks for decoys as the tenant, and fails where it finds another's.
	Probe  func(ctx context.Context, id tenant.ID) error
	Policy queue.Policy
	Now    func() time.Time
	Log    *slog.Logger
}

// Handle is the queue's handler for catalogue messages: a resolved ticket, or
// a tick of one of Schedules.
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
	if m.Kind == string(ticket.Resolved) {
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

// resolved stores the ticket that a resolved webhook names. The ticket is read
// again; what the webhook told stands in only where that fails and the
// signature covered it.
func (c *Catalogue) resolved(ctx context.Context, m queue.Message) error {
	var ev ticket.Event
	if err := json.Unmarshal(m.Body, &ev); err != nil || ev.Ref.Tenant != m.Tenant {
		return queue.Discard(errors.Join(fmt.Errorf("catalogue: message %s is no event of tenant %s", m.ID, m.Tenant), err))
	}
	ctx = metric.About(ctx, string(m.Tenant), ev.Ref.Key, ev.Job)
	start := c.Now()
	t, err := c.read(ctx, ev)
	if err != nil {
		c.stored(ctx, m.Tenant, FromWebhook, "failure", 1)
		return err
	}
	left := rereadAfter - c.Now().Sub(ev.Received)
	if !t.Closed && (t.Resolution == "" || !c.Directory().Tenants[m.Tenant].Settings.Solved(t.Status)) {
		if left > 0 {
			return queue.RetryAfter(left, errors.New("the ticket is still open and has no resolution, or a status that the tenant does not call solved"))
		}
		return queue.Discard(fmt.Errorf("ticket %s is not resolved", ev.Ref))
	}
	if err := c.Library.PutTickets(ctx, m.Tenant, ev.Ref.Connection, FromWebhook, []ticket.Ticket{t}); err != nil {
		c.stored(ctx, m.Tenant, FromWebhook, "failure", 1)
		return fmt.Errorf("store ticket %s (source %s): %w", ev.Ref, FromWebhook, err)
	}
	c.stored(ctx, m.Tenant, FromWebhook, "success", 1)
	c.Log.InfoContext(ctx, "past ticket stored", "operation", "store_ticket", "source", FromWebhook, "duration_ms", c.Now().Sub(start).Milliseconds())
	if t.Resolution == "" && left > 0 {
		return queue.RetryAfter(left, errors.New("the resolution is still empty"))
	}
	return nil
}

func (c *Catalogue) read(ctx context.Context, ev ticket.Event) (ticket.Ticket, error) {
	conn, tool, err := c.tool(ev.Ref)
	if err != nil {
		return ticket.Ticket{}, err
	}
	t, err := tool.Ticket(ctx, ev.Ref.Key)
	limited, ok := errors.AsType[*ticketing.LimitedError](err)
	switch {
	case ok:
		return t, queue.RetryAfter(limited.After, err)
	case err == nil:
		if owner, ok := conn.Route(t.Account); !ok || owner != ev.Ref.Tenant {
			return t, queue.Discard(fmt.Errorf("ticket %s: its account %q does not belong to tenant %s", ev.Ref.Key, t.Account, ev.Ref.Tenant))
		}
		// The webhook may carry a resolution that the API does not show yet.
		if t.Resolution == "" && ev.Signed {
			t.Resolution = ev.Told.Resolution
		}
		if t.Resolved.IsZero() {
			t.Resolved = ev.Told.Resolved
		}
		if t.Resolved.IsZero() {
			t.Resolved = ev.Received
		}
		return t, nil
	case errors.Is(err, ticketing.ErrNotFound):
		return t, queue.Discard(err)
	case ev.Signed && ev.Told.Description != "" && ev.Told.Resolution != "" && conn.OneClient():
		c.Log.WarnContext(ctx, "the webhook's text stands in for the ticket", "operation", "read_ticket", "error", err.Error())
		resolved := ev.Told.Resolved
		if resolved.IsZero() {
			resolved = ev.Received
		}
		return ticket.Ticket{
			Key: ev.Ref.Key, Number: ev.Ref.Key, Subject: ev.Told.Subject, Description: ev.Told.Description,
			Priority: ev.Told.Priority, Resolution: ev.Told.Resolution, Resolved: resolved, Closed: true,
		}, nil
	}
	return t, err
}

// tool opens the connection of a ticket. A tenant or connection that is gone is
// no reason to try again.
func (c *Catalogue) tool(ref ticket.Ref) (tenant.Connection, ticketing.Tool, error) {
	d := c.Directory()
	if d.Loaded.IsZero() {
		return tenant.Connection{}, nil, queue.RetryAfter(time.Second, errors.New("the directory of tenants is not loaded yet"))
	}
	conn, err := d.Connection(ref.Tool, ref.Connection)
	t, errTenant := d.Tenant(ref.Tenant)
	if err != nil || errTenant != nil {
		return conn, nil, queue.Discard(errors.Join(err, errTenant))
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
