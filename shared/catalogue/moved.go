package catalogue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/deskhand/deskhand/shared/ownership"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

// store stores past tickets of the tenant. No other tenant of the connection
// keeps one of them: it was that tenant's before it moved.
func (c *Catalogue) store(ctx context.Context, conn tenant.Connection, id tenant.ID, source string, tickets []ticket.Ticket) error {
	if err := c.Library.PutTickets(ctx, id, conn.ID, source, tickets); err != nil {
		return err
	}
	keys := make([]string, len(tickets))
	for i, t := range tickets {
		keys[i] = t.Key
	}
	var errs []error
	for _, other := range slices.Compact(slices.Sorted(maps.Values(conn.Routes))) {
		if other != id {
			errs = append(errs, c.drop(ctx, other, conn, keys))
		}
	}
	return errors.Join(errs...)
}

// drop removes tickets that are not the tenant's from what it knows.
func (c *Catalogue) drop(ctx context.Context, id tenant.ID, conn tenant.Connection, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	n, err := c.Library.DropTickets(ctx, id, conn.ID, keys)
	return c.gone(ctx, id, conn.ID, n, err)
}

// reconcile removes what came from accounts that are not the tenant's any more:
// an operator gave the account, or the whole connection, to another one. Of a
// connection that the directory does not have, nothing is known: one whose
// credentials do not open is left out there, and decoys have none. What was
// stored after the directory was read may be there by newer routes, and waits
// for the next time.
func (c *Catalogue) reconcile(ctx context.Context, id tenant.ID) error {
	d := c.Directory()
	var errs []error
	for _, memory := range c.Memories {
		origins, err := memory.Origins(ctx, id)
		errs = append(errs, err)
		for _, from := range origins {
			conn, known := d.Connections[from.Connection]
			if !known || ownership.Owns(id, conn, from.Account) {
				continue
			}
			n, err := memory.Forget(ctx, id, from, d.Loaded)
			errs = append(errs, c.gone(ctx, id, conn.ID, n, err))
		}
	}
	return errors.Join(errs...)
}

// gone tells what was removed, also where an error ended it.
func (c *Catalogue) gone(ctx context.Context, id tenant.ID, connection string, n int, err error) error {
	if n > 0 {
		c.Log.InfoContext(ctx, "what is not the tenant's any more was removed", "operation", "forget", "of", string(id), "connection", connection, "count", n)
	}
	if err != nil {
		return fmt.Errorf("remove what is not tenant %s's any more: %w", id, err)
	}
	return nil
}
