// Package evidence is the port to whatever knows something about a ticket:
// past tickets, articles, the inventory, monitoring. Gather asks every Source
// at once, and a source that fails is a named Gap in the Bundle, never a
// failed job.
package evidence

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

// Kind sorts items into the sections of the note.
type Kind string

// The kinds of item, in the order of the note.
const (
	PastTicket Kind = "ticket"
	Article    Kind = "article"
	System     Kind = "system"
)

// Query asks what is known about a ticket, in one tenant.
type Query struct {
	Tenant     tenant.ID
	Connection string
	Ticket     ticket.Ticket
	Settings   tenant.Settings
}

// Item is one piece of evidence: enough for a technician to act on and to
// open its source.
type Item struct {
	// ID is how the note and the model cite the item: T1, A1, S1. Gather gives it.
	ID     string    `json:"id"`
	Kind   Kind      `json:"kind"`
	Source string    `json:"source"` // Source.Name, put in by Gather
	Ref    string    `json:"ref"`    // the ticket number, article key or host name
	Title  string    `json:"title"`
	Text   string    `json:"text,omitempty"` // the resolution, the summary, or role and location
	URL    string    `json:"url,omitempty"`
	When   time.Time `json:"when,omitzero"`   // resolved or last updated
	Score  float64   `json:"score,omitempty"` // comparable within one source only
	Why    string    `json:"why,omitempty"`   // what matched: "spooler, hp, 0x00000709"
	// Possibly says that too little matched to be sure that it is about the same.
	Possibly bool `json:"possibly,omitempty"`
	// Facts is what else is known of it, in words of ours: "held 21 days".
	Facts []string `json:"facts,omitempty"`
	// Path is how it was found: "words, latent factors, references".
	Path string `json:"path,omitempty"`
}

// Gap is a source that could not answer.
type Gap struct {
	Source string `json:"source"` // Source.Name
	Label  string `json:"label"`  // for the note: "knowledge base"
	Reason string `json:"reason"` // for the operator: the upstream's words
}

// Bundle is everything that was found about one ticket.
type Bundle struct {
	Items []Item                   `json:"items"`
	Gaps  []Gap                    `json:"gaps,omitempty"`
	Took  map[string]time.Duration `json:"took_ns"` // by source
	// Withheld names items whose text is addressed to AI or to operators: no text
	// of theirs is here.
	Withheld []Item `json:"withheld,omitempty"`
}

// Of gives the items of one kind, best first.
func (b Bundle) Of(kind Kind) []Item {
	var items []Item
	for _, it := range b.Items {
		if it.Kind == kind {
			items = append(items, it)
		}
	}
	return items
}

// Find gives the item with this citation id.
func (b Bundle) Find(id string) (Item, bool) {
	for _, it := range b.Items {
		if it.ID == id {
			return it, true
		}
	}
	return Item{}, false
}

// Source finds evidence. It is safe for concurrent use and returns soon after
// its context is done. Nothing found is an empty list, not an error; an error
// names the exact query and the upstream's words.
type Source interface {
	Name() string  // in settings, logs and metrics: "history"
	Label() string // in the note: "similar tickets"
	Find(ctx context.Context, q Query) ([]Item, error)
}

// Gather asks the sources at the same time, each for at most limit, and
// returns when all have answered or given up. The order of the items follows
// the order of the sources, so the same answers give the same bundle.
func Gather(ctx context.Context, q Query, limit time.Duration, sources ...Source) Bundle {
	type answer struct {
		items []Item
		err   error
		took  time.Duration
	}
	answers := make([]answer, len(sources))
	var wg sync.WaitGroup
	for i, s := range sources {
		wg.Go(func() {
			start := time.Now()
			items, err := ask(ctx, q, limit, s)
			answers[i] = answer{items, err, time.Since(start)}
		})
	}
	wg.Wait()

	b := Bundle{Items: []Item{}, Took: make(map[string]time.Duration, len(sources))}
	count := map[Kind]int{}
	for i, a := range answers {
		name := sources[i].Name()
		b.Took[name] = a.took
		if a.err != nil {
			b.Gaps = append(b.Gaps, Gap{Source: name, Label: sources[i].Label(), Reason: a.err.Error()})
		}
		for _, it := range a.items {
			count[it.Kind]++
			it.ID = fmt.Sprintf("%s%d", letter[it.Kind], count[it.Kind])
			it.Source = name
			b.Items = append(b.Items, it)
		}
	}
	return b
}

var letter = map[Kind]string{PastTicket: "T", Article: "A", System: "S"}

// ask asks one source. A panic in a source is that source's gap: the note of
// the ticket matters more.
func ask(ctx context.Context, q Query, limit time.Duration, s Source) (items []Item, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			items, err = nil, fmt.Errorf("%s: panic with a %T", s.Name(), r)
			if known, ok := r.(runtime.Error); ok { // any other panic may quote the ticket
				err = fmt.Errorf("%s: panic: %w", s.Name(), known)
			}
		}
	}()
	items, err = s.Find(ctx, q)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s: %w", limit, err)
	}
	return items, err
}
