// Package cli is the operator's command. It knows what the commands say and
// ask; what they act on comes in through operator.Desk.
package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/deskhand/deskhand/shared/operator"
)

// Program is the command.
type Program struct {
	operator.Program

	carried *carried // set in a function
}

// New makes the command of its surroundings.
func New(p operator.Program) *Program { return &Program{Program: p} }

type commands struct {
	Serve   serveCmd   `cmd:"" help:"Run webhook, workers and schedules in one process."`
	Migrate migrateCmd `cmd:"" help:"Bring the database to this version."`
	Doctor  doctorCmd  `cmd:"" help:"Check everything that a healthy installation passes."`
	Keygen  keygenCmd  `cmd:"" help:"Print a fresh SEALING_KEY, or a rotated one."`
	Reseal  resealCmd  `cmd:"" help:"Seal all credentials again under the newest key."`
	Tenant  tenantCmd  `cmd:"" help:"Add, list and change tenants."`
	Import  importCmd  `cmd:"" help:"Import past tickets, so that the first note already has something to say."`
	Explain explainCmd `cmd:"" help:"Say why a note says what it says."`
	Replay  replayCmd  `cmd:"" help:"Do a job again and show the difference, without writing anything."`
	Preview previewCmd `cmd:"" help:"Show on one page what Deskhand would have shown for tickets that are closed."`
	Token   tokenCmd   `cmd:"" help:"Make, list and revoke tokens of the admin API."`
	Queue   queueCmd   `cmd:"" help:"Look at the queues and their dead letters."`
	Audit   auditCmd   `cmd:"" help:"Read the audit trail."`
	Eval    evalCmd    `cmd:"" help:"Measure the quality of what the product finds."`
	Report  reportCmd  `cmd:"" help:"Report on what was achieved."`
	Smoke   smokeCmd   `cmd:"" help:"Create a ticket, send its webhook, signed in our own scheme, and wait for the note."`
	Docs    docsCmd    `cmd:"" hidden:"" help:"Print docs/configuration.md."`

	Function string           `env:"DESKHAND_FUNCTION" placeholder:"NAME" help:"Have this Lambda function (the installation's function admin, by name or ARN) run the command: it needs no database here, and AWS credentials that may invoke it."`
	Version  kong.VersionFlag `help:"Print the version."`
}

// Run parses args, runs the command, and returns the exit code. Errors go to
// p.Err as one message.
func (p *Program) Run(ctx context.Context, args []string) int {
	exit := -1
	var given commands
	parser, err := kong.New(&given,
		kong.Name("deskhand"),
		kong.Description("Deskhand puts a briefing on every new support ticket.\n\nIt is configured by environment variables: docs/configuration.md."),
		kong.Writers(p.Out, p.Err), kong.Exit(func(code int) { exit = code }),
		kong.Vars{"version": p.Version, "tools": p.toolNames()},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(p),
	)
	if err != nil {
		fmt.Fprintln(p.Err, "deskhand:", err)
		return operator.ExitError
	}
	command, err := parser.Parse(args)
	if exit >= 0 {
		return exit // help or version was printed
	}
	if err != nil {
		fmt.Fprintf(p.Err, "deskhand: %v\nTry: deskhand --help\n", hidden(err, args))
		return operator.ExitUsage
	}
	if exit, err = p.dispatch(ctx, command, &given, args); err != nil {
		fmt.Fprintf(p.Err, "deskhand %s: %v\n", command.Selected().Path(), err)
		return operator.ExitError
	}
	return exit
}

func (p *Program) toolNames() string {
	names := make([]string, len(p.Tools))
	for i, k := range p.Tools {
		names[i] = k.Name
	}
	return strings.Join(names, ",")
}

// with opens the desk for one command.
func (p *Program) with(ctx context.Context, do func(*operator.Desk) error) error {
	desk, err := p.Open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(desk), desk.Close(context.WithoutCancel(ctx)))
}

type serveCmd struct{}

func (serveCmd) Run(ctx context.Context, p *Program) error { return p.Serve(ctx) }

type migrateCmd struct{}

// Help gives an example.
func (migrateCmd) Help() string {
	return "Needs DATABASE_OWNER_URL. It also gives the roles of DATABASE_URL, DATABASE_ADMIN_URL and DATABASE_QUEUE_URL their login.\n\nExample: deskhand migrate"
}

func (migrateCmd) Run(ctx context.Context, p *Program) error {
	applied, err := p.Migrate(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "%d migrations applied, the schema is up to date\n", applied)
	return nil
}

type docsCmd struct{}

func (docsCmd) Run(p *Program) error {
	fmt.Fprint(p.Out, p.Config())
	return nil
}
