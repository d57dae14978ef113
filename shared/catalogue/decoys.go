package catalogue

import (
	"context"
	"errors"
	"fmt"

	"github.com/deskhand/deskhand/shared/canary"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// probe plants the tenant's decoys, and looks whether it sees others' through
// the evidence sources.
func (c *Catalogue) probe(ctx context.Context, id tenant.ID) error {
	if err := c.plant(ctx, id); err != nil {
		return err
	}
	return c.Probe(ctx, id)
}

// plant stores the tenant's decoys as what they stand among is stored, so that
// whoever leaks the one leaks the other. Doing it again keeps them fresh.
func (c *Catalogue) plant(ctx context.Context, id tenant.ID) error {
	token, err := c.Canary(ctx, id)
	if err != nil {
		return fmt.Errorf("plant decoys: %w", err)
	}
	past, article, system := canary.Decoys(token, c.Now())
	err = errors.Join(
		c.Library.PutTickets(ctx, id, canary.Connection, FromImport, []ticket.Ticket{past}),
		c.Articles.PutArticles(ctx, id, canary.Connection, []ticketing.Article{article}),
		c.Systems.PutSystems(ctx, id, canary.Connection, []ticketing.System{system}),
	)
	if err != nil {
		return fmt.Errorf("plant decoys: %w", err)
	}
	return nil
}
