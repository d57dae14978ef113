package evaluate

import (
	"context"
	"iter"
	"maps"
	"slices"

	"github.com/deskhand/deskhand/shared/retrieval"
)

// memory is one corpus in memory: the exhaustive ranking that a store is held
// to.
type memory struct {
	corpus  retrieval.Corpus
	lists   map[string][]entry
	docs    map[int64]*document
	factors retrieval.Factors
	since   int // day: what is older is not found
}

// document is one state of a document. Lists keep the entries of states that
// are gone: to search for them costs more than to step over them.
type document struct {
	id     int64
	day    int
	terms  []retrieval.Term
	length int
	vector []float32
	gone   bool
}

// entry says that a document holds a term.
type entry struct {
	*document
	tf int
}

func newMemory() *memory {
	return &memory{corpus: retrieval.Corpus{With: map[string]int{}}, lists: map[string][]entry{}, docs: map[int64]*document{}}
}

// put adds a document, or replaces it.
func (m *memory) put(id int64, day int, terms []retrieval.Term) {
	m.remove(id)
	d := &document{id: id, day: day, terms: terms, length: retrieval.Length(terms), vector: m.factors.Vector(terms)}
	m.docs[id] = d
	m.corpus.Docs++
	m.corpus.Length += d.length
	for _, t := range terms {
		m.corpus.With[t.Text]++
		m.lists[t.Text] = append(m.lists[t.Text], entry{d, t.TF})
	}
}

func (m *memory) remove(id int64) {
	d, ok := m.docs[id]
	if !ok {
		return
	}
	d.gone = true
	delete(m.docs, id)
	m.corpus.Docs--
	m.corpus.Length -= d.length
	for _, t := range d.terms {
		m.corpus.With[t.Text]--
	}
}

// newest gives the terms of the documents, the highest id first.
func (m *memory) newest() iter.Seq[[]retrieval.Term] {
	ids := slices.Sorted(maps.Keys(m.docs))
	return func(yield func([]retrieval.Term) bool) {
		for _, id := range slices.Backward(ids) {
			if !yield(m.docs[id].terms) {
				return
			}
		}
	}
}

// learn takes other factors over.
func (m *memory) learn(f retrieval.Factors) {
	m.factors = f
	for _, d := range m.docs {
		d.vector = f.Vector(d.terms)
	}
}

// Corpus implements retrieval.Index.
func (m *memory) Corpus(context.Context, []string) (retrieval.Corpus, error) { return m.corpus, nil }

// Read implements retrieval.Index.
func (m *memory) Read(_ context.Context, terms []string, only []int64) ([]retrieval.List, error) {
	lists := make([]retrieval.List, len(terms))
	place := make(map[string]int, len(terms))
	for i, t := range terms {
		lists[i].Term, place[t] = t, i
		if only != nil {
			continue
		}
		lists[i].Postings = make([]retrieval.Posting, 0, m.corpus.With[t])
		for _, e := range m.lists[t] {
			if !e.gone && e.day >= m.since {
				lists[i].Postings = append(lists[i].Postings, e.posting(e.tf))
			}
		}
	}
	for _, id := range only {
		d, ok := m.docs[id]
		if !ok || d.day < m.since {
			continue
		}
		for _, t := range d.terms {
			if i, ok := place[t.Text]; ok {
				lists[i].Postings = append(lists[i].Postings, d.posting(t.TF))
			}
		}
	}
	return lists, nil
}

func (d *document) posting(tf int) retrieval.Posting {
	return retrieval.Posting{Doc: d.id, TF: tf, Length: d.length, Day: d.day}
}

// Near implements retrieval.Meaning.
func (m *memory) Near(_ context.Context, question []retrieval.Term, docs []int64) (map[int64]float64, error) {
	asked := m.factors.Vector(question)
	near := make(map[int64]float64, len(docs))
	for _, id := range docs {
		if d, ok := m.docs[id]; ok {
			near[id] = retrieval.Cosine(asked, d.vector)
		}
	}
	return near, nil
}
