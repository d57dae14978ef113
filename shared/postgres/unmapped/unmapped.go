// Package unmapped remembers the accounts of shared connections that no tenant
// has, so that an operator sees who gets no notes.
package unmapped

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Store keeps them. The database bounds it: 100 accounts for each connection
// that exists, forgotten after 30 days. It is safe for concurrent use.
type Store struct{ DB *postgres.DB }

// patience is how long a caller waits: a webhook is answered all the same.
const patience = 300 * time.Millisecond

// Note counts a ticket of an account that no tenant has. Call it for what is
// known to come from the connection's tool, never for what is not
// authenticated.
func (s Store) Note(ctx context.Context, connection, account string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := s.DB.Pool.Exec(ctx, `SELECT note_unmapped($1, $2)`, connection, postgres.Text(account)); err != nil {
		return fmt.Errorf("unmapped: note an account of connection %s: %w", connection, err)
	}
	return nil
}

const listSQL = `
SELECT connection_id AS connection, account, first_seen AS first, last_seen AS last, seen
FROM directory_unmapped() ORDER BY connection_id, last_seen DESC, account`

// List gives those that nobody has mapped since, by connection, the last seen
// first.
func (s Store) List(ctx context.Context) ([]tenant.Unmapped, error) {
	rows, err := s.DB.Pool.Query(ctx, listSQL)
	if err != nil {
		return nil, fmt.Errorf("unmapped: list: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[tenant.Unmapped])
	if err != nil {
		return nil, fmt.Errorf("unmapped: list: %w", err)
	}
	return list, nil
}
