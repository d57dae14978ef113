// Package evaluate measures retrieval on tickets of which is known what would
// have helped: it asks about each as of the minute it was created, and looks at
// which rank the help is found. Read gives such tickets from files, History
// those of a tenant.
package evaluate

import (
	"context"
	"fmt"
	"time"

	"github.com/deskhand/deskhand/shared/tenant"
)

// Set is tickets, articles, and what of them is known to have helped.
type Set struct {
	Name     string
	Tickets  []Ticket
	Articles []Article
	Queries  []Query
	Settings tenant.Settings // those that search goes by; none: the product's own
	// Unsolved tickets may be found too: a bug tracker's have no resolution.
	Unsolved bool
	// Left says in words what was there and could not be used.
	Left []string
}

// Ticket is a past ticket.
type Ticket struct {
	ID      string
	Names   []string // by which resolutions may point to it
	Title   string
	Body    string
	Created time.Time
	// Resolution counts from Resolved on; where that is zero, never.
	Resolution string
	Resolved   time.Time
	ToTickets  []string // names of tickets that the resolution may point to
	ToArticles []string // ids of articles, likewise
}

// Article is an article of the knowledge base. It counts as known at all times.
type Article struct{ ID, Title, Body string }

// Query is a ticket, and what is known to have helped.
type Query struct {
	Ticket   string   // id
	Tickets  []string // ids
	Articles []string // ids
}

// The corpora, and the configurations of retrieval in the order in which each
// adds to the one before.
const (
	Tickets  = "tickets"
	Articles = "articles"

	Words     = "words"       // BM25 and age
	Meaning   = "+ meaning"   // latent factors of the tickets known by then
	Citations = "+ citations" // what the resolutions of like tickets point to

	// Solved is Citations, of which only tickets that had their resolution by
	// then are shown: what a note of that day could say.
	Solved = "solved by then"

	// Product is the configuration that the product uses.
	Product = Citations
)

// Measured is what a run over a set has found.
type Measured struct {
	Set                         string
	Tickets, Findable, Articles int
	Rows                        []Measurement // by corpus, then configuration
	Left                        []string
}

// Measurement is what one configuration has found in one corpus.
type Measurement struct {
	Corpus, Configuration string
	Answers               map[string]Answer // by query
	Took                  []time.Duration   // each search
}

// Run is a measurement that is to be made.
type Run struct {
	Now      func() time.Time
	Progress func(done, total int) // nil: nobody wants to know
}

// Measure asks every query of the set, in the order of time. What is found was
// created before the query; a resolution counts once it was given. A set with
// no query that can be asked gives no rows.
func (r Run) Measure(ctx context.Context, s Set) (Measured, error) {
	p := newReplay(s, r.Now)
	queries := p.queries()
	for i, q := range queries {
		if err := ctx.Err(); err != nil {
			return Measured{}, err
		}
		t := p.set.Tickets[q.ticket]
		p.until(t.Created)
		if err := p.ask(ctx, q); err != nil {
			return Measured{}, fmt.Errorf("evaluate: ask about ticket %s of %s: %w", t.ID, s.Name, err)
		}
		if r.Progress != nil {
			r.Progress(i+1, len(queries))
		}
	}
	return Measured{
		Set: s.Name, Tickets: len(s.Tickets), Findable: p.findable, Articles: len(s.Articles),
		Rows: p.measured(), Left: append(s.Left, p.left...),
	}, nil
}
