package enhance

import (
	"context"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/ticket"
)

// sources gives those that the tenant wants asked.
func (e *Enhancer) sources(c client) []evidence.Source {
	sources := make([]evidence.Source, 0, len(e.Sources))
	for _, s := range e.Sources {
		if !c.tenant.Settings.Off(s.Name()) {
			sources = append(sources, s)
		}
	}
	return sources
}

func (c client) query(t ticket.Ticket) evidence.Query {
	return evidence.Query{Tenant: c.tenant.ID, Connection: c.connection.ID, Ticket: t, Settings: c.tenant.Settings}
}

// gathered waits for the evidence, and sifts it.
func (e *Enhancer) gathered(ctx context.Context, j *job, g *evidence.Gathering) (evidence.Bundle, error) {
	defer j.step("gather")("")
	ctx, span := metric.Tracer.Start(ctx, metric.SpanContextGathering)
	defer span.End()
	<-g.Done()
	b := g.Bundle()
	for name, took := range b.Took {
		metric.SourceDuration.Record(ctx, took.Seconds(), metric.With(metric.Tenant(string(j.tenant.ID)), metric.Source(name)))
	}
	for _, gap := range b.Gaps {
		e.Log.WarnContext(ctx, "evidence source failed", "operation", "gather", "source", gap.Source, "error", gap.Reason)
	}
	return e.sift(ctx, j.event, b)
}

// sift gives the evidence that a note may be written from: without the tenant's
// own decoys, and without what is withheld. Another tenant's canary is an error.
func (e *Enhancer) sift(ctx context.Context, ev ticket.Event, b evidence.Bundle) (evidence.Bundle, error) {
	b, err := e.withoutDecoys(ctx, ev, b)
	return e.withhold(ctx, b), err
}
