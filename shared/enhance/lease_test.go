package enhance

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// book is a ledger of one record, which loses the lease or fails when told.
type book struct {
	Ledger
	mu      sync.Mutex
	keepErr error
	keeps   int
	saved   []Enhancement
	saveErr error
}

func (b *book) Keep(context.Context, Attempt, time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keeps++
	return b.keepErr
}

func (b *book) Save(ctx context.Context, _ Attempt, e Enhancement) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	b.saved = append(b.saved, e)
	return b.saveErr
}

func TestTheLeaseIsKeptWhileTheTryRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		ctx, letGo := (&Enhancer{Ledger: b}).hold(t.Context(), Attempt{})
		time.Sleep(time.Minute)
		if ctx.Err() != nil {
			t.Error("the try was stopped")
		}
		letGo()
		kept := b.keeps
		time.Sleep(time.Minute)
		if kept < 11 || b.keeps != kept {
			t.Errorf("kept %d times in a minute, %d afterwards", kept, b.keeps-kept)
		}
	})
}

func TestALostLeaseStopsTheTryAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, letGo := (&Enhancer{Ledger: &book{keepErr: ErrLost}}).hold(t.Context(), Attempt{})
		defer letGo()
		start := time.Now()
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), ErrLost) || time.Since(start) > lease/4 {
			t.Errorf("cause %v after %s", context.Cause(ctx), time.Since(start))
		}
	})
}

func TestALeaseThatCannotBeRenewedStopsTheTryBeforeItEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, letGo := (&Enhancer{Ledger: &book{keepErr: errors.New("the database is down")}}).hold(t.Context(), Attempt{})
		defer letGo()
		start := time.Now()
		<-ctx.Done()
		if took := time.Since(start); took >= lease || took < lease/2 {
			t.Errorf("stopped after %s of a lease of %s", took, lease)
		}
	})
}

func TestAFailureIsSavedAsWhatTheQueueMakesOfIt(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		err    error
		errors int
		status Status
		action queue.Action
		delay  time.Duration
	}{
		"first failure":     {errors.New("x"), 0, Pending, queue.Again, 5 * time.Second},
		"last failure":      {errors.New("x"), 3, Failed, queue.Dead, 0},
		"nothing to be had": {queue.Discard(ticketing.ErrNotFound), 0, Failed, queue.Done, 0},
		"a pause":           {&ticketing.LimitedError{After: time.Hour}, 3, Pending, queue.Again, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &book{}
			e := &Enhancer{Ledger: b, Now: func() time.Time { return now }}
			policy := queue.DefaultPolicy
			policy.Jitter = 0
			judge := func(err error) queue.Verdict {
				return policy.Decide(queue.Message{Errors: c.errors, Sent: now}, err, now)
			}
			cancelled, cancel := context.WithCancel(t.Context())
			cancel() // a record is saved even where the job's time is over
			v := judge(e.fail(cancelled, Attempt{}, Enhancement{}, judge, c.err))
			if v.Action != c.action || v.Delay != c.delay || len(b.saved) != 1 || b.saved[0].Status != c.status || b.saved[0].Error == "" {
				t.Errorf("verdict %+v, saved %+v", v, b.saved)
			}
			if c.status == Pending && !b.saved[0].RetryAt.Equal(now.Add(c.delay)) {
				t.Errorf("the next try is due at %s", b.saved[0].RetryAt)
			}
		})
	}
}

func TestATryThatLostItsLeaseWritesNothing(t *testing.T) {
	t.Parallel()
	b := &book{}
	e := &Enhancer{Ledger: b, Now: time.Now}
	err := e.fail(t.Context(), Attempt{}, Enhancement{}, nil, ErrLost)
	if v := queue.DefaultPolicy.Decide(queue.Message{Sent: time.Now()}, err, time.Now()); v.Action != queue.Again || v.Failed || len(b.saved) > 0 {
		t.Errorf("verdict %+v, saved %v", v, b.saved)
	}
}

func TestARecordThatCannotBeSavedIsReported(t *testing.T) {
	t.Parallel()
	down := errors.New("the database is down")
	e := &Enhancer{Ledger: &book{saveErr: down}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	if err := e.finish(t.Context(), Attempt{}, Enhancement{}); !errors.Is(err, down) {
		t.Errorf("finish = %v", err)
	}
	judge := func(err error) queue.Verdict { return queue.DefaultPolicy.Decide(queue.Message{}, err, time.Now()) }
	if err := e.fail(t.Context(), Attempt{}, Enhancement{}, judge, ticketing.ErrUnavailable); !errors.Is(err, down) || !errors.Is(err, ticketing.ErrUnavailable) {
		t.Errorf("fail = %v", err)
	}
}

func TestTheSuccessRateIsOfTheLastHour(t *testing.T) {
	t.Parallel()
	o := &Outcomes{}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if o.SuccessRate(now) != 1 {
		t.Error("without jobs the rate is not 1")
	}
	o.add(now.Add(-2*time.Hour), false)
	o.add(now.Add(-30*time.Minute), true)
	o.add(now.Add(-30*time.Minute), true)
	o.add(now.Add(-time.Minute), true)
	o.add(now, false)
	if got := o.SuccessRate(now); got != 0.75 {
		t.Errorf("rate = %v, want 0.75", got)
	}
	if got := o.SuccessRate(now.Add(50 * time.Minute)); got != 0.5 {
		t.Errorf("50 minutes later: %v, want 0.5", got)
	}
}
