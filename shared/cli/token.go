package cli

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/tenant"
)

type tokenCmd struct {
	Add    tokenAddCmd    `cmd:"" help:"Make a token and print it once."`
	List   tokenListCmd   `cmd:"" help:"List tokens; never the tokens themselves."`
	Revoke tokenRevokeCmd `cmd:"" help:"End a token at once."`
}

type tokenAddCmd struct {
	Name   string   `arg:"" help:"What the token is for."`
	Role   string   `enum:"viewer,operator,admin" default:"viewer" help:"What it may do: ${enum}."`
	Tenant []string `help:"Limit it to this tenant; repeatable. All tenants where not given."`
	Days   int      `default:"90" help:"How long it is good, 1 to 366 days."`
}

// Help gives an example.
func (tokenAddCmd) Help() string {
	return "Example: deskhand token add 'monitoring' --role viewer --tenant acme --days 30\n\nUse: curl -H \"Authorization: Bearer $TOKEN\" https://deskhand.example.com/api/v1/tenants"
}

func (c tokenAddCmd) Run(ctx context.Context, p *Program) error {
	role, err := access.ParseRole(c.Role)
	if err != nil {
		return err
	}
	t := access.Token{Name: c.Name, Role: role, Expires: p.Now().AddDate(0, 0, c.Days)}
	for _, id := range c.Tenant {
		t.Tenants = append(t.Tenants, tenant.ID(id))
	}
	return p.with(ctx, func(d *operator.Desk) error {
		text, made, err := d.Office.AddToken(ctx, d.Caller, t)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.Out, "token %s, %s of %s until %s, shown this once: %s\n", made.ID, made.Role, whose(made), made.Expires.Format(time.DateOnly), text.Reveal())
		return nil
	})
}

type tokenListCmd struct{}

func (tokenListCmd) Run(ctx context.Context, p *Program) error {
	return p.with(ctx, func(d *operator.Desk) error {
		tokens, err := d.Office.ListTokens(ctx, d.Caller)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(p.Out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "TOKEN\tNAME\tROLE\tTENANTS\tSTATE\tLAST USED\tMADE BY")
		for _, t := range tokens {
			state, used := "until "+t.Expires.Format(time.DateOnly), "never"
			switch {
			case t.Revoked != nil:
				state = "revoked"
			case !t.Expires.After(p.Now()):
				state = "expired"
			}
			if t.LastUsed != nil {
				used = t.LastUsed.UTC().Format("2006-01-02 15:04")
			}
			fmt.Fprintf(w, "%s\t%q\t%s\t%s\t%s\t%s\t%q\n", t.ID, t.Name, t.Role, whose(t), state, used, t.CreatedBy)
		}
		return w.Flush()
	})
}

type tokenRevokeCmd struct {
	ID string `arg:"" help:"Id of the token, from deskhand token list."`
}

func (c tokenRevokeCmd) Run(ctx context.Context, p *Program) error {
	return p.with(ctx, func(d *operator.Desk) error {
		if err := d.Office.RevokeToken(ctx, d.Caller, c.ID); err != nil {
			return err
		}
		fmt.Fprintf(p.Out, "token %s is good for nothing any more\n", c.ID)
		return nil
	})
}

// whose says for which tenants a token is.
func whose(t access.Token) string {
	if len(t.Tenants) == 0 {
		return "all tenants"
	}
	return fmt.Sprint(t.Tenants)
}
