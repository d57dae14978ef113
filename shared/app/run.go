package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/otel/metric"
	"golang.org/x/sync/errgroup"

	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/host"
	names "github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/telemetry"
	"github.com/deskhand/deskhand/shared/tenant"
)

// tickEvery is how often a process looks whether a schedule is due.
const tickEvery = 15 * time.Second

// Main is the whole of a process: configuration, telemetry, the parts, and one
// of the Run methods until SIGTERM. It ends the process with status 1 and one
// message where that fails.
func Main(service string, run func(*App, context.Context) error) {
	ctx, stop := host.Signals(context.Background())
	defer stop()
	if err := serve(ctx, service, config.Load, run); err != nil {
		fmt.Fprintf(os.Stderr, "deskhand %s: %v\n", service, err)
		os.Exit(1) //nolint:gocritic // the process ends: nothing is left to stop
	}
}

func serve(ctx context.Context, service string, load func() (config.Config, error), run func(*App, context.Context) error) error {
	cfg, err := load()
	if err != nil {
		return err
	}
	tel, err := telemetry.Setup(ctx, telemetry.Options{Service: service, Level: cfg.LogLevel, Format: cfg.LogFormat, Out: os.Stdout, CloudWatch: cfg.InLambda(), Traces: cfg.Traces})
	if err != nil {
		return err
	}
	a, err := New(ctx, cfg, tel)
	if err != nil {
		return err
	}
	err = run(a, ctx)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(err, a.Close(last))
}

// RunWebhook takes webhooks.
func (a *App) RunWebhook(ctx context.Context) error {
	if a.Config.InLambda() {
		return a.function(ctx, host.Lambda{HTTP: a.Webhook()})
	}
	return a.run(ctx, a.Webhook())
}

// RunEnhance works on the enhancement queue.
func (a *App) RunEnhance(ctx context.Context) error {
	if a.Config.InLambda() {
		return a.batches(ctx, a.enhancing, host.Lambda{Work: a.Enhance()})
	}
	return a.run(ctx, nil, a.worker(a.enhancing, a.Enhance()))
}

// RunCatalogue works on the catalogue queue and keeps the time of the
// schedules.
func (a *App) RunCatalogue(ctx context.Context) error {
	if a.Config.InLambda() {
		c := a.Catalogue()
		return a.batches(ctx, a.library, host.Lambda{Work: a.discards(c.Handle), Tick: c.Tick})
	}
	return a.run(ctx, nil, a.worker(a.library, a.discards(a.Catalogue().Handle)), a.ticker)
}

// RunAll does all of it in one process.
func (a *App) RunAll(ctx context.Context) error {
	if err := a.administers(); err != nil {
		return err
	}
	return a.run(ctx, a.everything(), a.worker(a.enhancing, a.Enhance()), a.worker(a.library, a.discards(a.Catalogue().Handle)), a.ticker)
}

// run keeps the directory fresh, serves HTTP, and does the rest, until ctx is
// done or one of them fails.
func (a *App) run(ctx context.Context, routes http.Handler, work ...func(context.Context) error) error {
	if err := a.check(ctx); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.watch.Run(ctx) })
	server := host.Server{
		Addr: a.Config.Addr, Handler: routes, Metrics: a.Telemetry.Metrics, Checks: a.Checks(), Drain: a.Config.DrainTime, Log: a.Log,
		Proxies: a.Config.TrustedProxies,
		Listening: func(addr string) {
			a.Log.InfoContext(ctx, "listening", "operation", "start", "addr", addr, "tenants", len(a.watch.Current().Tenants))
		},
	}
	g.Go(func() error { return server.Serve(ctx) })
	for _, w := range work {
		g.Go(func() error { return w(ctx) })
	}
	return g.Wait()
}

// check refuses to start as a database role that may do more than it should, or
// less. A database that is down is no reason not to start: the directory is
// loaded when it is back.
func (a *App) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if a.pool != nil {
		if err := a.pool.Ping(ctx); errors.Is(err, postgres.ErrRole) {
			return err
		}
	}
	if a.adminDB != nil {
		if err := a.adminDB.CheckAdmin(ctx); errors.Is(err, postgres.ErrRole) || errors.Is(err, postgres.ErrNoAdmin) {
			return err
		}
	}
	err := a.Load(ctx)
	if errors.Is(err, postgres.ErrRole) {
		return err
	}
	if err != nil {
		a.Log.WarnContext(ctx, "started without a complete directory of tenants", "operation", "start", "error", err.Error())
	}
	return nil
}

// Load reads the directory of tenants and connections now.
func (a *App) Load(ctx context.Context) error { return a.watch.Refresh(ctx) }

// directory reads the directory, as a role that row-level security holds or
// not at all. What it no longer has, this process forgets.
func (a *App) directory(ctx context.Context) (tenant.Directory, error) {
	if err := a.db.CheckRole(ctx); err != nil {
		return tenant.Directory{}, err
	}
	d, err := a.Tenants.Directory(ctx)
	if !d.Loaded.IsZero() {
		a.tools.forget(d)
	}
	return d, err
}

// retryStart is how long a worker waits for a queue that does not answer.
const retryStart = 2 * time.Second

// worker works on a queue. A queue that does not answer at the start is waited
// for: once it runs, it finds its way back by itself.
func (a *App) worker(q jobs, h queue.Handler) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			err := q.Receive(ctx, h)
			if !errors.Is(err, queue.ErrUnavailable) || ctx.Err() != nil {
				return err
			}
			a.Log.WarnContext(ctx, "the queue does not answer, trying again", "operation", "start", "queue", q.name, "error", err.Error())
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(retryStart):
			}
		}
	}
}

// ticker sends what the schedules are due.
func (a *App) ticker(ctx context.Context) error {
	c := a.Catalogue()
	return host.Every(ctx, tickEvery, func(ctx context.Context) {
		if err := c.Tick(ctx); err != nil && ctx.Err() == nil {
			a.Log.WarnContext(ctx, "schedule not kept, trying again", "operation", "tick", "error", err.Error())
		}
	})
}

// observe registers the gauges of this process. In Lambda there are none: AWS
// itself tells how deep its queues are, and no invocation waits for that.
func (a *App) observe() error {
	if a.Config.InLambda() {
		return nil
	}
	queues := map[string]queue.Inspector{EnhancementQueue: a.enhancing, CatalogueQueue: a.library}
	registered, err := names.Observe(func(ctx context.Context, o metric.Observer) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		o.ObserveFloat64(names.SuccessRate, a.outcomes.SuccessRate(time.Now()))
		var errs []error
		for name, q := range queues {
			s, err := q.Stats(ctx)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			of := metric.WithAttributes(names.Queue(name))
			o.ObserveInt64(names.QueueDepth, int64(s.Depth), of)
			o.ObserveFloat64(names.QueueOldest, s.Oldest.Seconds(), of)
			o.ObserveInt64(names.QueueDead, int64(s.Dead), of)
		}
		return errors.Join(errs...)
	}, names.SuccessRate, names.QueueDepth, names.QueueOldest, names.QueueDead)
	a.gauges = registered
	return err
}
