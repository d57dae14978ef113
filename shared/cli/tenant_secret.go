package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/deskhand/deskhand/shared/admin"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/tenant"
)

// onConnection chooses one of the tenant's connections.
type onConnection struct {
	oneTenant
	Connection string `help:"Id of the connection, where the tenant has several."`
}

// choose gives the connections of the tenant: the named one, or all.
func (c onConnection) choose(ctx context.Context, d *operator.Desk) ([]tenant.Connection, error) {
	_, conns, err := c.find(ctx, d)
	if err != nil {
		return nil, err
	}
	var chosen []tenant.Connection
	for _, conn := range conns {
		if c.Connection == "" || conn.ID == c.Connection {
			chosen = append(chosen, conn)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("tenant %s has no such connection: deskhand tenant show %s lists them", c.ID, c.ID)
	}
	return chosen, nil
}

type tenantRotateCmd struct {
	onConnection
	Retire bool `help:"End the old secret, once the tool signs with the new one."`
}

// Help says how a rotation goes.
func (tenantRotateCmd) Help() string {
	return "The new secret is printed once; the old one stays valid beside it. Give the new one to the tool, and then:\n\n  deskhand tenant rotate-secret acme --retire"
}

func (c tenantRotateCmd) Run(ctx context.Context, p *Program) error {
	return p.with(ctx, func(d *operator.Desk) error {
		conns, err := c.choose(ctx, d)
		if err != nil {
			return err
		}
		if len(conns) > 1 {
			return errors.New("the tenant has several connections: say which with --connection")
		}
		before, err := d.Office.Connection(ctx, d.Caller, conns[0].ID)
		if err != nil {
			return err
		}
		want := admin.Version[string]{Value: before.Value.ID, Number: before.Number}
		if c.Retire {
			if _, err = d.Office.RetireSecret(ctx, d.Caller, want); err == nil {
				fmt.Fprintf(p.Out, "connection %s takes its newest signing secret alone, within 10 seconds\n", want.Value)
			}
			return err
		}
		after, err := d.Office.RotateSecret(ctx, d.Caller, want)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.Out, "new signing secret of connection %s, shown this once: %s\nthe one before stays valid until: deskhand tenant rotate-secret %s --connection %s --retire\n",
			want.Value, after.Value.Signing[0].Reveal(), c.ID, want.Value)
		return nil
	})
}

type tenantTestCmd struct{ onConnection }

// Help says what is asked.
func (tenantTestCmd) Help() string {
	return "The tool itself is asked which permissions the credential has. Nothing is changed there."
}

func (c tenantTestCmd) Run(ctx context.Context, p *Program) error {
	return p.with(ctx, func(d *operator.Desk) error {
		conns, err := c.choose(ctx, d)
		if err != nil {
			return err
		}
		missing := 0
		for _, conn := range conns {
			findings, err := d.Office.TestConnection(ctx, d.Caller, conn.ID)
			if err != nil {
				return fmt.Errorf("connection %s: %w", conn.ID, err)
			}
			for _, f := range findings {
				verdict := "ok"
				if !f.OK {
					verdict = "MISSING: " + f.Problem
					missing++
				}
				fmt.Fprintf(p.Out, "%s: %s: %s\n", conn.ID, f.Permission, verdict)
			}
		}
		if missing > 0 {
			return fmt.Errorf("%d permissions are missing: give them to the credential's user in the tool, and test again", missing)
		}
		return nil
	})
}
