package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/feedback"
	"github.com/deskhand/deskhand/shared/quality"
	"github.com/deskhand/deskhand/shared/tenant"
)

// figures are those of every tenant.
type figures struct {
	asked []tenant.ID
	in    quality.Span
	err   error
}

func (f *figures) Count(_ context.Context, id tenant.ID, in quality.Span) (quality.Figures, error) {
	f.asked, f.in = append(f.asked, id), in
	return quality.Figures{Notes: 10, Votes: map[feedback.Vote]int{feedback.Useful: 4, feedback.Useless: 1}}, f.err
}

func TestReportQualityShowsEveryTenantOrOne(t *testing.T) {
	t.Parallel()
	w := newWorld()
	if code := w.run(t, "report", "quality"); code != 0 || len(w.figures.asked) != 2 {
		t.Fatalf("exit code %d, asked %v: %s", code, w.figures.asked, w.err.String())
	}
	for _, want := range []string{"acme (Acme Legal), 2026-01-30 to 2026-03-01", "\n\ngone (), ", "useful                                    4 of 5       80.0 %  (37.6 to 96.4)"} {
		if !strings.Contains(w.out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, w.out.String())
		}
	}
	w = newWorld()
	if code := w.run(t, "report", "quality", "--tenant", "acme", "--days", "7", "--json"); code != 0 || len(w.figures.asked) != 1 || w.figures.in.Since != start.AddDate(0, 0, -7) || w.figures.in.Until.Before(start) {
		t.Fatalf("exit code %d, asked %v in %+v: %s", code, w.figures.asked, w.figures.in, w.err.String())
	}
	var r quality.Report
	if err := json.Unmarshal(w.out.Bytes(), &r); err != nil || r.Tenant != "acme" || r.Useful.Count != 4 || r.Useful.Of != 5 {
		t.Errorf("%v: %s", err, w.out.String())
	}
}

func TestReportQualityRefusesWhatIsNotThere(t *testing.T) {
	t.Parallel()
	for name, args := range map[string]string{"unknown": "--tenant nobody", "no days": "--days 0", "too many days": "--days 4000"} {
		w := newWorld()
		if code := w.run(t, append([]string{"report", "quality"}, strings.Fields(args)...)...); code != 1 || w.out.Len() > 0 {
			t.Errorf("%s: exit code %d: %s", name, code, w.out.String())
		}
	}
	w := newWorld()
	w.figures.err = errors.New("the database is down")
	if code := w.run(t, "report", "quality"); code != 1 || !strings.Contains(w.err.String(), "the database is down") {
		t.Errorf("exit code %d: %s", code, w.err.String())
	}
}
