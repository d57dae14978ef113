package enhance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/note"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// job is one try at a job, as far as it has come.
type job struct {
	client
	event   ticket.Event
	attempt Attempt
	ticket  ticket.Ticket
	told    bool   // the webhook's text stands in for the ticket
	suspect string // the rule by which it has text that is addressed to AI or operators; "" for none
	record  Enhancement
	missing note.Missing // in the note of the record
	posted  bool         // this try has put a note on the ticket
	doubt   bool         // or may have
	timeline
}

func newJob(c client, ev ticket.Event, a Attempt) *job {
	return &job{
		client: c, event: ev, attempt: a, timeline: timeline{began: time.Now()},
		record: Enhancement{Status: Pending, Posting: a.Posting, Shadow: c.tenant.Settings.ShadowMode},
	}
}

// findings is what a note is written from.
type findings struct {
	bundle evidence.Bundle
	draft  draft
	err    error
}

// minGather is how long the sources have before a note is posted without the
// model, where reading the ticket took its time.
const minGather = 2 * time.Second

// brief puts the note on the ticket, in time: with what the model says where it
// answers before the note is due, else from the evidence that is there by then,
// edited when the model has answered or failed. Nothing of it goes on after it
// returns.
func (e *Enhancer) brief(ctx context.Context, j *job) error {
	j.suspect = e.suspect(ctx, j.ticket)
	var working sync.WaitGroup
	defer working.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()

	gathering := evidence.Begin(ctx, j.query(j.ticket), SourceLimit, e.sources(j.client)...)
	found := make(chan findings, 1)
	working.Go(func() { found <- e.find(ctx, j, gathering) })
	select {
	case f := <-found:
		return e.last(ctx, j, f)
	case <-time.After(max(NoteLimit-time.Since(j.began), minGather)):
	}
	if j.attempt.NoteID == "" && j.event.Kind != ticket.Improve { // else there is a note
		if err := e.put(ctx, j, e.early(ctx, j, gathering)); err != nil && !passing(err) {
			return err
		}
	}
	return e.last(ctx, j, <-found)
}

// last puts the note that stays. Where the tool does not take the model's words,
// it is written from the evidence alone.
func (e *Enhancer) last(ctx context.Context, j *job, f findings) error {
	err := e.put(ctx, j, f)
	if errors.Is(err, ticketing.ErrRejected) && f.draft.missing == note.Nothing {
		e.Log.WarnContext(ctx, "the tool does not take the model's words", "operation", "put_note", "error", err.Error())
		f.draft.missing = note.Refused
		err = e.put(ctx, j, f)
	}
	return err
}

// passing tells whether what failed now may succeed in a while: the model's
// answer is worth waiting for.
func passing(err error) bool {
	_, limited := errors.AsType[*ticketing.LimitedError](err)
	return limited || errors.Is(err, ticketing.ErrUnavailable) || errors.Is(err, ticketing.ErrIndeterminate)
}

// early is what a note that is due is written from.
func (e *Enhancer) early(ctx context.Context, j *job, g *evidence.Gathering) (f findings) {
	if f.draft.missing = e.unasked(j); f.draft.missing == note.Nothing {
		f.draft.missing = note.Pending
	}
	f.bundle, f.err = e.sift(ctx, j.event, g.Bundle())
	return f
}

// find waits for the evidence, and asks the model.
func (e *Enhancer) find(ctx context.Context, j *job, g *evidence.Gathering) (f findings) {
	defer recovered(ctx, e.Log, func(err error) { f.err = err })
	if f.bundle, f.err = e.gathered(ctx, j, g); f.err != nil {
		return f
	}
	// What a text does to the asking and the checking costs the model's part, not
	// the note.
	func() {
		defer recovered(ctx, e.Log, func(error) { f.draft.missing = note.Unanswered })
		f.draft, f.err = e.ask(ctx, j, f.bundle)
	}()
	return f
}

// recovered turns a panic into an error: it must not end the process, which has
// other jobs. Defer it.
func recovered(ctx context.Context, log *slog.Logger, fail func(error)) {
	if p := recover(); p != nil {
		log.ErrorContext(ctx, "the enhancement panicked", "operation", "enhance", "stack", string(debug.Stack()))
		fail(fmt.Errorf("panic with a %T: the log has its stack", p))
	}
}

// put writes the note into the record, and posts it. A note of the evidence
// alone never takes the place of one that has more.
func (e *Enhancer) put(ctx context.Context, j *job, f findings) error {
	if err := ctx.Err(); err != nil {
		return err // the record keeps the note that may be there
	}
	if f.err != nil {
		j.record = j.record.withoutText()
		return f.err
	}
	end := j.step("write")
	text, err := e.compose(ctx, j, f)
	end(string(f.draft.missing))
	if err != nil {
		j.record = j.record.withoutText()
		return err
	}
	d, r := f.draft, &j.record
	r.Bundle, r.Note, r.Model, r.Usage, r.EvidenceOnly = f.bundle, text, d.model, d.usage, d.missing != note.Nothing
	j.missing = d.missing
	r.Run = Run{Started: j.began, Versions: e.versions(), Steps: j.ended(), Suspicion: j.suspect, Calls: d.calls, Verdicts: anonymous(d.checked.Verdicts)}
	if r.Shadow {
		return nil
	}
	if j.event.Kind == ticket.Improve && r.EvidenceOnly {
		r.Skipped, r.Note = "the note stays as it is: "+string(d.missing), ""
		return nil
	}
	if err := e.stillTheirs(ctx, j.client, j.event, j.ticket); err != nil {
		j.record = r.withoutText()
		return err
	}
	err = e.post(ctx, j)
	r.Run.Steps = j.ended()
	return err
}

// compose writes the note, and looks for what must not be in it.
func (e *Enhancer) compose(ctx context.Context, j *job, f findings) (string, error) {
	b := note.Briefing{
		Ticket: j.ticket, Told: j.told, Bundle: f.bundle,
		Checked: f.draft.checked, Model: f.draft.model, Missing: f.draft.missing,
		Suspect:  j.suspect != "",
		Language: j.tenant.Settings.Language, Marker: j.event.Ref.Marker(), Now: e.Now(),
	}
	if j.attempt.NoteID != "" && !j.told { // what the webhook tells lacks the requester
		b.Changed = ticket.Changed(j.attempt.Revision, j.record.Revision)
	}
	if e.Links != nil && !j.tenant.Settings.NoFeedback {
		b.Useful, b.Useless = e.Links(j.tenant.ID, j.event.Job)
	}
	text := note.Write(b)
	return text, e.noForeign(ctx, j.event, "the note", text)
}

// post commits that a note is about to be written, then writes it. Whoever
// finds that commit without an end looks for the note before writing. A tool
// that cannot edit gets a second note only where that has claims of the model.
func (e *Enhancer) post(ctx context.Context, j *job) error {
	defer j.step("post")(string(j.missing))
	ctx, span := metric.Tracer.Start(ctx, metric.SpanTicketUpdate)
	defer span.End()
	r := &j.record
	r.Posting = true
	if err := e.Ledger.Save(ctx, j.attempt, *r); err != nil {
		return fmt.Errorf("record that the note is being written: %w", err)
	}
	n := ticket.Note{
		Marker: j.event.Ref.Marker(), Markdown: r.Note, Format: j.tenant.Settings.NoteFormat, ID: j.attempt.NoteID, Search: j.attempt.Posting || j.doubt,
	}
	if j.posted {
		n.ID, n.Search = r.NoteID, false
	}
	id, err := j.tool.PutNote(ctx, j.event.Ref.Key, n)
	if j.posted && errors.Is(err, ticketing.ErrImmutable) {
		if r.EvidenceOnly {
			return nil
		}
		n.ID = ""
		id, err = j.tool.PutNote(ctx, j.event.Ref.Key, n)
	}
	if err != nil {
		j.doubt = true
		return err
	}
	if !j.posted && j.event.Kind != ticket.Improve {
		metric.EnhancementAge.Record(ctx, age(j.event, e.Now()).Seconds(), metric.With(metric.Tenant(string(j.tenant.ID))))
	}
	r.NoteID, j.posted = id, true
	return nil
}
