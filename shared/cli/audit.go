package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/tenant"
)

type auditCmd struct {
	Export auditExportCmd `cmd:"" help:"Print a tenant's audit trail as JSON lines."`
}

type auditExportCmd struct {
	Tenant string    `required:"" help:"Id of the tenant."`
	Since  time.Time `required:"" format:"2006-01-02" help:"First day (UTC)."`
	Until  time.Time `format:"2006-01-02" help:"Last day (UTC); today where not given."`
	Ticket string    `help:"Only events of this ticket, by the tool's key."`
}

// Help gives an example.
func (auditExportCmd) Help() string {
	return "Events are kept for 90 days. The export is an event itself.\n\nExample: deskhand audit export --tenant acme --since 2026-01-01 > acme.jsonl"
}

func (c auditExportCmd) Run(ctx context.Context, p *Program) error {
	id, err := tenant.ParseID(c.Tenant)
	if err != nil {
		return err
	}
	q := audit.Query{Since: c.Since, Until: c.Until.AddDate(0, 0, 1), Ticket: c.Ticket}
	if c.Until.IsZero() {
		q.Until = p.Now().Add(time.Hour) // the database's clock may be ahead
	}
	if !q.Until.After(q.Since) {
		return errors.New("the time is empty: --until is before --since")
	}
	return p.with(ctx, func(d *operator.Desk) error {
		lines := json.NewEncoder(p.Out)
		if err := d.Trail(ctx, id, q, func(e audit.Event) error { return lines.Encode(e) }); err != nil {
			return fmt.Errorf("%w\nwhat was printed is not complete: run it again", err)
		}
		return nil
	})
}
