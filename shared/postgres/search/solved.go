package search

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/canary"
	"github.com/deskhand/deskhand/shared/preview"
	"github.com/deskhand/deskhand/shared/retrieval"
	"github.com/deskhand/deskhand/shared/tenant"
)

// solvedPage is how many tickets one query of Solved reads.
const solvedPage = preview.MaxTickets

const lastSolved = `
SELECT id, connection_id, ticket_id, number, subject, description, resolution, priority, requester, site, url, status, created_at, resolved_date
FROM ticket_history
WHERE connection_id <> $1 AND resolved_date IS NOT NULL AND ($2::timestamptz IS NULL OR (resolved_date, id) < ($2, $3))
ORDER BY resolved_date DESC, id DESC LIMIT $4`

// Solved gives the tenant's last solved tickets, the newest first, at most limit.
// It leaves out what History leaves out by its status, and decoys.
func (s Store) Solved(ctx context.Context, who tenant.Tenant, limit int) (list []preview.Asked, err error) {
	err = s.DB.InTenant(ctx, who.ID, func(tx pgx.Tx) error {
		var after struct { // what was read last
			id       int64
			resolved time.Time
		}
		for read := solvedPage; read == solvedPage && len(list) < limit; {
			rows, err := tx.Query(ctx, lastSolved, canary.Connection, orNull(after.resolved), after.id, solvedPage)
			if err != nil {
				return err
			}
			read = 0
			var a preview.Asked
			t := &a.Ticket
			var created *time.Time
			_, err = pgx.ForEachRow(rows, []any{
				&after.id, &a.Connection, &t.Key, &t.Number, &t.Subject, &t.Description, &t.Resolution,
				&t.Priority, &t.Requester, &t.Site, &t.URL, &t.Status, &created, &after.resolved,
			}, func() error {
				read++
				if len(list) < limit && who.Settings.Solved(t.Status) {
					t.Created, t.Resolved = orZero(created), after.resolved.UTC()
					list = append(list, a)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("search: last solved tickets of %s: %w", who.ID, err)
	}
	return list, nil
}

// Corpus gives how many past tickets can be found, and how many have each of the
// terms.
func (s Store) Corpus(ctx context.Context, id tenant.ID, terms []string) (c retrieval.Corpus, err error) {
	err = s.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		c, err = index{tx: tx, corpus: ticketCorpus}.Corpus(ctx, terms)
		return err
	})
	if err != nil {
		return c, fmt.Errorf("search: frequencies of %d terms of %s: %w", len(terms), id, err)
	}
	return c, nil
}
