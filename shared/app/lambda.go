package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/deskhand/deskhand/shared/host"
)

// refreshLimit is what an invocation waits for a newer directory; after it,
// the one that is there is used.
const refreshLimit = time.Second

// function runs this process as a Lambda function. Lambda freezes a process
// between invocations, so the directory is read when one finds it old.
func (a *App) function(ctx context.Context, l host.Lambda) error {
	if err := a.check(ctx); err != nil {
		return err
	}
	var mu sync.Mutex
	tried := wall()
	l.Before = func(ctx context.Context) {
		mu.Lock()
		defer mu.Unlock()
		if wall().Sub(tried) < refreshEvery {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, refreshLimit)
		defer cancel()
		if err := a.Load(ctx); err != nil {
			a.Log.WarnContext(ctx, "the directory of tenants is not read completely", "operation", "refresh_directory", "error", err.Error())
		}
		tried = wall()
	}
	l.Flush, l.Log = a.Telemetry.Flush, a.Log
	return l.Serve(ctx)
}

// wall is the time without the monotonic clock, which stands still while the
// process is frozen.
func wall() time.Time { return time.Now().Round(0) }

// batches runs l on the batches of q, where Lambda can take them from it.
func (a *App) batches(ctx context.Context, q jobs, l host.Lambda) error {
	if q.batches == nil {
		return errors.New("QUEUE_URL: required in Lambda, which takes work from SQS only")
	}
	l.Batcher = q.batches
	return a.function(ctx, l)
}
