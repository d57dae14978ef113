package ledger_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/postgres/ledger"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/receipts"
	"github.com/deskhand/deskhand/shared/ticket"
)

// ran is how a try went.
func ran() enhance.Run {
	return enhance.Run{
		Started:  received.Add(time.Second),
		Versions: enhance.Versions{Program: "v1", Prompt: "1", Policy: "1"},
		Steps:    []enhance.Step{{Name: "read", At: time.Second, Took: time.Second}, {Name: "ask", At: 3 * time.Second, Took: 2 * time.Second, Note: "answered"}},
		Calls: []enhance.Call{{
			Model: "small", System: "be brief", User: "a printer", Answer: "- restart [T1]", Hidden: map[string]int{"password": 1},
			Usage: llm.Usage{PromptTokens: 10, OutputTokens: 2, CostUSD: 0.01, Latency: time.Second},
		}},
		Verdicts: []receipts.Verdict{{Section: "Similar Tickets", Text: "restart", Cites: []string{"T1"}, Outcome: receipts.Kept}},
	}
}

func runOf(t *testing.T, l ledger.Ledger, job string) enhance.Run {
	t.Helper()
	r, err := l.Run(t.Context(), "acme", job)
	if err != nil {
		t.Fatal(err)
	}
	return r.Run
}

func TestTheRunOfTheLastTryIsKept(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	ev := event("acme", "1042", "first")
	a := begin(t, l, ev, long)
	if got := runOf(t, l, ev.Job); !got.Started.IsZero() {
		t.Errorf("before the first save: %+v", got)
	}
	first, last := ran(), ran()
	first.Versions.Program, first.Calls = "v0", nil
	save(t, l, a, enhance.Enhancement{Status: enhance.Pending, Posting: true, Note: "n", Run: first})
	if diff := cmp.Diff(first, runOf(t, l, ev.Job)); diff != "" {
		t.Errorf("before the note (-want +got):\n%s", diff)
	}
	save(t, l, a, enhance.Enhancement{Status: enhance.Completed, NoteID: "7", Note: "n", Run: last})
	r, err := l.Run(t.Context(), "acme", strings.ToUpper(ev.Job))
	if diff := cmp.Diff(last, r.Run); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	r.Run = enhance.Run{}
	if diff := cmp.Diff(find(t, l, ev), r); diff != "" || r.Note != "n" {
		t.Errorf("the job beside it (-want +got):\n%s", diff)
	}
	for _, id := range []string{ev.Job, "nonsense", "", "7d444840-9dc0-11d1-b245-5ffdce74fad2"} {
		if _, err := l.Run(t.Context(), "globex", id); !errors.Is(err, ledger.ErrUnknown) {
			t.Errorf("globex, job %q: %v", id, err)
		}
	}
}

func TestTheLastJobIsTheOneThatWroteANote(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	last := func() string {
		t.Helper()
		job, err := l.Last(t.Context(), "acme", "1042")
		if err != nil {
			t.Fatal(err)
		}
		return job
	}
	closed, wrote, stays := event("acme", "1042", "closed"), event("acme", "1042", "wrote"), event("acme", "1042", "stays")
	save(t, l, begin(t, l, closed, long), enhance.Enhancement{Status: enhance.Completed, Skipped: "the ticket is closed"})
	if got := last(); got != closed.Job {
		t.Errorf("without a note: %s, want %s", got, closed.Job)
	}
	save(t, l, begin(t, l, wrote, long), enhance.Enhancement{Status: enhance.Completed, NoteID: "7", Note: "n"})
	save(t, l, begin(t, l, stays, long), enhance.Enhancement{Status: enhance.Completed, Note: "n", Skipped: "the note stays as it is"})
	if got := last(); got != wrote.Job {
		t.Errorf("got %s, want %s, which wrote the note", got, wrote.Job)
	}
	if _, err := l.Last(t.Context(), "globex", "1042"); !errors.Is(err, ledger.ErrUnknown) {
		t.Errorf("globex: %v", err)
	}
}

func TestATryThatMustLeaveNoTextTakesTheRunBeforeAway(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	ev := event("acme", "1042", "first")
	save(t, l, begin(t, l, ev, long), enhance.Enhancement{Status: enhance.Pending, RetryAt: time.Now(), Run: ran()})
	save(t, l, begin(t, l, ev, long), enhance.Enhancement{Status: enhance.Failed, Error: "the ticket is another tenant's"})
	if got := runOf(t, l, ev.Job); !got.Started.IsZero() {
		t.Errorf("it is still there: %+v", got)
	}
}

// TestWhateverARunHoldsIsStoredWithinItsBound has texts that Postgres refuses,
// and more of everything than is kept.
func TestWhateverARunHoldsIsStoredWithinItsBound(t *testing.T) {
	t.Parallel()
	l, db := newLedger(t)
	hostile := "\x00\xff\\u0000 </script> \u2028 "
	flood := func(n int) enhance.Run {
		text := strings.Repeat(hostile+"ä", n)
		run := ran()
		for range 3 * min(n, 100) {
			run.Steps = append(run.Steps, enhance.Step{Name: text, Note: text})
			run.Calls = append(run.Calls, enhance.Call{Model: text, System: text, User: text, Answer: text, Error: text})
			v := receipts.Verdict{Section: text, Text: text, Outcome: receipts.Removed, Why: text}
			for range 3 * min(n, 100) {
				v.Cites = append(v.Cites, text)
			}
			run.Verdicts = append(run.Verdicts, v)
		}
		return run
	}
	owner := db.Owner(t)
	for _, n := range []int{1, 100, 3000} {
		ev := event("acme", fmt.Sprint(n), "first")
		save(t, l, begin(t, l, ev, long), enhance.Enhancement{Status: enhance.Completed, Run: flood(n)})
		var size int
		if err := owner.QueryRow(t.Context(), "SELECT length(record::text) FROM enhancement_runs WHERE job_id = $1", ev.Job).Scan(&size); err != nil {
			t.Fatal(err)
		}
		got := runOf(t, l, ev.Job)
		if len(got.Calls) == 0 || len(got.Calls) > 100 || size > 300<<10 {
			t.Errorf("%d: %d calls, %d characters", n, len(got.Calls), size)
		}
		if text := got.Calls[0].System; n == 1 && text != "be brief" || !utf8.ValidString(got.Calls[len(got.Calls)-1].User) {
			t.Errorf("%d: %q", n, text)
		}
	}
	// A long prompt loses its end only.
	ev, run := event("acme", "long", "first"), ran()
	run.Calls[0].User = strings.Repeat("ä", 200_000)
	save(t, l, begin(t, l, ev, long), enhance.Enhancement{Status: enhance.Completed, Run: run})
	got := runOf(t, l, ev.Job)
	if text := got.Calls[0].User; !strings.HasSuffix(text, "… [cut: 131072 of 400000 bytes]") || got.Calls[0].System != "be brief" || len(run.Calls[0].User) != 400_000 {
		t.Errorf("%d bytes: …%s", len(text), text[max(0, len(text)-60):])
	}
}

func TestRunsGoAfterNinetyDaysAndWithTheirJob(t *testing.T) {
	t.Parallel()
	l, db := newLedger(t)
	young, old, theirs := event("acme", "1", "young"), event("acme", "2", "old"), event("globex", "2", "old")
	for _, ev := range []ticket.Event{young, old, theirs} {
		save(t, l, begin(t, l, ev, long), enhance.Enhancement{Status: enhance.Completed, Run: ran()})
	}
	owner := db.Owner(t)
	for _, job := range []string{old.Job, theirs.Job} {
		if _, err := owner.Exec(t.Context(), "UPDATE enhancement_runs SET recorded_at = now() - interval '91 days' WHERE job_id = $1", job); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := l.Prune(t.Context(), "acme"); n != 1 || err != nil {
		t.Errorf("Prune = %d, %v", n, err)
	}
	if left := runs(t, db); left != "acme/"+young.Job+" globex/"+theirs.Job {
		t.Errorf("left: %s", left)
	}
	if r := find(t, l, old); r.Status != enhance.Completed {
		t.Errorf("the job went too: %+v", r)
	}
	if _, err := owner.Exec(t.Context(), "DELETE FROM enhancement_history"); err != nil {
		t.Fatal(err)
	}
	if left := runs(t, db); left != "" {
		t.Errorf("left without their jobs: %s", left)
	}
}

// runs are those that there are.
func runs(t *testing.T, db pgtest.DB) (list string) {
	t.Helper()
	err := db.Owner(t).QueryRow(t.Context(), "SELECT coalesce(string_agg(tenant_id || '/' || job_id, ' ' ORDER BY tenant_id), '') FROM enhancement_runs").Scan(&list)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestARunIsReadableJSON holds what an export gives.
func TestARunIsReadableJSON(t *testing.T) {
	t.Parallel()
	l, db := newLedger(t)
	ev := event("acme", "1042", "first")
	save(t, l, begin(t, l, ev, long), enhance.Enhancement{Status: enhance.Completed, Run: ran()})
	var record []byte
	if err := db.Owner(t).QueryRow(t.Context(), "SELECT record FROM enhancement_runs").Scan(&record); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Calls []map[string]any `json:"calls"`
	}
	if err := json.Unmarshal(record, &got); err != nil || got.Calls[0]["answer"] != "- restart [T1]" {
		t.Errorf("%s, %v", record, err)
	}
}
