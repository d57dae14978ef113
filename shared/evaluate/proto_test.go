package evaluate

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/retrieval"
)

type rec struct {
	ID                                     int64
	Created, Title, Body, Resolution, Slug string
	Summary, Text                          string
	ResolvedAt                             string `json:"resolved_at"`
}

func load(path string, f func([]byte)) {
	fl, err := os.Open(path)
	if err != nil {
		panic(err)
	}
	var r io.Reader = fl
	if strings.HasSuffix(path, ".gz") {
		r, _ = gzip.NewReader(fl)
	}
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 1<<20), 1<<26)
	for s.Scan() {
		f(s.Bytes())
	}
}

type cit struct {
	by int64
	to []int64
}

func TestProto(t *testing.T) {
	dir := "/work/shared/data/sumo-thunderbird/"
	all := map[int64]rec{}
	var order []rec
	load(dir+"tickets_en_dev.jsonl.gz", func(b []byte) {
		var x rec
		json.Unmarshal(b, &x)
		all[x.ID] = x
		if x.Resolution != "" {
			order = append(order, x)
		}
	})
	at := func(s string) time.Time { w, _ := time.Parse("2006-01-02 15:04:05", s); return w }
	type ev struct {
		when     time.Time
		id       int64
		resolved bool
	}
	var evs []ev
	for _, x := range order {
		evs = append(evs, ev{at(x.Created), x.ID, false}, ev{at(x.ResolvedAt), x.ID, true})
	}
	slices.SortFunc(evs, func(a, b ev) int { return a.when.Compare(b.when) })
	// articles
	arts := newMemory()
	slugs := map[string]int64{}
	load(dir+"kb_en.jsonl.gz", func(b []byte) {
		var x rec
		json.Unmarshal(b, &x)
		slugs[x.Slug] = int64(len(slugs) + 1)
		arts.put(slugs[x.Slug], 0, retrieval.Terms(x.Title, x.Summary+"\n"+x.Text, ""))
	})
	labels := map[int64]map[int64]bool{}
	load(dir+"ticket_kb_dev.tsv", func(b []byte) {
		f := strings.Split(string(b), "\t")
		id, err := strconv.ParseInt(f[0], 10, 64)
		if err == nil && slugs[f[1]] != 0 {
			if labels[id] == nil {
				labels[id] = map[int64]bool{}
			}
			labels[id][slugs[f[1]]] = true
		}
	})
	type q struct {
		Query int64
		Rel   []int64
	}
	qs := map[int64][]int64{}
	load(dir+"eval_tickets_dev.jsonl", func(b []byte) { var x q; json.Unmarshal(b, &x); qs[x.Query] = x.Rel })
	ids := []int64{}
	for id := range all {
		if qs[id] != nil || labels[id] != nil && id%2 == 0 {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b int64) int { return at(all[a].Created).Compare(at(all[b].Created)) })
	m := newMemory()
	cites, acites := map[int64][]int64{}, map[int64][]int64{}
	total, atotal := map[int64]int{}, map[int64]int{}
	next, learnt := 0, 0
	var learning time.Duration
	upto := func(now time.Time) {
		for ; next < len(evs) && evs[next].when.Before(now); next++ {
			x := all[evs[next].id]
			res := ""
			if evs[next].resolved {
				res = x.Resolution
				for _, r := range retrieval.References(res, "") {
					r := r.Name
					if id, err := strconv.ParseInt(r, 10, 64); err == nil && id != x.ID && all[id].Resolution != "" {
						cites[x.ID] = append(cites[x.ID], id)
						total[id]++
					}
					if slugs[r] != 0 {
						acites[x.ID] = append(acites[x.ID], slugs[r])
						atotal[slugs[r]]++
					}
				}
			}
			m.put(x.ID, retrieval.Day(at(x.Created)), retrieval.Terms(x.Title, x.Body, res))
			if n := len(m.terms); n >= learnt+learnt/4+500 {
				learnt = n
				st := time.Now()
				docs := []int64{}
				for d := range m.terms {
					docs = append(docs, d)
				}
				slices.Sort(docs)
				slices.Reverse(docs)
				f := retrieval.Learn(func(yield func([]retrieval.Term) bool) {
					for _, d := range docs {
						if !yield(m.terms[d]) {
							return
						}
					}
				})
				m.learn(f)
				arts.learn(f)
				learning += time.Since(st)
			}
		}
	}
	type sum struct{ r5, nd, mrr, n float64 }
	var a, bq, c, words, r3, r3w sum
	add := func(s *sum, hits []retrieval.Hit, rel []int64, k int) {
		h, d, mr := 0.0, 0.0, 0.0
		for i, x := range hits {
			if slices.Contains(rel, x.Doc) {
				if i < k {
					h++
				}
				d += 1 / math.Log2(float64(i)+2)
				mr = max(mr, 1/float64(i+1))
			}
		}
		ideal := 0.0
		for i := range min(len(rel), 10) {
			ideal += 1 / math.Log2(float64(i)+2)
		}
		s.r5 += h / float64(len(rel))
		s.nd += d / ideal
		s.mrr += mr
		s.n++
	}
	var took []time.Duration
	possibly, nh := 0, 0
	for _, id := range ids {
		x := all[id]
		now := at(x.Created)
		upto(now)
		m.without = id
		terms := retrieval.Terms(x.Title, x.Body, "")
		ctx := context.Background()
		st := time.Now()
		s := retrieval.Search{Index: m, Meanings: []retrieval.Meaning{m}, Weight: retrieval.TicketMeaning, HalfLife: 60 * 24 * time.Hour, Now: now}
		cand, err := s.Candidates(ctx, terms)
		if err != nil {
			t.Fatal(err)
		}
		rel := qs[id]
		if rel != nil {
			add(&bq, cand.Best(10), rel, 5)
			var w retrieval.Candidates
			s0 := s
			s0.Meanings = nil
			w, _ = s0.Candidates(ctx, terms)
			add(&words, w.Best(10), rel, 5)
		}
		var ac []retrieval.Citation
		for _, d := range cand.Docs() {
			for _, to := range acites[d] {
				ac = append(ac, retrieval.Citation{By: d, Doc: to, Total: atotal[to]})
			}
		}
		tick := cand
		if rel != nil {
			var cs []retrieval.Citation
			for _, d := range cand.Docs() {
				for _, to := range cites[d] {
					if to != id && at(all[to].Created).Before(now) {
						cs = append(cs, retrieval.Citation{By: d, Doc: to, Day: retrieval.Day(at(all[to].Created))})
					}
				}
			}
			cand.Cited(cand, cs)
			hits := cand.Best(10)
			took = append(took, time.Since(st))
			add(&a, hits, rel, 5)
			for _, h := range hits {
				nh++
				if h.Possibly {
					possibly++
				}
			}
		}
		if l := labels[id]; l != nil {
			rel := []int64{}
			for d := range l {
				rel = append(rel, d)
			}
			s := retrieval.Search{Index: arts, Meanings: []retrieval.Meaning{arts}, Weight: retrieval.ArticleMeaning, Now: now}
			cand, _ := s.Candidates(ctx, terms)
			add(&r3w, cand.Best(10), rel, 3)
			cand.Cited(tick, ac)
			add(&r3, cand.Best(10), rel, 3)
		}
	}
	_ = c
	slices.Sort(took)
	p := func(n string, s sum) {
		fmt.Printf("%-20s R %.4f nDCG %.4f MRR %.4f n=%.0f\n", n, s.r5/s.n, s.nd/s.n, s.mrr/s.n, s.n)
	}
	p("words", words)
	p("words+latent", bq)
	p("+citations", a)
	p("articles w+l", r3w)
	p("articles +cited", r3)
	fmt.Println("took", took[len(took)/2], took[len(took)*95/100], "learning", learning, "hits/q", float64(nh)/a.n, "possibly", possibly, nh)
}
