// Package slots lets one process of many claim a tick of a schedule.
package slots

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Slots remembers the last claimed slot of each schedule and tenant.
type Slots struct{ DB *postgres.DB }

const claim = `
INSERT INTO schedule_slots (tenant_id, schedule, slot) VALUES ($1, $2, $3)
ON CONFLICT (tenant_id, schedule) DO UPDATE SET slot = excluded.slot WHERE schedule_slots.slot < excluded.slot`

// Claim tells whether this call is the first for the slot. A slot that is
// older than the last claimed one is nobody's.
func (s Slots) Claim(ctx context.Context, id tenant.ID, schedule string, slot time.Time) (bool, error) {
	var first bool
	err := s.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, claim, id, schedule, slot)
		first = tag.RowsAffected() == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("claim slot %s of %s: %w", slot.Format(time.RFC3339), schedule, err)
	}
	return first, nil
}
