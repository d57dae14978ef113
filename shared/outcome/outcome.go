// Package outcome compares what a technician did with what the note had advised.
// Compare is pure, and reckons with words alone: docs/feedback.md says how often
// it is right.
package outcome

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

// Verdict is how a resolution compares with a note.
type Verdict string

// The verdicts, as the database has them.
const (
	Used         Verdict = "used"         // most of what was done, the note had advised
	Partly       Verdict = "partly"       // some of it
	Unrelated    Verdict = "unrelated"    // something else was done
	Contradicted Verdict = "contradicted" // what the note had advised did not help, or was not the cause
	Unknown      Verdict = "unknown"      // nothing was advised, or the resolution says nothing
)

// Verdicts are all of them, in the order of reports.
var Verdicts = []Verdict{Used, Partly, Unrelated, Contradicted, Unknown}

// Note is a note as it was stored; without a Job there is none.
type Note struct {
	Job      string
	Bundle   evidence.Bundle
	Markdown string
}

// Notes keeps them.
type Notes interface {
	// Last gives the last note on the ticket; one without a Job where there is none.
	Last(ctx context.Context, id tenant.ID, connection, key string) (Note, error)
	// PutOutcome stores the outcome of the job's note in the place of one before.
	PutOutcome(ctx context.Context, id tenant.ID, job string, v Verdict, score float64) error
}

// Judge compares tickets that were resolved with their notes.
type Judge struct{ Notes Notes }

// Resolved stores the outcome of the note on a ticket, where there is one.
func (j Judge) Resolved(ctx context.Context, ref ticket.Ref, t ticket.Ticket) error {
	n, err := j.Notes.Last(ctx, ref.Tenant, ref.Connection, ref.Key)
	if err == nil && n.Job != "" {
		v, score := Compare(t.Text(), n.Advice(), t.Resolution)
		err = j.Notes.PutOutcome(ctx, ref.Tenant, n.Job, v, score)
	}
	if err != nil {
		return fmt.Errorf("compare the resolution of %s with its note: %w", ref, err)
	}
	return nil
}

var (
	bullet = regexp.MustCompile(`(?m)^[-*] +(.+)$`)
	target = regexp.MustCompile(`\]\([^)]*\)`)
)

// Advice gives what the note advised: what solved the tickets that it names, what
// its articles say, and its own points.
func (n Note) Advice() []string {
	var list []string
	for _, it := range n.Bundle.Items {
		switch it.Kind {
		case evidence.PastTicket:
			list = append(list, it.Ref+". "+it.Text)
		case evidence.Article:
			list = append(list, it.Ref+". "+it.Title+". "+it.Text)
		}
	}
	if len(list) == 0 {
		return nil // its points are about what is not known
	}
	for _, point := range bullet.FindAllStringSubmatch(n.Markdown, -1) {
		list = append(list, strings.ReplaceAll(target.ReplaceAllString(point[1], "]"), `\`, ""))
	}
	return list
}
