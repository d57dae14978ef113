package search

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/retrieval"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// What is stored of one text, in characters. A technician opens the source
// for the rest.
const (
	maxText = 20_000
	maxLine = 1_000 // titles, names, URLs
)

// chunk is how many documents one transaction writes.
const chunk = 100

// xmax is 0 in a row that is new, and the locking transaction in one that was
// there before. What RETURNING selects is from before the statement.
const upsertTicket = `
INSERT INTO ticket_history AS h (tenant_id, connection_id, ticket_id, source, number, subject, description,
    resolution, priority, requester, site, url, created_at, resolved_date, status, account, analyser)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
ON CONFLICT (tenant_id, connection_id, ticket_id) DO UPDATE SET
    source = EXCLUDED.source, ingested_at = now(), analyser = EXCLUDED.analyser,
    number = coalesce(nullif(EXCLUDED.number, ''), h.number),
    subject = coalesce(nullif(EXCLUDED.subject, ''), h.subject),
    description = coalesce(nullif(EXCLUDED.description, ''), h.description),
    resolution = coalesce(nullif(EXCLUDED.resolution, ''), h.resolution),
    priority = coalesce(nullif(EXCLUDED.priority, ''), h.priority),
    requester = coalesce(nullif(EXCLUDED.requester, ''), h.requester),
    site = coalesce(nullif(EXCLUDED.site, ''), h.site),
    url = coalesce(nullif(EXCLUDED.url, ''), h.url),
    status = coalesce(nullif(EXCLUDED.status, ''), h.status),
    account = coalesce(nullif(EXCLUDED.account, ''), h.account),
    created_at = coalesce(EXCLUDED.created_at, h.created_at),
    resolved_date = coalesce(EXCLUDED.resolved_date, h.resolved_date)
RETURNING id, xmax <> 0, subject, description, resolution, url, coalesce(resolved_date, created_at),
    xmax <> 0 AND EXISTS (SELECT FROM ticket_history b WHERE b.id = h.id AND b.subject = h.subject AND b.description = h.description)`

// PutTickets stores past tickets of a connection, new or again, and makes
// those with a resolution findable. source says where they come from:
// "bulk_import" or "webhook_resolved". What a ticket leaves empty keeps the
// value that was stored before. Long texts are cut. Every hundred tickets are
// one transaction, so after an error some may be stored; the same call again
// is harmless.
func (s Store) PutTickets(ctx context.Context, id tenant.ID, connection, source string, tickets []ticket.Ticket) error {
	for part := range slices.Chunk(tickets, chunk) {
		w := newWriter(id, ticketCorpus)
		for _, t := range part {
			w.ticket(connection, source, t)
		}
		if err := s.DB.InTenant(ctx, id, func(tx pgx.Tx) error { return w.write(ctx, tx) }); err != nil {
			return fmt.Errorf("search: store tickets %s to %s of %s/%s: %w",
				part[0].Key, part[len(part)-1].Key, id, connection, err)
		}
	}
	return nil
}

func (w *writer) ticket(connection, source string, t ticket.Ticket) {
	args := []any{
		w.tenant, connection, clean(t.Key, maxLine), source,
		clean(t.Number, maxLine), clean(t.Subject, maxLine), clean(t.Description, maxText), clean(t.Resolution, maxText),
		clean(t.Priority, maxLine), clean(t.Requester, maxLine), clean(t.Site, maxLine), clean(t.URL, maxLine),
		orNull(t.Created), orNull(t.Resolved), clean(t.Status, maxLine), postgres.Account(t.Account), retrieval.Analyser,
	}
	w.rows.Queue(upsertTicket, args...).QueryRow(func(row pgx.Row) error {
		var id int64
		var subject, description, resolution, url string
		var d document
		if err := row.Scan(&id, &d.again, &subject, &description, &resolution, &url, &d.day, &d.same); err != nil {
			return err
		}
		if resolution != "" {
			d.terms = retrieval.Terms(subject, description, resolution)
			d.points = references(resolution, url)
		}
		w.docs[id] = d
		return nil
	})
}

const upsertArticle = `
INSERT INTO articles AS a (tenant_id, connection_id, article_id, title, body, url, updated_at, account, analyser)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (tenant_id, connection_id, article_id) DO UPDATE SET
    title = EXCLUDED.title, body = EXCLUDED.body, url = EXCLUDED.url, updated_at = EXCLUDED.updated_at, account = EXCLUDED.account,
    ingested_at = now(), analyser = EXCLUDED.analyser
RETURNING id, xmax <> 0, xmax <> 0 AND EXISTS (SELECT FROM articles b WHERE b.id = a.id AND b.title = a.title AND b.body = a.body)`

// PutArticles stores articles of a connection, new or again, and makes them
// findable. Limits and transactions are those of PutTickets.
func (s Store) PutArticles(ctx context.Context, id tenant.ID, connection string, articles []ticketing.Article) error {
	for part := range slices.Chunk(articles, chunk) {
		w := newWriter(id, articleCorpus)
		for _, a := range part {
			w.article(connection, a)
		}
		if err := s.DB.InTenant(ctx, id, func(tx pgx.Tx) error { return w.write(ctx, tx) }); err != nil {
			return fmt.Errorf("search: store articles %s to %s of %s/%s: %w",
				part[0].Key, part[len(part)-1].Key, id, connection, err)
		}
	}
	return nil
}

func (w *writer) article(connection string, a ticketing.Article) {
	title, body := clean(a.Title, maxLine), clean(a.Text, maxText)
	args := []any{w.tenant, connection, clean(a.Key, maxLine), title, body, clean(a.URL, maxLine), orNull(a.Updated), postgres.Account(a.Account), retrieval.Analyser}
	w.rows.Queue(upsertArticle, args...).QueryRow(func(row pgx.Row) error {
		var id int64
		d := document{terms: retrieval.Terms(title, body, "")}
		err := row.Scan(&id, &d.again, &d.same)
		w.docs[id] = d
		return err
	})
}
