package search

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/catalogue"
	"github.com/deskhand/deskhand/shared/tenant"
)

// What is to be removed: at most a chunk of it, whose ids are asked for until
// there are none.
const (
	ticketsNamed    = `SELECT id FROM ticket_history WHERE connection_id = $2 AND ticket_id = ANY($3) LIMIT $1`
	articlesUnnamed = `SELECT id FROM articles WHERE connection_id = $2 AND article_id <> ALL($3) LIMIT $1`
	ticketsFrom     = `SELECT id FROM ticket_history WHERE connection_id = $2 AND account = $3 AND ingested_at < $4 LIMIT $1`
	articlesFrom    = `SELECT id FROM articles WHERE connection_id = $2 AND account = $3 AND ingested_at < $4 LIMIT $1`
)

// deleteRows is by corpus.
var deleteRows = map[string]string{
	ticketCorpus:  `DELETE FROM ticket_history WHERE id = ANY($1)`,
	articleCorpus: `DELETE FROM articles WHERE id = ANY($1)`,
}

const originsSQL = `
SELECT connection_id, account FROM ticket_history GROUP BY 1, 2
UNION SELECT connection_id, account FROM articles GROUP BY 1, 2`

// Origins gives each connection and account that a past ticket or an article
// of the tenant came from.
func (s Store) Origins(ctx context.Context, id tenant.ID) (origins []catalogue.Origin, err error) {
	err = s.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, originsSQL)
		if err == nil {
			origins, err = pgx.CollectRows(rows, pgx.RowToStructByPos[catalogue.Origin])
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("search: origins of %s: %w", id, err)
	}
	return origins, nil
}

// DropTickets removes past tickets of a connection with their postings, and
// gives the number of those that were there. Like all here, it removes chunk by
// chunk: after an error some may be gone, and the same call again is harmless.
func (s Store) DropTickets(ctx context.Context, id tenant.ID, connection string, keys []string) (int, error) {
	return s.remove(ctx, id, ticketCorpus, ticketsNamed, connection, cleaned(keys))
}

// KeepArticles removes the articles of a connection that have none of the
// keys, and gives the number.
func (s Store) KeepArticles(ctx context.Context, id tenant.ID, connection string, keys []string) (int, error) {
	return s.remove(ctx, id, articleCorpus, articlesUnnamed, connection, cleaned(keys))
}

// Forget removes the past tickets and articles that came from the origin and
// were stored before that time, and gives the number.
func (s Store) Forget(ctx context.Context, id tenant.ID, from catalogue.Origin, before time.Time) (int, error) {
	tickets, err := s.remove(ctx, id, ticketCorpus, ticketsFrom, from.Connection, from.Account, before)
	if err != nil {
		return tickets, err
	}
	articles, err := s.remove(ctx, id, articleCorpus, articlesFrom, from.Connection, from.Account, before)
	return tickets + articles, err
}

// removal is what to remove of a tenant's corpus: the documents that which
// selects with args.
type removal struct {
	tenant tenant.ID
	corpus string
	which  string
	args   []any
}

// remove deletes the documents that which selects, a chunk in a transaction.
func (s Store) remove(ctx context.Context, id tenant.ID, corpus, which string, args ...any) (removed int, err error) {
	r := removal{id, corpus, which, append([]any{chunk}, args...)}
	for n := chunk; n == chunk; removed += n {
		err := s.DB.InTenant(ctx, id, func(tx pgx.Tx) (err error) {
			n, err = r.chunk(ctx, tx)
			return err
		})
		if err != nil {
			return removed, fmt.Errorf("search: remove %ss of %s/%s: %w", corpus, id, args[0], err)
		}
	}
	return removed, nil
}

// chunk looks first, as most often there is nothing to remove, and no writer
// has to wait for that.
func (r removal) chunk(ctx context.Context, tx pgx.Tx) (int, error) {
	rows, err := tx.Query(ctx, r.which, r.args...)
	if err != nil {
		return 0, err
	}
	docs, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil || len(docs) == 0 {
		return 0, err
	}
	batch := &pgx.Batch{}
	batch.Queue(lockCorpus, string(r.tenant), r.corpus) // before the rows, as every writer
	batch.Queue(deleteRows[r.corpus], docs)
	batch.Queue(removePostings, string(r.tenant), r.corpus, docs)
	batch.Queue(removeVectors, r.corpus, docs)
	return len(docs), tx.SendBatch(ctx, batch).Close()
}

// cleaned gives keys as they are stored.
func cleaned(keys []string) []string {
	stored := make([]string, len(keys))
	for i, key := range keys {
		stored[i] = clean(key, maxLine)
	}
	return stored
}
