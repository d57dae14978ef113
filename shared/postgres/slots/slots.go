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

// Claim does something where this call is the first for the slot; others wait
// for its end. Where do fails, or the process dies, the slot stays free. A slot
// that is older than the last claimed one is nobody's.
func (s Slots) Claim(ctx context.Context, id tenant.ID, schedule string, slot time.Time, do func(context.Context) error) error {
	err := s.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, claim, id, schedule, slot)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		return do(ctx)
	})
	if err != nil {
		return fmt.Errorf("slot %s of schedule %s, tenant %s: %w", slot.UTC().Format(time.RFC3339), schedule, id, err)
	}
	return nil
}
