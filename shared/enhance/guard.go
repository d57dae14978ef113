package enhance

import (
	"context"
	"errors"
	"fmt"

	"github.com/deskhand/deskhand/shared/canary"
	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// The kinds of security event, in logs, the audit trail and the metric
// security_events_total.
const (
	ForeignCanary = "foreign_canary" // another tenant's data was about to go out
	ForeignTicket = "foreign_ticket" // the ticket belongs to another tenant than its event
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
			e.alarm(ctx, ev, ForeignCanary, "found_in", what, "foreign_tenant", string(owner))
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

// theirs holds a ticket as the tool tells it to the tenant of its event: the
// account must be one of that tenant's. What is not is discarded, and is an
// alarm where it is another tenant's.
func (e *Enhancer) theirs(ctx context.Context, conn tenant.Connection, ev ticket.Event, t ticket.Ticket) error {
	owner, mapped := conn.Route(t.Account)
	switch {
	case mapped && owner == ev.Ref.Tenant:
		return nil
	case mapped:
		e.alarm(ctx, ev, ForeignTicket, "foreign_tenant", string(owner), "connection", conn.ID)
		return queue.Discard(fmt.Errorf("ticket %s: its account does not belong to tenant %s (any more)", ev.Ref.Key, ev.Ref.Tenant))
	}
	if err := e.Unmapped(ctx, conn.ID, t.Account); err != nil {
		e.Log.WarnContext(ctx, "an unmapped account is not listed", "operation", "note_unmapped", "connection", conn.ID, "error", err.Error())
	}
	return queue.Discard(fmt.Errorf("ticket %s: no tenant has its account; see: deskhand tenant list", ev.Ref.Key))
}

// stillTheirs asks the same once more, right before the note is posted:
// gathering and the model take their time, in which the ticket may move to
// another account, or an account to another tenant. A connection of one client
// needs no second look at the ticket.
func (e *Enhancer) stillTheirs(ctx context.Context, c client, ev ticket.Event, t ticket.Ticket) error {
	now, err := e.client(ev.Ref)
	if err != nil {
		return err
	}
	if now.connection.OneClient() {
		return e.theirs(ctx, now.connection, ev, t)
	}
	reading, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	if t, err = c.tool.Ticket(reading, t.Key); err != nil {
		if errors.Is(err, ticketing.ErrNotFound) {
			return queue.Discard(err)
		}
		return fmt.Errorf("read the ticket's account once more: %w", err)
	}
	return e.theirs(ctx, now.connection, ev, t)
}

// alarm tells of a security event: in the log, in the metric that is alerted
// on, and in the audit trail. The trail is the tenant's, so it does not say
// whose data it was.
func (e *Enhancer) alarm(ctx context.Context, ev ticket.Event, kind string, fields ...any) {
	fields = append([]any{"operation", "enhance", "security_event", kind}, fields...)
	metric.SecurityEvents.Add(ctx, 1, metric.With(metric.Tenant(string(ev.Ref.Tenant)), metric.Event(kind)))
	if err := e.Audit(ctx, ev, kind); err != nil {
		fields = append(fields, "not_audited", err.Error())
	}
	e.Log.ErrorContext(ctx, "security event", fields...)
}
