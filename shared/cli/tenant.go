package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/deskhand/deskhand/shared/admin"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing"
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
	ID         string   `arg:"" help:"Id of the tenant: a-z, 0-9 and hyphens."`
	Name       string   `help:"Name for people; the id where not given."`
	Tool       string   `enum:"${tools}" default:"servicedesk_plus" help:"Ticketing tool: ${enum}."`
	Connection string   `help:"Id of the connection, in the webhook's URL; the tenant's id where not given."`
	Account    string   `help:"The tool's own account of this tenant, where the connection serves several."`
	Set        []string `sep:"none" help:"A field of the connection, such as base_url=https://sdp.example.com, api_key=@FILE, or api_key=@- for standard input; repeatable. Those that the tool asks for are listed where one is missing. Where the connection is there, none at all leaves them as they are."`
	Secret     string   `env:"WEBHOOK_SECRET" help:"Secret that signs the webhooks; made and printed once where not given."`
	Verify     string   `help:"How webhooks prove where they come from: hmac (ours), standard_webhooks, jira, zendesk, hmac_plain, static_header or basic. What it was, where not given; else hmac."`
}

// Help gives an example.
func (tenantAddCmd) Help() string {
	return "Example: deskhand tenant add acme --name 'Acme Legal' --set base_url=https://sdp.acme.example --set api_key=@-\n\nWhat stands on a command line can be read by others of this machine, and stays in the shell's history: give secrets by @FILE or @-."
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
	values, err := p.fields(c.Set)
	if err != nil {
		return err
	}
	return p.with(ctx, func(d *Desk) error {
		conn := first(c.Connection, c.ID)
		join := func(conn *tenant.Connection) error { return c.join(conn, id, kind, values) }
		before, err := d.Office.Connection(ctx, d.Caller, conn)
		if err != nil && !errors.Is(err, tenant.ErrUnknown) && !errors.Is(err, admin.ErrDamaged) {
			return err
		}
		if err := c.try(before.Value, join); err != nil { // before anything is written
			return err
		}
		if _, err := d.Office.EnsureTenant(ctx, d.Caller, id, func(t *tenant.Tenant) { t.Name = first(c.Name, t.Name, c.ID) }); err != nil {
			return err
		}
		v, made, err := d.Office.EnsureConnection(ctx, d.Caller, conn, join)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.Out, "tenant %s is served by connection %s\nwebhook: POST /webhook/%s/%s\n", id, conn, kind.Path, conn)
		if made {
			fmt.Fprintf(p.Out, "signing secret, shown this once: %s\n", v.Value.Signing[0].Reveal())
		}
		return nil
	})
}

// try is join on a copy.
func (tenantAddCmd) try(conn tenant.Connection, join func(*tenant.Connection) error) error {
	conn.Values, conn.Routes = maps.Clone(conn.Values), maps.Clone(conn.Routes)
	return join(&conn)
}

// join makes of a connection that is there, or of nothing, what this command
// wants. What the connection already has stays: the routes of the other accounts,
// its state, and its signing secret, which stays good beside a new one as long as
// webhooks are verified as before.
func (c tenantAddCmd) join(conn *tenant.Connection, id tenant.ID, kind integration.Kind[ticketing.Tool], values integration.Values) error {
	if owner, ok := conn.Routes[c.Account]; ok && owner != id {
		return fmt.Errorf("connection %s gives account %q to tenant %s already: name this tenant's own with --account", first(c.Connection, c.ID), c.Account, owner)
	}
	if conn.Routes == nil {
		conn.Routes = map[string]tenant.ID{}
	}
	conn.Routes[c.Account], conn.Tool = id, kind.Name
	if len(conn.Values) == 0 { // it is new, or cannot be opened
		if _, err := kind.Fill(values); err != nil {
			return fmt.Errorf("%s needs other fields (--set name=value):\n%w", kind.Label, err)
		}
	}
	if len(values) > 0 {
		conn.Values = maps.Clone(values)
	}
	verify := conn.Verify
	if c.Verify != "" {
		var err error
		if verify, err = tenant.ParseVerify(c.Verify); err != nil {
			return fmt.Errorf("--verify: %w", err)
		}
	}
	if c.Secret != "" && (len(conn.Signing) == 0 || conn.Signing[0].Reveal() != c.Secret) {
		if err := verify.CheckNew(secret.New(c.Secret)); err != nil {
			return fmt.Errorf("--secret: %w", err)
		}
		signing := []secret.Text{secret.New(c.Secret)}
		if verify == conn.Verify {
			signing = append(signing, conn.Signing[:min(1, len(conn.Signing))]...)
		}
		conn.Signing = signing
	}
	conn.Verify = verify
	return conn.CheckRoutes()
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
