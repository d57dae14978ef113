// Command load measures the product on this machine: accepting webhooks, from
// webhook to note, and what a Lambda function weighs and takes to start. Every
// figure of the accept path stands beside that of its floor, a bare handler,
// from the same run with the rounds interleaved. What is compared with earlier
// runs is the ratio to the floor, which a busy machine changes little;
// reference.json has the ratios.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/deskhand/deskhand/shared/host"
)

const description = `Measures the product on this machine beside a bare handler, and prints a table.

Examples:

  make bench                                        everything, about 4 minutes
  make bench BENCH_ARGS=--quick                     what CI runs, under 2 minutes
  make bench BENCH_ARGS="--rounds 9 --each 10s"     longer, for figures to publish

It ends with status 1 where a webhook is not answered with 202, where a message
is lost or doubled, and where a ratio is worse than that in
tests/load/reference.json by more than its slack.`

type options struct {
	Quick  bool          `help:"Three rounds of 2 s, fewer tickets."`
	Rounds int           `help:"Rounds of each accept path, interleaved; at least 3. Default 5, or 3 with --quick."`
	Each   time.Duration `help:"Length of a round. Default 5s, or 2s with --quick."`
	Notes  int           `help:"Tickets from webhook to note, on each queue. Default 100, or 30 with --quick."`
}

func (o *options) fill() {
	rounds, each, notes := 5, 5*time.Second, 100
	if o.Quick {
		rounds, each, notes = 3, 2*time.Second, 30
	}
	o.Rounds = max(cmp.Or(o.Rounds, rounds), 3)
	o.Each = cmp.Or(o.Each, each)
	o.Notes = cmp.Or(o.Notes, notes)
}

// Run implements kong's command.
func (o *options) Run(ctx context.Context) error {
	o.fill()
	start := time.Now()
	ref, err := readReference()
	if err != nil {
		return err
	}
	w, err := build(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	fmt.Printf("%d cores, %s; the load generator, the queues and the fakes share them\n", runtime.NumCPU(), runtime.Version())

	var g gate
	accepts, err := w.accept(ctx, *o)
	if err != nil {
		return err
	}
	g.accepts(accepts, ref)
	notes, err := w.notes(ctx, o.Notes)
	if err != nil {
		return err
	}
	functions, err := w.functions(ctx)
	if err != nil {
		return err
	}
	g.functions(functions, ref)

	printAccepts(accepts, *o)
	printNotes(notes, o.Notes)
	printFunctions(functions)
	fmt.Printf("\ntook %s\n", time.Since(start).Round(time.Second))
	return errors.Join(g.failures...)
}

func table(head string, line func(*tabwriter.Writer)) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, head)
	line(w)
	_ = w.Flush() // to the terminal
}

func printAccepts(rows []measured, o options) {
	fmt.Printf("\naccepting a webhook: %d connections, %d bytes, %d tenants, medians of %d rounds of %s, interleaved\n",
		connections, bodySize, tenants, o.Rounds, o.Each)
	floor := rows[0].figures
	table("\treq/s\tp50 ms\tp99 ms\tCPU us/req\treq/s of floor\tCPU of floor\t", func(w *tabwriter.Writer) {
		for _, r := range rows {
			f := r.figures
			fmt.Fprintf(w, "%s\t%.0f\t%.1f\t%.1f\t%.0f\t%.2f\t%.2f\t\n", r.name, f.rate, f.p50, f.p99, f.cpu, f.rate/floor.rate, f.cpu/floor.cpu)
		}
	})
	for _, r := range rows[1:] {
		fmt.Printf("%s: the queue holds all %d accepted messages, each once\n", r.name, r.accepted)
	}
}

func printNotes(rows []noted, n int) {
	fmt.Printf("\nwebhook to note: %d tickets one after another, model of 0 ms (scripted), webhook and enhance as processes\n", n)
	table("\tp50 ms\tp95 ms\t", func(w *tabwriter.Writer) {
		for _, r := range rows {
			fmt.Fprintf(w, "%s\t%.1f\t%.1f\t\n", r.name, r.p50, r.p95)
		}
	})
}

func printFunctions(rows []function) {
	fmt.Printf("\nLambda functions: init on this machine's local Lambda runtime, the slowest of the quickest %d and the median of %d; of a bare one, started in turn; zip of the arm64 build\n", quickest, starts)
	table("\tinit ms\tmedian ms\tbare ms\tzip MB\t", func(w *tabwriter.Writer) {
		for _, r := range rows {
			fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%.1f\t%.2f\t\n", r.name, r.init, r.median, r.bare, r.zip)
		}
	})
}

// progress says on standard error what happens, one line over the other where
// that is a terminal.
func progress(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprintf(os.Stderr, "\r\033[K%s", text)
		return
	}
	fmt.Fprintln(os.Stderr, text)
}

func main() {
	if len(os.Args) == 2 && children[os.Args[1]] != nil {
		fmt.Fprintln(os.Stderr, children[os.Args[1]]())
		os.Exit(1)
	}
	ctx, stop := host.Signals(context.Background())
	var o options
	kong.Parse(&o, kong.Name("load"), kong.Description(description))
	err := o.Run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "\nload: %v\n", err)
		os.Exit(1)
	}
}
