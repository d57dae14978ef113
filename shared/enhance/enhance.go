// Package enhance is the product: it takes the event of a ticket, reads the
// ticket, gathers evidence, asks the model, checks the answer against the
// evidence, and puts one internal note on the ticket. Start with Enhance.
package enhance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/note"
	"github.com/deskhand/deskhand/shared/ownership"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/receipts"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// The time limits of a job, from the stories.
const (
	JobLimit    = 120 * time.Second // story 2.4
	SourceLimit = 10 * time.Second  // story 2.6
	// NoteLimit is when, after the pickup, a note is posted without the model.
	NoteLimit  = 8 * time.Second
	readLimit  = 30 * time.Second // for the ticket; then the webhook's text stands in
	modelLimit = 60 * time.Second // for all calls of the model; the rest is for writing
	lease      = 20 * time.Second // a crash holds the ticket this long at most
	saveLimit  = 5 * time.Second  // for the record of a job whose time is over
)

// Enhancer makes notes. It is safe for concurrent use.
type Enhancer struct {
	Directory func() tenant.Directory
	Open      func(tenant.Connection) (ticketing.Tool, error)
	Ledger    Ledger
	Sources   []evidence.Source
	Model     llm.Model // nil: notes are written from the evidence alone
	Policy    queue.Policy
	Now       func() time.Time
	Log       *slog.Logger
	Outcomes  *Outcomes
	Queue     queue.Sender // takes what is to be tried again later
	Version   string       // of the program, for run records

	// Prices is what models cost, where their endpoint does not tell.
	Prices llm.Prices
	// Reserve takes most from what the tenant may still take within its limits;
	// refused names the one that could be passed: then nothing is taken. settle
	// puts what was used in its place. It is asked only where a tenant has limits.
	Reserve func(ctx context.Context, id tenant.ID, most Amount, limits Limits) (settle func(ctx context.Context, used Amount) error, refused string, err error)
	// Whose gives the owners of canaries; what nobody owns is left out. It is
	// asked only where a text holds what looks like one.
	Whose func(ctx context.Context, canaries []string) (map[string]tenant.ID, error)
	// Links gives the links of a note's foot, by which technicians vote; "" for
	// none. nil: notes have none.
	Links func(id tenant.ID, job string) (useful, useless string)
	// Guard holds tickets to the tenant of their event, and raises alarms.
	Guard ownership.Guard
}

// client is whose ticket it is, and how to reach the tool.
type client struct {
	tenant     tenant.Tenant
	connection tenant.Connection
	tool       ticketing.Tool
}

// draft is what the model contributed: checked claims, or the reason why there
// are none.
type draft struct {
	checked receipts.Checked
	missing note.Missing
	model   string    // that answered
	usage   llm.Usage // of all calls
	calls   []Call
}

// Enhance puts the note on the ticket of ev, or says by its error what is to
// happen next, in the terms of package queue. However often it is called for
// an event, and wherever it dies, one note and one completed record remain.
// The judge tells what becomes of the job after an error.
func (e *Enhancer) Enhance(ctx context.Context, ev ticket.Event, judge func(error) queue.Verdict) error {
	ctx, cancel := context.WithTimeout(ctx, JobLimit)
	defer cancel()

	c, err := e.client(ev)
	if err != nil {
		return err
	}
	attempt, err := e.begin(ctx, ev)
	if err != nil || attempt.Job == "" {
		return err
	}
	ctx, letGo := e.hold(ctx, attempt)
	defer letGo()

	j := newJob(c, ev, attempt)
	if err := e.read(ctx, j); err != nil {
		return e.fail(ctx, attempt, j.record, judge, err)
	}
	if j.ticket.Key != ev.Ref.Key {
		return e.underItsKey(ctx, attempt, j.record, judge, ev.As(j.ticket.Key))
	}
	if j.record.Skipped = e.skip(ctx, c, ev, j.ticket, attempt); j.record.Skipped != "" {
		return e.finish(ctx, attempt, j.record)
	}
	if err := e.brief(ctx, j); err != nil {
		return e.fail(ctx, attempt, j.record, judge, err)
	}
	e.improveLater(ctx, j)
	return e.finish(ctx, attempt, j.record)
}

// Handle is the queue's handler for enhancement messages.
func (e *Enhancer) Handle(ctx context.Context, m queue.Message) error {
	var ev ticket.Event
	if err := json.Unmarshal(m.Body, &ev); err != nil || ev.Ref.Tenant != m.Tenant {
		return queue.Discard(errors.Join(fmt.Errorf("enhance: message %s is no event of tenant %s", m.ID, m.Tenant), err))
	}
	ctx = metric.About(metric.Continue(ctx, m.Trace), string(ev.Ref.Tenant), ev.Ref.Key, ev.Job)
	metric.WorkersActive.Add(ctx, 1)
	defer metric.WorkersActive.Add(ctx, -1)

	start := e.Now()
	e.Log.InfoContext(ctx, "enhancement started", "operation", "enhance", "tries", m.Errors+1)
	judge := func(err error) queue.Verdict { return e.Policy.Decide(m, err, e.Now()) }
	err := e.Enhance(ctx, ev, judge)
	e.report(ctx, ev, judge(err), err, start)
	return err
}

// client finds out whose ticket it is. A tenant or connection that is gone is
// no reason to try again; one that may be new to this process is.
func (e *Enhancer) client(ev ticket.Event) (client, error) {
	d := e.Directory()
	if d.Loaded.IsZero() {
		return client{}, queue.RetryAfter(time.Second, errors.New("the directory of tenants is not loaded yet"))
	}
	t, err := d.Tenant(ev.Ref.Tenant)
	conn, errConn := d.Connection(ev.Ref.Tool, ev.Ref.Connection)
	if err = errors.Join(err, errConn); err == nil && !conn.Serves(ev.Ref.Tenant) {
		err = fmt.Errorf("connection %s does not serve tenant %s (any more)", conn.ID, ev.Ref.Tenant)
	}
	if err != nil && !d.After(ev.Received) {
		return client{}, queue.RetryAfter(5*time.Second, err)
	}
	if err != nil {
		return client{}, queue.Discard(err)
	}
	tool, err := e.Open(conn.For(t.Settings))
	if err != nil {
		return client{}, fmt.Errorf("open connection %s: %w", conn.ID, err)
	}
	return client{t, conn, tool}, nil
}

// begin takes the lease. An empty Attempt without error means that the job was
// done before.
func (e *Enhancer) begin(ctx context.Context, ev ticket.Event) (Attempt, error) {
	attempt, err := e.Ledger.Begin(ctx, ev, lease)
	if errors.Is(err, ErrEnded) {
		return Attempt{}, nil
	}
	if busy, ok := errors.AsType[*BusyError](err); ok {
		// The other try renews its lease, so its end says little: look again soon.
		return Attempt{}, queue.RetryAfter(min(max(busy.Until, time.Second), 5*time.Second), err)
	}
	return attempt, err
}

// read reads the ticket through the tool's API. Where that fails and the
// webhook's signature covered the ticket's text, that text stands in, and told
// says so.
func (e *Enhancer) read(ctx context.Context, j *job) error {
	defer j.step("read")("")
	reading, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	ev := j.event
	t, err := j.tool.Ticket(reading, ev.Ref.Key)
	if err == nil {
		j.ticket, j.record.Revision = t, t.Revision()
		return e.Guard.Check(ctx, j.connection, ev, t.Account)
	}
	if errors.Is(err, ticketing.ErrNotFound) {
		return queue.Discard(err)
	}
	_, limited := errors.AsType[*ticketing.LimitedError](err)
	if limited || !ev.Signed || ev.Told.Description == "" || !j.connection.OneClient() {
		return err
	}
	e.Log.WarnContext(ctx, "the webhook's text stands in for the ticket", "operation", "read_ticket", "error", err.Error())
	j.told, j.ticket = true, ticket.Ticket{
		Key: ev.Ref.Key, Number: ev.Ref.Key, Subject: ev.Told.Subject, Description: ev.Told.Description, Priority: ev.Told.Priority,
		Created: ev.Received,
	}
	return nil // without a revision: it lacks the requester, so the ticket is to be read again
}

// underItsKey does the work of an event that named the ticket in another way
// than the tool's API does (the number that people see): under the tool's own
// key, so that one ticket has one lease and one note. The job of the event
// ends with it.
func (e *Enhancer) underItsKey(ctx context.Context, a Attempt, r Enhancement, judge func(error) queue.Verdict, ev ticket.Event) error {
	if err := e.Enhance(ctx, ev, judge); err != nil {
		return e.fail(ctx, a, r, judge, err)
	}
	r.Skipped = "done as job " + ev.Job + ", ticket " + ev.Ref.Key
	return e.finish(ctx, a, r)
}
