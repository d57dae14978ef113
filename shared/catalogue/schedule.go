package catalogue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/deskhand/deskhand/shared/ownership"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// Schedule is one timer: every so often, one message per tenant.
type Schedule struct {
	Name  string // also the message's kind
	Every time.Duration
	run   func(*Catalogue, context.Context, tenant.ID) error
}

// Schedules is every timer of the product, whoever keeps the time: the ticker
// of a process here, EventBridge on AWS, CronJobs in a cluster.
func Schedules() []Schedule {
	return []Schedule{
		{"sweep", time.Minute, (*Catalogue).sweep},
		{"articles", time.Hour, (*Catalogue).refreshArticles},
		{"systems", 24 * time.Hour, (*Catalogue).refreshSystems},
		{"decoys", time.Hour, (*Catalogue).probe},
		{"reconcile", 10 * time.Minute, (*Catalogue).reconcile},
		{"learn", time.Hour, (*Catalogue).learn},
	}
}

// idle is how long a pending enhancement may stay untouched. A live one is
// touched by each try; the longest pause between tries is 80 s, and a tool's
// own pause is in retry_at.
const idle = 30 * time.Minute

// maxPages bounds a listing: 1,000 pages of 100 rows.
const maxPages = 1000

// Tick sends what is due now: for each schedule and tenant one message per
// slot, however many processes tick. A slot is claimed for good when its
// message is sent, so a crash between may double a tick, whose work can be
// done twice, and loses none.
func (c *Catalogue) Tick(ctx context.Context) error {
	now := c.Now()
	var errs []error
	for id, t := range c.Directory().Tenants {
		for _, s := range Schedules() {
			if t.Disabled && s.Name != "sweep" { // what was begun has to end
				continue
			}
			slot := now.Truncate(s.Every)
			m := queue.Message{ID: fmt.Sprintf("%s/%s/%s", s.Name, id, slot.UTC().Format(time.RFC3339)), Tenant: id, Kind: s.Name, Priority: queue.Low}
			errs = append(errs, c.Claim(ctx, id, s.Name, slot, func(ctx context.Context) error { return c.Queue.Send(ctx, m) }))
		}
	}
	return errors.Join(errs...)
}

func (c *Catalogue) sweep(ctx context.Context, id tenant.ID) error {
	n, err := c.Sweep(ctx, id, idle)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	if n > 0 {
		c.Log.ErrorContext(ctx, "enhancements ended whose worker died", "operation", "sweep", "count", n)
	}
	return nil
}

// learnFor is how long one message learns; what is left is for the next.
const learnFor = 90 * time.Second

func (c *Catalogue) learn(ctx context.Context, id tenant.ID) error {
	some, cancel := context.WithTimeout(ctx, learnFor)
	defer cancel()
	err := c.Learn(some, id)
	if err != nil && some.Err() != nil && ctx.Err() == nil {
		return queue.RetryAfter(time.Second, err)
	}
	return err
}

// Refresh brings the tenant's articles and systems up to date now.
func (c *Catalogue) Refresh(ctx context.Context, id tenant.ID) error {
	return errors.Join(c.refreshArticles(ctx, id), c.refreshSystems(ctx, id))
}

// refreshArticles stores the articles of every connection that serves the
// tenant and has a knowledge base. What the whole listing does not have, or has
// as another tenant's, goes.
func (c *Catalogue) refreshArticles(ctx context.Context, id tenant.ID) error {
	return c.eachConnection(id, func(conn tenant.Connection, tool ticketing.Tool) error {
		librarian, ok := tool.(ticketing.Librarian)
		if !ok {
			return nil
		}
		var keys []string
		err := eachPage(ctx, librarian.Articles, func(page []ticketing.Article) error {
			mine := keep(page, conn, id, func(a ticketing.Article) string { return a.Account })
			for _, a := range mine {
				keys = append(keys, a.Key)
			}
			return c.Articles.PutArticles(ctx, id, conn.ID, mine)
		})
		if err != nil {
			return err
		}
		n, err := c.Articles.KeepArticles(ctx, id, conn.ID, keys)
		return c.gone(ctx, id, conn.ID, n, err)
	})
}

// refreshSystems does the same for the inventory.
func (c *Catalogue) refreshSystems(ctx context.Context, id tenant.ID) error {
	return c.eachConnection(id, func(conn tenant.Connection, tool ticketing.Tool) error {
		inventory, ok := tool.(ticketing.Inventory)
		if !ok {
			return nil
		}
		var keys []string
		err := eachPage(ctx, inventory.Systems, func(page []ticketing.System) error {
			mine := keep(page, conn, id, func(s ticketing.System) string { return s.Account })
			for _, s := range mine {
				keys = append(keys, s.Key)
			}
			return c.Systems.PutSystems(ctx, id, conn.ID, mine)
		})
		if err != nil {
			return err
		}
		n, err := c.Systems.KeepSystems(ctx, id, conn.ID, keys)
		return c.gone(ctx, id, conn.ID, n, err)
	})
}

// eachConnection does something with every connection that serves the tenant,
// also where it fails for one of them.
func (c *Catalogue) eachConnection(id tenant.ID, do func(tenant.Connection, ticketing.Tool) error) error {
	var errs []error
	d := c.Directory()
	settings := d.Tenants[id].Settings
	for _, conn := range d.Connections {
		if conn.Disabled || !conn.Serves(id) {
			continue
		}
		tool, err := c.Open(conn.For(settings))
		if err == nil {
			err = do(conn, tool)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("connection %s: %w", conn.ID, err))
		}
	}
	err := errors.Join(errs...)
	if limited, ok := errors.AsType[*ticketing.LimitedError](err); ok {
		return queue.RetryAfter(limited.After, err)
	}
	return err
}

// keep leaves what belongs to the tenant.
func keep[T any](rows []T, conn tenant.Connection, id tenant.ID, account func(T) string) []T {
	var kept []T
	for _, row := range rows {
		if ownership.Owns(id, conn, account(row)) {
			kept = append(kept, row)
		}
	}
	return kept
}

// eachPage walks a listing to its end, or to maxPages.
func eachPage[T any](ctx context.Context, list func(context.Context, string) ([]T, string, error), do func([]T) error) error {
	cursor := ""
	for range maxPages {
		rows, next, err := list(ctx, cursor)
		if err != nil {
			return err
		}
		if err := do(rows); err != nil {
			return err
		}
		if next == "" {
			return nil
		}
		cursor = next
	}
	return queue.Discard(fmt.Errorf("the listing goes on after %d pages: the rest is left out", maxPages))
}
