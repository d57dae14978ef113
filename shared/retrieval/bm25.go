package retrieval

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
)

// Corpus is what BM25 must know of all documents.
type Corpus struct {
	Docs   int            // documents
	Length int            // of all documents together, in quarters of a word
	With   map[string]int // documents that hold the term
}

// List is the postings of one term.
type List struct {
	Term     string
	Postings []Posting
}

// Posting says that a document holds a term.
type Posting struct {
	Doc    int64
	TF     int // in quarters, as Term has it
	Length int // of the document, as Length gives it
	Day    int // when the problem was solved, as Day gives it; 0 where age does not matter
}

// The constants of BM25. b is lower than the customary .75: a long ticket is
// long because it says more.
const (
	maxAsked = 16
	k1       = 1.2
	b        = 0.5
)

// The floor below which a document is not similar. It has to share two terms
// at least, and either most of what was asked, or much by any measure: a score
// is compared with the rarity of a term that one document in the corpus holds.
// One identifier suffices where few documents hold it. What reaches half of
// that is possibly related. On the tickets of `make eval` the floor costs no
// measurable recall.
const (
	floorMatched  = 2
	floorCoverage = 0.5
	floorScore    = 2.5
	fewDocs       = 3
	fewShare      = 0.01
	sureVotes     = 0.5
	possibleVotes = 0.1
)

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
	weight := func(t Term) float64 { return c.rarity(t.Text) * math.Sqrt(float64(t.TF)/whole) }
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

// split gives the rarest terms, whose postings are at most so many together, or
// the rarest one alone; and the others.
func (q question) split(postings int) (rare, common []string) {
	sorted := texts(q.terms)
	slices.SortStableFunc(sorted, func(a, b string) int { return cmp.Compare(q.corpus.With[a], q.corpus.With[b]) })
	read := 0
	for i, term := range sorted {
		if read += q.corpus.With[term]; i > 0 && read > postings {
			return sorted[:i], sorted[i:]
		}
	}
	return sorted, nil
}

// score adds what the lists say of documents.
func (q question) score(lists []List, found map[int64]*candidate) {
	place := make(map[string]int, len(q.terms))
	for i, t := range q.terms {
		place[t.Text] = i
	}
	average := max(float64(q.corpus.Length)/float64(max(q.corpus.Docs, 1)), whole)
	for _, l := range lists {
		i, ok := place[l.Term]
		if !ok {
			continue
		}
		for _, p := range l.Postings {
			f := found[p.Doc]
			if f == nil {
				f = &candidate{day: p.Day}
				found[p.Doc] = f
			}
			tf := float64(p.TF) / whole
			f.words += q.weights[i] * tf * (k1 + 1) / (tf + k1*(1-b+b*float64(p.Length)/average))
			f.matched = append(f.matched, i)
		}
	}
}

// similar tells whether a document is above the floor, or at least possibly
// related.
func (q question) similar(f candidate) (sure, possibly bool) {
	covered := 0.0
	for _, i := range f.matched {
		if q.suffices(q.terms[i].Text) {
			return true, true
		}
		covered += q.weights[i]
	}
	if len(f.matched) < floorMatched {
		return false, false
	}
	reached := max(covered/(floorCoverage*q.total), f.words/(floorScore*math.Log1p(float64(q.corpus.Docs))))
	return reached >= 1, reached >= .5
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

func texts(terms []Term) []string {
	list := make([]string, len(terms))
	for i, t := range terms {
		list[i] = t.Text
	}
	return list
}
