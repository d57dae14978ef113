// Package audit keeps the audit trail in Postgres: it appends, reads, and lets
// events go after 90 days. What belongs to a change of the ledger or of a
// tenant is appended by those, in the transaction of the change.
package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Trail is the audit trail of every tenant. It is safe for concurrent use.
type Trail struct{ DB *postgres.DB }

// Record appends an event that belongs to no other change. A tenant that is
// not there has no trail: that is an error.
func (t Trail) Record(ctx context.Context, e audit.Event) error {
	err := t.DB.InTenant(ctx, e.Tenant, func(tx pgx.Tx) error { return postgres.Record(ctx, tx, e) })
	if err != nil {
		return fmt.Errorf("audit: record %s of tenant %s: %w", e.Operation, e.Tenant, err)
	}
	return nil
}

const pageSQL = `
SELECT id, at, tenant_id, ticket_id, operation, actor, status, correlation_id FROM audit_events
WHERE tenant_id = current_tenant() AND (at, id) > ($1, $2) AND at < $3 AND ($4 = '' OR ticket_id = $4)
ORDER BY at, id LIMIT 1000`

// Each calls do with the events that q asks for, the oldest first, in pages of
// a transaction each: however many there are, nothing waits for do. It ends
// with do's error.
func (t Trail) Each(ctx context.Context, id tenant.ID, q audit.Query, do func(audit.Event) error) error {
	at, last := q.Since.Add(-time.Microsecond), int64(1<<62) // Postgres counts microseconds
	for {
		var page []row
		err := t.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
			rows, err := tx.Query(ctx, pageSQL, at, last, q.Until, q.Ticket)
			if err != nil {
				return err
			}
			page, err = pgx.CollectRows(rows, scan)
			return err
		})
		if err != nil {
			return fmt.Errorf("audit: read the trail of tenant %s: %w", id, err)
		}
		for _, r := range page {
			if err := do(r.Event); err != nil {
				return err
			}
			at, last = r.Time, r.id
		}
		if len(page) < 1000 {
			return nil
		}
	}
}

type row struct {
	audit.Event
	id int64
}

func scan(from pgx.CollectableRow) (r row, err error) {
	err = from.Scan(&r.id, &r.Time, &r.Tenant, &r.Ticket, &r.Operation, &r.Actor, &r.Status, &r.Correlation)
	r.Time = r.Time.UTC()
	return r, err
}

// Prune deletes the tenant's events of more than 90 days ago, and gives their
// number. What is newer it cannot delete.
func (t Trail) Prune(ctx context.Context, id tenant.ID) (n int, err error) {
	err = t.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, "SELECT prune_audit()").Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("audit: prune the trail of tenant %s: %w", id, err)
	}
	return n, nil
}
