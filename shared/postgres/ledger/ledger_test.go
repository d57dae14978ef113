package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/postgres/ledger"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

const (
	long  = time.Minute      // no test takes as long
	short = time.Millisecond // has run out when the next statement begins, or soon after
)

var received = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func TestFirstTryOpensTheRecord(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	ev := event("acme", "1042", "first")
	a := begin(t, l, ev, long)
	want := enhance.Attempt{Job: ev.Job, Ref: ev.Ref, Try: 1}
	if diff := cmp.Diff(want, a, cmpopts.IgnoreFields(enhance.Attempt{}, "Token")); diff != "" || a.Token == "" {
		t.Errorf("token %q (-want +got):\n%s", a.Token, diff)
	}
	r := find(t, l, ev)
	wantRecord := ledger.Record{Enhancement: enhance.Enhancement{Status: enhance.Pending}, Job: ev.Job, Ref: ev.Ref, Kind: ev.Kind, Tries: 1, Received: received}
	if diff := cmp.Diff(wantRecord, r, cmpopts.IgnoreFields(ledger.Record{}, "Updated"), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

func TestCompletedJobHasEnded(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	ev, next := event("acme", "1042", "first"), event("acme", "1042", "second")
	save(t, l, begin(t, l, ev, long), enhance.Enhancement{Status: enhance.Completed, NoteID: "n1"})
	before := find(t, l, ev)

	for range 2 { // it leaves no lease behind, either
		if _, err := l.Begin(t.Context(), ev, long); !errors.Is(err, enhance.ErrEnded) {
			t.Fatalf("err = %v, want ErrEnded", err)
		}
	}
	begin(t, l, next, long)
	if _, err := l.Begin(t.Context(), ev, long); !errors.Is(err, enhance.ErrEnded) {
		t.Errorf("while another job works: %v, want ErrEnded", err)
	}
	if diff := cmp.Diff(before, find(t, l, ev)); diff != "" {
		t.Errorf("the record changed:\n%s", diff)
	}
}

func TestFailedJobThatIsRedrivenIsPendingAgain(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	ev := event("acme", "1042", "first")
	save(t, l, begin(t, l, ev, long), enhance.Enhancement{Status: enhance.Failed, Error: "no", Posting: true})
	if r := find(t, l, ev); r.Ended.IsZero() {
		t.Error("the failed job has not ended")
	}
	a := begin(t, l, ev, long)
	if a.Try != 2 || !a.Posting {
		t.Errorf("try %d, posting %v; want 2, true", a.Try, a.Posting)
	}
	if r := find(t, l, ev); r.Status != enhance.Pending || !r.Ended.IsZero() || r.Tries != 2 {
		t.Errorf("record = %+v, want pending at try 2", r)
	}
}

func TestOtherTriesFindTheTicketBusy(t *testing.T) {
	t.Parallel()
	l, db := newLedger(t)
	holder, other := event("acme", "1042", "first"), event("acme", "1042", "second")
	begin(t, l, holder, long)
	for _, ev := range []ticket.Event{holder, other, other} {
		_, err := l.Begin(t.Context(), ev, long)
		busy, ok := errors.AsType[*enhance.BusyError](err)
		if !ok || busy.Job != holder.Job || busy.Until <= 0 || busy.Until > long {
			t.Errorf("%s: err = %v, want busy with %s", ev.Job, err, holder.Job)
		}
	}
	if r := find(t, l, holder); r.Tries != 1 {
		t.Errorf("the holder has %d tries, want 1", r.Tries)
	}
	r := find(t, l, other)
	if r.Tries != 0 || r.Status != enhance.Pending {
		t.Errorf("the other has %d tries and is %s, want 0 and pending", r.Tries, r.Status)
	}
	age(t, db, other, time.Hour)
	if _, err := l.Begin(t.Context(), other, long); err == nil {
		t.Fatal("not busy")
	}
	if got := find(t, l, other); got.Updated.Before(r.Updated) {
		t.Error("a busy try does not show in updated_at")
	}
	// Another ticket, connection or tenant is not held up.
	for _, ev := range []ticket.Event{event("acme", "1043", "x"), event("globex", "1042", "x"), elsewhere(other)} {
		begin(t, l, ev, long)
	}
}

func TestLeaseThatRanOutIsTakenOverAndFenced(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	first, second := event("acme", "1042", "first"), event("acme", "1042", "second")
	lost := begin(t, l, first, short)
	holder := eventually(t, l, second)

	if err := l.Keep(t.Context(), lost, long); !errors.Is(err, enhance.ErrLost) {
		t.Errorf("Keep: %v, want ErrLost", err)
	}
	for _, e := range []enhance.Enhancement{
		{Status: enhance.Completed, NoteID: "stale"}, {Status: enhance.Failed}, {Status: enhance.Pending}, {Status: enhance.Pending, Posting: true},
	} {
		if err := l.Save(t.Context(), lost, e); !errors.Is(err, enhance.ErrLost) {
			t.Errorf("Save %+v: %v, want ErrLost", e, err)
		}
	}
	if r := find(t, l, first); r.Status != enhance.Pending || r.NoteID != "" {
		t.Errorf("the stale try wrote %+v", r)
	}
	if err := l.Keep(t.Context(), holder, long); err != nil {
		t.Errorf("the holder: %v", err)
	}
	stranger := holder
	stranger.Ref.Tenant = "globex"
	if err := l.Keep(t.Context(), stranger, long); !errors.Is(err, enhance.ErrLost) {
		t.Errorf("another tenant with the token: %v, want ErrLost", err)
	}
	save(t, l, holder, enhance.Enhancement{Status: enhance.Completed})
	if err := l.Save(t.Context(), holder, enhance.Enhancement{Status: enhance.Failed}); !errors.Is(err, enhance.ErrLost) {
		t.Errorf("after the lease was released: %v, want ErrLost", err)
	}
}

func TestKeptLeaseDoesNotRunOut(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	a := begin(t, l, event("acme", "1042", "first"), short)
	if err := l.Keep(t.Context(), a, long); err != nil { // it has run out, and nobody took it
		t.Fatal(err)
	}
	_, err := l.Begin(t.Context(), event("acme", "1042", "second"), long)
	if busy, ok := errors.AsType[*enhance.BusyError](err); !ok || busy.Until < long/2 {
		t.Errorf("err = %v, want busy for about %s", err, long)
	}
}

func TestSaveReleasesTheLeaseUnlessTheTryGoesOn(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	for i, tc := range []struct {
		status  enhance.Status
		retryAt time.Time
		held    bool
	}{
		{enhance.Pending, time.Time{}, true}, // the note is being written
		{enhance.Pending, received.Add(time.Hour), false},
		{enhance.Completed, time.Time{}, false},
		{enhance.Failed, time.Time{}, false},
	} {
		key := fmt.Sprint(i)
		ev := event("acme", key, "first")
		save(t, l, begin(t, l, ev, long), enhance.Enhancement{Status: tc.status, Posting: true, RetryAt: tc.retryAt})
		if r := find(t, l, ev); r.Ended.IsZero() != (tc.status == enhance.Pending) {
			t.Errorf("%+v: ended at %v", tc, r.Ended)
		}
		_, err := l.Begin(t.Context(), event("acme", key, "second"), long)
		if _, busy := errors.AsType[*enhance.BusyError](err); busy != tc.held {
			t.Errorf("%+v: the next try gets %v", tc, err)
		}
	}
}

func TestSaveKeepsEveryField(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	ev := event("acme", "1042", "first")
	e := enhance.Enhancement{
		Status: enhance.Pending, Posting: true, Skipped: "why", Shadow: true, EvidenceOnly: true, Error: "upstream: no", RetryAt: received.Add(time.Hour),
		Revision: "rev", NoteID: "n1", Note: "# Note\n", Model: "gpt", Usage: llm.Usage{PromptTokens: 7, CostUSD: 0.25, Latency: time.Second},
		Bundle: evidence.Bundle{
			Items: []evidence.Item{{ID: "T1", Kind: evidence.PastTicket, Title: "Printer", When: received, Score: 1.5}},
			Gaps:  []evidence.Gap{{Source: "kb", Label: "knowledge base", Reason: "down"}},
			Took:  map[string]time.Duration{"kb": time.Second},
		},
	}
	save(t, l, begin(t, l, ev, long), e)
	if diff := cmp.Diff(e, find(t, l, ev).Enhancement); diff != "" {
		t.Errorf("(-saved +found):\n%s", diff)
	}
}

func TestHostileTextDoesNotKeepTheRecordFromBeingWritten(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	ev := event("acme", "1042", "first")
	const bad = "a\x00b\xff'; DROP TABLE ticket_leases; --"
	save(t, l, begin(t, l, ev, long), enhance.Enhancement{
		Status: enhance.Failed, Error: bad, Note: bad, NoteID: bad, Model: bad, Skipped: bad, Revision: bad,
		Bundle: evidence.Bundle{Items: []evidence.Item{{Title: bad}}},
	})
	const want = "ab\uFFFD'; DROP TABLE ticket_leases; --"
	if r := find(t, l, ev); r.Error != want || r.Note != want || r.Bundle.Items[0].Title != want {
		t.Errorf("record = %+v", r)
	}
}

func TestAttemptKnowsWhatEarlierJobsLeft(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	run := func(id tenant.ID, key, delivery string, e enhance.Enhancement) {
		save(t, l, begin(t, l, event(id, key, delivery), long), e)
	}
	run("acme", "1042", "a", enhance.Enhancement{Status: enhance.Completed, NoteID: "n1", Revision: "r1"})
	run("acme", "1042", "b", enhance.Enhancement{Status: enhance.Completed, NoteID: "n2", Revision: "r2"})
	run("acme", "1042", "c", enhance.Enhancement{Status: enhance.Completed, Skipped: "unchanged", Revision: "r3", Posting: true})
	run("acme", "1042", "d", enhance.Enhancement{Status: enhance.Failed, NoteID: "n4", Revision: "r4"})
	run("acme", "1045", "a", enhance.Enhancement{Status: enhance.Failed, Posting: true})
	run("acme", "1045", "b", enhance.Enhancement{Status: enhance.Completed, NoteID: "n5", Revision: "r5"})
	run("acme", "1046", "a", enhance.Enhancement{Status: enhance.Completed, NoteID: "n6", Revision: "r6"})
	run("acme", "1046", "b", enhance.Enhancement{Status: enhance.Completed, Shadow: true, Note: "x", Revision: "r7"})
	run("acme", "1046", "c", enhance.Enhancement{Status: enhance.Completed, Shadow: true, Skipped: "unchanged", Revision: "r8"})
	run("globex", "1042", "a", enhance.Enhancement{Status: enhance.Completed, NoteID: "secret", Revision: "secret"})
	run("globex", "1042", "b", enhance.Enhancement{Status: enhance.Failed, Posting: true})
	run("acme", "1043", "a", enhance.Enhancement{Status: enhance.Failed, Posting: true})

	// Another connection has tickets with the same numbers.
	for key, e := range map[string]enhance.Enhancement{
		"1042": {Status: enhance.Completed, NoteID: "other", Revision: "other"},
		"1044": {Status: enhance.Completed, NoteID: "other", Revision: "other"},
		"1045": {Status: enhance.Failed, Posting: true},
	} {
		save(t, l, begin(t, l, elsewhere(event("acme", key, "a")), long), e)
	}

	for _, tc := range []struct {
		ev      ticket.Event
		note    string
		posting bool
	}{
		{event("acme", "1042", "last"), "n2 r2", true}, // c may have written, and was closed before it could find out
		{event("acme", "1045", "last"), "n5 r5", false},
		{event("acme", "1043", "last"), " ", true},
		{event("acme", "1046", "last"), "n6 r6 r7", false},
		{event("acme", "1044", "last"), " ", false},
		{event("globex", "1042", "last"), "secret secret", true},
		{elsewhere(event("acme", "1042", "last")), "other other", false},
		{elsewhere(event("acme", "1043", "last")), " ", false},
		{elsewhere(event("acme", "1045", "last")), " ", true},
	} {
		a := begin(t, l, tc.ev, long)
		if got := a.NoteID + " " + a.Revision + prefixed(" ", a.ShadowRevision); got != tc.note || a.Posting != tc.posting {
			t.Errorf("%s: note %q, posting %v; want %q, %v", tc.ev.Ref, got, a.Posting, tc.note, tc.posting)
		}
	}
}

// prefixed puts a mark before a text, where there is one.
func prefixed(mark, text string) string {
	if text == "" {
		return ""
	}
	return mark + text
}

// TestANoteThatAnotherJobFoundIsInDoubtNoMore has a try die while it writes
// the note, another job complete with it, and the first job come again twice.
func TestANoteThatAnotherJobFoundIsInDoubtNoMore(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	first, second := event("acme", "1042", "first"), event("acme", "1042", "second")
	save(t, l, begin(t, l, first, short), enhance.Enhancement{Status: enhance.Pending, Posting: true})
	a := eventually(t, l, second)
	if !a.Posting {
		t.Error("the second job does not know that a note may be there")
	}
	save(t, l, a, enhance.Enhancement{Status: enhance.Completed, NoteID: "n1", Revision: "r1"})
	begin(t, l, first, short) // and dies
	if a := eventually(t, l, first); a.Posting || a.NoteID != "n1" || a.Revision != "r1" {
		t.Errorf("the first job finds note %q at %q, posting %v; want n1 at r1, false", a.NoteID, a.Revision, a.Posting)
	}
}

// TestTheLastNoteIsTheOneThatEndedLast has a job that begins first, is put off,
// and ends after one that began later. The planner is told that the table is
// small: else it reads the index, whose order is the one we want.
func TestTheLastNoteIsTheOneThatEndedLast(t *testing.T) {
	t.Parallel()
	l, db := newLedger(t)
	early, late := event("acme", "1042", "early"), event("acme", "1042", "late")
	save(t, l, begin(t, l, early, long), enhance.Enhancement{Status: enhance.Pending, RetryAt: received})
	save(t, l, begin(t, l, late, long), enhance.Enhancement{Status: enhance.Completed, NoteID: "n1", Revision: "r1"})
	a := begin(t, l, early, long)
	if a.NoteID != "n1" {
		t.Errorf("the early job finds note %q, want n1", a.NoteID)
	}
	save(t, l, a, enhance.Enhancement{Status: enhance.Completed, NoteID: "n2", Revision: "r2"})
	if _, err := db.Owner(t).Exec(t.Context(), "ANALYZE enhancement_history"); err != nil {
		t.Fatal(err)
	}
	if a := begin(t, l, event("acme", "1042", "last"), long); a.NoteID != "n2" || a.Revision != "r2" {
		t.Errorf("the last job finds note %s at %s, want n2 at r2", a.NoteID, a.Revision)
	}
}

func TestOneOfManyTriesHoldsTheTicket(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	for name, delivery := range map[string]func(int) string{
		"of one job":   func(int) string { return "same" },
		"of many jobs": func(i int) string { return fmt.Sprint(i) },
	} {
		var holders, busy atomic.Int32
		var wg sync.WaitGroup
		for i := range 32 {
			wg.Go(func() {
				_, err := l.Begin(t.Context(), event("acme", name, delivery(i)), long)
				switch _, ok := errors.AsType[*enhance.BusyError](err); {
				case err == nil:
					holders.Add(1)
				case ok:
					busy.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if holders.Load() != 1 || busy.Load() != 31 {
			t.Errorf("%s: %d hold the ticket and %d find it busy, want 1 and 31", name, holders.Load(), busy.Load())
		}
	}
}

// TestJobsOnOneTicketTakeTurns lets jobs, each delivered twice, run to their
// end. It would also find two transactions that wait for each other.
func TestJobsOnOneTicketTakeTurns(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	const jobs = 6
	var working, done atomic.Int32
	var wg sync.WaitGroup
	for i := range 2 * jobs {
		wg.Go(func() {
			ev := event("acme", "1042", fmt.Sprint(i%jobs))
			for t.Context().Err() == nil {
				a, err := l.Begin(t.Context(), ev, long)
				if errors.Is(err, enhance.ErrEnded) {
					return
				}
				if _, busy := errors.AsType[*enhance.BusyError](err); busy {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if working.Add(1) != 1 {
					t.Error("two work on the ticket")
				}
				err = l.Keep(t.Context(), a, long)
				working.Add(-1)
				if err := errors.Join(err, l.Save(t.Context(), a, enhance.Enhancement{Status: enhance.Completed})); err != nil {
					t.Error(err)
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if done.Load() != jobs {
		t.Errorf("%d tries completed, want one of each of the %d jobs", done.Load(), jobs)
	}
}

func TestWhatCannotBeRecordedIsAnError(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	good := event("acme", "1042", "first")
	for name, change := range map[string]func(*ticket.Event){
		"unknown tenant": func(ev *ticket.Event) { ev.Ref.Tenant = "initech" },
		"no tenant":      func(ev *ticket.Event) { ev.Ref.Tenant = "" },
		"no job id":      func(ev *ticket.Event) { ev.Job = "" },
		"odd job id":     func(ev *ticket.Event) { ev.Job = "1'; --" },
	} {
		ev := good
		change(&ev)
		if a, err := l.Begin(t.Context(), ev, long); err == nil || !strings.HasPrefix(err.Error(), "ledger: begin job") || a.Token != "" {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	a := begin(t, l, good, long)
	stranger := a
	stranger.Job = event("acme", "1042", "never begun").Job
	if err := l.Save(t.Context(), stranger, enhance.Enhancement{Status: enhance.Completed}); !errors.Is(err, ledger.ErrUnknown) {
		t.Errorf("a job that never began: %v, want ErrUnknown", err)
	}
	if err := l.Save(t.Context(), a, enhance.Enhancement{Status: "odd"}); err == nil {
		t.Error("an unknown status was saved")
	}
	l.DB.Close()
	_, err := l.Begin(t.Context(), good, long)
	for _, err := range []error{err, l.Keep(t.Context(), a, long), l.Save(t.Context(), a, enhance.Enhancement{})} {
		if err == nil || errors.Is(err, enhance.ErrLost) {
			t.Errorf("without a database: %v", err)
		}
	}
}

func newLedger(t *testing.T) (ledger.Ledger, pgtest.DB) {
	t.Helper()
	db := pgtest.New(t)
	db.AddTenants(t, "acme", "globex")
	return ledger.Ledger{DB: db.App(t)}, db
}

func event(id tenant.ID, key, delivery string) ticket.Event {
	ref := ticket.Ref{Tenant: id, Tool: "servicedesk_plus", Connection: "sdp", Key: key}
	return ticket.Event{Job: ticket.JobID(ref, ticket.Created, delivery), Ref: ref, Kind: ticket.Created, Received: received}
}

// elsewhere is an event of the ticket with the same number in another
// connection.
func elsewhere(ev ticket.Event) ticket.Event {
	ev.Ref.Connection = "other"
	ev.Job = ticket.JobID(ev.Ref, ev.Kind, ev.Job)
	return ev
}

func begin(t *testing.T, l ledger.Ledger, ev ticket.Event, hold time.Duration) enhance.Attempt {
	t.Helper()
	a, err := l.Begin(t.Context(), ev, hold)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// eventually begins when the ticket is no longer busy.
func eventually(t *testing.T, l ledger.Ledger, ev ticket.Event) enhance.Attempt {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		a, err := l.Begin(ctx, ev, long)
		if _, busy := errors.AsType[*enhance.BusyError](err); busy {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
}

func save(t *testing.T, l ledger.Ledger, a enhance.Attempt, e enhance.Enhancement) {
	t.Helper()
	if err := l.Save(t.Context(), a, e); err != nil {
		t.Fatal(err)
	}
}

func find(t *testing.T, l ledger.Ledger, ev ticket.Event) ledger.Record {
	t.Helper()
	r, err := l.Find(t.Context(), ev.Ref.Tenant, ev.Job)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// age lets the job's record and lease be older than they are.
func age(t *testing.T, db pgtest.DB, ev ticket.Event, by time.Duration) {
	t.Helper()
	owner := db.Owner(t)
	for _, sql := range []string{
		"UPDATE enhancement_history SET updated_at = updated_at - $2::interval, retry_at = retry_at - $2::interval WHERE job_id = $1",
		"UPDATE ticket_leases SET until = until - $2::interval WHERE job_id = $1",
	} {
		if _, err := owner.Exec(t.Context(), sql, ev.Job, by); err != nil {
			t.Fatal(err)
		}
	}
}
