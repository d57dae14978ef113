package cli

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/tenant"
)

type tenantEraseCmd struct {
	ID  string `arg:"" help:"Id of the tenant."`
	Yes bool   `help:"Do it. Without, nothing happens."`
}

// Help says what goes.
func (tenantEraseCmd) Help() string {
	return "Deletes every row of the tenant, its connections with their credentials, its routes on shared ones, and its keys in Redis, for good. " +
		"An entry without its name stays in the table erasures.\n\nExample: deskhand tenant erase acme --yes"
}

func (c tenantEraseCmd) Run(ctx context.Context, p *Program) error {
	id, err := tenant.ParseID(c.ID)
	if err != nil {
		return err
	}
	if !c.Yes {
		return fmt.Errorf("this deletes tenant %s for good, and nothing brings it back but a backup: say --yes", id)
	}
	return p.with(ctx, func(d *operator.Desk) error {
		done, keys, err := d.Erase(ctx, id)
		if err != nil && !errors.Is(err, operator.ErrKeys) {
			return err
		}
		if shown := p.proof(id, done, keys); shown != nil {
			return errors.Join(err, shown)
		}
		return err
	})
}

// proof prints what was there before, what is left, and what this command
// cannot reach.
func (p *Program) proof(id tenant.ID, done audit.Erasure, keys int) error {
	fmt.Fprintf(p.Out, "tenant %s is erased. Rows, counted before and again after:\n\n", id)
	w := tabwriter.NewWriter(p.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "TABLE\tBEFORE\tAFTER")
	var before, after int64
	for _, t := range done.Tables {
		fmt.Fprintf(w, "%s\t%d\t%d\n", t.Table, t.Before, t.After)
		before, after = before+t.Before, after+t.After
	}
	fmt.Fprintf(w, "all\t%d\t%d\n", before, after)
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "\nkeys deleted in Redis: %d\n", keys)
	for _, c := range done.Connections {
		fmt.Fprintf(p.Out, "connection %s is gone, with its credentials and signing secrets: revoke them in the tool, too\n", c)
	}
	fmt.Fprint(p.Out, `
What this does not reach:
- Backups and snapshots of Postgres from before now hold all of it until they expire. After restoring one, erase again.
- Messages that wait in a queue are discarded on receipt, as the tenant is unknown; dead letters go after 14 days. Both are sealed.
- Log lines hold ids of tickets, never their text, for as long as you keep logs.
- Running processes forget settings and credentials within 10 s; ids of deliveries and access tokens of the tool when they restart, or within 25 hours.
- Notes that were put on tickets are in the tool.
`)
	return nil
}
