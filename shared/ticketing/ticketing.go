// Package ticketing is the port to ticketing tools: what Deskhand asks of one
// (Tool), what a tool may offer besides (the small interfaces below it), and
// the errors by which the caller decides what happens next. One folder per
// tool implements it; ticketingtest holds every one to the same promises.
package ticketing

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/ticket"
)

// Tool is an open connection to one instance of a ticketing tool. It is safe
// for concurrent use.
type Tool interface {
	// Event reads a webhook that is known to be genuine. It does no I/O. What
	// is wrong with the delivery comes back as *InvalidError with every reason.
	Event(Delivery) (Announcement, error)
	// Ticket reads a ticket. ErrNotFound covers deleted, merged and invisible.
	Ticket(ctx context.Context, key string) (ticket.Ticket, error)
	// PutNote puts one internal note on the ticket and returns its id: it
	// edits the note that n.ID names, else the one that carries n.Marker where
	// n.Search asks to look, else it adds one. It never shows the note to the
	// requester, and writes nothing where the note already says the same.
	// ErrIndeterminate means that the note may or may not be there.
	PutNote(ctx context.Context, key string, n ticket.Note) (noteID string, err error)
}

// Delivery is a webhook as it came in.
type Delivery struct {
	Kind   ticket.Kind // from the route
	Header http.Header
	Body   []byte // at most 1 MiB
	// Strict applies the length limits of the stories to the description; the
	// tools' own webhooks are doorbells, whose text is cut instead.
	Strict bool
}

// Announcement is what a delivery says.
type Announcement struct {
	Key string // of the ticket
	// Kind is what happened, where the delivery itself tells it: Created, or one
	// of ticket.Announced. "" leaves it to the route.
	Kind    ticket.Kind
	Tenant  string // the tenant that the body claims; "" where it does not
	Account string // the tool's own client, organisation or project, where told
	// Delivery is the tool's id of this delivery, the same for its retries;
	// "" where the tool sends none.
	Delivery string
	Told     ticket.Told
	// Recovered says that the body was broken, and read for the ticket's id and
	// to whom it belongs alone.
	Recovered bool
}

// Lister lists past tickets, for the import.
type Lister interface {
	// Resolved gives one page of tickets closed or resolved from since until
	// before until, and the cursor of the next page, "" after the last. The
	// first cursor is "". Rows that cannot be read are in Page.Invalid.
	Resolved(ctx context.Context, since, until time.Time, cursor string) (Page, error)
}

// Page is one page of past tickets.
type Page struct {
	Tickets []ticket.Ticket // with their resolution
	Invalid []error         // one for each ticket that was left out
	Total   int             // of the whole listing; 0 where the tool does not tell
	Next    string
}

// Article is a knowledge-base article.
type Article struct {
	Key     string
	Title   string
	Text    string // plain
	URL     string
	Updated time.Time
	Account string // the client it belongs to; "" for all of the connection's
}

// Librarian gives the tool's knowledge base.
type Librarian interface {
	// Articles gives one page of approved articles and the next cursor.
	Articles(ctx context.Context, cursor string) (articles []Article, next string, err error)
}

// System is an asset of the tool's inventory.
type System struct {
	Key       string
	Hostname  string
	Role      string
	Client    string
	Location  string
	Addresses []string // IPv4 or IPv6, as the tool writes them
	Account   string   // the client it belongs to; "" for all of the connection's
}

// Inventory gives the tool's assets.
type Inventory interface {
	// Systems gives one page of assets and the next cursor.
	Systems(ctx context.Context, cursor string) (systems []System, next string, err error)
}

// Rehearsal is what the smoke test needs besides: it makes a ticket as a
// requester would, and reads the notes as a technician would.
type Rehearsal interface {
	Create(ctx context.Context, subject, description string) (key string, err error)
	Notes(ctx context.Context, key string) ([]PostedNote, error)
}

// Checker tells what the credential of the connection may do.
type Checker interface {
	// Check asks the tool about each permission that Deskhand needs, and changes
	// nothing there. It always gives all of them; the first that gets no answer
	// at all may stand for the rest.
	Check(ctx context.Context) []Permission
}

// Permission is one thing that the credential must be allowed to do.
type Permission struct {
	Name string // as the tool's administrator knows it
	Err  error  // why it cannot, nil where it can
}

// PostedNote is a note as the tool's API gives it back.
type PostedNote struct {
	ID     string
	Body   string // as stored by the tool, HTML for most
	Public bool   // shown to the requester
}

// The errors of this port. An adapter maps its vendor's answers to them in one
// function; the caller decides by errors.Is, and by errors.As for the two types.
var (
	// ErrNotFound: no such ticket for this account, now or any more. Permanent.
	ErrNotFound = errors.New("no such ticket, or not visible to this account")
	// ErrDenied: the credential is wrong or may not do this. Permanent until an
	// operator acts.
	ErrDenied = errors.New("the tool refuses the credential or the permission")
	// ErrRejected: the tool understood and refused. Permanent.
	ErrRejected = errors.New("the tool rejects the request")
	// ErrUnavailable: no answer, or not one that can be understood. Transient.
	ErrUnavailable = errors.New("the tool does not answer as it should")
	// ErrIndeterminate: a write got no answer and may have happened. Transient;
	// the next attempt has to look for the marker first.
	ErrIndeterminate = errors.New("the tool may or may not have stored this")
	// ErrImmutable: the tool cannot edit a note. Permanent.
	ErrImmutable = errors.New("the tool cannot edit a note")
)

// LimitedError says that the tool wants fewer calls. Transient.
type LimitedError struct{ After time.Duration }

// Error implements error.
func (e *LimitedError) Error() string {
	return fmt.Sprintf("the tool limits the rate of calls; next one in %s", e.After)
}

// InvalidError lists everything that is wrong with a delivery, in sentences
// for the person who set up the webhook.
type InvalidError struct{ Reasons []Reason }

// Reason is one thing that is wrong with one field.
type Reason struct {
	Field   string `json:"field"`
	Problem string `json:"problem"`
}

// Error implements error.
func (e *InvalidError) Error() string {
	parts := make([]string, len(e.Reasons))
	for i, r := range e.Reasons {
		parts[i] = r.Field + ": " + r.Problem
	}
	return "invalid delivery: " + strings.Join(parts, "; ")
}
