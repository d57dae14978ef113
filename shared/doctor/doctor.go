// Package doctor is the list of what a healthy installation passes: what each
// check asks, what a failure means, and the command that fixes it. The same
// list feeds /readyz, the operator's command and docs/runbooks/doctor.md.
package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Check is one thing that a healthy installation passes.
type Check struct {
	Name  string // "role"; unique in the list
	Means string // what does not work where it fails, in one sentence
	Fix   string // what to do then, with the command
	// Run asks. It gives at least one finding.
	Run func(context.Context) []Finding
	// Ready, where not nil, is the part of it that /readyz asks every few
	// seconds: quick, and about what this process itself cannot do without.
	Ready func(context.Context) error
	// Optional is for what the installation can do without: a failure is a
	// warning, and the process ready, but degraded.
	Optional bool
	// After names the check without whose success this one is not asked: its
	// failure would say the same again. It stands earlier in the list.
	After string
}

// Finding is what one check found out about one thing.
type Finding struct {
	Subject string // "acme: View requests"; "" where the check is about one thing only
	Said    string // what there is, where it is well
	Err     error  // why it fails
	Warn    bool   // it is well enough, but should be known: Said says why
}

// Verdict says how a check ended.
type Verdict string

// The verdicts.
const (
	OK   Verdict = "ok"
	Warn Verdict = "warn"
	Fail Verdict = "FAIL"
	Skip Verdict = "skip" // not asked, because an earlier check failed
)

// Result is one line of the examination. Detail may hold words of other
// systems: clean it before a terminal sees it.
type Result struct {
	Check   string  `json:"check"`
	Subject string  `json:"subject,omitempty"`
	Verdict Verdict `json:"verdict"`
	Detail  string  `json:"detail"`
	Means   string  `json:"means,omitempty"` // with Warn and Fail
	Fix     string  `json:"fix,omitempty"`   // likewise
}

// limit bounds one check. A tool is asked several times in its own.
const limit = 30 * time.Second

// Examine runs the checks in their order, each for at most half a minute.
func Examine(ctx context.Context, checks []Check) []Result {
	var results []Result
	failed := map[string]bool{}
	for _, c := range checks {
		if failed[c.After] {
			failed[c.Name] = true
			results = append(results, Result{Check: c.Name, Verdict: Skip, Detail: "not asked: " + c.After + " fails"})
			continue
		}
		for _, f := range c.run(ctx) {
			r := c.result(f)
			failed[c.Name] = failed[c.Name] || f.Err != nil
			results = append(results, r)
		}
	}
	return results
}

func (c Check) run(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return c.Run(ctx)
}

func (c Check) result(f Finding) Result {
	r := Result{Check: c.Name, Subject: f.Subject, Verdict: OK, Detail: f.Said}
	switch {
	case f.Err != nil && c.Optional:
		r.Verdict, r.Detail = Warn, f.Err.Error()
	case f.Err != nil:
		r.Verdict, r.Detail = Fail, f.Err.Error()
	case f.Warn:
		r.Verdict = Warn
	}
	if r.Verdict != OK {
		r.Means, r.Fix = c.Means, c.Fix
	}
	return r
}

// Failures counts the results that are FAIL.
func Failures(results []Result) (n int) {
	for _, r := range results {
		if r.Verdict == Fail {
			n++
		}
	}
	return n
}

// One makes the Run of a check about one thing, which says what it found.
func One(ask func(context.Context) (said string, err error)) func(context.Context) []Finding {
	return func(ctx context.Context) []Finding {
		said, err := ask(ctx)
		return []Finding{{Said: said, Err: err}}
	}
}

// Skew tells how far another clock is from this one. Its time was read between
// asked and answered, so half of that span is nobody's fault, nor is the
// precision in which it is told. It fails beyond the limit.
func Skew(other, asked, answered time.Time, precision, limit time.Duration) Finding {
	middle := asked.Add(answered.Sub(asked) / 2)
	skew := other.Add(precision / 2).Sub(middle)
	doubt := answered.Sub(asked)/2 + precision/2
	way := "ahead of"
	if skew < 0 {
		way = "behind"
	}
	said := fmt.Sprintf("%s %s this machine, give or take %s", skew.Round(time.Millisecond).Abs(), way, doubt.Round(time.Millisecond))
	if skew.Abs() > limit+doubt {
		return Finding{Err: fmt.Errorf("its clock is %s: more than %s", said, limit)}
	}
	return Finding{Said: said}
}

// Markdown is the table of the checks in docs/runbooks/doctor.md.
func Markdown(checks []Check) string {
	var b strings.Builder
	b.WriteString("| check | where it fails | what to do |\n| --- | --- | --- |\n")
	for _, c := range checks {
		notes := ""
		if c.Optional {
			notes += " (a warning)"
		}
		if c.Ready != nil {
			notes += " (also at `/readyz`)"
		}
		fmt.Fprintf(&b, "| `%s`%s | %s | %s |\n", c.Name, notes, c.Means, c.Fix)
	}
	return b.String()
}
