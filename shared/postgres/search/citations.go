package search

import (
	"context"
	"net/url"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/retrieval"
)

// A name counts as a key or as a number of the same connection. A ticket that
// has no resolution says nothing, so nobody is pointed to it. What is resolved
// after $2 had not pointed to anything yet.
const citedTickets = `
SELECT r.ticket, t.id, coalesce(t.resolved_date, t.created_at)::date - '1970-01-01'::date, 0
FROM ticket_references r JOIN ticket_history h ON h.id = r.ticket
JOIN ticket_history t ON t.connection_id = h.connection_id AND t.ticket_id = r.name
WHERE r.ticket = ANY($1) AND r.own AND t.id <> h.id AND t.resolution <> '' AND (h.resolved_date IS NULL OR h.resolved_date <= $2)
UNION
SELECT r.ticket, t.id, coalesce(t.resolved_date, t.created_at)::date - '1970-01-01'::date, 0
FROM ticket_references r JOIN ticket_history h ON h.id = r.ticket
JOIN ticket_history t ON t.connection_id = h.connection_id AND t.number = r.name
WHERE r.ticket = ANY($1) AND r.own AND t.id <> h.id AND t.resolution <> '' AND (h.resolved_date IS NULL OR h.resolved_date <= $2)`

// Articles may be of another connection than the tickets: a wiki.
const citedArticles = `
SELECT r.ticket, a.id, 0, (SELECT count(*) FROM ticket_references o WHERE o.name = r.name)
FROM ticket_references r JOIN ticket_history h ON h.id = r.ticket JOIN articles a ON a.article_id = r.name
WHERE r.ticket = ANY($1) AND (h.resolved_date IS NULL OR h.resolved_date <= $2)`

// cited gives what the resolutions of these tickets point to.
func (a asking) cited(ctx context.Context, sql string, tickets []int64) ([]retrieval.Citation, error) {
	if len(tickets) == 0 {
		return nil, nil
	}
	rows, err := a.tx.Query(ctx, sql, tickets, a.now)
	if err != nil {
		return nil, err
	}
	var found []retrieval.Citation
	var c retrieval.Citation
	var day *int
	_, err = pgx.ForEachRow(rows, []any{&c.By, &c.Doc, &day, &c.Total}, func() error {
		if c.Day = 0; day != nil {
			c.Day = *day
		}
		found = append(found, c)
		return nil
	})
	return found, err
}

// references gives the names that a ticket's resolution points to. The host of
// the ticket's own address is the tool's.
func references(resolution, address string) []retrieval.Reference {
	host := ""
	if u, err := url.Parse(address); err == nil {
		host = u.Hostname()
	}
	return retrieval.References(resolution, host)
}
