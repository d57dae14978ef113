package search

import (
	"context"
	"fmt"
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
	resolutionSize = 600 // characters
	summarySize    = 300
	whyWords       = 5
	spareTickets   = 25 // where some may not count as solved
)

// History is the evidence source of past tickets that were solved.
type History struct {
	Store Store
	Now   func() time.Time
}

// Name implements evidence.Source.
func (History) Name() string { return "history" }

// Label implements evidence.Source.
func (History) Label() string { return "similar tickets" }

const findTickets = `
SELECT id, coalesce(nullif(number, ''), ticket_id), subject, resolution, url, resolved_date, status
FROM ticket_history WHERE id = ANY($1)`

// Find gives up to five solved tickets of the tenant that are like the ticket,
// best first, with their resolution. It leaves out the ticket itself, what is
// older than the tenant's Settings.HistoryDays, and what was stored with a
// status that is none of its Settings.ClosedStatuses.
func (h History) Find(ctx context.Context, q evidence.Query) ([]evidence.Item, error) {
	now := h.Now()
	look := lookup{
		kind: evidence.PastTicket, corpus: ticketCorpus, top: topTickets, rows: findTickets, textSize: resolutionSize, now: now,
	}
	if days := q.Settings.HistoryDays; days > 0 {
		look.since = now.AddDate(0, 0, -days)
	}
	if len(q.Settings.ClosedStatuses) > 0 {
		look.solved, look.spare = q.Settings.Solved, spareTickets
	}
	items, err := h.Store.find(ctx, q, look)
	if err != nil {
		return nil, fmt.Errorf("similar tickets of %s/%s: %w", q.Tenant, q.Ticket.Key, err)
	}
	return items, nil
}

// Articles is the evidence source of the knowledge base.
type Articles struct{ Store Store }

// Name implements evidence.Source.
func (Articles) Name() string { return "knowledge_base" }

// Label implements evidence.Source.
func (Articles) Label() string { return "knowledge base" }

const findArticles = `
SELECT id, article_id, title, body, url, updated_at, '' FROM articles WHERE id = ANY($1)`

// Find gives up to three articles that speak of what the ticket speaks of,
// best first, with the beginning of their text.
func (a Articles) Find(ctx context.Context, q evidence.Query) ([]evidence.Item, error) {
	items, err := a.Store.find(ctx, q, lookup{
		kind: evidence.Article, corpus: articleCorpus, top: topArticles, rows: findArticles, textSize: summarySize,
	})
	if err != nil {
		return nil, fmt.Errorf("articles for %s/%s: %w", q.Tenant, q.Ticket.Key, err)
	}
	return items, nil
}

// lookup is what to find, and how to show it.
type lookup struct {
	kind     evidence.Kind
	corpus   string
	top      int
	rows     string // statement that gives the documents of $1
	textSize int
	now      time.Time
	since    time.Time
	solved   func(status string) bool // nil: every document is
	spare    int                      // hits beyond top, of which solved may leave some
}

// find takes three round trips in one transaction.
func (s Store) find(ctx context.Context, q evidence.Query, look lookup) (items []evidence.Item, err error) {
	terms := retrieval.Terms(q.Ticket.Subject, q.Ticket.Description)
	if len(terms) == 0 {
		return nil, nil
	}
	err = s.DB.InTenant(ctx, q.Tenant, func(tx pgx.Tx) error {
		x := index{tx, look.corpus, look.since, q.Connection, clean(q.Ticket.Key, maxLine)}
		hits, err := retrieval.Search(ctx, x, terms, look.top+look.spare, look.now)
		if err != nil || len(hits) == 0 {
			return err
		}
		items, err = look.read(ctx, tx, hits)
		return err
	})
	return items, err
}

// read gives the documents of the hits, in the order of the hits.
func (look lookup) read(ctx context.Context, tx pgx.Tx, hits []retrieval.Hit) ([]evidence.Item, error) {
	ids := make([]int64, len(hits))
	for i, h := range hits {
		ids[i] = h.Doc
	}
	rows, err := tx.Query(ctx, look.rows, ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]evidence.Item, len(hits))
	var id int64
	var it evidence.Item
	var when *time.Time
	var status string
	_, err = pgx.ForEachRow(rows, []any{&id, &it.Ref, &it.Title, &it.Text, &it.URL, &when, &status}, func() error {
		if look.solved != nil && !look.solved(status) {
			return nil
		}
		it.Text, it.When = excerpt(it.Text, look.textSize), orZero(when)
		byID[id] = it
		return nil
	})
	if err != nil {
		return nil, err
	}
	var items []evidence.Item
	for _, h := range hits {
		it, ok := byID[h.Doc]
		if !ok || len(items) == look.top {
			continue
		}
		it.Kind, it.Score = look.kind, h.Score
		it.Why = strings.Join(h.Matched[:min(len(h.Matched), whyWords)], ", ")
		items = append(items, it)
	}
	return items, nil
}
