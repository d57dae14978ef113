package retrieval

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// Index is one corpus of one tenant: an inverted index.
type Index interface {
	// Corpus gives the size of the corpus, and how many documents hold each
	// of the terms. Terms that no document holds may be left out.
	Corpus(ctx context.Context, terms []string) (Corpus, error)
	// Read gives the postings of these terms, in any order, without those of
	// documents that must not be found. Where only is not nil, it gives those
	// of these documents alone.
	Read(ctx context.Context, terms []string, only []int64) ([]List, error)
}

// Meaning knows which documents are near a question though they use other
// words: latent factors, embeddings.
type Meaning interface {
	// Near gives a similarity for each of the documents that it knows, the
	// higher the nearer. Nothing is no error.
	Near(ctx context.Context, question []Term, docs []int64) (map[int64]float64, error)
}

// Search looks for the documents of one corpus that are like a question.
type Search struct {
	Index Index
	// Meanings each re-rank what the words have found.
	Meanings []Meaning
	// Weight is how much a meaning counts beside the words, which count 1.
	Weight float64
	// HalfLife is the time in which what a recent solution counts more is
	// halved; zero where age does not matter.
	HalfLife time.Duration
	Now      time.Time
	// Exhaustive reads every posting, which takes long where there are many. The
	// ranking without it is held to this one.
	Exhaustive bool
}

// What was measured on 23,896 resolved tickets of a public support forum and
// 1,060 questions (`make eval`; docs/retrieval.md has the figures).
const (
	poolSize = 200 // documents that meaning re-ranks
	// What one search reads at most of the terms that find documents, and in how
	// many documents it looks for the others.
	readPostings = 10_000
	readDocs     = 1000
	// Incidents cluster in time: in days, when something breaks for many, and in
	// months, as versions come and go.
	recencyGain = 0.6
	burstGain   = 0.5
	burst       = 12 // half-lives of a burst in one HalfLife
	voteGain    = 1.0
)

// The weights of meaning for the two corpora: an article is written in other
// words than a complaint.
const (
	TicketMeaning  = 0.5
	ArticleMeaning = 1.0
)

// Candidates are the documents that words and meaning have found.
type Candidates struct {
	question question
	found    map[int64]*candidate
	search   Search
	best     float64
}

// candidate is a document while it is being scored.
type candidate struct {
	words   float64 // BM25
	near    float64 // by meaning, 0 to the number of meanings
	day     int
	matched []int // indexes in question.terms
	voters  []vote
}

// Candidates gives the documents most like the question by its words, at most
// poolSize, re-ranked by meaning. Errors are those of the ports.
func (s Search) Candidates(ctx context.Context, asked []Term) (Candidates, error) {
	c := Candidates{search: s}
	if len(asked) == 0 {
		return c, nil
	}
	corpus, err := s.Index.Corpus(ctx, texts(asked))
	if err != nil {
		return c, fmt.Errorf("frequencies of %d terms: %w", len(asked), err)
	}
	c.question = newQuestion(asked, corpus)
	if len(c.question.terms) == 0 {
		return c, nil
	}
	if err := c.read(ctx); err != nil {
		return c, fmt.Errorf("postings of %d terms: %w", len(c.question.terms), err)
	}
	c.keep(poolSize)
	docs := c.Docs()
	for _, m := range s.Meanings {
		near, err := m.Near(ctx, asked, docs)
		if err != nil {
			return c, fmt.Errorf("meaning of %d terms: %w", len(asked), err)
		}
		for doc, n := range near {
			if f, ok := c.found[doc]; ok {
				f.near += max(n, 0)
			}
		}
	}
	for _, f := range c.found {
		c.best = max(c.best, round(f.words))
	}
	return c, nil
}

// read finds documents by the rare terms, and looks for the common ones, whose
// postings are many, in the best of these alone.
func (c *Candidates) read(ctx context.Context) error {
	c.found = map[int64]*candidate{}
	most := readPostings
	if c.search.Exhaustive {
		most = math.MaxInt
	}
	rare, common := c.question.split(most)
	lists, err := c.search.Index.Read(ctx, rare, nil)
	if err != nil {
		return err
	}
	c.question.score(lists, c.found)
	if len(common) > 0 {
		c.keep(readDocs)
		if lists, err = c.search.Index.Read(ctx, common, c.Docs()); err != nil {
			return err
		}
		c.question.score(lists, c.found)
	}
	return nil
}

// Docs gives the documents in ascending order.
func (c Candidates) Docs() []int64 { return slices.Sorted(maps.Keys(c.found)) }

// keep drops all but the best n by words and age.
func (c Candidates) keep(n int) {
	if len(c.found) <= n {
		return
	}
	type ranked struct {
		doc   int64
		score float64
	}
	all := make([]ranked, 0, len(c.found))
	for doc, f := range c.found {
		all = append(all, ranked{doc, f.words * c.recency(f.day)})
	}
	slices.SortFunc(all, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.doc, a.doc))
	})
	for _, r := range all[n:] {
		delete(c.found, r.doc)
	}
}

// mix is what words and meaning say of a document: the words' part is at most 1.
func (c Candidates) mix(f *candidate) float64 {
	if f.words == 0 {
		return 0
	}
	return round(f.words)/c.best + c.search.Weight*f.near
}

// recency is 2.1 for what was solved today, 1.3 after one half-life, and near 1
// for what is old; 1 where age does not matter.
func (c Candidates) recency(day int) float64 {
	if day == 0 || c.search.HalfLife <= 0 {
		return 1
	}
	half := c.search.HalfLife.Hours() / 24
	age := float64(max(Day(c.search.Now)-day, 0))
	return 1 + recencyGain*math.Exp2(-age/half) + burstGain*math.Exp2(-age*burst/half)
}

// Day is the number of the day of a time in UTC, as Posting has it.
func Day(t time.Time) int { return int(math.Floor(float64(t.Unix()) / 86400)) }

// Citation says that the resolution of one document points to another: to the
// ticket that had been solved before, or to the article that helped.
type Citation struct {
	By, Doc int64
	Day     int // of the document pointed to, as Posting has it
	Total   int // resolutions that point to it, of whatever tickets; 0 does not damp
}

// vote is a document that points to a candidate, and how like the question it is.
type vote struct {
	by   int64
	like float64
}

// Cited adds what the resolutions of like tickets point to, whatever words it
// has itself. The more like the question a ticket is, the more its citation
// counts. tickets are these candidates themselves, or those of another corpus.
func (c *Candidates) Cited(tickets Candidates, citations []Citation) {
	best := 0.0
	for _, f := range tickets.found {
		best = max(best, tickets.mix(f))
	}
	if c.found == nil {
		c.found = map[int64]*candidate{}
	}
	for _, x := range citations {
		by, ok := tickets.found[x.By]
		if !ok || by.words == 0 {
			continue
		}
		f := c.found[x.Doc]
		if f == nil {
			f = &candidate{day: x.Day}
			c.found[x.Doc] = f
		}
		share := tickets.mix(by) / best
		f.voters = append(f.voters, vote{x.By, share * share / math.Pow(1+float64(x.Total), damping)})
	}
}

// damping makes what everybody points to lose to what is specific.
const damping = 0.25

// Hit is a document that was found.
type Hit struct {
	Doc      int64
	Score    float64  // comparable within one search only
	Possibly bool     // it shares too little with the question to be sure
	Matched  []string // the words of the question that it shares, rarest first
	Near     float64  // by meaning; 0 where unknown
	CitedBy  []int64  // like tickets whose resolution points to it, most like first
}

// Best gives the candidates that count most, at most limit; of equal scores
// the highest Doc is first. What shares too little with the question is left
// out, so the answer may be empty.
func (c Candidates) Best(limit int) []Hit {
	var hits []Hit
	for doc, f := range c.found {
		sure, possibly := c.question.similar(*f)
		votes := 0.0
		for _, v := range f.voters {
			votes += v.like
		}
		sure = sure || votes >= sureVotes
		if !sure && !possibly && votes < possibleVotes {
			continue
		}
		score := (c.mix(f) + voteGain*votes) * c.recency(f.day)
		hits = append(hits, Hit{
			Doc: doc, Score: round(score), Possibly: !sure,
			Matched: c.question.words(f.matched), Near: f.near, CitedBy: f.citedBy(),
		})
	}
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(b.Doc, a.Doc))
	})
	return hits[:min(len(hits), max(limit, 0))]
}

func (f *candidate) citedBy() []int64 {
	slices.SortFunc(f.voters, func(a, b vote) int { return cmp.Or(cmp.Compare(b.like, a.like), cmp.Compare(b.by, a.by)) })
	var by []int64
	for _, v := range f.voters {
		by = append(by, v.by)
	}
	return by
}

// round makes the score independent of the order in which it was added up.
func round(score float64) float64 { return math.Round(score*1e6) / 1e6 }
