package tenants_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
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

func TestWatchReadsAgainWithinElevenSecondsAndLogsAProblemOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		reads, down := 0, false
		w := tenants.Watch{
			Log: slog.New(slog.NewTextHandler(&log, nil)),
			Load: func(context.Context) (tenant.Directory, error) {
				reads++
				if down {
					return tenant.Directory{}, errors.New("no database")
				}
				return tenant.Directory{Loaded: time.Now()}, nil
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()

		pass := func(d time.Duration) {
			time.Sleep(d) // the bubble's time
			synctest.Wait()
		}
		pass(time.Minute)
		if reads < 6 || reads > 7 {
			t.Errorf("%d reads in a minute, want 6 or 7", reads)
		}
		if age := time.Since(w.Current().Loaded); age > 11*time.Second {
			t.Errorf("the snapshot is %s old", age)
		}
		if log.Len() > 0 {
			t.Errorf("logged %s", log.String())
		}
		down = true
		pass(time.Minute)
		down = false
		pass(11 * time.Second)
		if n := strings.Count(log.String(), "no database"); n != 1 {
			t.Errorf("the problem was logged %d times:\n%s", n, log.String())
		}
		if !strings.Contains(log.String(), "read again") || time.Since(w.Current().Loaded) > 11*time.Second {
			t.Errorf("after the outage:\n%s", log.String())
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run() = %v", err)
		}
	})
}
