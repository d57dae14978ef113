// Package quality says how good a tenant's notes were, with the number of cases
// behind each share. It is pure: the figures are counted elsewhere.
package quality

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/feedback"
	"github.com/deskhand/deskhand/shared/outcome"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Span is a time from Since until before Until: that of the webhooks.
type Span struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

// Store counts.
type Store interface {
	Count(ctx context.Context, id tenant.ID, in Span) (Figures, error)
}

// Figures are counts of the jobs of one tenant and Span.
type Figures struct {
	Notes        int // jobs that completed with a note
	Shadow       int // of Notes: that were not written to the tool
	EvidenceOnly int // of Notes: without the language model
	Failed       int // jobs
	Skipped      map[string]int
	Votes        map[feedback.Vote]int
	Comments     int // votes with words of their own
	Reasons      map[feedback.Reason]int
	Outcomes     map[outcome.Verdict]int
	Claims       int           // that the language model made
	Removed      int           // of Claims
	P50, P95     time.Duration // from the webhook to the end of the job, of Notes, without improvements and replays
	CostUSD      float64       // of all jobs
}

// Share is a part of a whole, with its Wilson interval of 95 %: what other cases
// of the same kind would give, were they as many. Low is 0 and High 1 where there is no case.
type Share struct {
	Count int     `json:"count"`
	Of    int     `json:"of"`
	Share float64 `json:"share"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// NewShare gives the share of n in all.
func NewShare(n, all int) Share {
	if all <= 0 {
		return Share{Count: n, Of: all, High: 1}
	}
	const z = 1.959964 // of the normal distribution, 2.5 % on either side
	size, p := float64(all), float64(n)/float64(all)
	middle := p + z*z/(2*size)
	reach := z * math.Sqrt(p*(1-p)/size+z*z/(4*size*size))
	whole := 1 + z*z/size
	return Share{n, all, p, max(0, (middle-reach)/whole), min(1, (middle+reach)/whole)}
}

// Part is a Share with a name.
type Part struct {
	Name string `json:"name"`
	Share
}

// Report is what Figures say.
type Report struct {
	Tenant       tenant.ID `json:"tenant"`
	Name         string    `json:"name"`
	Span         Span      `json:"span"`
	Notes        int       `json:"notes"`
	EvidenceOnly Share     `json:"evidence_only"` // of notes
	Shadow       Share     `json:"shadow"`        // of notes
	Failed       int       `json:"failed_jobs"`
	Skipped      []Part    `json:"skipped"`  // of jobs without a note, by why
	Voted        Share     `json:"voted"`    // of notes that technicians saw
	Useful       Share     `json:"useful"`   // of votes
	Useless      Share     `json:"useless"`  // of votes
	Comments     Share     `json:"comments"` // of votes
	Reasons      []Part    `json:"reasons"`  // of votes that it was not useful; one may have many
	Compared     Share     `json:"compared"` // of notes, those whose ticket's resolution says something
	Outcomes     []Part    `json:"outcomes"` // of those
	Unknown      int       `json:"outcomes_unknown"`
	Removed      Share     `json:"claims_removed"` // of claims
	P50          float64   `json:"p50_seconds"`
	P95          float64   `json:"p95_seconds"`
	CostUSD      float64   `json:"cost_usd"`
}

// NewReport makes the report of a tenant.
func NewReport(t tenant.Tenant, in Span, f Figures) Report {
	useful, useless := f.Votes[feedback.Useful], f.Votes[feedback.Useless]
	votes, skipped, compared := useful+useless, 0, 0
	for _, n := range f.Skipped {
		skipped += n
	}
	for v, n := range f.Outcomes {
		if v != outcome.Unknown {
			compared += n
		}
	}
	r := Report{
		Tenant: t.ID, Name: t.Name, Span: in, Notes: f.Notes, Failed: f.Failed,
		EvidenceOnly: NewShare(f.EvidenceOnly, f.Notes), Shadow: NewShare(f.Shadow, f.Notes),
		Skipped: parts(f.Skipped, skipped), Reasons: parts(f.Reasons, useless),
		Voted: NewShare(votes, f.Notes-f.Shadow), Useful: NewShare(useful, votes), Useless: NewShare(useless, votes), Comments: NewShare(f.Comments, votes),
		Compared: NewShare(compared, f.Notes), Unknown: f.Outcomes[outcome.Unknown],
		Removed: NewShare(f.Removed, f.Claims), P50: f.P50.Seconds(), P95: f.P95.Seconds(), CostUSD: f.CostUSD,
	}
	for _, v := range outcome.Verdicts {
		if v != outcome.Unknown {
			r.Outcomes = append(r.Outcomes, Part{string(v), NewShare(f.Outcomes[v], compared)})
		}
	}
	return r
}

// parts are the counts, the largest first.
func parts[K ~string](counts map[K]int, all int) []Part {
	list := []Part{}
	for name, n := range counts {
		list = append(list, Part{string(name), NewShare(n, all)})
	}
	slices.SortFunc(list, func(a, b Part) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// maxReasons is how many reasons for no note are named; the others are one line.
const maxReasons = 8

// Write writes the report for people, in lines of less than 80 characters.
func (r Report) Write(w io.Writer) error {
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(fmt.Sprintf(format, args...) + "\n") }
	share := func(name string, s Share) {
		if s.Of > 0 {
			line("%-38.38s %6d of %-6d %5.1f %%  (%.1f to %.1f)", name, s.Count, s.Of, 100*s.Share, 100*s.Low, 100*s.High)
		} else {
			line("%-38.38s %6d of %-6d", name, s.Count, s.Of)
		}
	}
	all := func(indent string, list []Part) {
		for _, p := range list {
			share(indent+strings.ReplaceAll(p.Name, "_", " "), p.Share)
		}
	}
	line("%.78s", fmt.Sprintf("%s (%s), %s to %s", r.Tenant, printable(r.Name), r.Span.Since.Format(time.DateOnly), r.Span.Until.Format(time.DateOnly)))
	line("%-38s %6d", "Notes", r.Notes)
	share("  from the evidence alone", r.EvidenceOnly)
	share("  in shadow, not written to the tool", r.Shadow)
	line("%-38s %6d", "Jobs that failed", r.Failed)
	line("%-38s %6d", "Jobs without a note", total(r.Skipped))
	all("  ", short(r.Skipped))
	share("Votes, of notes that were seen", r.Voted)
	share("  useful", r.Useful)
	share("  not useful", r.Useless)
	all("    ", r.Reasons)
	share("  with a comment", r.Comments)
	share("Resolutions compared, of notes", r.Compared)
	all("  ", r.Outcomes)
	line("%-38s %6d", "  unknown: nothing to compare", r.Unknown)
	share("Claims of the model removed", r.Removed)
	line("%-38s %6.1f s, 95 %% within %.1f s", "Webhook to end of job, median", r.P50, r.P95)
	each := 0.0
	if r.Notes > 0 {
		each = r.CostUSD / float64(r.Notes)
	}
	line("%-38s %6.2f USD, %.4f a note", "Cost of the model", r.CostUSD, each)
	_, err := io.WriteString(w, b.String())
	return err
}

func total(list []Part) (n int) {
	for _, p := range list {
		n += p.Count
	}
	return n
}

// short names the largest parts, and counts the others together.
func short(list []Part) []Part {
	if len(list) <= maxReasons {
		return list
	}
	others := 0
	for _, p := range list[maxReasons:] {
		others += p.Count
	}
	return append(slices.Clone(list[:maxReasons]), Part{"others", NewShare(others, list[0].Of)})
}

// printable keeps a name from moving the terminal's cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}
