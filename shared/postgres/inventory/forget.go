package inventory

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/catalogue"
	"github.com/deskhand/deskhand/shared/tenant"
)

// The addresses of a system go with it.
const (
	originsSQL     = `SELECT DISTINCT connection_id, account FROM systems`
	systemsUnnamed = `DELETE FROM systems WHERE connection_id = $1 AND system_id <> ALL($2)`
	systemsFrom    = `DELETE FROM systems WHERE connection_id = $1 AND account = $2 AND ingested_at < $3`
)

// Origins gives each connection and account that a system of the tenant came from.
func (s Store) Origins(ctx context.Context, id tenant.ID) (origins []catalogue.Origin, err error) {
	err = s.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, originsSQL)
		if err == nil {
			origins, err = pgx.CollectRows(rows, pgx.RowToStructByPos[catalogue.Origin])
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("inventory: origins of %s: %w", id, err)
	}
	return origins, nil
}

// KeepSystems removes the systems of a connection that have none of the keys,
// and gives the number.
func (s Store) KeepSystems(ctx context.Context, id tenant.ID, connection string, keys []string) (int, error) {
	stored := make([]string, len(keys))
	for i, key := range keys {
		stored[i] = clean(key)
	}
	return s.remove(ctx, id, systemsUnnamed, connection, stored)
}

// Forget removes the systems that came from the origin and were stored before
// that time, and gives the number.
func (s Store) Forget(ctx context.Context, id tenant.ID, from catalogue.Origin, before time.Time) (int, error) {
	return s.remove(ctx, id, systemsFrom, from.Connection, from.Account, before)
}

func (s Store) remove(ctx context.Context, id tenant.ID, sql string, args ...any) (removed int, err error) {
	err = s.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sql, args...)
		removed = int(tag.RowsAffected())
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("inventory: remove systems of %s/%s: %w", id, args[0], err)
	}
	return removed, nil
}
