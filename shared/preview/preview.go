// Package preview looks back at tickets that are solved: what Deskhand would
// have shown at the creation of each, beside what solved it, with counts. It only
// reads. How the report looks is package page.
package preview

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/retrieval"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

// MaxTickets is how many tickets one report has at most.
const MaxTickets = 500

// Asked is a solved ticket, as if it had just been created.
type Asked struct {
	Connection string
	Ticket     ticket.Ticket
}

// Past is where solved tickets are kept.
type Past interface {
	// Solved gives the tenant's last solved tickets, the newest first, at most
	// limit. Each says when it was resolved; when it was created may be unknown.
	Solved(ctx context.Context, who tenant.Tenant, limit int) ([]Asked, error)
	// Corpus gives how many solved tickets there are, and how many have each of
	// the terms.
	Corpus(ctx context.Context, id tenant.ID, terms []string) (retrieval.Corpus, error)
}

// Preview makes reports. It is safe for concurrent use.
type Preview struct {
	Past Past
	// Gather gives what a note on the ticket would be written from, if it were
	// written at the ticket's creation.
	Gather func(context.Context, tenant.Tenant, Asked) (evidence.Bundle, error)
}

// Report is what was found about each ticket.
type Report struct {
	Tenant  tenant.Tenant
	Tickets []Ticket // the newest first
	Undated int      // solved tickets that do not say when they were created, and are left out
	Late    int      // items that are left out, because they may be newer than the ticket
}

// Ticket is what would have been shown of a ticket, and what solved it.
type Ticket struct {
	ticket.Ticket
	Shown []Shown
}

// Shown is one item that would have been shown.
type Shown struct {
	evidence.Item
	// Shares are rare words that it has in common with what solved the ticket;
	// none, unless there are as many as SameWay wants.
	Shares []string
}

// SameWay is how many rare words an item has to share with the resolution of a
// ticket to point the same way. A word is rare if fewer than one solved ticket in
// Rare has it.
const (
	SameWay = 2
	Rare    = 20
)

// The errors that say what to do.
var (
	ErrNone    = errors.New("no closed tickets are known")
	ErrUndated = errors.New("none of the closed tickets says when it was created")
)

// Of looks back at the tenant's last solved tickets, at most MaxTickets, and
// calls progress after each. A source that does not answer is an error: the
// counts would be wrong. ErrNone and ErrUndated, where there is nothing to look
// back at.
func (p Preview) Of(ctx context.Context, who tenant.Tenant, last int, progress func(done, total int)) (Report, error) {
	r := Report{Tenant: who}
	asked, err := p.Past.Solved(ctx, who, min(last, MaxTickets))
	if err != nil {
		return r, err
	}
	if len(asked) == 0 {
		return r, ErrNone
	}
	for i, a := range asked {
		if a.Ticket.Created.IsZero() {
			r.Undated++
		} else if err := p.add(ctx, &r, a); err != nil {
			return r, fmt.Errorf("preview: look back at ticket %s of %s: %w", a.Ticket.Key, who.ID, err)
		}
		progress(i+1, len(asked))
	}
	if len(r.Tickets) == 0 {
		return r, ErrUndated
	}
	return r, nil
}

// add looks back at one ticket. What may be newer than the ticket is left out.
func (p Preview) add(ctx context.Context, r *Report, a Asked) error {
	bundle, err := p.Gather(ctx, r.Tenant, a)
	if err != nil {
		return err
	}
	for _, gap := range bundle.Gaps {
		return fmt.Errorf("the source %s does not answer, run it again: %s", gap.Source, gap.Reason)
	}
	t := Ticket{Ticket: a.Ticket}
	for _, it := range bundle.Items {
		if it.Kind != evidence.System && (it.When.IsZero() || it.When.After(a.Ticket.Created)) {
			r.Late++
			continue
		}
		t.Shown = append(t.Shown, Shown{Item: it})
	}
	if err := p.compare(ctx, r.Tenant.ID, &t); err != nil {
		return err
	}
	r.Tickets = append(r.Tickets, t)
	return nil
}

// compare finds the rare words that each item shares with the resolution.
func (p Preview) compare(ctx context.Context, id tenant.ID, t *Ticket) error {
	solution := newSolution(t.Ticket)
	shared := make([][]retrieval.Term, len(t.Shown))
	var terms []string
	for i, s := range t.Shown {
		if !sure(s.Item) {
			continue
		}
		shared[i] = solution.in(s.Item)
		for _, term := range shared[i] {
			terms = append(terms, term.Text)
		}
	}
	if len(terms) == 0 {
		return nil
	}
	slices.Sort(terms)
	corpus, err := p.Past.Corpus(ctx, id, slices.Compact(terms))
	if err != nil {
		return err
	}
	for i := range t.Shown {
		words := rare(corpus, shared[i])
		if len(words) >= SameWay {
			t.Shown[i].Shares = words
		}
	}
	return nil
}

// sure tells whether an item counts: a past ticket or an article that is not only
// possibly related.
func sure(it evidence.Item) bool { return it.Kind != evidence.System && !it.Possibly }

// Known is what was known of a ticket at its creation.
type Known struct {
	Solved, Article bool // one like it
	Possibly        bool // nothing but what is possibly related
	Nothing         bool
}

// Known tells what was known of the ticket. Systems do not count: they are no
// answer.
func (t Ticket) Known() (k Known) {
	for _, s := range t.Shown {
		switch {
		case s.Kind == evidence.System:
		case s.Possibly:
			k.Possibly = true
		case s.Kind == evidence.PastTicket:
			k.Solved = true
		case s.Kind == evidence.Article:
			k.Article = true
		}
	}
	k.Possibly = k.Possibly && !k.Solved && !k.Article
	k.Nothing = !k.Possibly && !k.Solved && !k.Article
	return k
}

// SameWay tells whether something that was shown points the same way as what
// solved the ticket.
func (t Ticket) SameWay() bool {
	return slices.ContainsFunc(t.Shown, func(s Shown) bool { return len(s.Shares) > 0 })
}

// Counts sum a report up.
type Counts struct {
	Tickets  int
	Solved   int // for which a solved ticket like it was known
	Article  int // for which an article was known
	Either   int // for which one of the two was known
	Possibly int // for which only something possibly related was
	Nothing  int // for which none of these was
	Compared int // of Either, whose resolution is recorded
	SameWay  int // of Compared, for which something points the same way
	// Age is the median time between the resolution of a ticket that was shown
	// and the creation of the ticket that it was shown for.
	Age time.Duration
}

// Counts sums the report up.
func (r Report) Counts() Counts {
	c := Counts{Tickets: len(r.Tickets)}
	var ages []time.Duration
	for _, t := range r.Tickets {
		k := t.Known()
		add(&c.Solved, k.Solved)
		add(&c.Article, k.Article)
		add(&c.Either, k.Solved || k.Article)
		add(&c.Possibly, k.Possibly)
		add(&c.Nothing, k.Nothing)
		add(&c.Compared, (k.Solved || k.Article) && t.Resolution != "")
		add(&c.SameWay, t.SameWay())
		for _, s := range t.Shown {
			if s.Kind == evidence.PastTicket && !s.Possibly {
				ages = append(ages, t.Created.Sub(s.When))
			}
		}
	}
	if len(ages) > 0 {
		slices.Sort(ages)
		c.Age = ages[len(ages)/2]
	}
	return c
}

func add(n *int, one bool) {
	if one {
		*n++
	}
}
