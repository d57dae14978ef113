package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/audit"
)

const recordSQL = `
INSERT INTO audit_events (tenant_id, ticket_id, operation, actor, status, correlation_id)
SELECT current_tenant(), e.ticket, e.operation, e.actor, e.status, e.correlation
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY e (ticket, operation, actor, status, correlation, n)
ORDER BY e.n`

// Record appends events to the audit trail of the transaction's tenant, in that
// transaction: they are there if the change is. Their Tenant and Time are not
// read. Ids are cut to 200 characters, so that none keeps a change from being
// made.
func Record(ctx context.Context, tx pgx.Tx, events ...audit.Event) error {
	if len(events) == 0 {
		return nil
	}
	var columns [5][]string
	for _, e := range events {
		if e.Actor == "" {
			e.Actor = audit.System
		}
		for i, value := range []string{e.Ticket, string(e.Operation), e.Actor, string(e.Status), e.Correlation} {
			columns[i] = append(columns[i], short(value))
		}
	}
	if _, err := tx.Exec(ctx, recordSQL, columns[0], columns[1], columns[2], columns[3], columns[4]); err != nil {
		return fmt.Errorf("record in the audit trail: %w", err)
	}
	return nil
}

// short is the text that audit_events takes.
func short(s string) string {
	s = Text(s)
	for n := range s { // n is where a character begins
		if n >= 200 {
			return s[:n]
		}
	}
	return s
}
