package app

import (
	"context"
	"fmt"
	"time"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/postgres/search"
	"github.com/deskhand/deskhand/shared/preview"
	"github.com/deskhand/deskhand/shared/tenant"
)

// preview looks back at a tenant's last solved tickets with what notes are
// written with, as of the creation of each, in transactions that cannot write.
// The trail tells of it first, as it does of an export.
func (a *App) preview(ctx context.Context, id tenant.ID, last int, progress func(done, total int)) (preview.Report, error) {
	who, ok := a.watch.Current().Tenants[id]
	if !ok {
		return preview.Report{}, fmt.Errorf("tenant %s: %w", id, tenant.ErrUnknown)
	}
	if err := a.record(ctx, audit.Event{Tenant: id, Operation: audit.HistoryPreviewed, Status: audit.Success}); err != nil {
		return preview.Report{}, err
	}
	db := a.db.ReadOnly()
	p := preview.Preview{
		Past: search.Store{DB: db},
		Gather: func(ctx context.Context, who tenant.Tenant, asked preview.Asked) (evidence.Bundle, error) {
			e := a.enhancer()
			e.Sources = a.evidenceFrom(db, func() time.Time { return asked.Ticket.Created })
			return e.Evidence(ctx, who, asked.Connection, asked.Ticket)
		},
	}
	return p.Of(ctx, who, last, progress)
}
