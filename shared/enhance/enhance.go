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
	readLimit   = 30 * time.Second  // for the ticket; then the webhook's text stands in
	modelLimit  = 50 * time.Second  // for all tries of the model; the rest is for writing
	lease       = 20 * time.Second  // a crash holds the ticket this long at most
	saveLimit   = 5 * time.Second   // for the record of a job whose time is over
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

	// Reserve takes the tokens of a call from what the tenant may use today, which
	// limit bounds; ok is false where that is used up. settle puts the tokens
	// that were used in their place. It is asked only where a tenant has a limit.
	Reserve func(ctx context.Context, id tenant.ID, tokens, limit int) (settle func(ctx context.Context, used int) error, ok bool, err error)
	// Whose gives the owners of canaries; what nobody owns is left out. It is
	// asked only where a text holds what looks like one.
	Whose func(ctx context.Context, canaries []string) (map[string]tenant.ID, error)
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
	model   string
	usage   llm.Usage
	missing note.Missing
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

	record := Enhancement{Status: Pending, Posting: attempt.Posting, Shadow: c.tenant.Settings.ShadowMode}
	t, told, err := e.read(ctx, c, ev)
	if err != nil {
		return e.fail(ctx, attempt, record, judge, err)
	}
	if t.Key != ev.Ref.Key {
		return e.underItsKey(ctx, attempt, record, judge, ev.As(t.Key))
	}
	record.Revision = t.Revision()
	if record.Skipped = e.skip(ctx, c, t, attempt); record.Skipped != "" {
		return e.finish(ctx, attempt, record)
	}
	if err := e.write(ctx, c, ev, note.Briefing{Ticket: t, Told: told}, &record); err != nil {
		return e.fail(ctx, attempt, record, judge, err)
	}
	if !record.Shadow {
		if err := e.stillTheirs(ctx, c, ev, t); err != nil {
			return e.fail(ctx, attempt, record.withoutText(), judge, err)
		}
		record.NoteID, err = e.post(ctx, c, attempt, record)
		if err != nil {
			record.Posting = true
			return e.fail(ctx, attempt, record, judge, err)
		}
	}
	return e.finish(ctx, attempt, record)
}

// write gathers the evidence, asks the model, and writes the note into the
// record. An error leaves a record without text: what may be another tenant's
// is not stored with this one.
func (e *Enhancer) write(ctx context.Context, c client, ev ticket.Event, b note.Briefing, r *Enhancement) (err error) {
	if b.Bundle, err = e.gather(ctx, c, ev, b.Ticket); err != nil {
		return err
	}
	d := draft{missing: note.Suspected}
	if b.Suspect = e.suspect(ctx, b.Ticket); !b.Suspect {
		if d, err = e.ask(ctx, c, ev, b.Ticket, b.Bundle); err != nil {
			return err
		}
		b.Suspect = len(b.Bundle.Withheld) > 0
	}
	b.Checked, b.Model, b.Missing = d.checked, d.model, d.missing
	b.Marker, b.Now, b.Language = ev.Ref.Marker(), e.Now(), c.tenant.Settings.Language
	text := note.Write(b)
	if err := e.noForeign(ctx, ev, "the note", text); err != nil {
		return err
	}
	r.Bundle, r.Note = b.Bundle, text
	r.Model, r.Usage, r.EvidenceOnly = d.model, d.usage, d.missing != note.Nothing
	return nil
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
func (e *Enhancer) read(ctx context.Context, c client, ev ticket.Event) (t ticket.Ticket, told bool, err error) {
	reading, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	t, err = c.tool.Ticket(reading, ev.Ref.Key)
	if err == nil {
		return t, false, e.Guard.Check(ctx, c.connection, ev, t.Account)
	}
	if errors.Is(err, ticketing.ErrNotFound) {
		return t, false, queue.Discard(err)
	}
	_, limited := errors.AsType[*ticketing.LimitedError](err)
	if limited || !ev.Signed || ev.Told.Description == "" || !c.connection.OneClient() {
		return t, false, err
	}
	e.Log.WarnContext(ctx, "the webhook's text stands in for the ticket", "operation", "read_ticket", "error", err.Error())
	return ticket.Ticket{
		Key: ev.Ref.Key, Number: ev.Ref.Key, Subject: ev.Told.Subject, Description: ev.Told.Description, Priority: ev.Told.Priority,
		Created: ev.Received,
	}, true, nil
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

// gather asks the tenant's sources. Evidence with another tenant's canary is
// an error; the tenant's own decoys are left out.
func (e *Enhancer) gather(ctx context.Context, c client, ev ticket.Event, t ticket.Ticket) (evidence.Bundle, error) {
	ctx, span := metric.Tracer.Start(ctx, metric.SpanContextGathering)
	defer span.End()
	sources := make([]evidence.Source, 0, len(e.Sources))
	for _, s := range e.Sources {
		if !c.tenant.Settings.Off(s.Name()) {
			sources = append(sources, s)
		}
	}
	q := evidence.Query{Tenant: c.tenant.ID, Connection: c.connection.ID, Ticket: t, Settings: c.tenant.Settings}
	b := evidence.Gather(ctx, q, SourceLimit, sources...)
	for name, took := range b.Took {
		metric.SourceDuration.Record(ctx, took.Seconds(), metric.With(metric.Tenant(string(c.tenant.ID)), metric.Source(name)))
	}
	for _, g := range b.Gaps {
		e.Log.WarnContext(ctx, "evidence source failed", "operation", "gather", "source", g.Source, "error", g.Reason)
	}
	b, err := e.withoutDecoys(ctx, ev, b)
	return e.withhold(ctx, b), err
}

// post commits that a note is about to be written, then writes it. Whoever
// finds that commit without an end looks for the note before writing.
func (e *Enhancer) post(ctx context.Context, c client, a Attempt, r Enhancement) (string, error) {
	ctx, span := metric.Tracer.Start(ctx, metric.SpanTicketUpdate)
	defer span.End()
	r.Posting = true
	if err := e.Ledger.Save(ctx, a, r); err != nil {
		return "", fmt.Errorf("record that the note is being written: %w", err)
	}
	return c.tool.PutNote(ctx, a.Ref.Key, ticket.Note{
		Marker: a.Ref.Marker(), Markdown: r.Note, Format: c.tenant.Settings.NoteFormat, ID: a.NoteID, Search: a.Posting,
	})
}
