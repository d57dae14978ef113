package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/quality"
	"github.com/deskhand/deskhand/shared/tenant"
)

type reportCmd struct {
	Quality reportQualityCmd `cmd:"" help:"Show how good the notes were: votes, outcomes, claims, times and costs."`
}

type reportQualityCmd struct {
	Tenant string `help:"Id of the tenant; all where not given."`
	Days   int    `default:"30" help:"How many days back, until now (1 to 3650)."`
	JSON   bool   `name:"json" help:"Print JSON, an object a line for each tenant."`
}

// Help gives an example.
func (reportQualityCmd) Help() string {
	return "Each share has the number of cases behind it, and its interval of 95 % (Wilson): docs/feedback.md says how to read it.\n\nExample: deskhand report quality --tenant acme --days 7"
}

func (c reportQualityCmd) Run(ctx context.Context, p *Program) error {
	if c.Days < 1 || c.Days > 3650 {
		return errors.New("--days: want 1 to 3650")
	}
	now := p.Now().UTC()
	in := quality.Span{Since: now.AddDate(0, 0, -c.Days), Until: now.Add(time.Minute)} // the database's clock may be ahead
	return p.with(ctx, func(d *operator.Desk) error {
		directory, err := d.Directory(ctx)
		if err != nil {
			return err
		}
		ids := slices.Sorted(maps.Keys(directory.Tenants))
		if c.Tenant != "" {
			ids = []tenant.ID{tenant.ID(c.Tenant)}
		}
		for i, id := range ids {
			t, known := directory.Tenants[id]
			if !known {
				return fmt.Errorf("tenant %.70q: %w", id, tenant.ErrUnknown)
			}
			figures, err := d.Quality.Count(ctx, id, in)
			if err != nil {
				return err
			}
			if err := c.print(p, i, quality.NewReport(t, in, figures)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c reportQualityCmd) print(p *Program, i int, r quality.Report) error {
	if c.JSON {
		return json.NewEncoder(p.Out).Encode(r)
	}
	if i > 0 {
		fmt.Fprintln(p.Out)
	}
	return r.Write(p.Out)
}
