package tenants

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/deskhand/deskhand/shared/tenant"
)

// Watch keeps a process's snapshot of the directory. Where the directory
// cannot be read, the last snapshot stays.
type Watch struct {
	Load  func(context.Context) (tenant.Directory, error) // Store.Directory
	Every time.Duration                                   // between two reads, give or take a tenth; 10 s where zero
	Log   *slog.Logger

	current atomic.Pointer[tenant.Directory]
}

// Current gives the snapshot, without waiting; the zero Directory before the
// first read.
func (w *Watch) Current() tenant.Directory {
	if d := w.current.Load(); d != nil {
		return *d
	}
	return tenant.Directory{}
}

// Refresh reads the directory now. The error may be about parts only: the
// snapshot is then new all the same.
func (w *Watch) Refresh(ctx context.Context) error {
	d, err := w.Load(ctx)
	if !d.Loaded.IsZero() {
		w.current.Store(&d)
	}
	return err
}

// Run refreshes at once and then again and again until ctx is done, and
// returns nil. An error is logged once, not at every read.
func (w *Watch) Run(ctx context.Context) error {
	logged := ""
	for ctx.Err() == nil {
		problem := ""
		if err := w.Refresh(ctx); err != nil && ctx.Err() == nil {
			problem = err.Error()
		}
		switch {
		case problem == logged:
		case problem == "":
			w.Log.InfoContext(ctx, "the directory of tenants is read again", "operation", "refresh_directory")
		default:
			w.Log.ErrorContext(ctx, "the directory of tenants is not read completely", "operation", "refresh_directory", "error", problem)
		}
		logged = problem
		select {
		case <-ctx.Done():
		case <-time.After(w.pause()):
		}
	}
	return nil
}

// pause spreads the processes' reads.
func (w *Watch) pause() time.Duration {
	every := w.Every
	if every <= 0 {
		every = 10 * time.Second
	}
	return every - every/10 + rand.N(every/5+1)
}
