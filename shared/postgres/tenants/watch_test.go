package tenants_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deskhand/deskhand/shared/postgres/tenants"
	"github.com/deskhand/deskhand/shared/tenant"
)

func TestWatchHasNothingBeforeTheFirstRead(t *testing.T) {
	t.Parallel()
	var w tenants.Watch
	if d := w.Current(); !d.Loaded.IsZero() || len(d.Tenants) > 0 {
		t.Errorf("Current() = %v", d)
	}
}

func TestWatchFollowsTheDatabase(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	w := tenants.Watch{Load: s.Directory}
	for _, tt := range []tenant.Tenant{acme, globex} {
		put(t, s, tt)
		if err := w.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantSame(t, tt, w.Current().Tenants[tt.ID])
	}
	s.DB.Close() // the database is gone; the snapshot stays
	if err := w.Refresh(t.Context()); err == nil {
		t.Error("no error without a database")
	}
	wantSame(t, map[tenant.ID]tenant.Tenant{"acme": acme, "globex": globex}, w.Current().Tenants)
}

// flaky loads an empty directory, except while it is down.
type flaky struct {
	reads atomic.Int32
	down  atomic.Bool
}

func (f *flaky) load(context.Context) (tenant.Directory, error) {
	f.reads.Add(1)
	if f.down.Load() {
		return tenant.Directory{}, errors.New("no database")
	}
	return tenant.Directory{Loaded: time.Now()}, nil
}

// logged is what was logged so far.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestWatchReadsAgainWithinElevenSecondsAndLogsAProblemOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var source flaky
		var log logged
		w := tenants.Watch{Log: slog.New(slog.NewTextHandler(&log, nil)), Load: source.load}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()

		time.Sleep(time.Minute) // of the bubble's time, as below
		if n := source.reads.Load(); n < 6 || n > 7 {
			t.Errorf("%d reads in a minute, want 6 or 7", n)
		}
		if age := time.Since(w.Current().Loaded); age > 11*time.Second || log.String() != "" {
			t.Errorf("the snapshot is %s old; logged %q", age, log.String())
		}
		source.down.Store(true)
		time.Sleep(time.Minute)
		source.down.Store(false)
		time.Sleep(12 * time.Second)
		if n := strings.Count(log.String(), "no database"); n != 1 || !strings.Contains(log.String(), "read again") {
			t.Errorf("the problem was logged %d times:\n%s", n, log.String())
		}
		if age := time.Since(w.Current().Loaded); age > 12*time.Second {
			t.Errorf("after the outage the snapshot is %s old", age)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run() = %v", err)
		}
	})
}
