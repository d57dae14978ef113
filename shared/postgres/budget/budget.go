// Package budget counts the tokens of the model that a tenant uses in a day, so
// that a limit holds for all workers together.
package budget

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Store counts in the table model_use. It is safe for concurrent use. Days are
// those of UTC, by the database's clock.
type Store struct{ DB *postgres.DB }

// The row is locked by the update, so that workers at the same time see each
// other's reservations. One that begins under the limit is granted whole.
const reserveSQL = `
INSERT INTO model_use AS m (tenant_id, day, tokens) VALUES (current_tenant(), (now() AT TIME ZONE 'UTC')::date, $1)
ON CONFLICT (tenant_id, day) DO UPDATE SET tokens = m.tokens + excluded.tokens WHERE m.tokens < $2
RETURNING day`

const settleSQL = `
UPDATE model_use SET tokens = greatest(tokens + $2, 0) WHERE tenant_id = current_tenant() AND day = $1`

// Reserve takes tokens from the tenant's day, unless limit or more are taken:
// then ok is false. So a day takes less than the limit and one reservation.
// settle puts what was used in the place of what was reserved, on the day of the
// reservation; without it the reservation stays.
func (s Store) Reserve(ctx context.Context, id tenant.ID, tokens, limit int) (settle func(ctx context.Context, used int) error, ok bool, err error) {
	var day time.Time
	err = s.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, reserveSQL, tokens, limit).Scan(&day)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("budget: reserve %d tokens of tenant %s: %w", tokens, id, err)
	}
	return func(ctx context.Context, used int) error {
		err := s.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, settleSQL, day, used-tokens)
			return err
		})
		if err != nil {
			return fmt.Errorf("budget: settle %d tokens of tenant %s: %w", used, id, err)
		}
		return nil
	}, true, nil
}
