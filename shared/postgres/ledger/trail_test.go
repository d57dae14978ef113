package ledger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/ticket"
)

// trail gives what the audit trail has of a job, in order.
func trail(t *testing.T, db pgtest.DB, ev ticket.Event) (steps []string) {
	t.Helper()
	err := db.Owner(t).QueryRow(t.Context(), `
SELECT coalesce(array_agg(operation || ' ' || status ORDER BY id), '{}') FROM audit_events
WHERE tenant_id = $1 AND correlation_id = $2 AND ticket_id = $3 AND actor = 'system'`, ev.Ref.Tenant, ev.Job, ev.Ref.Key).Scan(&steps)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func TestTheTrailHasEveryStepOfAJob(t *testing.T) {
	t.Parallel()
	received, started := "webhook_received accepted", "enhancement_started started"
	for name, c := range map[string]struct {
		saves []enhance.Enhancement
		want  []string
	}{
		"a note": {
			[]enhance.Enhancement{{Status: enhance.Pending, Posting: true}, {Status: enhance.Completed, NoteID: "n"}},
			[]string{"note_written started", "note_written success", "enhancement_completed success"},
		},
		"no note needed":    {[]enhance.Enhancement{{Status: enhance.Completed, Skipped: "closed"}}, []string{"enhancement_completed skipped"}},
		"a shadow":          {[]enhance.Enhancement{{Status: enhance.Completed, Shadow: true}}, []string{"enhancement_completed shadow"}},
		"another try":       {[]enhance.Enhancement{{Status: enhance.Pending, RetryAt: time.Now()}}, []string{"enhancement_failed retry"}},
		"the last try":      {[]enhance.Enhancement{{Status: enhance.Failed, Error: "x"}}, []string{"enhancement_failed failure"}},
		"in doubt, retried": {[]enhance.Enhancement{{Status: enhance.Pending, Posting: true, RetryAt: time.Now()}}, []string{"enhancement_failed retry"}},
		"nothing to say":    {[]enhance.Enhancement{{Status: enhance.Pending}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, db := newLedger(t)
			ev := event("acme", "1042", name)
			a := begin(t, l, ev, long)
			for _, e := range c.saves {
				save(t, l, a, e)
			}
			if diff := cmp.Diff(append([]string{received, started}, c.want...), trail(t, db, ev)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestTheWebhookIsRecordedOnce though the job is begun again and again, first
// while the ticket is busy.
func TestTheWebhookIsRecordedOnce(t *testing.T) {
	t.Parallel()
	l, db := newLedger(t)
	first, second := event("acme", "1042", "first"), event("acme", "1042", "second")
	a := begin(t, l, first, long)
	for range 2 {
		if _, err := l.Begin(t.Context(), second, long); err == nil {
			t.Fatal("two tries hold one ticket")
		}
	}
	save(t, l, a, enhance.Enhancement{Status: enhance.Failed})
	begin(t, l, second, long)
	if diff := cmp.Diff([]string{"webhook_received accepted", "enhancement_started started"}, trail(t, db, second)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestALateTryRecordsNothing: what is not saved is not in the trail.
func TestALateTryRecordsNothing(t *testing.T) {
	t.Parallel()
	l, db := newLedger(t)
	ev := event("acme", "1042", "first")
	late := begin(t, l, ev, short)
	a := eventually(t, l, ev)
	before := trail(t, db, ev)
	if err := l.Save(t.Context(), late, enhance.Enhancement{Status: enhance.Completed, NoteID: "n"}); !errors.Is(err, enhance.ErrLost) {
		t.Errorf("err = %v", err)
	}
	if diff := cmp.Diff(before, trail(t, db, ev)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	save(t, l, a, enhance.Enhancement{Status: enhance.Completed})
	if _, err := l.Begin(t.Context(), ev, long); !errors.Is(err, enhance.ErrEnded) {
		t.Errorf("err = %v", err)
	}
	if got := trail(t, db, ev); len(got) != len(before)+1 {
		t.Errorf("trail %v", got)
	}
}

func TestASweptJobIsInTheTrail(t *testing.T) {
	t.Parallel()
	l, db := newLedger(t)
	ev := event("acme", "1042", "first")
	begin(t, l, ev, short)
	age(t, db, ev, time.Hour)
	if n, err := l.Sweep(t.Context(), "acme", 30*time.Minute); n != 1 || err != nil {
		t.Fatalf("swept %d, %v", n, err)
	}
	if got := trail(t, db, ev); got[len(got)-1] != "enhancement_failed failure" {
		t.Errorf("trail %v", got)
	}
}
