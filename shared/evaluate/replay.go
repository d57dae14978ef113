package evaluate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/deskhand/deskhand/shared/retrieval"
)

const (
	shown = 10   // ranks that count
	pool  = 1000 // of which those solved by then are chosen
)

// replay is what was known at a moment, which moves forward.
type replay struct {
	set      Set
	now      func() time.Time // to measure how long searches take
	findable int
	left     []string

	numbers  map[string]int // of tickets by id
	named    map[string]int // of tickets by name
	articled map[string]int // of articles by id

	changes    []change
	learnt     int
	tickets    *memory
	articles   *memory
	solved     map[int64]bool
	toTickets  map[int64][]int64 // what the resolutions known so far point to
	toArticles map[int64][]int64
	readers    map[int64]int // resolutions that point to an article

	rows map[[2]string]*Measurement
}

// change is that a ticket becomes known, or its resolution. The number of a
// ticket, and of its document, is its index in the set, in the order of creation.
type change struct {
	when   time.Time
	ticket int
	solved bool
}

func newReplay(s Set, now func() time.Time) *replay {
	s.Tickets = slices.SortedStableFunc(slices.Values(s.Tickets), func(a, b Ticket) int { return a.Created.Compare(b.Created) })
	r := &replay{
		set: s, now: now, numbers: map[string]int{}, named: map[string]int{}, articled: map[string]int{},
		tickets: newMemory(), articles: newMemory(), solved: map[int64]bool{},
		toTickets: map[int64][]int64{}, toArticles: map[int64][]int64{}, readers: map[int64]int{}, rows: map[[2]string]*Measurement{},
	}
	for i, a := range s.Articles {
		r.articled[a.ID] = i
		r.articles.put(int64(i), 0, retrieval.Terms(a.Title, a.Body, ""))
	}
	undated := 0
	for i, t := range s.Tickets {
		r.numbers[t.ID] = i
		if !r.canBeFound(i) {
			continue
		}
		r.findable++
		for _, name := range t.Names {
			r.named[name] = i
		}
		r.changes = append(r.changes, change{when: t.Created, ticket: i})
		switch {
		case t.Resolved.IsZero() && t.Resolution != "":
			undated++
		case t.Resolution != "":
			r.changes = append(r.changes, change{when: later(t.Created, t.Resolved), ticket: i, solved: true})
		}
	}
	slices.SortStableFunc(r.changes, func(a, b change) int { return a.when.Compare(b.when) })
	r.leave(undated, "resolutions without a time: never used, as nobody knows from when on")
	return r
}

// canBeFound tells whether a ticket is one that retrieval shows at all.
func (r *replay) canBeFound(ticket int) bool {
	return r.set.Unsolved || r.set.Tickets[ticket].Resolution != ""
}

func (r *replay) leave(n int, what string) {
	if n > 0 {
		r.left = append(r.left, fmt.Sprintf("%d %s", n, what))
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// query is a Query in numbers.
type query struct {
	ticket            int
	tickets, articles []int64
}

// queries gives those that can be asked, in the order of time.
func (r *replay) queries() []query {
	byTicket := map[int]query{}
	unknown, newer, missing := 0, 0, 0
	for _, asked := range r.set.Queries {
		n, ok := r.numbers[asked.Ticket]
		if !ok {
			unknown++
			continue
		}
		q := byTicket[n]
		q.ticket = n
		for _, id := range asked.Tickets {
			if to, ok := r.numbers[id]; ok && r.set.Tickets[to].Created.Before(r.set.Tickets[n].Created) {
				q.tickets = with(q.tickets, to)
			} else {
				newer++
			}
		}
		for _, id := range asked.Articles {
			if to, ok := r.articled[id]; ok {
				q.articles = with(q.articles, to)
			} else {
				missing++
			}
		}
		if len(q.tickets)+len(q.articles) > 0 {
			byTicket[n] = q
		}
	}
	r.leave(unknown, "queries about a ticket that is not there")
	r.leave(newer, "labels naming a ticket that is not there, or is not older than the query")
	r.leave(missing, "labels naming an article that is not there")
	return slices.SortedFunc(maps.Values(byTicket), func(a, b query) int {
		return cmp.Or(r.set.Tickets[a.ticket].Created.Compare(r.set.Tickets[b.ticket].Created), cmp.Compare(a.ticket, b.ticket))
	})
}

// with adds a number that is not in the list.
func with(list []int64, n int) []int64 {
	if slices.Contains(list, int64(n)) {
		return list
	}
	return append(list, int64(n))
}

// until makes known what had happened before the moment.
func (r *replay) until(now time.Time) {
	for ; len(r.changes) > 0 && r.changes[0].when.Before(now); r.changes = r.changes[1:] {
		c := r.changes[0]
		t, id := r.set.Tickets[c.ticket], int64(c.ticket)
		resolution, day := "", t.Created
		if c.solved {
			resolution, day = t.Resolution, c.when
			r.resolved(id, t)
		}
		r.tickets.put(id, retrieval.Day(day), retrieval.Terms(t.Title, t.Body, resolution))
		// In the product a schedule does this as the tickets grow.
		if n := len(r.tickets.docs); n >= r.learnt+r.learnt/4+retrieval.Dimensions {
			r.learnt = n
			factors := retrieval.Learn(r.tickets.newest())
			r.tickets.learn(factors)
			r.articles.learn(factors)
		}
	}
}

// resolved takes note of what a resolution points to.
func (r *replay) resolved(id int64, t Ticket) {
	r.solved[id] = true
	for _, name := range t.ToTickets {
		if to, ok := r.named[name]; ok && int64(to) != id {
			r.toTickets[id] = append(r.toTickets[id], int64(to))
		}
	}
	for _, name := range t.ToArticles {
		if to, ok := r.articled[name]; ok {
			r.toArticles[id] = append(r.toArticles[id], int64(to))
			r.readers[int64(to)]++
		}
	}
}
