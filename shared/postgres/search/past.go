package search

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// page is how many documents one transaction reads.
const page = 500

const ticketPage = `
SELECT id, connection_id, ticket_id, number, subject, description, resolution, url, created_at, resolved_date
FROM ticket_history WHERE id > $1 ORDER BY id LIMIT $2`

// EachTicket calls do with every past ticket of the tenant and its connection,
// in the order in which they were first stored: with what is said in it, not
// with who said it. It reads in pages of a transaction each, so nothing waits
// for do. It ends with do's error.
func (s Store) EachTicket(ctx context.Context, id tenant.ID, do func(connection string, t ticket.Ticket) error) error {
	err := s.each(ctx, id, ticketPage, func(row pgx.CollectableRow) (last int64, then func() error, err error) {
		var connection string
		var t ticket.Ticket
		var created, resolved *time.Time
		err = row.Scan(&last, &connection, &t.Key, &t.Number, &t.Subject, &t.Description, &t.Resolution, &t.URL, &created, &resolved)
		t.Created, t.Resolved = orZero(created), orZero(resolved)
		return last, func() error { return do(connection, t) }, err
	})
	if err != nil {
		return fmt.Errorf("search: read the past tickets of %s: %w", id, err)
	}
	return nil
}

const articlePage = `
SELECT id, article_id, title, body, url, updated_at FROM articles WHERE id > $1 ORDER BY id LIMIT $2`

// EachArticle calls do with every article of the tenant, as EachTicket does.
func (s Store) EachArticle(ctx context.Context, id tenant.ID, do func(ticketing.Article) error) error {
	err := s.each(ctx, id, articlePage, func(row pgx.CollectableRow) (last int64, then func() error, err error) {
		var a ticketing.Article
		var updated *time.Time
		err = row.Scan(&last, &a.Key, &a.Title, &a.Text, &a.URL, &updated)
		a.Updated = orZero(updated)
		return last, func() error { return do(a) }, err
	})
	if err != nil {
		return fmt.Errorf("search: read the articles of %s: %w", id, err)
	}
	return nil
}

// each runs a statement that gives the rows above an id, page by page. take
// gives a row's id, and what to do with the row after the transaction.
func (s Store) each(ctx context.Context, id tenant.ID, sql string, take func(pgx.CollectableRow) (int64, func() error, error)) error {
	for last := int64(0); ; {
		var rows []func() error
		err := s.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
			found, err := tx.Query(ctx, sql, last, page)
			if err == nil {
				rows, err = pgx.CollectRows(found, func(row pgx.CollectableRow) (then func() error, err error) {
					last, then, err = take(row)
					return then, err
				})
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, do := range rows {
			if err := do(); err != nil {
				return err
			}
		}
		if len(rows) < page {
			return nil
		}
	}
}
