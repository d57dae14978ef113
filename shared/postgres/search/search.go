// Package search stores a tenant's past tickets and articles with their
// postings, and is the evidence source of both. What is similar is decided in
// retrieval; this package keeps the rows and the corpus figures true.
package search

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/retrieval"
)

// Store keeps past tickets and articles. It is safe for concurrent use;
// writers of one tenant wait for each other.
type Store struct {
	DB         *postgres.DB
	Embeddings *Embeddings // nil for none
}

// The corpora, as the database names them.
const (
	ticketCorpus  = "ticket"
	articleCorpus = "article"
)

// index is the retrieval.Index of one corpus in one transaction.
type index struct {
	tx           pgx.Tx
	corpus       string
	since, until time.Time // where not zero: no documents from before or after that day
	// The document that must not be found: the ticket that is asked about.
	connection, key string
}

const corpusSQL = `
SELECT c.docs, c.length, coalesce(t.term, ''), coalesce(t.docs, 0)
FROM corpora c LEFT JOIN corpus_terms t ON t.tenant_id = c.tenant_id AND t.corpus = c.corpus AND t.term = ANY($2)
WHERE c.corpus = $1`

// Corpus implements retrieval.Index.
func (x index) Corpus(ctx context.Context, terms []string) (retrieval.Corpus, error) {
	c := retrieval.Corpus{With: make(map[string]int, len(terms))}
	rows, err := x.tx.Query(ctx, corpusSQL, x.corpus, terms)
	if err != nil {
		return c, err
	}
	var term string
	var docs int
	_, err = pgx.ForEachRow(rows, []any{&c.Docs, &c.Length, &term, &docs}, func() error {
		c.With[term] = docs
		return nil
	})
	return c, err
}

// The term comes as its place in $2: a number is cheaper to read than a text.
const postingsSQL = `
SELECT array_position($2::text[], term) - 1, doc, tf, length, coalesce(day - '1970-01-01'::date, 0)
FROM postings
WHERE corpus = $1 AND term = ANY($2) AND ($3::date IS NULL OR day >= $3) AND ($4::date IS NULL OR day <= $4)
  AND ($1 <> 'ticket' OR doc IS DISTINCT FROM (SELECT id FROM ticket_history WHERE connection_id = $5 AND ticket_id = $6))`

// A join, because "doc = ANY" makes the planner read all terms of the documents.
const onlySQL = `
SELECT t.at - 1, p.doc, p.tf, p.length, coalesce(p.day - '1970-01-01'::date, 0)
FROM unnest($2::text[]) WITH ORDINALITY t(term, at) CROSS JOIN unnest($3::bigint[]) d(doc)
JOIN postings p ON p.corpus = $1 AND p.term = t.term AND p.doc = d.doc`

// Read implements retrieval.Index.
func (x index) Read(ctx context.Context, terms []string, only []int64) ([]retrieval.List, error) {
	sql, args := postingsSQL, []any{x.corpus, terms, orNull(x.since), orNull(x.until), x.connection, x.key}
	if only != nil {
		sql, args = onlySQL, []any{x.corpus, terms, only}
	}
	rows, err := x.tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	lists := make([]retrieval.List, len(terms))
	for i, t := range terms {
		lists[i].Term = t
	}
	var at int
	var p retrieval.Posting
	_, err = pgx.ForEachRow(rows, []any{&at, &p.Doc, &p.TF, &p.Length, &p.Day}, func() error {
		lists[at].Postings = append(lists[at].Postings, p)
		return nil
	})
	return lists, err
}

// orNull and orZero translate between a zero time and NULL.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// clean makes text storable: valid UTF-8 without NUL, at most limit runes.
func clean(text string, limit int) string {
	text = strings.ToValidUTF8(text, " ")
	text = strings.ReplaceAll(text, "\x00", " ")
	return strings.TrimSpace(cut(text, limit))
}

// excerpt gives the beginning of a text in one line for the note.
func excerpt(text string, limit int) string {
	text = strings.Join(strings.Fields(text), " ")
	short := cut(text, limit)
	if len(short) == len(text) {
		return text
	}
	if space := strings.LastIndexByte(short, ' '); space > len(short)/2 {
		short = short[:space]
	}
	return short + " …"
}

// cut gives at most the first limit runes.
func cut(text string, limit int) string {
	n := 0
	for i := range text {
		if n == limit {
			return text[:i]
		}
		n++
	}
	return text
}
