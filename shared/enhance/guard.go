package enhance

import (
	"context"
	"errors"
	"fmt"

	"github.com/deskhand/deskhand/shared/canary"
	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/ownership"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// errForeign is what the record and the dead letter say. They are the
// tenant's, so they do not say whose data it was: the security event does.
var errForeign = errors.New("another tenant's data was found, and nothing was sent: " +
	"look for the security event foreign_canary of this job in the log, and at docs/tenancy.md")

// noForeign looks for other tenants' canaries in what is about to leave, which
// what names. Where there is one, the job is buried: trying again would look
// at the same data, and an operator has to.
func (e *Enhancer) noForeign(ctx context.Context, ev ticket.Event, what string, texts ...string) error {
	_, err := e.canaries(ctx, ev, what, texts...)
	return err
}

// canaries does the same, and tells whether the texts carry the tenant's own.
func (e *Enhancer) canaries(ctx context.Context, ev ticket.Event, what string, texts ...string) (own bool, err error) {
	tokens := canary.Find(texts...)
	if len(tokens) == 0 {
		return false, nil
	}
	owners, err := e.Whose(ctx, tokens)
	if err != nil {
		return false, fmt.Errorf("%s holds what looks like a canary: %w", what, err)
	}
	for _, owner := range owners {
		if owner != ev.Ref.Tenant {
			e.Guard.Alarm(ctx, ev, ownership.ForeignCanary, "found_in", what, "foreign_tenant", string(owner))
			return false, queue.Bury(fmt.Errorf("%s: %w", what, errForeign))
		}
	}
	return len(owners) > 0, nil
}

// withoutDecoys leaves out the evidence that carries the tenant's own canary.
// Another tenant's is an error, and gives no evidence at all.
func (e *Enhancer) withoutDecoys(ctx context.Context, ev ticket.Event, b evidence.Bundle) (evidence.Bundle, error) {
	items := make([]evidence.Item, 0, len(b.Items))
	for _, it := range b.Items {
		decoy, err := e.canaries(ctx, ev, "the evidence of "+it.Source, it.Ref, it.Title, it.Text, it.URL, it.Why)
		if err != nil {
			return evidence.Bundle{}, err
		}
		if !decoy {
			items = append(items, it)
		}
	}
	b.Items = items
	return b, nil
}

// Evidence gives what a note on a ticket would be written from. It raises the
// alarms that a note would, and writes nothing else. A source that does not
// answer is a gap.
func (e *Enhancer) Evidence(ctx context.Context, who tenant.Tenant, connection string, t ticket.Ticket) (evidence.Bundle, error) {
	j := newJob(client{tenant: who, connection: tenant.Connection{ID: connection}},
		ticket.Event{Ref: ticket.Ref{Tenant: who.ID, Connection: connection, Key: t.Key}}, Attempt{})
	return e.gathered(ctx, j, evidence.Begin(ctx, j.query(t), SourceLimit, e.sources(j.client)...))
}

// Probe looks for the decoys of all tenants as one of them, in every source. It
// must find the tenant's own ticket, article and system, and no other: another
// tenant's is a security event, and a probe that finds nothing proves nothing.
// An enhancement sees only what its ticket is like; this sees a hole before a
// ticket falls into it.
func (e *Enhancer) Probe(ctx context.Context, id tenant.ID) error {
	b := evidence.Gather(ctx, evidence.Query{Tenant: id, Connection: canary.Connection, Ticket: canary.Bait()}, SourceLimit, e.Sources...)
	for _, gap := range b.Gaps {
		return fmt.Errorf("probe the isolation of tenant %s: %s: %s", id, gap.Source, gap.Reason)
	}
	found := map[evidence.Kind]bool{}
	ev := ticket.Event{Ref: ticket.Ref{Tenant: id, Key: "probe"}}
	for _, it := range b.Items {
		own, err := e.canaries(ctx, ev, "the probe of "+it.Source, it.Ref, it.Title, it.Text)
		if err != nil {
			return err
		}
		found[it.Kind] = found[it.Kind] || own
	}
	for _, kind := range []evidence.Kind{evidence.PastTicket, evidence.Article, evidence.System} {
		if !found[kind] {
			return fmt.Errorf("probe the isolation of tenant %s: its own decoy of kind %s is not found, so the probe says nothing", id, kind)
		}
	}
	return nil
}

// stillTheirs asks the Guard once more, right before the note is posted:
// gathering and the model take their time, in which the ticket may move to
// another account, or an account to another tenant. A connection of one client
// needs no second look at the ticket.
func (e *Enhancer) stillTheirs(ctx context.Context, c client, ev ticket.Event, t ticket.Ticket) error {
	now, err := e.client(ev)
	if err != nil {
		return err
	}
	if now.connection.OneClient() {
		return e.Guard.Check(ctx, now.connection, ev, t.Account)
	}
	reading, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	if t, err = c.tool.Ticket(reading, t.Key); err != nil {
		if errors.Is(err, ticketing.ErrNotFound) {
			return queue.Discard(err)
		}
		return fmt.Errorf("read the ticket's account once more: %w", err)
	}
	return e.Guard.Check(ctx, now.connection, ev, t.Account)
}
