package ledger_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/postgres/ledger"
)

const idle = time.Hour

// sweeps are jobs and what a sweep makes of them.
var sweeps = map[string]struct {
	saved *enhance.Enhancement // nil: the worker died before it saved
	hold  time.Duration
	age   time.Duration
	want  enhance.Status
}{
	"died long ago":         {nil, long, 2*idle + long, enhance.Failed},
	"died while posting":    {&enhance.Enhancement{Status: enhance.Pending, Posting: true}, long, 2 * idle, enhance.Failed},
	"message lost":          {&enhance.Enhancement{Status: enhance.Pending}, long, 2 * idle, enhance.Failed},
	"began just now":        {nil, long, 0, enhance.Pending},
	"holds a lease":         {nil, 3 * idle, 2 * idle, enhance.Pending},
	"lease ended just now":  {nil, 2 * idle, 2*idle + short, enhance.Pending},
	"a try is due":          {&enhance.Enhancement{Status: enhance.Pending, RetryAt: time.Now().Add(5 * idle)}, long, 2 * idle, enhance.Pending},
	"a try was due":         {&enhance.Enhancement{Status: enhance.Pending, RetryAt: time.Now()}, long, 2 * idle, enhance.Failed},
	"completed long ago":    {&enhance.Enhancement{Status: enhance.Completed}, long, 2 * idle, enhance.Completed},
	"failed for its reason": {&enhance.Enhancement{Status: enhance.Failed, Error: "the tool said no"}, long, 2 * idle, enhance.Failed},
}

func TestSweepEndsWhatADeadWorkerLeft(t *testing.T) {
	t.Parallel()
	for name, tc := range sweeps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, db := newLedger(t)
			ev, theirs := event("acme", "1042", "first"), event("globex", "1042", "first")
			begin(t, l, theirs, short)
			age(t, db, theirs, 3*idle)
			a := begin(t, l, ev, tc.hold)
			if tc.saved != nil {
				save(t, l, a, *tc.saved)
			}
			age(t, db, ev, tc.age)

			swept, err := l.Sweep(t.Context(), "acme", idle)
			if err != nil {
				t.Fatal(err)
			}
			r := find(t, l, ev)
			died := strings.Contains(r.Error, "the worker died") && !r.Ended.IsZero() && r.RetryAt.IsZero()
			if r.Status != tc.want || died != (swept == 1) {
				t.Errorf("swept %d, record = %+v; want %s", swept, r, tc.want)
			}
			if tc.saved != nil && r.Posting != tc.saved.Posting {
				t.Errorf("posting = %v: whether there may be a note was forgotten", r.Posting)
			}
			if r := find(t, l, theirs); r.Status != enhance.Pending {
				t.Errorf("the other tenant's job is %s", r.Status)
			}
		})
	}
}

func TestSweptJobBeginsAgainAndItsFormerWorkerIsLate(t *testing.T) {
	t.Parallel()
	l, db := newLedger(t)
	ev := event("acme", "1042", "first")
	former := begin(t, l, ev, short)
	age(t, db, ev, 2*time.Hour)
	if n, err := l.Sweep(t.Context(), "acme", time.Hour); n != 1 || err != nil {
		t.Fatalf("swept %d, %v", n, err)
	}
	if a := begin(t, l, ev, long); a.Try != 2 {
		t.Errorf("try %d, want 2", a.Try)
	}
	if err := l.Save(t.Context(), former, enhance.Enhancement{Status: enhance.Completed}); !errors.Is(err, enhance.ErrLost) {
		t.Errorf("the former worker: %v, want ErrLost", err)
	}
}

func TestRecordsAreThoseOfOneTenant(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	first, second, theirs := event("acme", "1", "a"), event("acme", "2", "a"), event("globex", "1", "a")
	begin(t, l, first, long)
	begin(t, l, theirs, long)
	begin(t, l, second, long)

	for n, want := range map[int][]string{-1: nil, 0: nil, 1: {second.Job}, 9: {second.Job, first.Job}} {
		records, err := l.Recent(t.Context(), "acme", n)
		var got []string
		for _, r := range records {
			got = append(got, r.Job)
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("Recent(%d): %v (-want +got):\n%s", n, err, diff)
		}
	}
	for _, job := range []string{theirs.Job, "", "1'; --", "\x01"} {
		if _, err := l.Find(t.Context(), "acme", job); !errors.Is(err, ledger.ErrUnknown) {
			t.Errorf("Find(%q): %v, want ErrUnknown", job, err)
		}
	}
	if r, err := l.Find(t.Context(), "acme", strings.ToUpper(first.Job)); err != nil || r.Ref != first.Ref {
		t.Errorf("in capitals: %+v, %v", r, err)
	}
}

func TestRecordsWithoutDatabaseOrTenantAreErrors(t *testing.T) {
	t.Parallel()
	l, _ := newLedger(t)
	check := func(why string, id string) {
		_, errFind := l.Find(t.Context(), "acme", "x")
		_, errRecent := l.Recent(t.Context(), "", 1)
		_, errSweep := l.Sweep(t.Context(), "", time.Hour)
		for _, err := range []error{errFind, errRecent, errSweep} {
			if err == nil || !strings.HasPrefix(err.Error(), "ledger: ") {
				t.Errorf("%s, tenant %q: %v", why, id, err)
			}
		}
	}
	check("no tenant", "")
	l.DB.Close()
	check("no database", "acme")
}
