package evaluate

import (
	"context"
	"slices"

	"github.com/deskhand/deskhand/shared/retrieval"
)

// memory is one corpus in memory: the exhaustive ranking that a store is held
// to, and what an evaluation searches.
type memory struct {
	corpus  retrieval.Corpus
	lists   map[string][]retrieval.Posting
	terms   map[int64][]retrieval.Term
	day     map[int64]int
	factors retrieval.Factors
	vectors map[int64][]float32
	without int64 // must not be found
}

func newMemory() *memory {
	return &memory{
		corpus: retrieval.Corpus{With: map[string]int{}}, lists: map[string][]retrieval.Posting{},
		terms: map[int64][]retrieval.Term{}, day: map[int64]int{}, vectors: map[int64][]float32{},
	}
}

// put adds a document, or replaces it.
func (m *memory) put(doc int64, day int, terms []retrieval.Term) {
	m.remove(doc)
	length := retrieval.Length(terms)
	m.corpus.Docs++
	m.corpus.Length += length
	for _, t := range terms {
		m.corpus.With[t.Text]++
		m.lists[t.Text] = append(m.lists[t.Text], retrieval.Posting{Doc: doc, TF: t.TF, Length: length, Day: day})
	}
	m.terms[doc], m.day[doc] = terms, day
	m.vectors[doc] = m.factors.Vector(terms)
}

func (m *memory) remove(doc int64) {
	terms, ok := m.terms[doc]
	if !ok {
		return
	}
	m.corpus.Docs--
	m.corpus.Length -= retrieval.Length(terms)
	for _, t := range terms {
		m.corpus.With[t.Text]--
		m.lists[t.Text] = slices.DeleteFunc(m.lists[t.Text], func(p retrieval.Posting) bool { return p.Doc == doc })
	}
	delete(m.terms, doc)
}

// learn takes other factors over.
func (m *memory) learn(f retrieval.Factors) {
	m.factors = f
	for doc, terms := range m.terms {
		m.vectors[doc] = f.Vector(terms)
	}
}

// Corpus implements retrieval.Index.
func (m *memory) Corpus(context.Context, []string) (retrieval.Corpus, error) { return m.corpus, nil }

// Read implements retrieval.Index.
func (m *memory) Read(_ context.Context, terms []string, only []int64) ([]retrieval.List, error) {
	lists := make([]retrieval.List, len(terms))
	for i, t := range terms {
		lists[i].Term = t
		for _, p := range m.lists[t] {
			if p.Doc != m.without && (only == nil || slices.Contains(only, p.Doc)) {
				lists[i].Postings = append(lists[i].Postings, p)
			}
		}
	}
	return lists, nil
}

// Near implements retrieval.Meaning.
func (m *memory) Near(_ context.Context, question []retrieval.Term, docs []int64) (map[int64]float64, error) {
	asked := m.factors.Vector(question)
	near := make(map[int64]float64, len(docs))
	for _, doc := range docs {
		near[doc] = retrieval.Cosine(asked, m.vectors[doc])
	}
	return near, nil
}
