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
		var last solvedRow
		for read := solvedPage; read == solvedPage && len(list) < limit; {
			rows, err := tx.Query(ctx, lastSolved, canary.Connection, orNull(last.Ticket.Resolved), last.id, solvedPage)
			if err != nil {
				return err
			}
			page, err := pgx.CollectRows(rows, scanSolved)
			if err != nil {
				return err
			}
			for _, last = range page {
				if len(list) < limit && who.Settings.Solved(last.Ticket.Status) {
					list = append(list, last.Asked)
				}
			}
			read = len(page)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("search: last solved tickets of %s: %w", who.ID, err)
	}
	return list, nil
}

// solvedRow is a row of lastSolved.
type solvedRow struct {
	id int64
	preview.Asked
}

func scanSolved(row pgx.CollectableRow) (s solvedRow, err error) {
	t := &s.Ticket
	var created *time.Time
	err = row.Scan(&s.id, &s.Connection, &t.Key, &t.Number, &t.Subject, &t.Description, &t.Resolution,
		&t.Priority, &t.Requester, &t.Site, &t.URL, &t.Status, &created, &t.Resolved)
	t.Created, t.Resolved = orZero(created), t.Resolved.UTC()
	return s, err
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
