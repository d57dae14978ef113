package retrieval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var now = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// memory is an index in memory.
type memory struct {
	corpus Corpus
	lists  map[string][]Posting
	asked  [][]string
	fails  int // the call that fails; 0 for none
}

var errDown = errors.New("down")

func newMemory(documents ...string) *memory {
	m := &memory{corpus: Corpus{With: map[string]int{}}, lists: map[string][]Posting{}}
	for i, text := range documents {
		title, body, _ := strings.Cut(text, "|")
		m.add(int64(i+1), time.Time{}, title, body)
	}
	return m
}

func (m *memory) add(doc int64, when time.Time, title, body string) {
	terms := Terms(title, body, "")
	m.corpus.Docs++
	m.corpus.Length += Length(terms)
	for _, t := range terms {
		m.corpus.With[t.Text]++
		m.lists[t.Text] = append(m.lists[t.Text], Posting{doc, t.TF, Length(terms), day(when)})
	}
}

func (m *memory) call(terms []string) error {
	m.asked = append(m.asked, append([]string(nil), terms...))
	if len(m.asked) == m.fails {
		return errDown
	}
	return nil
}

func (m *memory) Corpus(_ context.Context, terms []string) (Corpus, error) {
	return m.corpus, m.call(terms)
}

func (m *memory) Read(_ context.Context, terms []string, only []int64) (found []List, err error) {
	for _, t := range terms {
		l := List{Term: t}
		for _, p := range m.lists[t] {
			if only == nil || slices.Contains(only, p.Doc) {
				l.Postings = append(l.Postings, p)
			}
		}
		found = append(found, l)
	}
	return append(found, List{"not asked", []Posting{{Doc: 99, TF: 9}}}), m.call(terms)
}

func day(when time.Time) int {
	if when.IsZero() {
		return 0
	}
	return Day(when)
}

// search looks at once for the best.
func search(ctx context.Context, m *memory, asked []Term, limit int) ([]Hit, error) {
	c, err := Search{Index: m, HalfLife: 60 * 24 * time.Hour, Now: now}.Candidates(ctx, asked)
	return c.Best(limit), err
}

func find(t testing.TB, m *memory, title, body string) []Hit {
	t.Helper()
	hits, err := search(t.Context(), m, Terms(title, body, ""), 5)
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

func docs(hits []Hit) string {
	var b strings.Builder
	for _, h := range hits {
		fmt.Fprintf(&b, "%d", h.Doc)
		if h.Possibly {
			b.WriteByte('?')
		}
		b.WriteByte(' ')
	}
	return strings.TrimSpace(b.String())
}

var desk = []string{
	"Printer offline|HP in accounting does not print, error 0x00000709",
	"VPN drops|AnyConnect disconnects every hour",
	"Outlook password prompt|asks for the password again and again",
	"Disk full|srv-fs01 has no space, backup failed",
	"Teams camera black|Surface camera in meetings",
	"Wifi slow|meeting room on the second floor",
}

func TestSearchPutsTheBestFirst(t *testing.T) {
	t.Parallel()
	m := newMemory(append(desk, "Printer jam|HP printer in accounting jams the paper")...)
	hits := find(t, m, "Accounting printer offline", "the HP shows an error")
	if got := docs(hits); got != "1 7" {
		t.Fatalf("found %q, want 1 7", got)
	}
	if diff := cmp.Diff([]string{"offline", "error", "accounting", "printer", "hp"}, hits[0].Matched); diff != "" {
		t.Error(diff)
	}
}

func TestSearchNeedsMoreThanOneCommonWord(t *testing.T) {
	t.Parallel()
	m := newMemory(desk...)
	for text, want := range map[string]string{
		"printer":                               "",  // one word
		"new error":                             "",  // one word that the corpus holds
		"0x00000709":                            "1", // an identifier
		"see srv-fs01 please":                   "4",
		"printer offline":                       "1", // all that was asked
		"chair broken":                          "",  // nothing in common
		"order a chair for the accounting room": "",
		"the error in the monthly sales report of the accounting cube that finance built": "1?", // two of many words
	} {
		if got := docs(find(t, m, text, "")); got != want {
			t.Errorf("%q found %q, want %q", text, got, want)
		}
	}
}

func TestAnIdentifierThatManyShareDoesNotSuffice(t *testing.T) {
	t.Parallel()
	m := newMemory()
	for i := range 1000 {
		text := fmt.Sprintf("office365 subject%dx body%dx", i, i)
		if i >= 20 {
			text = fmt.Sprintf("subject%dx body%dx", i, i)
		}
		m.add(int64(i), time.Time{}, text, "")
	}
	if hits := find(t, m, "office365", ""); len(hits) != 0 {
		t.Errorf("found %s", docs(hits))
	}
	if got := docs(find(t, m, "subject7x", "")); got != "7" {
		t.Errorf("found %q, want 7", got)
	}
}

func TestSearchPrefersWhatWasSolvedLately(t *testing.T) {
	t.Parallel()
	m := newMemory(desk...)
	for i, days := range []int{400, 0, 60, 120} {
		m.add(int64(100+i), now.AddDate(0, 0, -days), "Excel macro blocked", "by policy")
	}
	m.add(104, time.Time{}, "Excel macro blocked", "by policy") // of unknown age
	hits := find(t, m, "Excel macro blocked", "by policy")
	if got := docs(hits); got != "101 102 103 100 104" {
		t.Errorf("order %s", got)
	}
	if got := hits[0].Score / hits[4].Score; math.Abs(got-1-recencyGain-burstGain) > 1e-6 {
		t.Errorf("solved now counts %v times, want %v", got, 1+recencyGain+burstGain)
	}
	if got := hits[1].Score / hits[4].Score; math.Abs(got-1-recencyGain/2) > .001 {
		t.Errorf("solved one half-life ago counts %v times, want %v", got, 1+recencyGain/2)
	}
}

func TestSearchAsksForTheTermsThatWeighMost(t *testing.T) {
	t.Parallel()
	m := newMemory()
	var body []string
	for i := range 40 {
		word := fmt.Sprintf("word%d", 100+i)
		body = append(body, word)
		for range i + 1 { // the later, the more common
			m.add(int64(m.corpus.Docs), time.Time{}, word, "")
		}
	}
	find(t, m, "", strings.Join(append([]string{"unheard"}, body...), " "))
	if got := len(m.asked[0]); got != 41 {
		t.Errorf("frequencies of %d terms", got)
	}
	if diff := cmp.Diff(body[:maxAsked], m.asked[1]); diff != "" {
		t.Error(diff)
	}
}

func TestSearchAsksNoMoreThanNeeded(t *testing.T) {
	t.Parallel()
	m := newMemory(desk...)
	if hits := find(t, m, "", "the and of"); hits != nil || len(m.asked) != 0 {
		t.Errorf("no terms: found %v after %d calls", hits, len(m.asked))
	}
	if hits := find(t, m, "zebra", "quokka"); hits != nil || len(m.asked) != 1 {
		t.Errorf("unknown terms: found %v after %d calls", hits, len(m.asked))
	}
	if hits, err := search(t.Context(), m, Terms("printer", "", ""), 0); len(hits) != 0 || err != nil {
		t.Errorf("limit 0: found %v (%v) after %d calls", hits, err, len(m.asked))
	}
}

func TestSearchPassesErrorsOn(t *testing.T) {
	t.Parallel()
	for call, want := range map[int]string{1: "frequencies of 2 terms: down", 2: "postings of 2 terms: down"} {
		m := newMemory(desk...)
		m.fails = call
		_, err := search(t.Context(), m, Terms("printer offline", "", ""), 5)
		if !errors.Is(err, errDown) || err.Error() != want {
			t.Errorf("call %d: error %v, want %q", call, err, want)
		}
	}
}

// Whatever the corpus and the query: bounded, ordered, and the same each time.
func TestSearchIsSoundForAnyCorpus(t *testing.T) {
	t.Parallel()
	word := rapid.SampledFrom(strings.Fields("printer vpn outlook disk error slow 0x00000709 srv-fs01 crash room mail login"))
	text := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(word, 0, 12).Draw(t, "words"), " ")
	})
	rapid.Check(t, func(t *rapid.T) {
		m := newMemory(rapid.SliceOfN(text, 0, 30).Draw(t, "documents")...)
		query := Terms(text.Draw(t, "title"), text.Draw(t, "body"), "")
		hits, err := search(context.Background(), m, query, 5)
		again, _ := search(context.Background(), m, query, 5)
		if err != nil || len(hits) > 5 || !cmp.Equal(hits, again) {
			t.Fatalf("found %v, then %v (%v)", hits, again, err)
		}
		for i, h := range hits {
			if h.Score <= 0 || math.IsNaN(h.Score) || math.IsInf(h.Score, 0) || len(h.Matched) == 0 || h.Doc == 99 {
				t.Fatalf("hit %+v", h)
			}
			if i > 0 && (hits[i-1].Score < h.Score || hits[i-1].Score == h.Score && hits[i-1].Doc < h.Doc) {
				t.Fatalf("order %v", hits)
			}
		}
	})
}

// nearer is a Meaning that knows these documents.
type nearer map[int64]float64

func (n nearer) Near(_ context.Context, _ []Term, docs []int64) (map[int64]float64, error) {
	if len(docs) == 0 {
		return nil, errDown
	}
	return n, nil
}

func TestMeaningsAddUp(t *testing.T) {
	t.Parallel()
	m := newMemory("Printer offline|in accounting", "Printer offline|in accounting", "Printer offline|in accounting")
	s := Search{Index: m, Meanings: []Meaning{nearer{2: .5, 3: -1, 77: 9}, nearer{}, nearer{1: .3, 2: .3}}, Weight: 2, Now: now}
	c, err := s.Candidates(t.Context(), Terms("Printer offline", "accounting", ""))
	if err != nil {
		t.Fatal(err)
	}
	hits := c.Best(5)
	if got := docs(hits); got != "2 1 3" {
		t.Fatalf("order %s", got)
	}
	for i, want := range []Hit{{Score: 2.6, Near: []float64{.5, 0, .3}}, {Score: 1.6, Near: []float64{0, 0, .3}}, {Score: 1, Near: []float64{0, 0, 0}}} {
		if diff := cmp.Diff(want, Hit{Score: hits[i].Score, Near: hits[i].Near}); diff != "" {
			t.Errorf("hit %d: %s", i, diff)
		}
	}
}

func TestSpreadTellsTheNearestFromTheFarthest(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(map[int64]float64{1: 0, 2: 1, 3: .5}, Spread(map[int64]float64{1: .75, 2: 1, 3: .875})); diff != "" {
		t.Error(diff)
	}
	for _, same := range []map[int64]float64{nil, {}, {1: .8}, {1: .8, 2: .8}} {
		if got := Spread(same); got != nil {
			t.Errorf("%v: %v", same, got)
		}
	}
}

func TestAVectorOfAnyLengthIsStored(t *testing.T) {
	t.Parallel()
	for _, v := range [][]float32{{3, -4}, {3e-44, -4e-44}, {1e18, -1e18}, {1}} {
		want := Cosine(v, v)
		u := Unpack(Pack(Unit(v)))
		if got := Cosine(u, u); math.Abs(got-1) > .02 {
			t.Errorf("%v of length %v is stored with length %v", v, math.Sqrt(want), got)
		}
	}
	if Unit([]float32{0, 0}) != nil || Unit(nil) != nil || Pack(nil) != nil || Unpack([]byte{}) != nil {
		t.Error("a vector without a length has a direction")
	}
}
