package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/schollz/progressbar/v3"

	"github.com/deskhand/deskhand/shared/evaluate"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/tenant"
)

type evalCmd struct {
	Retrieval evalRetrievalCmd `cmd:"" help:"Measure how well similar tickets and articles are found."`
}

type evalRetrievalCmd struct {
	Data          string `xor:"source" required:"" placeholder:"DIR" type:"path" help:"Folder with tickets of which is known what helped."`
	Tenant        string `xor:"source" required:"" placeholder:"ID" help:"Measure on this tenant's own past tickets instead."`
	Baseline      string `placeholder:"FILE" type:"path" help:"Compare with what --write-baseline kept."`
	WriteBaseline string `placeholder:"FILE" type:"path" help:"Keep what the product's configuration found, query by query."`
	Floors        string `placeholder:"FILE" type:"path" help:"End with 1 where a figure is lower than in this file."`
	JSON          bool   `help:"Print JSON, for programs."`
}

// Help says how it measures, with examples.
func (evalRetrievalCmd) Help() string {
	return "Asks about each ticket of which is known what helped, as of the minute it was created: only older tickets are found, and " +
		"resolutions count from when they were given. Prints recall, MRR and nDCG with 95 % intervals. docs/retrieval.md says how to read it.\n\n" +
		"With --data it needs no installation. With --tenant, what helped is what the resolutions of the tenant's own tickets point to.\n\n" +
		"Examples:\n  deskhand eval retrieval --data ../shared/data\n" +
		"  deskhand eval retrieval --data ../shared/data --baseline tests/evals/baseline.json --floors tests/evals/floors.json\n" +
		"  deskhand eval retrieval --tenant acme --json"
}

func (c evalRetrievalCmd) Run(ctx context.Context, p *Program) error {
	stored, err := fromFile[evaluate.Baseline](c.Baseline)
	if err != nil {
		return err
	}
	floors, err := fromFile[evaluate.Floors](c.Floors)
	if err != nil {
		return err
	}
	sets, err := c.sets(ctx, p)
	if err != nil {
		return err
	}
	reports, kept := []evaluate.Report{}, evaluate.Baseline{}
	for _, s := range sets {
		m, err := evaluate.Run{Now: p.Now, Progress: p.measuring(s.Name)}.Measure(ctx, s)
		if err != nil {
			return err
		}
		kept.Keep(m)
		reports = append(reports, evaluate.NewReport(m, stored))
	}
	if err := c.print(p, reports); err != nil {
		return err
	}
	if c.WriteBaseline != "" {
		if err := toFile(c.WriteBaseline, kept); err != nil {
			return err
		}
	}
	return judge(p, floors, reports)
}

// sets reads what is to be measured.
func (c evalRetrievalCmd) sets(ctx context.Context, p *Program) (sets []evaluate.Set, err error) {
	if c.Data != "" {
		sets, notes, err := evaluate.Read(os.DirFS(c.Data), filepath.Base(c.Data))
		for _, note := range notes {
			fmt.Fprintf(p.Err, "left out: %s\n", note)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Data, err)
		}
		return sets, nil
	}
	id, err := tenant.ParseID(c.Tenant)
	if err != nil {
		return nil, err
	}
	err = p.with(ctx, func(d *operator.Desk) error {
		directory, err := d.Directory(ctx)
		if err != nil {
			return err
		}
		t, ok := directory.Tenants[id]
		if !ok {
			return fmt.Errorf("tenant %s: %w", id, tenant.ErrUnknown)
		}
		s, err := evaluate.History(ctx, d.Past, t)
		sets = []evaluate.Set{s}
		return err
	})
	return sets, err
}

func (c evalRetrievalCmd) print(p *Program, reports []evaluate.Report) error {
	if c.JSON {
		to := json.NewEncoder(p.Out)
		to.SetIndent("", "  ")
		return to.Encode(reports)
	}
	for _, rep := range reports {
		if err := rep.Print(p.Out); err != nil {
			return err
		}
	}
	fmt.Fprint(p.Out, evaluate.Legend)
	return nil
}

// judge holds the reports to the floors.
func judge(p *Program, floors evaluate.Floors, reports []evaluate.Report) error {
	if floors == nil {
		return nil
	}
	if !floors.Judges(reports) {
		fmt.Fprintln(p.Err, "floors: there is none for these sets")
		return nil
	}
	missed := floors.Missed(reports)
	for _, what := range missed {
		fmt.Fprintf(p.Err, "below the floor: %s\n", what)
	}
	if len(missed) > 0 {
		return fmt.Errorf("%d figures are below the floor", len(missed))
	}
	fmt.Fprintln(p.Err, "floors: all are reached")
	return nil
}

// measuring draws a bar on a terminal, and prints a line for every quarter
// elsewhere.
func (p *Program) measuring(set string) func(done, total int) {
	var bar *progressbar.ProgressBar
	return func(done, total int) {
		switch {
		case p.Wide && bar == nil:
			bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(p.Err), progressbar.OptionSetDescription("Measuring "+set),
				progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
			fallthrough
		case p.Wide:
			_ = bar.Set(done) // a bar that cannot be drawn stops nothing
		case done*4/total > (done-1)*4/total:
			fmt.Fprintf(p.Err, "Measuring %s: %d of %d queries\n", set, done, total)
		}
	}
}

// fromFile reads JSON; without a name it gives nothing.
func fromFile[T any](name string) (value T, err error) {
	if name == "" {
		return value, nil
	}
	text, err := os.ReadFile(name) //nolint:gosec // the operator names it
	if err == nil {
		err = json.Unmarshal(text, &value)
	}
	if err != nil {
		return value, fmt.Errorf("read %s: %w", name, err)
	}
	return value, nil
}

func toFile(name string, value any) error {
	text, err := json.Marshal(value)
	if err == nil {
		err = os.WriteFile(name, append(text, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the baseline: %w", err)
	}
	return nil
}
