package quality_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/feedback"
	"github.com/deskhand/deskhand/shared/outcome"
	"github.com/deskhand/deskhand/shared/quality"
	"github.com/deskhand/deskhand/shared/tenant"
)

// The intervals are those of the literature (Wilson, without correction).
func TestIntervalsAreWilsons(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n, of     int
		low, high float64
	}{
		{0, 0, 0, 1}, {0, 10, 0, .2775}, {10, 10, .7225, 1}, {5, 10, .2366, .7634}, {1, 100, .0018, .0545}, {81, 263, .2553, .3662},
	} {
		s := quality.NewShare(c.n, c.of)
		if math.Abs(s.Low-c.low) > .0001 || math.Abs(s.High-c.high) > .0001 || s.Count != c.n || s.Of != c.of {
			t.Errorf("%d of %d: %+v, want %v to %v", c.n, c.of, s, c.low, c.high)
		}
	}
}

var figures = quality.Figures{
	Notes: 240, EvidenceOnly: 12, Failed: 2, Comments: 3,
	Skipped: map[string]int{"the ticket is closed": 9, "the ticket did not change since its last note": 31, "the tenant's rule subject:Out of office*, which is a long one indeed": 4},
	Votes:   map[feedback.Vote]int{feedback.Useful: 41, feedback.Useless: 9},
	Reasons: map[feedback.Reason]int{feedback.WrongTicket: 5, feedback.NotUseful: 3, feedback.Other: 2},
	Outcomes: map[outcome.Verdict]int{
		outcome.Used: 61, outcome.Partly: 40, outcome.Unrelated: 52, outcome.Contradicted: 7, outcome.Unknown: 30,
	},
	Claims: 1830, Removed: 44, P50: 3100 * time.Millisecond, P95: 9400 * time.Millisecond, CostUSD: 0.4127,
}

var (
	acme = tenant.Tenant{ID: "acme", Name: "Acme Ltd\x1b[31m"}
	span = quality.Span{Since: time.Date(2026, 10, 24, 9, 0, 0, 0, time.UTC), Until: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
)

const golden = `acme (Acme Ltd[31m), 2026-10-24 to 2026-11-23
Notes                                     240
  from the evidence alone                  12 of 240      5.0 %  (2.9 to 8.5)
  in shadow, not written to the tool        0 of 240      0.0 %  (0.0 to 1.6)
Jobs that failed                            2
Jobs without a note                        44
  the ticket did not change since its      31 of 44      70.5 %  (55.8 to 81.8)
  the ticket is closed                      9 of 44      20.5 %  (11.2 to 34.5)
  the tenant's rule subject:Out of off      4 of 44       9.1 %  (3.6 to 21.2)
Votes, of notes that were seen             50 of 240     20.8 %  (16.2 to 26.4)
  useful                                   41 of 50      82.0 %  (69.2 to 90.2)
  not useful                                9 of 50      18.0 %  (9.8 to 30.8)
    wrong ticket                            5 of 9       55.6 %  (26.7 to 81.1)
    not useful                              3 of 9       33.3 %  (12.1 to 64.6)
    other                                   2 of 9       22.2 %  (6.3 to 54.7)
  with a comment                            3 of 50       6.0 %  (2.1 to 16.2)
Resolutions compared, of notes            160 of 240     66.7 %  (60.5 to 72.3)
  used                                     61 of 160     38.1 %  (31.0 to 45.8)
  partly                                   40 of 160     25.0 %  (18.9 to 32.2)
  unrelated                                52 of 160     32.5 %  (25.7 to 40.1)
  contradicted                              7 of 160      4.4 %  (2.1 to 8.8)
  unknown: nothing to compare              30
Claims of the model removed                44 of 1830     2.4 %  (1.8 to 3.2)
Webhook to end of job, median             3.1 s, 95 % within 9.4 s
Cost of the model                        0.41 USD, 0.0017 a note
`

func TestTheReportFitsATerminal(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := quality.NewReport(acme, span, figures).Write(&b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(golden, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for line := range strings.SplitSeq(b.String(), "\n") {
		if utf8.RuneCountInString(line) > 79 {
			t.Errorf("%d wide: %s", utf8.RuneCountInString(line), line)
		}
	}
}

// failing is a full disk.
type failing struct{}

var errFull = errors.New("full")

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestNothingAtAllIsNoShareOfAnything(t *testing.T) {
	t.Parallel()
	r := quality.NewReport(acme, span, quality.Figures{})
	var b strings.Builder
	if err := r.Write(&b); err != nil || strings.Contains(b.String(), "%  (") || strings.Contains(b.String(), "NaN") {
		t.Errorf("%v:\n%s", err, b.String())
	}
	if err := r.Write(failing{}); !errors.Is(err, errFull) {
		t.Errorf("Write = %v", err)
	}
}

func TestManyReasonsAreSummedUp(t *testing.T) {
	t.Parallel()
	f := quality.Figures{Skipped: map[string]int{}}
	for i := range 12 {
		f.Skipped["rule "+string(rune('a'+i))] = 20 - i
	}
	var b strings.Builder
	if err := quality.NewReport(acme, span, f).Write(&b); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "  others                                   42 of 174") || strings.Contains(b.String(), "rule l") {
		t.Error(b.String())
	}
}
