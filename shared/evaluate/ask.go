package evaluate

import (
	"context"
	"slices"
	"time"

	"github.com/deskhand/deskhand/shared/retrieval"
)

// found is a search that has been made, and how long it took.
type found struct {
	retrieval.Candidates
	took time.Duration
}

func (r *replay) find(ctx context.Context, s retrieval.Search, asked []retrieval.Term) (found, error) {
	began := r.now()
	c, err := s.Candidates(ctx, asked)
	return found{c, r.now().Sub(began)}, err
}

// cite has the resolutions of tickets count, those that are like the query.
func (r *replay) cite(f, like found, citations func(docs []int64) []retrieval.Citation) found {
	began := r.now()
	f.Cited(like.Candidates, citations(like.Docs()))
	f.took += r.now().Sub(began)
	return f
}

// ask searches with every configuration.
func (r *replay) ask(ctx context.Context, q query) error {
	t := r.set.Tickets[q.ticket]
	asked := retrieval.Terms(t.Title, t.Body, "")
	tickets := question{q.ticket, Tickets, q.tickets, asked}
	r.tickets.since = 0
	if days := r.set.Settings.HistoryDays; days > 0 {
		r.tickets.since = retrieval.Day(t.Created.AddDate(0, 0, -days))
	}
	like, err := r.plainly(ctx, tickets, r.tickets, retrieval.Search{
		Weight: retrieval.TicketMeaning, HalfLife: r.set.Settings.HalfLife(), Now: t.Created,
	})
	if err != nil {
		return err
	}
	cited := r.cite(like, like, r.citedTickets)
	r.note(tickets, Citations, cited, nil)
	if !r.set.Unsolved {
		r.note(tickets, Solved, cited, r.solved)
	}
	if len(q.articles) == 0 {
		return nil
	}
	articles := question{q.ticket, Articles, q.articles, asked}
	near, err := r.plainly(ctx, articles, r.articles, retrieval.Search{Weight: retrieval.ArticleMeaning, Now: t.Created})
	if err != nil {
		return err
	}
	near.took += like.took // it has to be known who may cite
	r.note(articles, Citations, r.cite(near, like, r.citedArticles), nil)
	return nil
}

// plainly searches by words, and by words and meaning, and gives the latter.
func (r *replay) plainly(ctx context.Context, q question, m *memory, s retrieval.Search) (found, error) {
	s.Index = m
	if len(q.relevant) > 0 {
		words, err := r.find(ctx, s, q.asked)
		if err != nil {
			return words, err
		}
		r.note(q, Words, words, nil)
	}
	s.Meanings = []retrieval.Meaning{m}
	near, err := r.find(ctx, s, q.asked)
	if err == nil {
		r.note(q, Meaning, near, nil)
	}
	return near, err
}

func (r *replay) citedTickets(by []int64) (list []retrieval.Citation) {
	for _, id := range by {
		for _, to := range r.toTickets[id] {
			if d, ok := r.tickets.docs[to]; ok { // else it is newer than the query
				list = append(list, retrieval.Citation{By: id, Doc: to, Day: d.day})
			}
		}
	}
	return list
}

func (r *replay) citedArticles(by []int64) (list []retrieval.Citation) {
	for _, id := range by {
		for _, to := range r.toArticles[id] {
			list = append(list, retrieval.Citation{By: id, Doc: to, Total: r.readers[to]})
		}
	}
	return list
}

// question is a query to one corpus.
type question struct {
	ticket   int
	corpus   string
	relevant []int64
	asked    []retrieval.Term
}

// note keeps at which ranks a search has found what is relevant. Where only is
// not nil, nothing else is shown.
func (r *replay) note(q question, configuration string, f found, only map[int64]bool) {
	if len(q.relevant) == 0 {
		return
	}
	began := r.now()
	limit := shown
	if only != nil {
		limit = pool
	}
	hits := f.Best(limit)
	took := f.took + r.now().Sub(began)
	if only != nil {
		hits = slices.DeleteFunc(hits, func(h retrieval.Hit) bool { return !only[h.Doc] })
	}
	a := Answer{Relevant: len(q.relevant)}
	for i, h := range hits[:min(len(hits), shown)] {
		if slices.Contains(q.relevant, h.Doc) {
			a.Ranks = append(a.Ranks, i+1)
		}
	}
	key := [2]string{q.corpus, configuration}
	if r.rows[key] == nil {
		r.rows[key] = &Measurement{Corpus: q.corpus, Configuration: configuration, Answers: map[string]Answer{}}
	}
	r.rows[key].Answers[r.set.Tickets[q.ticket].ID] = a
	r.rows[key].Took = append(r.rows[key].Took, took)
}

// measured gives what was noted, by corpus, then configuration.
func (r *replay) measured() (rows []Measurement) {
	for _, corpus := range []string{Tickets, Articles} {
		for _, configuration := range []string{Words, Meaning, Citations, Solved} {
			if row := r.rows[[2]string{corpus, configuration}]; row != nil {
				rows = append(rows, *row)
			}
		}
	}
	return rows
}
