package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

type tenantCmd struct {
	Add     tenantAddCmd     `cmd:"" help:"Add or replace a tenant and its connection."`
	List    tenantListCmd    `cmd:"" help:"List tenants and connections."`
	Show    tenantShowCmd    `cmd:"" help:"Show a tenant, its settings and connections."`
	Edit    tenantEditCmd    `cmd:"" help:"Change a tenant's name or settings."`
	Disable tenantDisableCmd `cmd:"" help:"Stop serving a tenant; its data stays."`
	Rotate  tenantRotateCmd  `cmd:"" name:"rotate-secret" help:"Make a new signing secret; the old one stays valid beside it."`
	Test    tenantTestCmd    `cmd:"" help:"Ask the tool which permissions the credential has."`
	Export  tenantExportCmd  `cmd:"" help:"Write all rows of a tenant to files."`
	Erase   tenantEraseCmd   `cmd:"" help:"Delete a tenant and all its data for good, and prove it."`
}

type tenantAddCmd struct {
	ID         string            `arg:"" help:"Id of the tenant: a-z, 0-9 and hyphens."`
	Name       string            `help:"Name for people; the id where not given."`
	Tool       string            `enum:"${tools}" default:"servicedesk_plus" help:"Ticketing tool: ${enum}."`
	Connection string            `help:"Id of the connection, in the webhook's URL; the tenant's id where not given."`
	Account    string            `help:"The tool's own account of this tenant, where the connection serves several."`
	Set        map[string]string `help:"A field of the connection, such as base_url=https://sdp.example.com; repeatable. Those that the tool asks for are listed where one is missing."`
	Secret     string            `env:"WEBHOOK_SECRET" help:"Secret that signs the webhooks; made and printed once where not given."`
	Verify     string            `help:"How webhooks prove where they come from: hmac (ours), standard_webhooks, jira, zendesk, hmac_plain, static_header or basic. What it was, where not given; else hmac."`
}

// Help gives an example.
func (tenantAddCmd) Help() string {
	return "Example: deskhand tenant add acme --name 'Acme Legal' --set base_url=https://sdp.acme.example --set api_key=..."
}

func (c tenantAddCmd) Run(ctx context.Context, p *Program) error {
	id, err := tenant.ParseID(c.ID)
	if err != nil {
		return err
	}
	kind, err := p.Tools.Find(c.Tool)
	if err != nil {
		return err
	}
	values, err := kind.Fill(integration.Values(c.Set))
	if err != nil {
		return fmt.Errorf("%s needs other fields (--set name=value):\n%w", kind.Label, err)
	}
	conn := tenant.Connection{ID: first(c.Connection, c.ID), Tool: kind.Name, Values: values, Routes: map[string]tenant.ID{c.Account: id}}
	return p.with(ctx, func(d *Desk) error {
		dir, err := d.Directory(ctx)
		if err != nil {
			return err
		}
		t := dir.Tenants[id] // keeps the settings of a tenant that is there
		t.ID, t.Name = id, first(c.Name, t.Name, c.ID)
		made, err := c.join(&conn, dir.Connections[conn.ID])
		if err != nil {
			return err
		}
		if err := d.PutTenant(ctx, t); err != nil {
			return err
		}
		if err := d.PutConnection(ctx, conn); err != nil {
			return err
		}
		fmt.Fprintf(p.Out, "tenant %s is served by connection %s\nwebhook: POST /webhook/%s/%s\n", id, conn.ID, kind.Path, conn.ID)
		if made {
			fmt.Fprintf(p.Out, "signing secret, shown this once: %s\n", conn.Signing[0].Reveal())
		}
		return nil
	})
}

// join keeps what a connection that is there already has: the routes of the
// other accounts, its state, and its signing secret, which stays good beside a
// new one. It tells whether a secret was made.
func (c tenantAddCmd) join(conn *tenant.Connection, before tenant.Connection) (made bool, err error) {
	if owner, ok := before.Routes[c.Account]; ok && owner != conn.Routes[c.Account] {
		return false, fmt.Errorf("connection %s gives account %q to tenant %s already: name this tenant's own with --account", conn.ID, c.Account, owner)
	}
	for account, owner := range before.Routes {
		conn.Routes[account] = owner
	}
	conn.Disabled, conn.Verify = before.Disabled, before.Verify
	if c.Verify != "" {
		if conn.Verify, err = tenant.ParseVerify(c.Verify); err != nil {
			return false, fmt.Errorf("--verify: %w", err)
		}
	}
	conn.Signing = before.Signing
	if made = c.Secret == "" && len(before.Signing) == 0; made {
		c.Secret = conn.Verify.NewSecret().Reveal()
	}
	if c.Secret != "" {
		if err := conn.Verify.CheckNew(secret.New(c.Secret)); err != nil {
			return false, fmt.Errorf("--secret: %w", err)
		}
		conn.Signing = append([]secret.Text{secret.New(c.Secret)}, before.Signing[:min(1, len(before.Signing))]...)
	}
	return made, conn.CheckRoutes()
}

type tenantListCmd struct{}

func (tenantListCmd) Run(ctx context.Context, p *Program) error {
	return p.with(ctx, func(d *Desk) error {
		dir, err := d.Directory(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(p.Out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "TENANT\tNAME\tSTATE\tCONNECTIONS")
		for _, id := range slices.Sorted(maps.Keys(dir.Tenants)) {
			t := dir.Tenants[id]
			state := "active"
			if t.Disabled {
				state = "disabled"
			}
			var conns []string
			for _, cid := range slices.Sorted(maps.Keys(dir.Connections)) {
				if c := dir.Connections[cid]; c.Serves(id) {
					conns = append(conns, c.Tool+"/"+c.ID)
				}
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", id, t.Name, state, strings.Join(conns, ", "))
		}
		if err := w.Flush(); err != nil {
			return err
		}
		return p.listUnmapped(ctx, d)
	})
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
