// Package cli is the operator's command. It knows what the commands say and
// ask; what they act on comes in through Desk.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/deskhand/deskhand/shared/admin"
	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/catalogue"
	"github.com/deskhand/deskhand/shared/doctor"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// Desk is what the commands act on. Opening it may need a database, so it is
// opened by the command that needs it.
type Desk struct {
	Directory func(context.Context) (tenant.Directory, error)
	Unmapped  func(context.Context) ([]tenant.Unmapped, error)
	Open      func(tenant.Connection) (ticketing.Tool, error)
	Import    func(context.Context, tenant.ID, catalogue.Span, func(catalogue.Progress, []error)) (catalogue.Progress, error)
	Queues    map[string]Queue
	Trail     func(context.Context, tenant.ID, audit.Query, func(audit.Event) error) error
	Export    func(ctx context.Context, id tenant.ID, put func(table, row string) error) (left []string, err error)
	Erase     func(context.Context, tenant.ID) (done audit.Erasure, keys int, err error) // ErrKeys
	// Office is what the admin API does too; Caller is who sits at this command.
	Office *admin.Office
	Caller admin.Caller
	Reseal func(context.Context) (Resealed, error)
	Close  func(context.Context) error
}

// Queue is a queue as an operator sees it.
type Queue interface {
	queue.Inspector
	queue.DeadLetters
}

// Program is the command with its surroundings.
type Program struct {
	Version string
	Tools   integration.Set[ticketing.Tool]
	Open    func(context.Context) (*Desk, error)
	Migrate func(context.Context) (applied int, err error)
	Serve   func(context.Context) error
	Doctor  func(context.Context) []doctor.Result                                  // every check, in order
	Keygen  func(ctx context.Context, kms string) (secret.Text, error)             // encrypted with the KMS key of this ARN; "" for none
	Rotate  func(ctx context.Context, r Rotation, kms string) (secret.Text, error) // SEALING_KEY, changed; "" for the KMS key that it has
	Sign    func(key secret.Text, timestamp string, body []byte) string            // the webhook's signature
	Config  func() string                                                          // docs/configuration.md
	Now     func() time.Time
	In      io.Reader
	Out     io.Writer
	Err     io.Writer
	Wide    bool // Err is a terminal: progress may be drawn
	// Call has a Lambda function run a command line.
	Call func(ctx context.Context, function string, args []string) (Answer, error)

	carried *carried // set in a function
}

type commands struct {
	Serve   serveCmd   `cmd:"" help:"Run webhook, workers and schedules in one process."`
	Migrate migrateCmd `cmd:"" help:"Bring the database to this version."`
	Doctor  doctorCmd  `cmd:"" help:"Check everything that a healthy installation passes."`
	Keygen  keygenCmd  `cmd:"" help:"Print a fresh SEALING_KEY, or a rotated one."`
	Reseal  resealCmd  `cmd:"" help:"Seal all credentials again under the newest key."`
	Tenant  tenantCmd  `cmd:"" help:"Add, list and change tenants."`
	Import  importCmd  `cmd:"" help:"Import past tickets, so that the first note already has something to say."`
	Token   tokenCmd   `cmd:"" help:"Make, list and revoke tokens of the admin API."`
	Queue   queueCmd   `cmd:"" help:"Look at the queues and their dead letters."`
	Audit   auditCmd   `cmd:"" help:"Read the audit trail."`
	Smoke   smokeCmd   `cmd:"" help:"Create a ticket, send its webhook, signed in our own scheme, and wait for the note."`
	Docs    docsCmd    `cmd:"" hidden:"" help:"Print docs/configuration.md."`

	Function string           `env:"DESKHAND_FUNCTION" placeholder:"NAME" help:"Have this Lambda function (the installation's function admin, by name or ARN) run the command: it needs no database here, and AWS credentials that may invoke it."`
	Version  kong.VersionFlag `help:"Print the version."`
}

// Exit codes of Run.
const (
	ExitOK    = 0
	ExitError = 1 // the command failed
	ExitUsage = 2 // the command line is wrong
)

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
		return ExitError
	}
	command, err := parser.Parse(args)
	if exit >= 0 {
		return exit // help or version was printed
	}
	if err != nil {
		fmt.Fprintf(p.Err, "deskhand: %v\nTry: deskhand --help\n", hidden(err, args))
		return ExitUsage
	}
	if exit, err = p.dispatch(ctx, command, &given, args); err != nil {
		fmt.Fprintf(p.Err, "deskhand %s: %v\n", command.Selected().Path(), err)
		return ExitError
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
func (p *Program) with(ctx context.Context, do func(*Desk) error) error {
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
