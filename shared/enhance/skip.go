package enhance

import (
	"context"

	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

// skip gives the reason why the ticket needs no note, or "", and counts it.
func (e *Enhancer) skip(ctx context.Context, c client, ev ticket.Event, t ticket.Ticket, a Attempt) string {
	kind, reason := needless(c.tenant.Settings, ev, t, a)
	if reason != "" {
		metric.EnhancementsSkipped.Add(ctx, 1, metric.With(metric.Tenant(string(c.tenant.ID)), metric.Reason(kind)))
	}
	return reason
}

// needless gives the reason in a word for the metric and in words for the
// record; both are "" for a ticket that needs a note. What is to be improved has
// been through most of them before.
func needless(s tenant.Settings, ev ticket.Event, t ticket.Ticket, a Attempt) (kind, reason string) {
	rule, noise, improve := s.SkippedBy(t.Field), ticket.Noise(t), ev.Kind == ticket.Improve
	unchanged := t.Unchanged(a.Revision) || s.ShadowMode && t.Unchanged(a.ShadowRevision)
	switch {
	case a.Posting && !improve: // a note may be there that is not done yet
		return "", ""
	case t.Closed:
		return "closed", "the ticket is closed"
	case improve && a.NoteID != "" && !a.EvidenceOnly:
		return "improved", "the last note has the model's answer already"
	case improve, ev.Kind == ticket.Replayed: // which is an operator's word
		return "", ""
	case rule != "":
		return "rule", "the tenant's rule " + rule
	case unchanged:
		return "unchanged", "the ticket did not change since its last note"
	case !s.KeepNoise && noise != "":
		return "noise", "the ticket is " + noise
	case s.QuietWhenAssigned && t.Assignee != "" && t.Started:
		return "assigned", "a technician is at work on the ticket"
	}
	return "", ""
}
