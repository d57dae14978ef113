package app

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/doctor"
	"github.com/deskhand/deskhand/shared/operator"
	votes "github.com/deskhand/deskhand/shared/postgres/feedback"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/telemetry"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/webhook"
)

// Program is what surrounds the operator's command (cli.New), on the configuration
// that load gives. Where it can reach functions, its Call is set besides.
func Program(version string, load func() (config.Config, error)) operator.Program {
	return operator.Program{
		Version: version,
		Tools:   Tools,
		Open:    func(ctx context.Context) (*operator.Desk, error) { return openDesk(ctx, load) },
		Migrate: func(ctx context.Context) (int, error) {
			cfg, err := load()
			if err != nil {
				return 0, err
			}
			return Migrate(ctx, cfg)
		},
		Serve:  func(ctx context.Context) error { return serve(ctx, "deskhand", load, (*App).RunAll) },
		Keygen: freshKey,
		Rotate: func(ctx context.Context, how operator.Rotation, arn string) (secret.Text, error) {
			return rotate(ctx, load, how, arn)
		},
		Doctor: func(ctx context.Context) []doctor.Result { return examine(ctx, load) },
		Sign:   webhook.Sign,
		Config: func() string { return config.Markdown() + tenant.SettingsMarkdown() },
		Now:    time.Now,
		In:     os.Stdin,
		Out:    os.Stdout,
		Err:    os.Stderr,
		Wide:   term.IsTerminal(int(os.Stderr.Fd())),
	}
}

// openDesk connects the parts for one command. Its log goes to standard error,
// warnings, and a line for each change: what the command has to say is on
// standard output.
func openDesk(ctx context.Context, load func() (config.Config, error)) (*operator.Desk, error) {
	cfg, err := load()
	if err != nil {
		return nil, err
	}
	tel, err := telemetry.Setup(ctx, telemetry.Options{Service: "cli", Level: "warn", Format: cfg.LogFormat, Out: os.Stderr})
	if err != nil {
		return nil, err
	}
	a, err := New(ctx, cfg, tel)
	if err != nil {
		return nil, err
	}
	if err := a.administers(); err != nil {
		return nil, errors.Join(err, a.Close(ctx))
	}
	a.Actor = "cli:" + whoami()
	if a.Changes, err = telemetry.NewLog(telemetry.Options{Service: "cli", Level: "info", Format: cfg.LogFormat, Out: os.Stderr}); err != nil {
		return nil, errors.Join(err, a.Close(ctx))
	}
	// A connection that cannot be opened is left out and said: this command
	// may be the one that mends it.
	if err := a.Load(ctx); err != nil {
		if a.loaded() != nil {
			return nil, errors.Join(err, a.Close(ctx))
		}
		a.Log.WarnContext(ctx, "the directory is not complete", "operation", "start", "error", err.Error())
	}
	d := a.desk()
	d.Close = a.Close
	return d, nil
}

// desk is what commands act on, in the name of a.Actor.
func (a *App) desk() *operator.Desk {
	return &operator.Desk{
		Directory: func(context.Context) (tenant.Directory, error) { return a.watch.Current(), nil },
		Open:      a.tools.open,
		Import:    a.imported,
		Past:      a.search(),
		Preview:   a.preview,
		Explain:   a.explain,
		Rehearse:  a.rehearse,
		Replay:    a.replay,
		Trail:     a.exportTrail,
		Export:    a.export,
		Erase:     a.erase,
		Quality:   votes.Store{DB: a.db},
		Queues:    map[string]operator.Queue{EnhancementQueue: a.enhancing, CatalogueQueue: a.library},
		Office:    a.Office(),
		Caller:    a.AtTheDesk(),
		Reseal:    a.reseal,
	}
}
