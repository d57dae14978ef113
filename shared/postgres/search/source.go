package search

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/retrieval"
)

// How much of what is found goes into the evidence.
const (
	topTickets     = 5
	topArticles    = 3
	judgedTickets  = 50  // whose fate tells whether solutions held
	resolutionSize = 600 // characters
	summarySize    = 300
	comparedSize   = 4000 // of a description, for near copies
	whyWords       = 5
)

// History is the evidence source of past tickets that were solved.
type History struct {
	Store Store
	// Now is the time of the question: nothing that was solved later is found.
	Now func() time.Time
}

// Name implements evidence.Source.
func (History) Name() string { return "history" }

// Label implements evidence.Source.
func (History) Label() string { return "similar tickets" }

// Find gives up to five solved tickets of the tenant that are like the ticket,
// best first, with their resolution and whether it held. It leaves out the
// ticket itself, what is older than the tenant's Settings.HistoryDays, what was
// stored with a status that is none of its Settings.ClosedStatuses, and what a
// technician called wrong for this ticket.
func (h History) Find(ctx context.Context, q evidence.Query) (items []evidence.Item, err error) {
	err = h.Store.ask(ctx, q, h.Now(), func(ask asking) error {
		found, err := ask.tickets(ctx)
		if err != nil {
			return err
		}
		citations, err := ask.cited(ctx, citedTickets, found.Docs())
		if err != nil {
			return err
		}
		found.Cited(found, citations)
		hits, err := ask.best(ctx, found, evidence.PastTicket, judgedTickets)
		if err != nil {
			return err
		}
		items, err = ask.cases(ctx, hits)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("similar tickets of %s/%s: %w", q.Tenant, q.Ticket.Key, err)
	}
	return items, nil
}

// Articles is the evidence source of the knowledge base.
type Articles struct {
	Store Store
	Now   func() time.Time // as History has it
}

// Name implements evidence.Source.
func (Articles) Name() string { return "knowledge_base" }

// Label implements evidence.Source.
func (Articles) Label() string { return "knowledge base" }

// Find gives up to three articles that speak of what the ticket speaks of, or
// that solved tickets like it, best first, with the beginning of their text, but
// none that a technician called wrong for this ticket.
func (a Articles) Find(ctx context.Context, q evidence.Query) (items []evidence.Item, err error) {
	err = a.Store.ask(ctx, q, a.Now(), func(ask asking) error {
		found, err := ask.articles(ctx)
		if err != nil {
			return err
		}
		solved, err := ask.tickets(ctx)
		if err != nil {
			return err
		}
		citations, err := ask.cited(ctx, citedArticles, solved.Docs())
		if err != nil {
			return err
		}
		found.Cited(solved, citations)
		hits, err := ask.best(ctx, found, evidence.Article, topArticles)
		if err != nil {
			return err
		}
		items, err = ask.read(ctx, hits)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("articles for %s/%s: %w", q.Tenant, q.Ticket.Key, err)
	}
	return items, nil
}

// asking is one question in one transaction.
type asking struct {
	tx     pgx.Tx
	query  evidence.Query
	terms  []retrieval.Term
	vector []float32 // by the Store's Embeddings; nil for none
	space  string    // of the vector
	now    time.Time
}

// ask puts a question. No transaction is open while a model is asked.
func (s Store) ask(ctx context.Context, q evidence.Query, now time.Time, do func(asking) error) error {
	a := asking{query: q, terms: retrieval.Terms(q.Ticket.Subject, q.Ticket.Body(), ""), now: now}
	if s.Embeddings != nil && len(a.terms) > 0 {
		a.vector, a.space = s.Embeddings.question(ctx, q.Tenant, q.Ticket.Subject, q.Ticket.Body()), s.Embeddings.space()
	}
	return s.DB.InTenant(ctx, q.Tenant, func(tx pgx.Tx) error {
		a.tx = tx
		return do(a)
	})
}

// meanings are what re-ranks the documents of a corpus.
func (a asking) meanings(corpus string) []retrieval.Meaning {
	list := []retrieval.Meaning{latent{a.tx, corpus}}
	if a.vector != nil {
		list = append(list, embedded{a.tx, corpus, a.space, a.vector})
	}
	return list
}

// meaningNames are what the note's evidence calls them.
var meaningNames = []string{"latent factors", "embeddings"}

// tickets gives the past tickets that the tenant's settings let count.
func (a asking) tickets(ctx context.Context) (retrieval.Candidates, error) {
	x := index{tx: a.tx, corpus: ticketCorpus, until: a.now, connection: a.query.Connection, key: clean(a.query.Ticket.Key, maxLine)}
	if days := a.query.Settings.HistoryDays; days > 0 {
		x.since = a.now.AddDate(0, 0, -days)
	}
	return retrieval.Search{
		Index: x, Meanings: a.meanings(ticketCorpus), Weight: retrieval.TicketMeaning,
		HalfLife: a.query.Settings.HalfLife(), Now: a.now,
	}.Candidates(ctx, a.terms)
}

func (a asking) articles(ctx context.Context) (retrieval.Candidates, error) {
	return retrieval.Search{
		Index:    index{tx: a.tx, corpus: articleCorpus},
		Meanings: a.meanings(articleCorpus), Weight: retrieval.ArticleMeaning, Now: a.now,
	}.Candidates(ctx, a.terms)
}

// What technicians called wrong for the ticket, as ids of documents.
const (
	mutedTickets = `
SELECT h.id FROM muted_pairs m JOIN ticket_history h ON h.number = m.ref OR h.number = '' AND h.ticket_id = m.ref
WHERE m.connection_id = $1 AND m.ticket_id = $2 AND m.kind = 'ticket'`
	mutedArticles = `
SELECT a.id FROM muted_pairs m JOIN articles a ON a.article_id = m.ref
WHERE m.connection_id = $1 AND m.ticket_id = $2 AND m.kind = 'article'`
)

// best gives the best n of what was found, without what is muted.
func (a asking) best(ctx context.Context, found retrieval.Candidates, kind evidence.Kind, n int) ([]retrieval.Hit, error) {
	sql := map[evidence.Kind]string{evidence.PastTicket: mutedTickets, evidence.Article: mutedArticles}[kind]
	rows, err := a.tx.Query(ctx, sql, a.query.Connection, clean(a.query.Ticket.Key, maxLine))
	if err != nil {
		return nil, err
	}
	muted, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, err
	}
	hits := slices.DeleteFunc(found.Best(n+len(muted)), func(h retrieval.Hit) bool { return slices.Contains(muted, h.Doc) })
	return hits[:min(len(hits), n)], nil
}

// A system that the ticket names, by its name in the inventory.
const systemsNamed = `SELECT DISTINCT name FROM systems WHERE name = ANY($1)`

const findTickets = `
SELECT id, coalesce(nullif(number, ''), ticket_id), subject, left(description, $2), resolution, url,
    created_at, resolved_date, status, requester, site
FROM ticket_history WHERE id = ANY($1) AND (resolved_date IS NULL OR resolved_date <= $3) AND NOT (connection_id = $4 AND ticket_id = $5)`

// cases reads the tickets of the hits and judges them.
func (a asking) cases(ctx context.Context, hits []retrieval.Hit) ([]evidence.Item, error) {
	if len(hits) == 0 {
		return nil, nil
	}
	t := a.query.Ticket
	asked := retrieval.Case{Created: a.now, Requester: t.Requester, Site: t.Site}
	if !t.Created.IsZero() {
		asked.Created = t.Created
	}
	past := map[int64]pastTicket{}
	batch := &pgx.Batch{}
	batch.Queue(systemsNamed, words(a.terms)).Query(func(rows pgx.Rows) (err error) {
		asked.Systems, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	batch.Queue(findTickets, docs(hits), comparedSize, a.now, a.query.Connection, clean(t.Key, maxLine)).Query(func(rows pgx.Rows) error {
		return a.eachPast(rows, func(id int64, p pastTicket) {
			p.Systems = common(asked.Systems, p.Terms)
			past[id] = p
		})
	})
	if err := a.tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, err
	}
	var cases []retrieval.Case
	for _, h := range hits {
		if p, ok := past[h.Doc]; ok {
			p.Hit = h
			cases = append(cases, p.Case)
		}
	}
	judged, recurred := retrieval.Judge(asked, cases, a.now)
	var best []evidence.Item
	for _, c := range judged[:min(len(judged), topTickets)] {
		it := found(past[c.Doc].item, evidence.PastTicket, c.Hit)
		it.Facts = append(it.Facts, facts(c)...)
		if recurred > 0 && len(c.Same) > 0 {
			it.Facts = append(it.Facts, evidence.Fact{Kind: evidence.Recurred, N: recurred})
			recurred = 0 // said once
		}
		best = append(best, it)
	}
	return best, nil
}

// pastTicket is a row of findTickets.
type pastTicket struct {
	retrieval.Case
	item evidence.Item
}

// eachPast reads the rows of findTickets that count as solved.
func (a asking) eachPast(rows pgx.Rows, do func(int64, pastTicket)) error {
	var id int64
	var p pastTicket
	var description, status string
	var created, resolved *time.Time
	fields := []any{
		&id, &p.item.Ref, &p.item.Title, &description, &p.item.Text, &p.item.URL,
		&created, &resolved, &status, &p.Requester, &p.Site,
	}
	_, err := pgx.ForEachRow(rows, fields, func() error {
		if a.query.Settings.Solved(status) {
			p.Terms = retrieval.Terms(p.item.Title, description, "")
			p.Created, p.Resolved = orZero(created), orZero(resolved)
			p.item.Text, p.item.When = excerpt(p.item.Text, resolutionSize), p.Resolved
			do(id, p)
		}
		return nil
	})
	return err
}

// facts says what is known of a case beside its text.
func facts(c retrieval.Case) (list []evidence.Fact) {
	for _, same := range c.Same {
		switch same {
		case "requester":
			list = append(list, evidence.Fact{Kind: evidence.SameRequester})
		case "site":
			list = append(list, evidence.Fact{Kind: evidence.SameSite})
		default:
			list = append(list, evidence.Fact{Kind: evidence.SameSystem, Name: same})
		}
	}
	switch {
	case c.CameBack && c.Held == 0:
		list = append(list, evidence.Fact{Kind: evidence.CameBackAtOnce})
	case c.CameBack:
		list = append(list, evidence.Fact{Kind: evidence.CameBack, N: c.Held})
	case c.Held > 0:
		list = append(list, evidence.Fact{Kind: evidence.Held, N: c.Held})
	}
	if c.Copies > 0 {
		list = append(list, evidence.Fact{Kind: evidence.Copies, N: c.Copies})
	}
	return list
}

const findArticles = `SELECT id, article_id, title, body, url, updated_at FROM articles WHERE id = ANY($1)`

// read gives the articles of the hits, in the order of the hits.
func (a asking) read(ctx context.Context, hits []retrieval.Hit) ([]evidence.Item, error) {
	if len(hits) == 0 {
		return nil, nil
	}
	rows, err := a.tx.Query(ctx, findArticles, docs(hits))
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]evidence.Item, len(hits))
	var id int64
	var it evidence.Item
	var when *time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &it.Ref, &it.Title, &it.Text, &it.URL, &when}, func() error {
		it.Text, it.When = excerpt(it.Text, summarySize), orZero(when)
		byID[id] = it
		return nil
	})
	var items []evidence.Item
	for _, h := range hits {
		if it, ok := byID[h.Doc]; ok {
			items = append(items, found(it, evidence.Article, h))
		}
	}
	return items, err
}

// found completes an item with how it was found.
func found(it evidence.Item, kind evidence.Kind, h retrieval.Hit) evidence.Item {
	it.Kind, it.Score, it.Possibly = kind, h.Score, h.Possibly
	it.Why = strings.Join(h.Matched[:min(len(h.Matched), whyWords)], ", ")
	var path []string
	if len(h.Matched) > 0 {
		path = append(path, "words")
	}
	for i, near := range h.Near {
		if near > 0 {
			path = append(path, meaningNames[i])
		}
	}
	if n := len(h.CitedBy); n > 0 {
		path = append(path, "references")
		it.Facts = append(it.Facts, evidence.Fact{Kind: evidence.PointedTo, N: n})
	}
	it.Path = strings.Join(path, ", ")
	return it
}

func docs(hits []retrieval.Hit) []int64 {
	ids := make([]int64, len(hits))
	for i, h := range hits {
		ids[i] = h.Doc
	}
	return ids
}

func words(terms []retrieval.Term) []string {
	list := make([]string, len(terms))
	for i, t := range terms {
		list[i] = t.Word
	}
	return list
}

// common gives the names that are words of a text.
func common(names []string, terms []retrieval.Term) (both []string) {
	for _, t := range terms {
		if slices.Contains(names, t.Word) {
			both = append(both, t.Word)
		}
	}
	return both
}
