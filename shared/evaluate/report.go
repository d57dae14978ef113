package evaluate

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what is said of one set.
type Report struct {
	Set      string   `json:"set"`
	Tickets  int      `json:"tickets"`
	Findable int      `json:"findable"` // tickets that retrieval shows at all
	Articles int      `json:"articles"`
	Left     []string `json:"left,omitempty"`
	Rows     []Row    `json:"rows"`
}

// Row is what is said of one configuration on one corpus.
type Row struct {
	Corpus        string             `json:"corpus"`
	Configuration string             `json:"configuration"`
	Product       bool               `json:"product"`
	Queries       int                `json:"queries"`
	Metrics       map[string]float64 `json:"metrics"`
	P50           float64            `json:"p50_ms"` // of one search in memory
	P95           float64            `json:"p95_ms"`
	Words         *Comparison        `json:"against_words,omitempty"`    // of all rows but words
	Stored        *Comparison        `json:"against_baseline,omitempty"` // of the product's configuration
}

// Baseline is the answers of the product's configuration at another time, by
// set, corpus and query.
type Baseline map[string]map[string]map[string]Answer

// Keep takes the answers of a run over.
func (b Baseline) Keep(m Measured) {
	for _, row := range m.Rows {
		if row.Configuration != Product {
			continue
		}
		if b[m.Set] == nil {
			b[m.Set] = map[string]map[string]Answer{}
		}
		b[m.Set][row.Corpus] = row.Answers
	}
}

// NewReport sums up a run. stored may be nil.
func NewReport(m Measured, stored Baseline) Report {
	rep := Report{Set: m.Set, Tickets: m.Tickets, Findable: m.Findable, Articles: m.Articles, Left: m.Left, Rows: []Row{}}
	words := map[string]map[string]Answer{}
	for _, x := range m.Rows {
		row := Row{
			Corpus: x.Corpus, Configuration: x.Configuration, Product: x.Configuration == Product, Queries: len(x.Answers),
			Metrics: map[string]float64{}, P50: percentile(x.Took, 50), P95: percentile(x.Took, 95),
		}
		// In one order, so that the same answers give the same last digit.
		for _, id := range slices.Sorted(maps.Keys(x.Answers)) {
			for _, f := range metrics[x.Corpus] {
				row.Metrics[f.name] += f.of(x.Answers[id]) / float64(len(x.Answers))
			}
		}
		if x.Configuration == Words {
			words[x.Corpus] = x.Answers
		} else {
			c := compare(x.Answers, words[x.Corpus], metrics[x.Corpus])
			row.Words = &c
		}
		if row.Product && stored != nil {
			c := compare(x.Answers, stored[m.Set][x.Corpus], metrics[x.Corpus])
			row.Stored = &c
		}
		rep.Rows = append(rep.Rows, row)
	}
	return rep
}

func percentile(took []time.Duration, p int) float64 {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return float64(sorted[(len(sorted)-1)*p/100].Microseconds()) / 1000
}

// Print writes the report as a table for people.
func (rep Report) Print(w io.Writer) error {
	fmt.Fprintf(w, "\n%s: %d tickets, %d of them can be found; %d articles\n", rep.Set, rep.Tickets, rep.Findable, rep.Articles)
	for _, what := range rep.Left {
		fmt.Fprintf(w, "  left out: %s\n", what)
	}
	if len(rep.Rows) == 0 {
		fmt.Fprintln(w, "  nothing can be measured: no resolution points to an older ticket or to an article that is there")
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	corpus := ""
	for _, row := range rep.Rows {
		if row.Corpus != corpus {
			corpus = row.Corpus
			fmt.Fprintf(t, "\n%s (%d)\t%s\tp50\tp95\n", corpus, row.Queries, strings.Join(names(corpus), "\t"))
		}
		mark := ""
		if row.Product {
			mark = " *"
		}
		fmt.Fprintf(t, "%s%s\t%s\t%.1f ms\t%.1f ms\n", row.Configuration, mark, strings.Join(row.cells(), "\t"), row.P50, row.P95)
		if row.Stored != nil && row.Stored.Queries > 0 {
			fmt.Fprintf(t, "  against the baseline\t%s\t\t\n", strings.Join(row.Stored.cells(corpus), "\t"))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, row := range rep.Rows {
		if row.Stored != nil && row.Stored.Left > 0 {
			fmt.Fprintf(w, "%s: the baseline lacks %d of %d queries, which are not compared\n", row.Corpus, row.Stored.Left, row.Queries)
		}
	}
	return nil
}

// Legend says how the tables are read.
const Legend = `
* the product's configuration. Behind a figure: the difference to "words" and the 95 % interval of that
(paired bootstrap). Times are of one search in memory, without a database. "solved by then" shows only what had
its resolution when the query came: what a note of that day could have said.
`

// names gives the metrics of a corpus.
func names(corpus string) (list []string) {
	for _, m := range metrics[corpus] {
		list = append(list, m.name)
	}
	return list
}

func (row Row) cells() (cells []string) {
	for _, name := range names(row.Corpus) {
		cell := short(row.Metrics[name])
		if row.Words != nil {
			cell += " " + row.Words.cell(name)
		}
		cells = append(cells, cell)
	}
	return cells
}

func (c Comparison) cells(corpus string) (cells []string) {
	for _, name := range names(corpus) {
		cells = append(cells, c.cell(name))
	}
	return cells
}

func (c Comparison) cell(name string) string {
	d, ok := c.Differences[name]
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%+.3f [%+.3f %+.3f]", d.Mean, d.Low, d.High)
}

func short(x float64) string { return fmt.Sprintf("%.3f", x) }
