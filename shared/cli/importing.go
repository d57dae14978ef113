package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/deskhand/deskhand/shared/catalogue"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/tenant"
)

type importCmd struct {
	Tenant    string    `required:"" help:"Id of the tenant."`
	Days      int       `default:"90" help:"How many days back, up to now."`
	StartDate time.Time `format:"2006-01-02" help:"First day (UTC), instead of --days."`
	EndDate   time.Time `format:"2006-01-02" help:"Last day (UTC); today where not given."`
}

// Help gives examples.
func (importCmd) Help() string {
	return "Tickets resolved or closed in the time are stored; storing again replaces, so an import that was stopped is run again.\n\n" +
		"Examples:\n  deskhand import --tenant acme --days 90\n  deskhand import --tenant acme --start-date 2026-01-01 --end-date 2026-03-31"
}

func (c importCmd) Run(ctx context.Context, p *Program) error {
	id, err := tenant.ParseID(c.Tenant)
	if err != nil {
		return err
	}
	span, err := c.span(p.Now())
	if err != nil {
		return err
	}
	return p.with(ctx, func(d *operator.Desk) error {
		show := p.progress()
		sum, err := d.Import(ctx, id, span, show)
		if err != nil {
			return fmt.Errorf("stopped after %d tickets: %w (run it again: nothing is stored twice)", sum.Stored, err)
		}
		fmt.Fprintf(p.Out, "Imported %d tickets of tenant %s, %d invalid ones skipped\n", sum.Stored, id, sum.Skipped)
		return nil
	})
}

func (c importCmd) span(now time.Time) (catalogue.Span, error) {
	s := catalogue.Span{Since: now.AddDate(0, 0, -c.Days), Until: now}
	if !c.StartDate.IsZero() {
		s.Since = c.StartDate
	}
	if !c.EndDate.IsZero() {
		s.Until = c.EndDate.AddDate(0, 0, 1)
	}
	if !s.Since.Before(s.Until) || c.Days < 1 {
		return s, errors.New("the time is empty: --start-date must be before --end-date, and --days at least 1")
	}
	return s, nil
}

// progress draws a bar on a terminal, and prints a line for every 100 tickets
// elsewhere.
func (p *Program) progress() func(catalogue.Progress, []error) {
	var bar *progressbar.ProgressBar
	printed := 0
	return func(sum catalogue.Progress, skipped []error) {
		for _, err := range skipped {
			fmt.Fprintf(p.Err, "skipped: %v\n", err)
		}
		seen := sum.Stored + sum.Skipped + sum.Foreign
		if p.Wide {
			if bar == nil {
				bar = progressbar.NewOptions(max(sum.Total, seen), progressbar.OptionSetWriter(p.Err), progressbar.OptionSetDescription("Importing"),
					progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
			}
			_ = bar.Set(seen) // a bar that cannot be drawn stops nothing
			return
		}
		for ; printed+100 <= seen; printed += 100 {
			if sum.Total > 0 {
				fmt.Fprintf(p.Err, "Imported %d/%d tickets (%d%%)\n", printed+100, sum.Total, (printed+100)*100/sum.Total)
			} else {
				fmt.Fprintf(p.Err, "Imported %d tickets\n", printed+100)
			}
		}
	}
}
