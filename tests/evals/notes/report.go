package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// printer keeps the first error of writing.
type printer struct {
	to  io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.to, format+"\n", args...)
	}
}

// show prints how many notes failed each check, and behind the stroke how many
// would have failed it if the answer had been put on the ticket as it came.
func show(to io.Writer, rows []row) error {
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	p := printer{to: table}
	heads := []string{"failed", "notes"}
	for _, k := range checks {
		heads = append(heads, k.name)
	}
	p.line("%s\twith claims", strings.Join(heads, "\t"))
	sum := row{Name: "sum", Failed: map[string]int{}, Raw: map[string]int{}}
	for _, r := range rows {
		p.line("%s", r.cells())
		sum.Notes += r.Notes
		sum.Answered += r.Answered
		for _, k := range checks {
			sum.Failed[k.name] += r.Failed[k.name]
			sum.Raw[k.name] += r.Raw[k.name]
		}
	}
	if len(rows) > 1 {
		p.line("%s", sum.cells())
	}
	if p.err == nil {
		p.err = table.Flush()
	}
	return p.err
}

func (r row) cells() string {
	cells := []string{r.Name, strconv.Itoa(r.Notes)}
	for _, k := range checks {
		cell := strconv.Itoa(r.Failed[k.name])
		if len(r.Raw) > 0 {
			cell += " | " + strconv.Itoa(r.Raw[k.name])
		}
		cells = append(cells, cell)
	}
	return strings.Join(append(cells, strconv.Itoa(r.Answered)), "\t")
}

// maxReasons is how many reasons of one row are printed.
const maxReasons = 12

// explain prints why notes failed.
func explain(to io.Writer, rows []row) error {
	p := printer{to: to}
	for _, r := range rows {
		for i, reason := range r.Reasons {
			if i == maxReasons {
				p.line("%s: and %d more", r.Name, len(r.Reasons)-i)
				break
			}
			p.line("%s: %s", r.Name, reason)
		}
	}
	return p.err
}

// spread prints mean and worst of the repeats of a live evaluation.
func spread(to io.Writer, rows []row) error {
	p := printer{to: to}
	p.line("over %d repeats: mean and worst count of notes that failed", len(rows))
	cost := 0.0
	for _, k := range checks {
		sum, worst := 0, 0
		for _, r := range rows {
			sum += r.Failed[k.name]
			worst = max(worst, r.Failed[k.name])
		}
		p.line("  %-12s %.2f  %d", k.name, float64(sum)/float64(len(rows)), worst)
	}
	for _, r := range rows {
		cost += r.CostUSD
		p.line("%s: %d notes, %d with claims, %d claims, %d removed, %.4f USD, slowest %s", r.Name, r.Notes, r.Answered, r.Claims, r.Removed, r.CostUSD, r.Slowest.Round(1e6))
	}
	p.line("cost %.4f USD", cost)
	return p.err
}
