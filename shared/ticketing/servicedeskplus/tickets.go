package servicedeskplus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// Ticket implements ticketing.Tool. In the cloud, key may also be the number
// that people see; the ticket's Key is what the API wants.
func (t *tool) Ticket(ctx context.Context, key string) (ticket.Ticket, error) {
	var found ticket.Ticket
	err := t.byNumber(ctx, key, func(key string) (err error) {
		found, err = t.readTicket(ctx, key)
		return err
	})
	if err != nil {
		return ticket.Ticket{}, fmt.Errorf("servicedeskplus: read request %s: %w", key, err)
	}
	return found, nil
}

// byNumber calls do with the key. The cloud's webhooks send either its internal
// id or the number that people see: where it knows no such id, do is called
// once more, with the id of the request of that number.
func (t *tool) byNumber(ctx context.Context, key string, do func(key string) error) error {
	if !digits(key) {
		return fmt.Errorf("%w: a key is a number, not %.40q", ticketing.ErrNotFound, key)
	}
	err := do(key)
	if !t.cloud || !errors.Is(err, ticketing.ErrNotFound) {
		return err
	}
	var a struct {
		Requests []request `json:"requests"`
	}
	lookUp := page(1, criterion{Field: "display_id", Condition: "is", Value: key})
	if lost := t.read(ctx, http.MethodGet, "requests", lookUp, &a); lost != nil {
		return fmt.Errorf("look up number %s: %w", key, lost)
	}
	for _, r := range a.Requests {
		if string(r.DisplayID) == key && digits(string(r.ID)) && string(r.ID) != key {
			return do(string(r.ID))
		}
	}
	return err
}

// readTicket reads a request by its id, with its resolution if it has ended.
func (t *tool) readTicket(ctx context.Context, id string) (ticket.Ticket, error) {
	var a struct {
		Request request `json:"request"`
	}
	err := t.read(ctx, http.MethodGet, "requests/"+id, nil, &a)
	if has(err, codeForbidden) {
		return ticket.Ticket{}, fmt.Errorf("%w: %w", ticketing.ErrNotFound, err)
	}
	if err != nil {
		return ticket.Ticket{}, err
	}
	if a.Request.ID == "" {
		return ticket.Ticket{}, fmt.Errorf("%w: the answer has no request", ticketing.ErrUnavailable)
	}
	found := t.ticket(a.Request)
	if found.Closed && found.Resolution == "" {
		found.Resolution, err = t.resolution(ctx, found.Key)
	}
	return found, err
}

// resolution reads how a request was solved; "" where nobody wrote it down.
func (t *tool) resolution(ctx context.Context, id string) (string, error) {
	var a struct {
		Resolution content `json:"resolution"`
	}
	err := t.read(ctx, http.MethodGet, "requests/"+id+"/resolutions", nil, &a)
	if errors.Is(err, ticketing.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("resolution: %w", err)
	}
	return plain(string(a.Resolution)), nil
}

// ticket gives a request as the rest of the product knows tickets. No document
// that we have shows how the API gives a requester's replies, so it has none.
func (t *tool) ticket(r request) ticket.Ticket {
	id := string(r.ID)
	number := cmp.Or(string(r.DisplayID), id)
	closed := r.Status.among(t.closed)
	if r.Status.InProgress != nil {
		closed = closed || !*r.Status.InProgress
	}
	found := ticket.Ticket{
		Key:         id,
		Number:      number,
		Subject:     line(string(r.Subject)),
		Description: plain(string(r.Description)),
		Priority:    string(r.Priority),
		Status:      r.Status.Name,
		Closed:      closed,
		Assignee:    string(r.Technician.Name),
		Started:     t.started(r),
		Account:     r.fields.at(t.account),
		Site:        string(r.Site),
		Requester:   string(r.Requester.Name),
		Email:       r.Requester.Email,
		Resolution:  plain(string(r.Resolution)),
		URL:         t.link(t.ticketURL, id, number),
		Created:     r.Created.Time,
		Updated:     r.Updated.Time,
	}
	if closed {
		for _, at := range []instant{r.Completed, r.ResolvedAt, r.Updated} {
			if found.Resolved.IsZero() {
				found.Resolved = at.Time
			}
		}
	}
	return found
}

// started tells whether somebody has answered the requester, or moved the
// request on from a status that new ones have.
func (t *tool) started(r request) bool {
	fresh := r.Status.Name == "" || r.Status.among(t.fresh) || strings.EqualFold(r.Status.Internal, "Open")
	return !fresh || !r.Responded.IsZero()
}

// cursor is where a listing goes on: "phase.start.last.last…". A ticket that
// leaves the listing while it is read moves every later one a place forward,
// so a page begins a few rows before the end of the one before, and leaves out
// the rows that it knows: the last ids.
type cursor struct {
	phase string // of the two listings below
	start int
	last  []string
}

// Requests are listed in two phases, since every single criterion of them is
// known to work: those that were closed in the window, by when; then those that
// were resolved in it and not closed yet.
const (
	byCompleted = "completed"
	byResolved  = "resolved"
	overlap     = 10
)

func (c cursor) String() string {
	return strings.Join(append([]string{c.phase, strconv.Itoa(c.start)}, c.last...), ".")
}

func parseCursor(s string) (cursor, error) {
	if s == "" {
		return cursor{phase: byCompleted, start: 1}, nil
	}
	parts := strings.Split(s, ".")
	if len(parts) >= 2 && (parts[0] == byCompleted || parts[0] == byResolved) {
		if start, err := strconv.Atoi(parts[1]); err == nil && start > 0 {
			return cursor{parts[0], start, parts[2:]}, nil
		}
	}
	return cursor{}, fmt.Errorf("%w: cursor %.60q is not one of this listing", ticketing.ErrRejected, s)
}

// Resolved implements ticketing.Lister. It makes one call for the page and one
// or two for every ticket on it.
func (t *tool) Resolved(ctx context.Context, since, until time.Time, at string) (ticketing.Page, error) {
	p, err := t.resolved(ctx, since, until, at)
	if err != nil {
		return ticketing.Page{}, fmt.Errorf("servicedeskplus: list requests closed from %s until %s: %w",
			since.Format(time.RFC3339), until.Format(time.RFC3339), err)
	}
	return p, nil
}

func (t *tool) resolved(ctx context.Context, since, until time.Time, at string) (ticketing.Page, error) {
	c, err := parseCursor(at)
	if err != nil {
		return ticketing.Page{}, err
	}
	l, err := t.closedRows(ctx, t.closedQuery(c.phase, c.start, since, until))
	if err != nil {
		return ticketing.Page{}, err
	}
	p := ticketing.Page{}
	if at == "" {
		other := t.closedQuery(byResolved, 1, since, until)
		other.Info.RowCount = 1
		rest, err := t.closedRows(ctx, other)
		if err != nil {
			return ticketing.Page{}, err
		}
		p.Total = int(l.Info.Total.int() + rest.Info.Total.int())
	}
	if p.Next, err = c.next(l); err != nil {
		return ticketing.Page{}, err
	}
	for _, row := range l.Requests {
		if slices.Contains(c.last, string(row.ID)) {
			continue
		}
		if err := t.addTo(ctx, &p, string(row.ID)); err != nil {
			return ticketing.Page{}, err
		}
	}
	return p, nil
}

// addTo reads one ticket of a page. What fails for this ticket alone, and
// would fail again, leaves it out; everything else fails the page.
func (t *tool) addTo(ctx context.Context, p *ticketing.Page, id string) error {
	if !digits(id) {
		p.Invalid = append(p.Invalid, fmt.Errorf("request %.40q: its id is not a number", id))
		return nil
	}
	found, err := t.readTicket(ctx, id)
	switch {
	case errors.Is(err, ticketing.ErrNotFound), errors.Is(err, ticketing.ErrRejected):
		p.Invalid = append(p.Invalid, fmt.Errorf("request %s: %w", id, err))
	case err != nil:
		return fmt.Errorf("request %s: %w", id, err)
	case found.Closed: // and not opened again since the page was listed
		p.Tickets = append(p.Tickets, found)
	}
	return nil
}

type closedList struct {
	listed
	Requests []request `json:"requests"`
}

func (t *tool) closedRows(ctx context.Context, query listing) (closedList, error) {
	var l closedList
	err := t.read(ctx, http.MethodGet, "requests", query, &l)
	return l, err
}

// closedQuery asks for a page of one phase. It is sorted by what never changes.
func (t *tool) closedQuery(phase string, start int, since, until time.Time) listing {
	window := []string{milli(since), milli(until.Add(-time.Millisecond))}
	criteria := []criterion{
		{Field: phase + "_time", Condition: "between", Values: window},
		{Field: "status.name", Condition: "is", Values: t.closed, Operator: "AND"},
	}
	if phase == byResolved {
		criteria = append(criteria, criterion{Field: byCompleted + "_time", Condition: "is", Values: []string{}, Operator: "AND"})
	}
	q := page(start, criteria...)
	q.Info.SortField, q.Info.SortOrder, q.Info.Total = "created_time", "asc", true
	q.Info.Fields = []string{"id", "subject", "created_time"}
	return q
}

// next gives the cursor of the page after l, "" after the last.
func (c cursor) next(l closedList) (string, error) {
	rows := len(l.Requests)
	if rows == 0 || !l.more() {
		if c.phase == byCompleted {
			return cursor{phase: byResolved, start: 1}.String(), nil
		}
		return "", nil
	}
	back := overlap
	if rows <= overlap {
		back = 0
	}
	following := cursor{phase: c.phase, start: c.start + rows - back}
	for _, r := range l.Requests[max(rows-overlap, 0):] {
		following.last = append(following.last, string(r.ID))
	}
	if slices.Equal(following.last, c.last) {
		return "", fmt.Errorf("%w: the list does not go on after row %d", ticketing.ErrUnavailable, c.start)
	}
	return following.String(), nil
}

func milli(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) }

// digits tells whether s is an id of the product, and nothing that could mean
// another path.
func digits(s string) bool {
	return s != "" && len(s) <= 19 && strings.Trim(s, "0123456789") == ""
}
