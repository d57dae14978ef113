package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/deskhand/deskhand/shared/admin"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/tenant"
)

// oneTenant is the argument of the commands on one tenant.
type oneTenant struct {
	ID string `arg:"" help:"Id of the tenant."`
}

type tenantShowCmd struct{ oneTenant }

func (c tenantShowCmd) Run(ctx context.Context, p *Program) error {
	return p.with(ctx, func(d *operator.Desk) error {
		v, conns, err := c.find(ctx, d)
		if err != nil {
			return err
		}
		state := "active"
		if v.Value.Disabled {
			state = "disabled"
		}
		settings, err := json.MarshalIndent(v.Value.Settings, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(p.Out, "tenant %s: %q, %s, version %d\nsettings: %s\n", v.Value.ID, v.Value.Name, state, v.Number, settings)
		for _, conn := range conns {
			fmt.Fprintf(p.Out, "connection %s: %s, %d signing secrets, webhooks verified by %s\n", conn.ID, conn.Tool, len(conn.Signing), conn.Verify)
		}
		return nil
	})
}

// find gives the tenant, and its connections in the order of their ids.
func (c oneTenant) find(ctx context.Context, d *operator.Desk) (admin.Version[tenant.Tenant], []tenant.Connection, error) {
	v, err := d.Office.Tenant(ctx, d.Caller, tenant.ID(c.ID))
	if err != nil {
		return v, nil, err
	}
	all, err := d.Office.ListConnections(ctx, d.Caller)
	return v, slices.DeleteFunc(all, func(conn tenant.Connection) bool { return !conn.Serves(v.Value.ID) }), err
}

type tenantEditCmd struct {
	oneTenant
	Settings []string `arg:"" optional:"" name:"setting=value" sep:"none" help:"Settings, such as language=de or sources_off=history,articles; nothing behind the = gives one its default. docs/configuration.md lists them."`
	Name     string   `help:"New name for people."`
	Set      []string `sep:"none" placeholder:"SETTING=VALUE" help:"The same, one each time."`
}

// Help gives an example.
func (tenantEditCmd) Help() string {
	return "Example: deskhand tenant edit acme shadow_mode=true history_days=180 'skip=subject:Out of office*'\n\nIt is effective everywhere within 10 seconds."
}

func (c tenantEditCmd) Run(ctx context.Context, p *Program) error {
	return p.with(ctx, func(d *operator.Desk) error {
		v, err := d.Office.Tenant(ctx, d.Caller, tenant.ID(c.ID))
		if err != nil {
			return err
		}
		settings := v.Value.Settings
		for _, setting := range append(c.Settings, c.Set...) {
			name, value, ok := strings.Cut(setting, "=")
			if !ok {
				return fmt.Errorf("%.50q: want setting=value", setting)
			}
			if err := settings.Set(name, value); err != nil {
				return err
			}
		}
		want := admin.Version[tenant.ID]{Value: v.Value.ID, Number: v.Number}
		v, err = d.Office.ChangeTenant(ctx, d.Caller, want, func(t *tenant.Tenant) { t.Name, t.Settings = first(c.Name, t.Name), settings })
		if err == nil {
			fmt.Fprintf(p.Out, "tenant %s is at version %d; it is effective everywhere within 10 seconds\n", v.Value.ID, v.Number)
		}
		return err
	})
}

type tenantDisableCmd struct {
	oneTenant
	Undo bool `help:"Serve it again."`
}

// Help says what it does not do.
func (tenantDisableCmd) Help() string {
	return "Its webhooks are refused within 10 seconds. Its data stays: deskhand tenant erase deletes it."
}

func (c tenantDisableCmd) Run(ctx context.Context, p *Program) error {
	return p.with(ctx, func(d *operator.Desk) error {
		v, err := d.Office.Tenant(ctx, d.Caller, tenant.ID(c.ID))
		if err != nil {
			return err
		}
		want := admin.Version[tenant.ID]{Value: v.Value.ID, Number: v.Number}
		if _, err = d.Office.ChangeTenant(ctx, d.Caller, want, func(t *tenant.Tenant) { t.Disabled = !c.Undo }); err != nil {
			return err
		}
		fmt.Fprintf(p.Out, "tenant %s is %s\n", c.ID, map[bool]string{true: "active", false: "disabled; its data stays"}[c.Undo])
		return nil
	})
}
