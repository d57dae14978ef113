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

// function runs this process as a Lambda function.
func (a *App) function(ctx context.Context, l host.Lambda) error {
	l, err := a.frozen(ctx, l, wall)
	if err != nil {
		return err
	}
	return l.Serve(ctx)
}

// frozen makes l one that may be frozen between invocations: it reads the
// directory when an invocation finds it old, and flushes telemetry at the end
// of each.
func (a *App) frozen(ctx context.Context, l host.Lambda, now func() time.Time) (host.Lambda, error) {
	if err := a.check(ctx); err != nil {
		return l, err
	}
	var mu sync.Mutex
	tried := now()
	l.Before = func(ctx context.Context) {
		mu.Lock()
		defer mu.Unlock()
		if now().Sub(tried) < refreshEvery {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, refreshLimit)
		defer cancel()
		if err := a.Load(ctx); err != nil {
			a.Log.WarnContext(ctx, "the directory of tenants is not read completely", "operation", "refresh_directory", "error", err.Error())
		}
		tried = now()
	}
	l.Flush, l.Log = a.Telemetry.Flush, a.Log
	return l, nil
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
