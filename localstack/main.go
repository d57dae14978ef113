// Command localstack is what stands in for the cloud on one machine: a real
// Postgres, a server that speaks Redis's protocol, and a stateful ServiceDesk
// Plus with two demo clients, with every function of the product in the same
// process. `make run` starts it; what stands in is named in what it prints.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/alecthomas/kong"

	"github.com/deskhand/deskhand/shared/app"
	"github.com/deskhand/deskhand/shared/cli"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/host"
)

type commands struct {
	Run   runCmd   `cmd:"" default:"withargs" help:"Start everything and serve until Ctrl-C."`
	Smoke smokeCmd `cmd:"" help:"Create a ticket, send its webhook, wait for the note: against what 'run' started, or a stack of its own."`
}

// options are what both commands can be told.
type options struct {
	Dir    string `default:".local" help:"Folder of the data."`
	Addr   string `default:"127.0.0.1:8080" help:"Address of the product: webhooks, health, metrics."`
	Acme   string `default:"127.0.0.1:8091" help:"Address of the ServiceDesk Plus of client acme."`
	Globex string `default:"127.0.0.1:8092" help:"Address of the ServiceDesk Plus of client globex."`
	Quiet  bool   `help:"The stand-ins send no webhooks of their own."`
	Lambda bool   `help:"Run the product as its Lambda functions, built and run by a local Lambda runtime, on SQS: that of AWS_ENDPOINT_URL, or a stand-in."`
	Log    string `help:"File of the product's log (default: log.jsonl in the folder)."`
	Model  string `enum:"environment,scripted" default:"environment" help:"'environment': OPENAI_API_KEY and its like, or none. 'scripted': answers made from the evidence by a program, no language model."`
}

type runCmd struct{ options }

func (c runCmd) Run(ctx context.Context) error {
	s, err := start(ctx, c.options, func(line string) { fmt.Println(line) })
	if err != nil {
		return err
	}
	defer s.stop()
	served := make(chan error, 1)
	go func() { served <- s.serve(ctx) }()
	if err := s.ready(ctx, served); err != nil {
		return err
	}
	fmt.Print(s.welcome())
	return <-served
}

type smokeCmd struct {
	options
	Tenant string `default:"acme" help:"Client whose tool gets the ticket."`
}

// Run takes the stack that is there, else starts one in a folder of its own,
// with the scripted model and on free ports, and stops it afterwards.
func (c smokeCmd) Run(ctx context.Context) error {
	if cfg, ok := running(ctx, filepath.Join(c.Dir, envFile)); ok {
		fmt.Printf("Using what make run started, on %s\n\n", cfg.Addr)
		return smoke(ctx, cfg, c.Tenant)
	}
	dir, err := os.MkdirTemp("", "deskhand-smoke-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// Postgres runs as another user and must reach its folder inside.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	const free = "127.0.0.1:0"
	o := options{Dir: dir, Addr: freeAddr(), Acme: free, Globex: free, Model: "scripted", Quiet: true, Lambda: c.Lambda, Log: cmp.Or(c.Log, filepath.Join(c.Dir, "logs", "smoke.jsonl"))}
	s, err := start(ctx, o, func(line string) { fmt.Println(line) })
	if err != nil {
		return err
	}
	defer s.stop()
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- s.serve(ctx) }()
	if err = s.ready(ctx, served); err == nil {
		fmt.Println()
		err = smoke(ctx, s.cfg, c.Tenant, "--within", "1s")
	}
	cancel()
	if stopped := <-served; err == nil {
		err = stopped
	}
	return err
}

// smoke runs the operator's own command.
func smoke(ctx context.Context, cfg config.Config, client string, more ...string) error {
	load := func() (config.Config, error) { return cfg, nil }
	if code := cli.New(app.Program("local", load)).Run(ctx, append([]string{"smoke", "--url", "http://" + cfg.Addr, "--tenant", client}, more...)); code != 0 {
		return fmt.Errorf("the smoke test failed")
	}
	return nil
}

func main() {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	ctx, stop := host.Signals(context.Background())
	c := kong.Parse(&commands{}, kong.Name("localstack"), kong.Description("Deskhand on one machine, with demo data: no account, no key, no image."),
		kong.BindTo(ctx, (*context.Context)(nil)))
	err := c.Run()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "localstack:", err)
		os.Exit(1)
	}
}
