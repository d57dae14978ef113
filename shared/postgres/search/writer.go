package search

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/retrieval"
	"github.com/deskhand/deskhand/shared/tenant"
)

// writer is one transaction's rows and postings. The statements of rows fill
// docs when they run.
type writer struct {
	tenant string
	corpus string
	rows   *pgx.Batch
	docs   map[int64]document // by id of the row
}

// document is what can be found of a row; without terms it cannot.
type document struct {
	terms  []retrieval.Term
	points []retrieval.Reference
	day    *time.Time
	again  bool // the row was there before, and may have postings
	same   bool // and reads the same, so that its embeddings hold
}

const lockCorpus = `
INSERT INTO corpora (tenant_id, corpus) VALUES ($1, $2)
ON CONFLICT (tenant_id, corpus) DO UPDATE SET docs = corpora.docs`

func newWriter(id tenant.ID, corpus string) *writer {
	w := &writer{tenant: string(id), corpus: corpus, rows: &pgx.Batch{}, docs: map[int64]document{}}
	// Every writer takes this lock first, so none waits for another in a circle.
	w.rows.Queue(lockCorpus, w.tenant, w.corpus)
	return w
}

// Both statements change corpus_terms by an upsert, the removal by a negative
// count: it finds every term through the primary key, whatever the planner
// knows of the tables.

const removePostings = `
WITH gone AS (
    DELETE FROM postings WHERE corpus = $2 AND doc = ANY($3) RETURNING term, doc, length
), fewer AS (
    INSERT INTO corpus_terms AS t (tenant_id, corpus, term, docs)
    SELECT $1, $2, term, -count(*) FROM gone GROUP BY term
    ON CONFLICT (tenant_id, corpus, term) DO UPDATE SET docs = t.docs + EXCLUDED.docs
)
UPDATE corpora c SET docs = c.docs - g.docs, length = c.length - g.length
FROM (SELECT count(*) AS docs, coalesce(sum(length), 0) AS length FROM (SELECT DISTINCT doc, length FROM gone) d) g
WHERE c.corpus = $2`

const addPostings = `
WITH added AS (
    INSERT INTO postings (tenant_id, corpus, term, doc, tf, length, day)
    SELECT $1, $2, * FROM unnest($3::text[], $4::bigint[], $5::smallint[], $6::integer[], $7::date[])
    RETURNING term, doc, length
), more AS (
    INSERT INTO corpus_terms AS t (tenant_id, corpus, term, docs)
    SELECT $1, $2, term, count(*) FROM added GROUP BY term
    ON CONFLICT (tenant_id, corpus, term) DO UPDATE SET docs = t.docs + EXCLUDED.docs
)
UPDATE corpora c SET docs = c.docs + a.docs, length = c.length + a.length
FROM (SELECT count(*) AS docs, coalesce(sum(length), 0) AS length FROM (SELECT DISTINCT doc, length FROM added) d) a
WHERE c.corpus = $2`

const removeVectors = `DELETE FROM document_vectors WHERE corpus = $1 AND doc = ANY($2)`

// What others charge for is kept while the text is the same: a tool's articles
// are written again every hour.
const removeFactors = `
DELETE FROM document_vectors WHERE corpus = $1 AND doc = ANY($2) AND NOT starts_with(space, '` + embeddingSpaces + `')`

const removeReferences = `DELETE FROM ticket_references WHERE ticket = ANY($1)`

const addReferences = `
INSERT INTO ticket_references (tenant_id, ticket, name, own)
SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::boolean[])`

// write stores the rows, replaces what finds them, and corrects the figures of
// the corpus, in four round trips.
func (w *writer) write(ctx context.Context, tx pgx.Tx) error {
	if err := tx.SendBatch(ctx, w.rows).Close(); err != nil {
		return err
	}
	findable := &pgx.Batch{}
	w.postings(findable)
	w.references(findable)
	if err := tx.SendBatch(ctx, findable).Close(); err != nil {
		return err
	}
	return place(ctx, tx, w.tenant, w.corpus, w.docs)
}

// postings replaces the postings of the documents.
func (w *writer) postings(batch *pgx.Batch) {
	var terms []string
	var again, same, other, docs []int64
	var tfs []int16
	var lengths []int32
	var days []*time.Time
	for id, d := range w.docs {
		if d.again {
			again = append(again, id)
			if d.same {
				same = append(same, id)
			} else {
				other = append(other, id)
			}
		}
		length := int32(retrieval.Length(d.terms))
		for _, t := range d.terms {
			terms, docs, tfs = append(terms, t.Text), append(docs, id), append(tfs, int16(t.TF))
			lengths, days = append(lengths, length), append(days, d.day)
		}
	}
	// An import has nothing to remove. Before the table is first analysed, the
	// removal would read all of the corpus.
	if len(again) > 0 {
		batch.Queue(removePostings, w.tenant, w.corpus, again)
		batch.Queue(removeFactors, w.corpus, same)
		batch.Queue(removeVectors, w.corpus, other)
		batch.Queue(removeReferences, again)
	}
	batch.Queue(addPostings, w.tenant, w.corpus, terms, docs, tfs, lengths, days)
}

// references adds what the resolutions point to.
func (w *writer) references(batch *pgx.Batch) {
	var from []int64
	var names []string
	var own []bool
	for id, d := range w.docs {
		for _, r := range d.points {
			from, names, own = append(from, id), append(names, r.Name), append(own, r.Own)
		}
	}
	if len(from) > 0 {
		batch.Queue(addReferences, w.tenant, from, names, own)
	}
}
