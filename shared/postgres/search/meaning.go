package search

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/retrieval"
)

// latent is the retrieval.Meaning by the tenant's own latent factors, of one
// corpus in one transaction. Before there are any, it knows no document.
type latent struct {
	tx     pgx.Tx
	corpus string
}

// The space is a subquery, not a join, so that the plan is the same before the
// tables are analysed.
const (
	activeSpace   = `(SELECT 'latent/' || active FROM latent_factors)`
	activeTerms   = `SELECT term, vector FROM term_vectors WHERE space = ` + activeSpace + ` AND term = ANY($1)`
	activeVectors = `SELECT doc, vector FROM document_vectors WHERE corpus = $1 AND space = ` + activeSpace + ` AND doc = ANY($2)`
)

// Near implements retrieval.Meaning in one round trip.
func (l latent) Near(ctx context.Context, question []retrieval.Term, docs []int64) (map[int64]float64, error) {
	if len(docs) == 0 {
		return nil, nil
	}
	factors := retrieval.Factors{}
	near := make(map[int64]float64, len(docs))
	batch := &pgx.Batch{}
	batch.Queue(activeTerms, texts(question)).Query(into(factors))
	batch.Queue(activeVectors, l.corpus, docs).Query(func(rows pgx.Rows) error {
		asked := factors.Vector(question)
		var doc int64
		var packed []byte
		_, err := pgx.ForEachRow(rows, []any{&doc, &packed}, func() error {
			near[doc] = retrieval.Cosine(asked, retrieval.Unpack(packed))
			return nil
		})
		return err
	})
	return near, l.tx.SendBatch(ctx, batch).Close()
}

// into reads the vectors of terms.
func into(factors retrieval.Factors) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var term string
		var packed []byte
		_, err := pgx.ForEachRow(rows, []any{&term, &packed}, func() error {
			factors[term] = retrieval.Unpack(packed)
			return nil
		})
		return err
	}
}

func texts(terms []retrieval.Term) []string {
	list := make([]string, len(terms))
	for i, t := range terms {
		list[i] = t.Text
	}
	return list
}

// place gives documents their place among the factors, active and in preparation.
func place(ctx context.Context, tx pgx.Tx, id, corpus string, docs map[int64]document) error {
	rows, err := tx.Query(ctx, `SELECT unnest(ARRAY[active, preparing]) FROM latent_factors`)
	if err != nil {
		return err
	}
	versions, err := pgx.CollectRows(rows, pgx.RowTo[*int64])
	for _, v := range versions {
		if err != nil || v == nil {
			continue
		}
		factors := retrieval.Factors{}
		if rows, err = tx.Query(ctx, spaceTerms+` AND term = ANY($2)`, space(*v), different(docs)); err == nil {
			err = into(factors)(rows)
		}
		if err == nil {
			err = spot{id, corpus, space(*v)}.place(ctx, tx, factors, docs)
		}
	}
	return err
}

const spaceTerms = `SELECT term, vector FROM term_vectors WHERE space = $1`

// different gives the different terms of documents.
func different(docs map[int64]document) (terms []string) {
	seen := map[string]bool{}
	for _, d := range docs {
		for _, t := range d.terms {
			if !seen[t.Text] {
				seen[t.Text] = true
				terms = append(terms, t.Text)
			}
		}
	}
	return terms
}

// space is the name of a version of the tenant's factors.
func space(version int64) string { return fmt.Sprintf("latent/%d", version) }

// spot is where vectors of documents belong.
type spot struct{ tenant, corpus, space string }

const addVectors = `
INSERT INTO document_vectors (tenant_id, corpus, space, doc, vector)
SELECT $1, $2, $3, * FROM unnest($4::bigint[], $5::bytea[])
ON CONFLICT (tenant_id, corpus, space, doc) DO UPDATE SET vector = EXCLUDED.vector`

// place gives documents their vectors, where the factors know any of their words.
func (s spot) place(ctx context.Context, tx pgx.Tx, factors retrieval.Factors, docs map[int64]document) error {
	var ids []int64
	var vectors [][]byte
	for id, d := range docs {
		if v := factors.Vector(d.terms); v != nil {
			ids, vectors = append(ids, id), append(vectors, retrieval.Pack(v))
		}
	}
	_, err := tx.Exec(ctx, addVectors, s.tenant, s.corpus, s.space, ids, vectors)
	return err
}
