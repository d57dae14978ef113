package search

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/retrieval"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Learn brings what is derived from a tenant's tickets and articles up to date:
// it reads documents again that another analyser has read, learns the latent
// factors where there are none, where a tenth of the tickets is new, or where
// they are a week old, and gives every document its vector; also that of the
// Store's Embeddings, to 2,000 documents at most. Searches go on
// meanwhile with what there is. It works in short transactions and can be
// stopped anywhere: the next call goes on. Two calls at once do the same work
// twice, and no harm.
func (s Store) Learn(ctx context.Context, id tenant.ID) error {
	l := learning{s, id}
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"read documents again", l.reread},
		{"learn factors", l.factors},
		{"place documents", l.place},
		{"remove old vectors", l.tidy},
		{"embed documents", l.embed}, // last, as it depends on others
	} {
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("search: %s of %s: %w", step.name, id, err)
		}
	}
	return nil
}

// learning is Learn of one tenant.
type learning struct {
	Store
	tenant tenant.ID
}

// repeat runs a step, each time in a transaction of its own, until it has
// nothing more to do.
func (l learning) repeat(ctx context.Context, step func(context.Context, pgx.Tx) (int, error)) error {
	for n := 1; n > 0; {
		err := l.DB.InTenant(ctx, l.tenant, func(tx pgx.Tx) (err error) {
			n, err = step(ctx, tx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Both give the columns of document.
var staleDocuments = map[string]string{
	ticketCorpus: `
UPDATE ticket_history SET analyser = $1 WHERE id IN (SELECT id FROM ticket_history WHERE analyser < $1 LIMIT $2)
RETURNING id, subject, description, resolution, url, coalesce(resolved_date, created_at), resolution <> ''`,
	articleCorpus: `
UPDATE articles SET analyser = $1 WHERE id IN (SELECT id FROM articles WHERE analyser < $1 LIMIT $2)
RETURNING id, title, body, '', '', NULL::timestamptz, true`,
}

// reread reads documents again that an older analyser has read.
func (l learning) reread(ctx context.Context) error {
	for corpus, sql := range staleDocuments {
		err := l.repeat(ctx, func(ctx context.Context, tx pgx.Tx) (int, error) {
			w := newWriter(l.tenant, corpus)
			w.rows.Queue(sql, retrieval.Analyser, chunk).Query(w.read)
			err := w.write(ctx, tx)
			return len(w.docs), err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// read takes documents from their stored texts.
func (w *writer) read(rows pgx.Rows) error {
	var id int64
	var title, body, resolution, url string
	d := document{again: true, same: true}
	findable := false
	_, err := pgx.ForEachRow(rows, []any{&id, &title, &body, &resolution, &url, &d.day, &findable}, func() error {
		if d.terms, d.points = nil, nil; findable {
			d.terms, d.points = retrieval.Terms(title, body, resolution), references(resolution, url)
		}
		w.docs[id] = d
		return nil
	})
	return err
}

const factorsDue = `
SELECT coalesce(f.active, 0), f.preparing IS NULL AND (f.active IS NULL OR abs(c.docs - f.documents) * 10 > f.documents
    OR f.learnt_at < now() - interval '7 days' AND c.docs <> f.documents)
FROM corpora c LEFT JOIN latent_factors f ON f.tenant_id = c.tenant_id
WHERE c.corpus = $1 AND c.docs >= $2`

const newestTexts = `
SELECT subject, description, resolution FROM ticket_history WHERE resolution <> '' ORDER BY id DESC LIMIT $1`

const prepareFactors = `
INSERT INTO latent_factors AS f (tenant_id, preparing, documents)
SELECT $1, $2, docs FROM corpora WHERE corpus = $3
ON CONFLICT (tenant_id) DO UPDATE SET preparing = EXCLUDED.preparing, placed = 0, documents = EXCLUDED.documents, learnt_at = now()`

const addTermVectors = `
INSERT INTO term_vectors (tenant_id, space, term, vector)
SELECT $1, $2, * FROM unnest($3::text[], $4::bytea[])
ON CONFLICT (tenant_id, space, term) DO UPDATE SET vector = EXCLUDED.vector`

// factors learns them anew, if that is due. The texts are read first: what takes
// seconds to compute must not keep a transaction open.
func (l learning) factors(ctx context.Context) error {
	var active int64
	var texts [][]retrieval.Term
	err := l.DB.InTenant(ctx, l.tenant, func(tx pgx.Tx) error {
		var due bool
		rows, err := tx.Query(ctx, factorsDue, ticketCorpus, retrieval.Dimensions)
		if err == nil {
			_, err = pgx.ForEachRow(rows, []any{&active, &due}, func() error { return nil })
		}
		if err != nil || !due {
			return err
		}
		if rows, err = tx.Query(ctx, newestTexts, retrieval.MaxLearnt); err != nil {
			return err
		}
		var subject, description, resolution string
		_, err = pgx.ForEachRow(rows, []any{&subject, &description, &resolution}, func() error {
			texts = append(texts, retrieval.Terms(subject, description, resolution))
			return nil
		})
		return err
	})
	if err != nil {
		return err
	}
	learnt := retrieval.Learn(slices.Values(texts))
	if learnt == nil {
		return nil
	}
	next := active + 1
	return l.DB.InTenant(ctx, l.tenant, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(prepareFactors, l.tenant, next, ticketCorpus)
		terms, vectors := make([]string, 0, len(learnt)), make([][]byte, 0, len(learnt))
		for term, v := range learnt {
			terms, vectors = append(terms, term), append(vectors, retrieval.Pack(v))
		}
		batch.Queue(addTermVectors, l.tenant, space(next), terms, vectors)
		return tx.SendBatch(ctx, batch).Close()
	})
}

// nextDocuments gives the documents with an id above $1.
var nextDocuments = map[string]string{
	ticketCorpus: `
SELECT id, subject, description, resolution, '', NULL::timestamptz, resolution <> '' FROM ticket_history
WHERE analyser = $3 AND id > $1 ORDER BY id LIMIT $2`,
	articleCorpus: `
SELECT id, title, body, '', '', NULL::timestamptz, true FROM articles WHERE analyser = $3 AND id > $1 ORDER BY id LIMIT $2`,
}

const (
	preparation = `SELECT preparing, placed FROM latent_factors WHERE preparing IS NOT NULL`
	placedUpTo  = `UPDATE latent_factors SET placed = $1`
	activate    = `UPDATE latent_factors SET active = preparing, preparing = NULL WHERE preparing = $1`
)

// place gives all documents their vectors among the factors in preparation, and
// makes these the active ones.
func (l learning) place(ctx context.Context) error {
	var version, last int64
	factors := retrieval.Factors{}
	err := l.DB.InTenant(ctx, l.tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, preparation)
		if err == nil {
			_, err = pgx.ForEachRow(rows, []any{&version, &last}, func() error { return nil })
		}
		if err != nil || version == 0 {
			return err
		}
		if rows, err = tx.Query(ctx, spaceTerms, space(version)); err == nil {
			err = into(factors)(rows)
		}
		return err
	})
	if err != nil || version == 0 {
		return err
	}
	for _, corpus := range []string{ticketCorpus, articleCorpus} {
		err := l.repeat(ctx, func(ctx context.Context, tx pgx.Tx) (int, error) {
			w := newWriter(l.tenant, corpus)
			rows, err := tx.Query(ctx, nextDocuments[corpus], last, 5*chunk, retrieval.Analyser)
			if err == nil {
				err = w.read(rows)
			}
			if err != nil || len(w.docs) == 0 {
				return 0, err
			}
			if err := (spot{w.tenant, corpus, space(version)}).place(ctx, tx, factors, w.docs); err != nil {
				return 0, err
			}
			last = slices.Max(slices.Collect(maps.Keys(w.docs)))
			if corpus == ticketCorpus {
				_, err = tx.Exec(ctx, placedUpTo, last)
			}
			return len(w.docs), err
		})
		if err != nil {
			return err
		}
		last = 0 // of the next corpus
	}
	return l.DB.InTenant(ctx, l.tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, activate, version)
		return err
	})
}

// removeSpace removes some vectors of the factors before the active ones.
var removeSpace = []string{
	`DELETE FROM document_vectors WHERE (corpus, space, doc) IN (SELECT corpus, space, doc FROM document_vectors
     WHERE corpus = 'ticket' AND space = (SELECT 'latent/' || (active - 1) FROM latent_factors) LIMIT $1)`,
	`DELETE FROM document_vectors WHERE (corpus, space, doc) IN (SELECT corpus, space, doc FROM document_vectors
     WHERE corpus = 'article' AND space = (SELECT 'latent/' || (active - 1) FROM latent_factors) LIMIT $1)`,
	`DELETE FROM term_vectors WHERE (space, term) IN (SELECT space, term FROM term_vectors
     WHERE space = (SELECT 'latent/' || (active - 1) FROM latent_factors) LIMIT $1)`,
}

func (l learning) tidy(ctx context.Context) error {
	for _, sql := range removeSpace {
		err := l.repeat(ctx, func(ctx context.Context, tx pgx.Tx) (int, error) {
			tag, err := tx.Exec(ctx, sql, 50*chunk)
			return int(tag.RowsAffected()), err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
