package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/deskhand/deskhand/shared/operator"
)

type replayCmd struct {
	oneJob
	Post bool `help:"Have the workers do it, which edits the note on the ticket; here nothing is asked then."`
}

// Help says what it does, with examples.
func (replayCmd) Help() string {
	return "Reads the ticket again, gathers evidence as of now, asks the model, and prints the note that this gives, and how it differs from the " +
		"one that is kept. Nothing is written; the model's cost counts in the tenant's budget. With --post the work is queued as a new job " +
		"instead, and the workers edit the note. The audit trail tells of both.\n\n" +
		"Examples:\n  deskhand replay 1042 --tenant acme\n  deskhand replay 7d444840-9dc0-81d1-b245-5ffdce74fad2 --post"
}

func (c replayCmd) Run(ctx context.Context, p *Program) error {
	return p.with(ctx, func(d *operator.Desk) error {
		r, err := c.find(ctx, d)
		if err != nil {
			return err
		}
		if c.Post {
			job, err := d.Replay(ctx, r)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.Out, "queued as job %s. What becomes of it: deskhand explain %s --tenant %s\n", job, job, r.Ref.Tenant)
			return nil
		}
		now, err := d.Rehearse(ctx, r)
		if err != nil {
			return err
		}
		s := sheet{p.Out}
		s.line("Nothing was written. This is what the note on ticket %s of tenant %s would be now.", inLine(r.Ref.Key), r.Ref.Tenant)
		s.evidence(now.Bundle)
		s.claims(now.Run.Verdicts)
		s.calls(now.Run.Calls, false, false)
		s.text("Note", now.Note)
		if now.Note == r.Note {
			s.line("\nIt is the same as the one that is kept.")
			return nil
		}
		s.text("What is different from the one that is kept (- before, + now)", strings.Join(diff(lines(r.Note), lines(now.Note)), "\n"))
		return nil
	})
}

// maxLines is how many lines of a note are compared: many more than it has.
const maxLines = 1000

func lines(text string) []string {
	list := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return list[:min(len(list), maxLines)]
}

// diff gives the lines of both, those of a alone with "- " before them, those of
// b alone with "+ ": by their longest common subsequence.
func diff(a, b []string) (out []string) {
	common := make([][]int, len(a)+1) // of a[i:] and b[j:]
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, "  "+a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out = append(out, "- "+a[i])
			i++
		default:
			out = append(out, "+ "+b[j])
			j++
		}
	}
	return out
}
