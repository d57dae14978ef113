package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/deskhand/deskhand/shared/doctor"
)

type doctorCmd struct {
	JSON bool `name:"json" help:"Print the results as JSON."`
}

// Help says what it needs, and what the exit code means.
func (doctorCmd) Help() string {
	return "It asks Postgres, the queues, Redis, the model and every tool, and changes nothing. The exit code is 1 where a check fails. docs/runbooks/doctor.md has the list.\n\n" +
		"Example: deskhand doctor --json | jq '.[] | select(.verdict == \"FAIL\")'"
}

func (c doctorCmd) Run(ctx context.Context, p *Program) error {
	results := p.Doctor(ctx)
	if c.JSON {
		e := json.NewEncoder(p.Out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(results); err != nil {
			return err
		}
	} else {
		p.findings(results)
	}
	if n := doctor.Failures(results); n > 0 {
		return fmt.Errorf("%d of %d checks fail: docs/runbooks/doctor.md", n, len(results))
	}
	return nil
}

// findings prints a line for each result, and below what is not well what it
// means and what to do.
func (p *Program) findings(results []doctor.Result) {
	for _, r := range results {
		detail := r.Detail
		if r.Subject != "" {
			detail = r.Subject + ": " + detail
		}
		fmt.Fprintf(p.Out, "%-4s  %-13s  %s\n", r.Verdict, r.Check, oneLine(detail))
		if r.Fix != "" {
			// The texts are Markdown for the runbook.
			fmt.Fprintf(p.Out, "      means: %s\n      fix:   %s\n", strings.ReplaceAll(r.Means, "`", ""), strings.ReplaceAll(r.Fix, "`", ""))
		}
	}
}
