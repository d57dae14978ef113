package feedback_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/feedback"
	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/outcome"
	votes "github.com/deskhand/deskhand/shared/postgres/feedback"
	"github.com/deskhand/deskhand/shared/postgres/ledger"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/quality"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

type world struct {
	votes.Store
	ledger ledger.Ledger
	db     pgtest.DB
}

func newWorld(t *testing.T) world {
	t.Helper()
	db := pgtest.New(t)
	db.AddTenants(t, "acme", "globex")
	return world{votes.Store{DB: db.App(t)}, ledger.Ledger{DB: db.App(t)}, db}
}

var bundle = evidence.Bundle{Items: []evidence.Item{
	{ID: "T1", Kind: evidence.PastTicket, Ref: "1042", Text: "Restarted the spooler on PRN-02."},
	{ID: "T2", Kind: evidence.PastTicket, Ref: "1043", Text: "Replaced the toner."},
}}

// job lets a job of the ticket end so, and gives its id.
func (w world) job(t *testing.T, id tenant.ID, key, delivery string, e enhance.Enhancement) string {
	t.Helper()
	ref := ticket.Ref{Tenant: id, Tool: "sdp", Connection: "desk", Key: key}
	return w.end(t, ticket.Event{Job: ticket.JobID(ref, ticket.Created, delivery), Ref: ref, Kind: ticket.Created, Received: time.Now().Add(-3 * time.Second)}, e)
}

// end lets the job of an event end so, and gives its id.
func (w world) end(t *testing.T, ev ticket.Event, e enhance.Enhancement) string {
	t.Helper()
	a, err := w.ledger.Begin(t.Context(), ev, time.Minute)
	if err == nil {
		err = w.ledger.Save(t.Context(), a, e)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ev.Job
}

var noted = enhance.Enhancement{Status: enhance.Completed, Note: "- Restart the spooler", NoteID: "1", Bundle: bundle, Usage: llm.Usage{CostUSD: .25}}

var down = feedback.Answer{
	Vote: feedback.Useless, Reasons: []feedback.Reason{feedback.WrongTicket}, Wrong: []feedback.Pair{{Kind: evidence.PastTicket, Ref: "1043"}}, Comment: "no\x00",
}

func TestWhoTakesAVoteBackTakesBackWhatItMuted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.job(t, "acme", "7", "a", noted), w.job(t, "acme", "7", "b", noted)
	for _, job := range []string{first, second} {
		if err := w.Put(t.Context(), "acme", job, down); err != nil {
			t.Fatal(err)
		}
	}
	muted := func() (n int) {
		if err := w.db.Owner(t).QueryRow(t.Context(), "SELECT count(*) FROM muted_pairs").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := muted(); n != 2 {
		t.Errorf("%d are muted, want that of each note", n)
	}
	if err := w.Put(t.Context(), "acme", first, feedback.Answer{Vote: feedback.Useful}); err != nil || muted() != 1 {
		t.Errorf("%v, %d are muted; want the other note's", err, muted())
	}
	got, err := w.Note(t.Context(), "acme", second)
	want := down
	want.Comment = "no"
	if diff := cmp.Diff(feedback.Note{Items: bundle.Items, Answer: want}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestAnotherTenantsNoteIsUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.job(t, "acme", "7", "a", noted)
	skipped := w.job(t, "globex", "7", "a", enhance.Enhancement{Status: enhance.Completed, Skipped: "the ticket is closed"})
	for _, c := range []struct {
		id  tenant.ID
		job string
	}{{"globex", job}, {"globex", skipped}, {"nobody", job}} {
		if _, err := w.Note(t.Context(), c.id, c.job); !errors.Is(err, feedback.ErrUnknown) {
			t.Errorf("Note of %s: %v", c.id, err)
		}
		if err := w.Put(t.Context(), c.id, c.job, down); !errors.Is(err, feedback.ErrUnknown) {
			t.Errorf("Put of %s: %v", c.id, err)
		}
	}
	if n, err := w.Last(t.Context(), "globex", "desk", "7"); err != nil || n.Job != "" {
		t.Errorf("Last = %+v, %v", n, err)
	}
}

func TestVotesAtTheSameTimeAreOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.job(t, "acme", "7", "a", noted)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if err := w.Put(t.Context(), "acme", job, down); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var all string
	const sql = `SELECT format('%s %s %s', (SELECT count(*) FROM feedback_votes), (SELECT count(*) FROM muted_pairs), (SELECT count(*) FROM audit_events WHERE operation = 'feedback_given'))`
	if err := w.db.Owner(t).QueryRow(t.Context(), sql).Scan(&all); err != nil || all != "1 1 1" {
		t.Errorf("votes, pairs, events: %s, %v", all, err)
	}
}

func TestAResolvedTicketIsComparedWithItsLastNote(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.job(t, "acme", "7", "a", noted)
	last := w.job(t, "acme", "7", "b", noted)
	w.job(t, "acme", "7", "c", enhance.Enhancement{Status: enhance.Completed, Skipped: "unchanged"})
	judge := outcome.Judge{Notes: w.Store}
	resolve := func(id tenant.ID, key, resolution string) {
		t.Helper()
		err := judge.Resolved(t.Context(), ticket.Ref{Tenant: id, Connection: "desk", Key: key}, ticket.Ticket{Subject: "Printer", Resolution: resolution})
		if err != nil {
			t.Fatal(err)
		}
	}
	resolve("globex", "7", "Restarted the spooler on PRN-02") // without a note
	resolve("acme", "8", "Restarted the spooler on PRN-02")
	resolve("acme", "7", "") // the tool told too early
	resolve("acme", "7", "Restarted the spooler on PRN-02")
	rows, err := w.db.Owner(t).Query(t.Context(), "SELECT format('%s %s %s %s', tenant_id, job_id, verdict, score) FROM note_outcomes")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		got = append(got, line)
	}
	if diff := cmp.Diff([]string{"acme " + last + " used 1"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestAJobThatSkippedItsTicketIsNoNote has a row that still holds a note, as that
// of a job which found that nothing was to be improved.
func TestAJobThatSkippedItsTicketIsNoNote(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ref := ticket.Ref{Tenant: "acme", Tool: "sdp", Connection: "desk", Key: "7"}
	anHourAgo := func(kind ticket.Kind, delivery string) ticket.Event {
		return ticket.Event{Job: ticket.JobID(ref, kind, delivery), Ref: ref, Kind: kind, Received: time.Now().Add(-time.Hour)}
	}
	stays := noted
	stays.Skipped = "the note stays as it is"
	first := w.job(t, "acme", "7", "a", noted)
	w.end(t, anHourAgo(ticket.Improve, "b"), stays)
	if n, err := w.Last(t.Context(), "acme", "desk", "7"); err != nil || n.Job != first {
		t.Errorf("the last note is of job %q, %v; want %s", n.Job, err, first)
	}
	now := time.Now()
	count := func() quality.Figures {
		t.Helper()
		f, err := w.Count(t.Context(), "acme", quality.Span{Since: now.Add(-2 * time.Hour), Until: now})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if f := count(); f.Notes != 1 || len(f.Skipped) != 0 {
		t.Errorf("%d notes, without a note %v; want 1 and none", f.Notes, f.Skipped)
	}
	// Notes that nobody waited for from a webhook on count, but not their times.
	w.end(t, anHourAgo(ticket.Improve, "c"), noted)
	w.end(t, anHourAgo(ticket.Replayed, "d"), noted)
	if f := count(); f.Notes != 3 || f.P95 > time.Minute || f.P50 < 3*time.Second {
		t.Errorf("%d notes, median %s, 95 %% within %s", f.Notes, f.P50, f.P95)
	}
}

func TestTheFiguresAreThoseOfTheTenantAndTheTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alone, shadow := noted, noted
	alone.EvidenceOnly, shadow.Shadow = true, true
	jobs := []string{w.job(t, "acme", "1", "a", noted), w.job(t, "acme", "2", "a", alone), w.job(t, "acme", "3", "a", shadow)}
	for i, e := range []enhance.Enhancement{
		{Status: enhance.Failed, Error: "no"},
		{Status: enhance.Completed, Skipped: "the ticket is closed"},
		{Status: enhance.Completed, Skipped: "done as job x, ticket 1"},
		{Status: enhance.Completed, Skipped: "done as job y, ticket 2"},
		{Status: enhance.Pending, RetryAt: time.Now()},
	} {
		w.job(t, "acme", fmt.Sprint(10+i), "a", e)
	}
	other := w.job(t, "globex", "1", "a", noted)
	for id, job := range map[string]tenant.ID{jobs[0]: "acme", other: "globex"} {
		if err := w.Put(t.Context(), job, id, down); err != nil {
			t.Fatal(err)
		}
		if err := w.PutOutcome(t.Context(), job, id, outcome.Partly, .5); err != nil {
			t.Fatal(err)
		}
		const sql = `INSERT INTO enhancement_runs (tenant_id, job_id, record) VALUES ($1, $2, '{"verdicts": [{"outcome": "kept"}, {"outcome": "removed"}, {"outcome": "general"}]}')`
		if _, err := w.db.Owner(t).Exec(t.Context(), sql, job, id); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Put(t.Context(), "acme", jobs[1], feedback.Answer{Vote: feedback.Useful}); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	got, err := w.Count(t.Context(), "acme", quality.Span{Since: now.Add(-time.Hour), Until: now})
	if err != nil {
		t.Fatal(err)
	}
	if got.P50 < 3*time.Second || got.P95 < got.P50 || got.P95 > time.Minute {
		t.Errorf("median %s, 95 %% within %s", got.P50, got.P95)
	}
	got.P50, got.P95 = 0, 0
	want := quality.Figures{
		Notes: 3, EvidenceOnly: 1, Shadow: 1, Failed: 1, Skipped: map[string]int{"the ticket is closed": 1, "done under the ticket's own key": 2},
		Votes: map[feedback.Vote]int{feedback.Useful: 1, feedback.Useless: 1}, Comments: 1, Reasons: map[feedback.Reason]int{feedback.WrongTicket: 1},
		Outcomes: map[outcome.Verdict]int{outcome.Partly: 1}, Claims: 3, Removed: 1, CostUSD: .75,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	before, err := w.Count(t.Context(), "acme", quality.Span{Since: now.Add(-time.Hour), Until: now.Add(-time.Minute)})
	if err != nil || before.Notes+before.Failed+len(before.Votes) > 0 {
		t.Errorf("before: %+v, %v", before, err)
	}
	w.DB.Close()
	if _, err := w.Count(t.Context(), "acme", quality.Span{}); err == nil {
		t.Error("without a database there are figures")
	}
	if err := (outcome.Judge{Notes: w.Store}).Resolved(t.Context(), ticket.Ref{Tenant: "acme"}, ticket.Ticket{}); err == nil {
		t.Error("without a database there is an outcome")
	}
}
