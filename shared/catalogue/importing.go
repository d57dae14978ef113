package catalogue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/ownership"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// Span is the time that an import covers: resolved from Since until before
// Until.
type Span struct{ Since, Until time.Time }

// Progress is how far an import is. Invalid tickets are skipped and counted.
type Progress struct {
	Stored  int
	Skipped int
	Foreign int // of other tenants of the same connection
	Total   int // 0 where the tool does not tell
}

// pageTries is how often one page is asked for before the import stops.
const pageTries = 3

// Import stores the tenant's past tickets of every connection that lists them,
// page by page. Storing is idempotent, so an import that was stopped is
// simply run again. After each page it calls progress with the sum so far and
// the reasons for what that page skipped. The error, if any, ends the import;
// what was stored stays.
func (c *Catalogue) Import(ctx context.Context, id tenant.ID, span Span, progress func(Progress, []error)) (Progress, error) {
	var sum Progress
	ctx = metric.About(ctx, string(id), "", "import-"+string(id))
	if _, err := c.Directory().Tenant(id); err != nil {
		return sum, err
	}
	found := false
	err := c.eachConnection(id, func(conn tenant.Connection, tool ticketing.Tool) error {
		lister, ok := tool.(ticketing.Lister)
		if !ok {
			return nil
		}
		found = true
		return c.importFrom(ctx, id, conn, func(cursor string) (ticketing.Page, error) {
			return c.page(ctx, lister, span, cursor)
		}, func(page Progress, skipped []error) {
			sum.Stored += page.Stored
			sum.Skipped += page.Skipped
			sum.Foreign += page.Foreign
			sum.Total = max(sum.Total, page.Total)
			progress(sum, skipped)
		})
	})
	if err == nil && !found {
		err = fmt.Errorf("tenant %s has no connection that lists past tickets", id)
	}
	return sum, err
}

func (c *Catalogue) importFrom(ctx context.Context, id tenant.ID, conn tenant.Connection, list func(cursor string) (ticketing.Page, error), report func(Progress, []error)) error {
	cursor := ""
	for range maxPages {
		page, err := list(cursor)
		if err != nil {
			return err
		}
		var mine []ticket.Ticket
		var others []string
		for _, t := range page.Tickets {
			if ownership.Owns(id, conn, t.Account) {
				mine = append(mine, t)
			} else {
				others = append(others, t.Key)
			}
		}
		if err := errors.Join(c.store(ctx, conn, id, FromImport, mine), c.drop(ctx, id, conn, others)); err != nil {
			c.stored(ctx, id, FromImport, "failure", len(mine))
			return fmt.Errorf("store %d tickets: %w", len(mine), err)
		}
		c.stored(ctx, id, FromImport, "success", len(mine))
		report(Progress{Stored: len(mine), Skipped: len(page.Invalid), Foreign: len(others), Total: page.Total}, page.Invalid)
		if page.Next == "" {
			return nil
		}
		if page.Next == cursor {
			return fmt.Errorf("the listing does not advance past %q", cursor)
		}
		cursor = page.Next
	}
	return fmt.Errorf("the listing goes on after %d pages: import it in shorter spans of time", maxPages)
}

// page asks for one page, again after the pause that the tool wants.
func (c *Catalogue) page(ctx context.Context, lister ticketing.Lister, span Span, cursor string) (page ticketing.Page, err error) {
	for range pageTries {
		page, err = lister.Resolved(ctx, span.Since, span.Until, cursor)
		limited, ok := errors.AsType[*ticketing.LimitedError](err)
		if !ok {
			return page, err
		}
		c.Log.WarnContext(ctx, "the tool wants a pause", "operation", "import", "pause", limited.After.String())
		select {
		case <-ctx.Done():
			return page, ctx.Err()
		case <-time.After(limited.After):
		}
	}
	return page, err
}
