package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/tenant"
)

const recordInstallationSQL = `INSERT INTO installation_events (operation, subject, actor, status, correlation_id) VALUES ($1, $2, $3, $4, $5)`

// RecordFor is Record for a change that concerns several tenants, in a
// transaction that belongs to none: it becomes one after the other's. A tenant
// that is not there has no trail, and is left out. Without tenants, the change
// concerns the installation, and is in its own trail: admin_user alone may write
// there.
func RecordFor(ctx context.Context, tx pgx.Tx, e audit.Event, ids ...tenant.ID) error {
	if len(ids) == 0 {
		e.Actor = cmp.Or(e.Actor, audit.System)
		_, err := tx.Exec(ctx, recordInstallationSQL, string(e.Operation), short(e.Ticket), short(e.Actor), string(e.Status), short(e.Correlation))
		if err != nil {
			return fmt.Errorf("record in the trail of the installation: %w", err)
		}
		return nil
	}
	ids = slices.Clone(ids)
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if _, err := tx.Exec(ctx, `SELECT set_config('app.tenant', $1, true)`, string(id)); err != nil {
			return fmt.Errorf("record in the audit trail: %w", err)
		}
		var there bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM tenant_configs WHERE tenant_id = current_tenant())`).Scan(&there); err != nil {
			return fmt.Errorf("record in the audit trail: %w", err)
		}
		if !there {
			continue
		}
		if err := Record(ctx, tx, e); err != nil {
			return err
		}
	}
	return nil
}
