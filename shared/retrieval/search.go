package retrieval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Postings is the inverted index of one corpus of one tenant.
type Postings interface {
	// Corpus gives the size of the corpus, and how many documents hold each
	// of the terms. Terms that no document holds may be left out.
	Corpus(ctx context.Context, terms []string) (Corpus, error)
	// Read gives the postings of these terms, in any order, without those of
	// documents that must not be found.
	Read(ctx context.Context, terms []string) ([]Posting, error)
}

// Corpus is what BM25 must know of all documents.
type Corpus struct {
	Docs   int            // documents
	Length int            // of all documents together, in terms
	With   map[string]int // documents that hold the term
}

// Posting says that a document holds a term.
type Posting struct {
	Term   string
	Doc    int64
	TF     int
	Length int       // of the document, in terms
	When   time.Time // when the problem was solved; zero where age does not matter
}

// Hit is a document that was found.
type Hit struct {
	Doc     int64
	Score   float64  // comparable within one search only
	Matched []string // the words of the query that it shares, rarest first
}

// The constants were chosen by measuring on 23,896 resolved tickets of a
// public support forum. b is lower than the customary .75: a long ticket is
// long because it says more. Incidents cluster in time, hence the recency.
const (
	maxAsked    = 16
	k1          = 1.2
	b           = 0.5
	recencyGain = 0.6
	recencyHalf = 60 * 24 * time.Hour
)

// The floor below which a document is not similar. It has to share two terms
// at least, and either most of what was asked, or much by any measure: a score
// is compared with the rarity of a term that one document in the corpus holds.
// One identifier suffices where few documents hold it. On the tickets above
// the floor costs no measurable recall.
const (
	floorMatched  = 2
	floorCoverage = 0.5
	floorScore    = 2.5
	fewDocs       = 3
	fewShare      = 0.01
)

// Search gives the documents most like the query, at most limit, best first;
// of equal scores the highest Doc is first. It asks for the terms of the query
// that weigh most in this corpus and ranks by BM25, and what was solved lately
// counts up to 1.6 times. A document that shares too little with the query is
// left out, so the answer may be empty. Errors are those of the port.
func Search(ctx context.Context, p Postings, query []Term, limit int, now time.Time) ([]Hit, error) {
	if len(query) == 0 || limit <= 0 {
		return nil, nil
	}
	corpus, err := p.Corpus(ctx, texts(query))
	if err != nil {
		return nil, fmt.Errorf("frequencies of %d terms: %w", len(query), err)
	}
	q := newQuestion(query, corpus)
	if len(q.terms) == 0 {
		return nil, nil
	}
	postings, err := p.Read(ctx, texts(q.terms))
	if err != nil {
		return nil, fmt.Errorf("postings of %d terms: %w", len(q.terms), err)
	}
	return q.rank(postings, limit, now), nil
}

// question is a query as it is put to one corpus.
type question struct {
	terms   []Term    // that the corpus holds, those that weigh most first
	weights []float64 // of the terms
	total   float64   // weight of what was asked, be it in the corpus or not
	corpus  Corpus
}

// newQuestion chooses the terms. The weight of a term is its rarity in the
// corpus, times the root of how often the query says it: what a person puts
// in the subject, or repeats, is what the ticket is about.
func newQuestion(query []Term, c Corpus) question {
	weight := func(t Term) float64 { return c.rarity(t.Text) * math.Sqrt(float64(t.TF)) }
	sorted := slices.Clone(query)
	slices.SortStableFunc(sorted, func(a, b Term) int { return cmp.Compare(weight(b), weight(a)) })

	q := question{corpus: c}
	for i, t := range sorted {
		if i < maxAsked {
			q.total += weight(t)
		}
		if c.With[t.Text] > 0 && len(q.terms) < maxAsked {
			q.terms = append(q.terms, t)
			q.weights = append(q.weights, weight(t))
		}
	}
	return q
}

// rarity is the inverse document frequency of BM25.
func (c Corpus) rarity(term string) float64 {
	with := float64(c.With[term])
	return math.Log1p(max(float64(c.Docs)-with+.5, 0) / (with + .5))
}

// candidate is a document while it is being scored.
type candidate struct {
	score   float64
	matched []int // indexes in question.terms
}

// rank scores the documents of the postings and gives the best.
func (q question) rank(postings []Posting, limit int, now time.Time) []Hit {
	place := make(map[string]int, len(q.terms))
	for i, t := range q.terms {
		place[t.Text] = i
	}
	average := max(float64(q.corpus.Length)/float64(max(q.corpus.Docs, 1)), 1)
	found := map[int64]candidate{}
	for _, p := range postings {
		i, ok := place[p.Term]
		if !ok {
			continue
		}
		tf := float64(p.TF)
		c := found[p.Doc]
		c.score += recency(p.When, now) * q.weights[i] * tf * (k1 + 1) / (tf + k1*(1-b+b*float64(p.Length)/average))
		c.matched = append(c.matched, i)
		found[p.Doc] = c
	}
	var hits []Hit
	for doc, c := range found {
		if q.similar(c) {
			hits = append(hits, Hit{Doc: doc, Score: round(c.score), Matched: q.words(c.matched)})
		}
	}
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(b.Doc, a.Doc))
	})
	return hits[:min(len(hits), limit)]
}

// similar tells whether a document is above the floor.
func (q question) similar(c candidate) bool {
	covered := 0.0
	for _, i := range c.matched {
		if q.suffices(q.terms[i].Text) {
			return true
		}
		covered += q.weights[i]
	}
	return len(c.matched) >= floorMatched &&
		(covered >= floorCoverage*q.total || c.score >= floorScore*math.Log1p(float64(q.corpus.Docs)))
}

// suffices tells whether a term names one thing, an error code or a host, of
// which few documents speak.
func (q question) suffices(term string) bool {
	few := max(fewDocs, fewShare*float64(q.corpus.Docs))
	return len(term) >= 5 && float64(q.corpus.With[term]) <= few &&
		strings.ContainsFunc(term, unicode.IsDigit) && strings.ContainsFunc(term, unicode.IsLetter)
}

// words gives the matched terms as people write them, rarest first.
func (q question) words(matched []int) []string {
	slices.SortFunc(matched, func(a, b int) int {
		with := q.corpus.With
		return cmp.Or(cmp.Compare(with[q.terms[a].Text], with[q.terms[b].Text]), cmp.Compare(a, b))
	})
	words := make([]string, len(matched))
	for i, at := range matched {
		words[i] = q.terms[at].Word
	}
	return words
}

// recency is 1.6 for what was solved now, 1.3 after two months, and near 1
// for what is old; 1 where age does not matter.
func recency(when, now time.Time) float64 {
	if when.IsZero() {
		return 1
	}
	age := max(now.Sub(when), 0)
	return 1 + recencyGain*math.Exp2(-float64(age)/float64(recencyHalf))
}

// round makes the score independent of the order in which it was added up.
func round(score float64) float64 { return math.Round(score*1e6) / 1e6 }

func texts(terms []Term) []string {
	list := make([]string, len(terms))
	for i, t := range terms {
		list[i] = t.Text
	}
	return list
}
