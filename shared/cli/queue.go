package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/queue"
)

type queueCmd struct {
	Depth   queueDepthCmd   `cmd:"" help:"How many messages wait, run and are dead, and the age of the oldest."`
	Peek    queuePeekCmd    `cmd:"" help:"The next messages, and with --dead the dead letters with their reasons."`
	Redrive queueRedriveCmd `cmd:"" help:"Send dead letters again."`
	Purge   queuePurgeCmd   `cmd:"" help:"Delete dead letters."`
}

type queueDepthCmd struct{}

func (queueDepthCmd) Run(ctx context.Context, p *Program) error {
	return p.with(ctx, func(d *operator.Desk) error {
		w := tabwriter.NewWriter(p.Out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "QUEUE\tWAITING\tRUNNING\tDEAD\tOLDEST")
		for _, name := range slices.Sorted(maps.Keys(d.Queues)) {
			s, err := d.Queues[name].Stats(ctx)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\n", name, s.Depth, s.Running, s.Dead, s.Oldest.Round(time.Second))
		}
		return w.Flush()
	})
}

// named is the flag that all commands on one queue share.
type named struct {
	Queue string `default:"enhancement" help:"Which queue: enhancement or catalogue."`
}

func (n named) of(d *operator.Desk) (operator.Queue, error) {
	q, ok := d.Queues[n.Queue]
	if !ok {
		return nil, fmt.Errorf("no queue %q: have %s", n.Queue, strings.Join(slices.Sorted(maps.Keys(d.Queues)), ", "))
	}
	return q, nil
}

type queuePeekCmd struct {
	named
	Dead bool `help:"Show dead letters instead."`
	N    int  `short:"n" default:"20" help:"How many."`
}

func (c queuePeekCmd) Run(ctx context.Context, p *Program) error {
	return p.with(ctx, func(d *operator.Desk) error {
		q, err := c.of(d)
		if err != nil {
			return err
		}
		if c.Dead {
			return p.deadLetters(ctx, q, c.N)
		}
		messages, err := q.Peek(ctx, c.N)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(p.Out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tTENANT\tKIND\tAGE\tERRORS")
		for _, m := range messages {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\n", m.ID, m.Tenant, m.Kind, p.age(m), m.Errors)
		}
		return w.Flush()
	})
}

func (p *Program) deadLetters(ctx context.Context, q queue.DeadLetters, n int) error {
	letters, err := q.List(ctx, n)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tTENANT\tKIND\tDIED\tREASON")
	for _, l := range letters {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.Message.ID, l.Message.Tenant, l.Message.Kind, l.Died.UTC().Format(time.RFC3339), oneLine(l.Reason))
	}
	return w.Flush()
}

func (p *Program) age(m queue.Message) time.Duration { return p.Now().Sub(m.Sent).Round(time.Second) }

// oneLine keeps a reason from another system on its line, without control
// characters that could move the cursor.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == ' ' }), " ")
}

// chosen is the flags of what changes dead letters: some by id, or all of them
// said out loud.
type chosen struct {
	named
	IDs []string `arg:"" optional:"" name:"id" help:"Message ids, as peek --dead shows them."`
	All bool     `help:"All dead letters of the queue."`
}

func (c chosen) do(ctx context.Context, p *Program, what string, change func(operator.Queue) func(context.Context, ...string) (int, error)) error {
	if c.All == (len(c.IDs) > 0) {
		return errors.New("name the message ids, or say --all")
	}
	return p.with(ctx, func(d *operator.Desk) error {
		q, err := c.of(d)
		if err != nil {
			return err
		}
		n, err := change(q)(ctx, c.IDs...)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.Out, "%d dead letters of queue %s %s\n", n, c.Queue, what)
		return nil
	})
}

type queueRedriveCmd struct{ chosen }

func (c queueRedriveCmd) Run(ctx context.Context, p *Program) error {
	return c.do(ctx, p, "sent again", func(q operator.Queue) func(context.Context, ...string) (int, error) { return q.Redrive })
}

type queuePurgeCmd struct{ chosen }

func (c queuePurgeCmd) Run(ctx context.Context, p *Program) error {
	return c.do(ctx, p, "deleted", func(q operator.Queue) func(context.Context, ...string) (int, error) { return q.Purge })
}
