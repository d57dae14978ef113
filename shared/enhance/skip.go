package enhance

import (
	"context"

	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/ticket"
)

// skip gives the reason why the ticket needs no note, or "", and counts it.
func (e *Enhancer) skip(ctx context.Context, c client, t ticket.Ticket, a Attempt) (reason string) {
	rule := c.tenant.Settings.SkippedBy(t.Field)
	var kind string
	switch {
	case t.Closed:
		kind, reason = "closed", "the ticket is closed"
	case rule != "":
		kind, reason = "rule", "the tenant's rule "+rule
	case a.Revision == t.Revision() && !a.Posting:
		kind, reason = "unchanged", "the ticket did not change since its last note"
	default:
		return ""
	}
	metric.EnhancementsSkipped.Add(ctx, 1, metric.With(metric.Tenant(string(c.tenant.ID)), metric.Reason(kind)))
	return reason
}
