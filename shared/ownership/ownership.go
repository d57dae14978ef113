// Package ownership holds a ticket to the tenant of its event. Between a
// webhook and what is done for it, a ticket may move to another account of the
// tool, and an account to another tenant. Every story that reads a ticket asks
// the one Guard here, so that what is wrong is told in one way.
package ownership

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

// The kinds of security event, in logs, the audit trail and the metric
// security_events_total.
const (
	ForeignCanary = "foreign_canary" // another tenant's data was about to go out
	ForeignTicket = "foreign_ticket" // the ticket belongs to another tenant than its event
)

// Guard tells whose tickets are, and whom to tell. It is safe for concurrent use.
type Guard struct {
	// Unmapped counts a ticket of an account that no tenant has.
	Unmapped func(ctx context.Context, connection, account string) error
	// Audit keeps in the tenant's audit trail that something was blocked, and
	// which kind of security event that was.
	Audit func(ctx context.Context, ev ticket.Event, kind string) error
	Log   *slog.Logger
}

// Owns tells whether tickets of the account belong to the tenant. On a
// connection of one client that is every account; on a shared one, those that
// are mapped to the tenant: what carries none may be another client's.
func Owns(id tenant.ID, conn tenant.Connection, account string) bool {
	owner, mapped := conn.Route(account)
	return mapped && owner == id
}

// Check holds the account of a ticket, as the tool tells it now, to the tenant
// of its event. A ticket of another tenant is an alarm, and one that no tenant
// has is listed for the operator; either way the error discards the event. The
// error goes into the records of the event's tenant, so it names neither the
// account nor its owner.
func (g Guard) Check(ctx context.Context, conn tenant.Connection, ev ticket.Event, account string) error {
	if Owns(ev.Ref.Tenant, conn, account) {
		return nil
	}
	if owner, mapped := conn.Route(account); mapped {
		g.Alarm(ctx, ev, ForeignTicket, "foreign_tenant", string(owner), "connection", conn.ID)
		return queue.Discard(fmt.Errorf("ticket %s: its account does not belong to tenant %s (any more)", ev.Ref.Key, ev.Ref.Tenant))
	}
	if err := g.Unmapped(ctx, conn.ID, account); err != nil {
		g.Log.WarnContext(ctx, "an unmapped account is not listed", "operation", "note_unmapped", "connection", conn.ID, "error", err.Error())
	}
	return queue.Discard(fmt.Errorf("ticket %s: no tenant has its account; see: deskhand tenant list", ev.Ref.Key))
}

// Alarm tells of a security event: in the log, in the metric that is alerted
// on, and in the audit trail. The trail is the tenant's, so it does not say
// whose data it was. The fields are for the log.
func (g Guard) Alarm(ctx context.Context, ev ticket.Event, kind string, fields ...any) {
	fields = append([]any{"operation", "guard", "security_event", kind}, fields...)
	metric.SecurityEvents.Add(ctx, 1, metric.With(metric.Tenant(string(ev.Ref.Tenant)), metric.Event(kind)))
	if err := g.Audit(ctx, ev, kind); err != nil {
		fields = append(fields, "not_audited", err.Error())
	}
	g.Log.ErrorContext(ctx, "security event", fields...)
}
