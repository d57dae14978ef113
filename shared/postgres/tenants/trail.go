package tenants

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/tenant"
)

const ownersSQL = `SELECT DISTINCT r.value FROM directory_connections() c, jsonb_each_text(c.routes) r WHERE c.id = $1`

// ownersOf gives the tenants that the connection serves.
func ownersOf(ctx context.Context, tx pgx.Tx, connection string) ([]tenant.ID, error) {
	rows, err := tx.Query(ctx, ownersSQL, postgres.Text(connection))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[tenant.ID])
}

// record has the change of a connection in the trail of each tenant that it
// concerns.
func (s Store) record(ctx context.Context, tx pgx.Tx, connection string, tenants []tenant.ID) error {
	e := audit.Event{Ticket: connection, Operation: audit.ConnectionChanged, Actor: s.Actor, Status: audit.Success}
	return postgres.RecordFor(ctx, tx, e, tenants...)
}
