package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/receipts"
	"github.com/deskhand/deskhand/shared/tenant"
)

// oneJob says which job is meant.
type oneJob struct {
	Job    string `arg:"" help:"Id of the job (correlation_id in the log); with --tenant, the ticket's key will do for its last job that wrote a note."`
	Tenant string `help:"Id of the tenant; without it, every tenant is looked at."`
}

func (c oneJob) find(ctx context.Context, d *operator.Desk) (enhance.Record, error) {
	var id tenant.ID
	if c.Tenant != "" {
		var err error
		if id, err = tenant.ParseID(c.Tenant); err != nil {
			return enhance.Record{}, err
		}
	}
	return d.Explain(ctx, id, c.Job)
}

type explainCmd struct {
	oneJob
	Prompt bool `help:"Also print what the model was asked."`
	Answer bool `help:"Also print what it answered, as it came."`
	JSON   bool `name:"json" help:"Print all of it as JSON."`
}

// Help says what comes out, with examples.
func (explainCmd) Help() string {
	return "Says why a note says what it says: what was found and why, what became of each claim of the model, how long each step took, " +
		"and what it cost. Prompts and answers are kept for 90 days, with placeholders for what must not leave the tenant. " +
		"The audit trail tells that it was read.\n\n" +
		"Examples:\n  deskhand explain 1042 --tenant acme\n  deskhand explain 7d444840-9dc0-81d1-b245-5ffdce74fad2 --prompt --answer"
}

func (c explainCmd) Run(ctx context.Context, p *Program) error {
	return p.with(ctx, func(d *operator.Desk) error {
		r, err := c.find(ctx, d)
		if err != nil {
			return err
		}
		if c.JSON {
			e := json.NewEncoder(p.Out)
			e.SetIndent("", "  ")
			e.SetEscapeHTML(false)
			return e.Encode(plain(r))
		}
		s := sheet{p.Out}
		s.job(r)
		s.evidence(r.Bundle)
		s.claims(r.Run.Verdicts)
		s.steps(r.Run)
		s.calls(r.Run.Calls, c.Prompt, c.Answer)
		s.text("Note", cmp.Or(r.Note, "(none)"))
		return nil
	})
}

// plain is a record as JSON has it.
func plain(r enhance.Record) any {
	return struct {
		Job          string          `json:"job"`
		Tenant       tenant.ID       `json:"tenant"`
		Tool         string          `json:"tool"`
		Connection   string          `json:"connection"`
		Ticket       string          `json:"ticket"`
		Kind         string          `json:"kind"`
		Status       enhance.Status  `json:"status"`
		Skipped      string          `json:"skipped,omitempty"`
		Shadow       bool            `json:"shadow,omitempty"`
		EvidenceOnly bool            `json:"evidence_only,omitempty"`
		Error        string          `json:"error,omitempty"`
		Tries        int             `json:"tries"`
		Received     time.Time       `json:"received"`
		Ended        time.Time       `json:"ended,omitzero"`
		NoteID       string          `json:"note_id,omitempty"`
		Note         string          `json:"note,omitempty"`
		Model        string          `json:"model,omitempty"`
		CostUSD      float64         `json:"cost_usd"`
		Evidence     evidence.Bundle `json:"evidence"`
		Run          enhance.Run     `json:"run"`
	}{
		r.Job, r.Ref.Tenant, r.Ref.Tool, r.Ref.Connection, r.Ref.Key, string(r.Kind), r.Status, r.Skipped, r.Shadow, r.EvidenceOnly, r.Error,
		r.Tries, r.Received, r.Ended, r.NoteID, r.Note, r.Model, r.Usage.CostUSD, r.Bundle, r.Run,
	}
}

// sheet is where it is written, for people. Texts of other systems are cleaned.
type sheet struct{ io.Writer }

// line writes a line, without spaces at its end.
func (s sheet) line(format string, args ...any) {
	fmt.Fprintln(s, strings.TrimRight(fmt.Sprintf(format, args...), " "))
}

// text writes a text of several lines under a heading.
func (s sheet) text(heading, body string) {
	s.line("\n%s\n", heading)
	for line := range strings.Lines(strings.TrimRight(body, "\n")) {
		s.line("  %s", visible(line))
	}
}

// visible leaves out what a terminal would obey, or what would turn the
// direction of the text.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
}

// inLine is a text on one line.
func inLine(s string) string { return visible(oneLine(s)) }

// job writes what it was, and how it ended.
func (s sheet) job(r enhance.Record) {
	w := tabwriter.NewWriter(s, 0, 4, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, inLine(value))
		}
	}
	row("Job", fmt.Sprintf("%s (%s)", r.Job, r.Kind))
	row("Ticket", fmt.Sprintf("%s of tenant %s, connection %s (%s)", r.Ref.Key, r.Ref.Tenant, r.Ref.Connection, r.Ref.Tool))
	status := string(r.Status)
	if !r.Ended.IsZero() {
		status += fmt.Sprintf(" %s, %s after the webhook", r.Ended.UTC().Format(time.DateTime+" MST"), brief(r.Ended.Sub(r.Received)))
	}
	if r.Tries > 1 {
		status += fmt.Sprintf(", in %d tries", r.Tries)
	}
	row("Status", status)
	row("Skipped", r.Skipped)
	row("Error", r.Error)
	row("Note", said(r))
	if rule := r.Run.Suspicion; rule != "" {
		row("Suspect", "the ticket has text addressed to AI or operators (rule "+rule+"): the model was not asked")
	}
	if v := r.Run.Versions; v != (enhance.Versions{}) {
		row("Versions", fmt.Sprintf("deskhand %s, prompt %s, claims checked by rules %s", cmp.Or(v.Program, "?"), cmp.Or(v.Prompt, "?"), cmp.Or(v.Policy, "?")))
	}
	if r.Run.Started.IsZero() {
		row("Record", "no steps, calls and claims are kept of this job: it is older than 90 days, was skipped, or failed before")
	}
	_ = w.Flush() // what is written to fails again below
}

// said says whose words the note has, and where it is.
func said(r enhance.Record) string {
	if r.Note == "" {
		return ""
	}
	by := "by " + cmp.Or(r.Model, "an unknown model") + " and the evidence"
	if r.EvidenceOnly {
		by = "from the evidence alone"
	}
	switch {
	case r.Shadow:
		return by + ", not on the ticket: shadow mode"
	case r.NoteID == "":
		return by + ", not on the ticket"
	}
	return by + ", on the ticket as " + r.NoteID
}

// evidence writes what was found, with why it was taken for alike, and what
// failed.
func (s sheet) evidence(b evidence.Bundle) {
	s.line("\nEvidence: %d found; sources that failed: %d\n", len(b.Items), len(b.Gaps))
	for _, it := range b.Items {
		s.line("  %s  %s  %s", it.ID, inLine(it.Ref), inLine(it.Title))
		var about []string
		add := func(format string, value any, there bool) {
			if there {
				about = append(about, inLine(fmt.Sprintf(format, value)))
			}
		}
		add("%s", it.Source, true)
		add("score %.2f", it.Score, it.Score != 0)
		add("%s", "possibly about the same", it.Possibly)
		add("matched %s", it.Why, it.Why != "")
		add("found by %s", it.Path, it.Path != "")
		add("%s", it.When.UTC().Format(time.DateOnly), !it.When.IsZero())
		add("%s", strings.Join(it.InWords(), ", "), len(it.Facts) > 0)
		s.line("      %s", strings.Join(about, "; "))
	}
	for _, it := range b.Withheld {
		s.line("  withheld: %s (%s): its text is addressed to AI or operators", inLine(it.Ref), inLine(it.Source))
	}
	for _, g := range b.Gaps {
		s.line("  failed: %s: %s", inLine(g.Label), inLine(g.Reason))
	}
	for _, name := range slices.Sorted(maps.Keys(b.Took)) {
		s.line("  %s took %s", inLine(name), brief(b.Took[name]))
	}
}

// claims writes what became of each claim of the model.
func (s sheet) claims(all []receipts.Verdict) {
	if len(all) == 0 {
		return
	}
	count := map[receipts.Outcome]int{}
	for _, v := range all {
		count[v.Outcome]++
	}
	s.line("\nClaims of the model: %d, of which %d kept, %d general advice, %d removed\n", len(all), count[receipts.Kept], count[receipts.IsGeneral], count[receipts.Removed])
	for _, v := range all {
		cites := ""
		if len(v.Cites) > 0 {
			cites = "[" + strings.Join(v.Cites, "][") + "]"
		}
		s.line("  %-8s %s %s", inLine(string(v.Outcome)), inLine(v.Text), inLine(cites))
		if v.Why != "" {
			s.line("           because: %s", inLine(v.Why))
		}
	}
}

// width is how many characters the time of a whole run has.
const width = 30

// steps writes a bar for each step, from when it began to when it ended.
func (s sheet) steps(run enhance.Run) {
	var whole time.Duration
	for _, step := range run.Steps {
		whole = max(whole, step.At)
	}
	if whole <= 0 {
		return
	}
	s.line("\nTime: %s from %s\n", brief(whole), run.Started.UTC().Format(time.DateTime+" MST"))
	at := func(d time.Duration) int { return int(width * float64(min(max(d, 0), whole)) / float64(whole)) }
	for _, step := range run.Steps {
		from := min(at(step.At-step.Took), width-1)
		long := max(at(step.At)-from, 1)
		bar := strings.Repeat(" ", from) + strings.Repeat("=", long) + strings.Repeat(" ", width-from-long)
		s.line("  %-10s |%s| %8s  %s", inLine(step.Name), bar, brief(step.Took), inLine(step.Note))
	}
}

// calls writes what was asked of the model, and what it took.
func (s sheet) calls(all []enhance.Call, prompt, answer bool) {
	if len(all) == 0 {
		return
	}
	usd := 0.0
	for _, c := range all {
		usd += c.Usage.CostUSD
	}
	s.line("\nCalls of the model: %d, $%.4f\n", len(all), usd)
	for i, c := range all {
		hidden := "nothing taken out"
		if len(c.Hidden) > 0 {
			var kinds []string
			for _, kind := range slices.Sorted(maps.Keys(c.Hidden)) {
				kinds = append(kinds, fmt.Sprintf("%d %s", c.Hidden[kind], kind))
			}
			hidden = "taken out: " + strings.Join(kinds, ", ")
		}
		s.line("  %d. %s: %d tokens in, %d out, $%.4f, %s; %s", i+1, inLine(c.Model), c.Usage.PromptTokens, c.Usage.OutputTokens, c.Usage.CostUSD,
			brief(c.Usage.Latency), inLine(hidden))
		if c.Error != "" {
			s.line("     %s", inLine(c.Error))
		}
	}
	for i, c := range all {
		if prompt {
			s.text(fmt.Sprintf("Prompt of call %d, system", i+1), c.System)
			s.text(fmt.Sprintf("Prompt of call %d, user", i+1), c.User)
		}
		if answer {
			s.text(fmt.Sprintf("Answer of call %d", i+1), cmp.Or(c.Answer, "(none)"))
		}
	}
}

// brief is a duration in three digits or so.
func brief(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}
