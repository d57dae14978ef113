package search

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/singleflight"

	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/retrieval"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Embeddings are the vectors of a model that others run. Searches go on without
// them where the model does not answer. It is safe for concurrent use.
type Embeddings struct {
	// Embedder gives the vectors of documents. It has to hide what must not leave
	// the tenant, before it cuts a text.
	Embedder llm.Embedder
	// Questions gives those of tickets that wait, as Embedder does: of one that
	// does not answer it says so at once.
	Questions llm.Embedder
	Model     string // its name, at most 100 characters
	Log       *slog.Logger

	asking singleflight.Group
}

// The limits of embeddings.
const (
	questionLimit = 2 * time.Second // for the vector of a question
	embedTexts    = 64              // documents of one call
	embedMost     = 2_000           // documents of one Learn
)

// errSlow is why a search stops waiting: the endpoint's failure, not its own wish.
var errSlow = fmt.Errorf("no vector within %s: %w", questionLimit, llm.ErrUnavailable)

// space is the name of the model's vector space.
func (e *Embeddings) space() string { return embeddingSpaces + e.Model }

const embeddingSpaces = "embedding/"

// question gives the vector of a ticket's text; nil where there is none. Sources
// that ask for the same at the same time share one call.
func (e *Embeddings) question(ctx context.Context, id tenant.ID, title, body string) []float32 {
	text := joined(strings.TrimSpace(title), strings.TrimSpace(body))
	if text == "" {
		return nil
	}
	v, _, _ := e.asking.Do(string(id)+"\n"+text, func() (any, error) {
		ctx, cancel := context.WithTimeoutCause(ctx, questionLimit, errSlow)
		defer cancel()
		vectors, err := e.embed(ctx, e.Questions, id, "question", []string{text})
		if err != nil {
			e.Log.WarnContext(ctx, "the search goes on without embeddings", "operation", "embed_question", "model", e.Model, "error", err.Error())
			return []float32(nil), nil
		}
		return retrieval.Unit(vectors[0]), nil
	})
	return v.([]float32)
}

// embed asks for vectors, and counts.
func (e *Embeddings) embed(ctx context.Context, from llm.Embedder, id tenant.ID, what string, texts []string) ([][]float32, error) {
	vectors, err := from.Embed(ctx, e.Model, texts)
	status := "success"
	if err != nil {
		status = "failure"
	}
	metric.Embeddings.Add(ctx, int64(len(texts)), metric.With(metric.Tenant(string(id)), metric.Operation(what), metric.Status(status)))
	return vectors, err
}

// documents gives the vectors of documents, packed. Where the model rejects
// them, it asks for each alone, so that one that it does not take keeps no other
// waiting: that one has the empty vector. All rejected is an error.
func (e *Embeddings) documents(ctx context.Context, id tenant.ID, texts []string) ([][]byte, error) {
	vectors, err := e.embed(ctx, e.Embedder, id, "document", texts)
	if errors.Is(err, llm.ErrRejected) && len(texts) > 1 {
		vectors, err = e.oneByOne(ctx, id, texts)
	}
	if err != nil {
		return nil, err
	}
	packed := make([][]byte, len(texts))
	for i, v := range vectors {
		packed[i] = append([]byte{}, retrieval.Pack(retrieval.Unit(v))...) // never NULL
	}
	return packed, nil
}

func (e *Embeddings) oneByOne(ctx context.Context, id tenant.ID, texts []string) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	var rejected []error
	for i, text := range texts {
		one, err := e.embed(ctx, e.Embedder, id, "document", []string{text})
		switch {
		case errors.Is(err, llm.ErrRejected):
			rejected = append(rejected, err)
		case err != nil:
			return nil, err
		default:
			vectors[i] = one[0]
		}
	}
	if len(rejected) == len(texts) {
		return nil, rejected[0]
	}
	return vectors, nil
}

// joined is the text that is embedded: of a past ticket the same parts as of a
// new one.
func joined(title, body string) string {
	if title == "" || body == "" {
		return title + body
	}
	return title + "\n\n" + body
}

// embedded is the retrieval.Meaning by the embeddings of one corpus, in one
// transaction.
type embedded struct {
	tx            pgx.Tx
	corpus, space string
	vector        []float32 // of the question
}

const spaceVectors = `SELECT doc, vector FROM document_vectors WHERE corpus = $1 AND space = $2 AND doc = ANY($3)`

// Near implements retrieval.Meaning.
func (e embedded) Near(ctx context.Context, _ []retrieval.Term, docs []int64) (map[int64]float64, error) {
	rows, err := e.tx.Query(ctx, spaceVectors, e.corpus, e.space, docs)
	if err != nil {
		return nil, err
	}
	near := make(map[int64]float64, len(docs))
	var doc int64
	var packed []byte
	_, err = pgx.ForEachRow(rows, []any{&doc, &packed}, func() error {
		if v := retrieval.Unpack(packed); len(v) == len(e.vector) {
			near[doc] = retrieval.Cosine(e.vector, v)
		}
		return nil
	})
	return retrieval.Spread(near), err
}

// unembedded gives the newest documents that have no vector in a space.
var unembedded = map[string]string{
	ticketCorpus: `
SELECT id FROM ticket_history h WHERE resolution <> '' AND subject || description <> ''
AND NOT EXISTS (SELECT FROM document_vectors v WHERE v.corpus = 'ticket' AND v.doc = h.id AND v.space = $1) ORDER BY id DESC LIMIT $2`,
	articleCorpus: `
SELECT id FROM articles a WHERE title || body <> ''
AND NOT EXISTS (SELECT FROM document_vectors v WHERE v.corpus = 'article' AND v.doc = a.id AND v.space = $1) ORDER BY id DESC LIMIT $2`,
}

// embed gives documents that have none their vectors, the newest first and
// embedMost at most, and removes those of other models once all have theirs.
func (l learning) embed(ctx context.Context) error {
	if l.Embeddings == nil {
		return nil
	}
	left := embedMost
	for _, corpus := range []string{articleCorpus, ticketCorpus} { // articles are few, and tell much
		at := spot{string(l.tenant), corpus, l.Embeddings.space()}
		var docs []int64
		err := l.DB.InTenant(ctx, l.tenant, func(tx pgx.Tx) error {
			rows, err := tx.Query(ctx, unembedded[corpus], at.space, left)
			if err == nil {
				docs, err = pgx.CollectRows(rows, pgx.RowTo[int64])
			}
			return err
		})
		if err != nil {
			return err
		}
		left -= len(docs)
		for part := range slices.Chunk(docs, embedTexts) {
			if err := l.embedPart(ctx, at, part); err != nil {
				return fmt.Errorf("%d %ss: %w", len(part), corpus, err)
			}
		}
	}
	if left == 0 {
		return nil // there may be more
	}
	return l.repeat(ctx, func(ctx context.Context, tx pgx.Tx) (int, error) {
		tag, err := tx.Exec(ctx, removeModels, l.Embeddings.space(), 50*chunk)
		return int(tag.RowsAffected()), err
	})
}

const removeModels = `
DELETE FROM document_vectors WHERE (corpus, doc, space) IN (SELECT corpus, doc, space FROM document_vectors
WHERE starts_with(space, '` + embeddingSpaces + `') AND space <> $1 LIMIT $2)`

var embeddedTexts = map[string]string{
	ticketCorpus:  `SELECT id, subject, description FROM ticket_history WHERE id = ANY($1)`,
	articleCorpus: `SELECT id, title, body FROM articles WHERE id = ANY($1)`,
}

// addEmbeddings leaves out what reads otherwise, or is gone, since the model was
// asked.
var addEmbeddings = map[string]string{
	ticketCorpus: `
INSERT INTO document_vectors (tenant_id, corpus, space, doc, vector)
SELECT $1, $2, $3, n.doc, n.vector FROM unnest($4::bigint[], $5::bytea[], $6::text[], $7::text[]) n(doc, vector, title, body)
JOIN ticket_history h ON h.id = n.doc AND h.subject = n.title AND h.description = n.body ON CONFLICT DO NOTHING`,
	articleCorpus: `
INSERT INTO document_vectors (tenant_id, corpus, space, doc, vector)
SELECT $1, $2, $3, n.doc, n.vector FROM unnest($4::bigint[], $5::bytea[], $6::text[], $7::text[]) n(doc, vector, title, body)
JOIN articles a ON a.id = n.doc AND a.title = n.title AND a.body = n.body ON CONFLICT DO NOTHING`,
}

// embedPart gives some documents their vectors. No transaction is open while the
// model is asked.
func (l learning) embedPart(ctx context.Context, at spot, docs []int64) error {
	var ids []int64
	var titles, bodies, texts []string
	err := l.DB.InTenant(ctx, l.tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, embeddedTexts[at.corpus], docs)
		if err != nil {
			return err
		}
		var id int64
		var title, body string
		_, err = pgx.ForEachRow(rows, []any{&id, &title, &body}, func() error {
			ids, titles, bodies = append(ids, id), append(titles, title), append(bodies, body)
			texts = append(texts, joined(title, body))
			return nil
		})
		return err
	})
	if err != nil || len(ids) == 0 {
		return err
	}
	vectors, err := l.Embeddings.documents(ctx, l.tenant, texts)
	if err != nil {
		return err
	}
	return l.DB.InTenant(ctx, l.tenant, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(lockCorpus, at.tenant, at.corpus) // waits for who writes a document, or removes it
		batch.Queue(addEmbeddings[at.corpus], at.tenant, at.corpus, at.space, ids, vectors, titles, bodies)
		return tx.SendBatch(ctx, batch).Close()
	})
}
