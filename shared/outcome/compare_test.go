package outcome_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/outcome"
)

// labelled is a case as a person judged it, before the program was written.
type labelled struct {
	Half       string          `json:"half"` // tune: the thresholds were chosen on it; held: they were not
	Want       outcome.Verdict `json:"want"`
	Problem    string          `json:"problem"`
	Advice     []string        `json:"advice"`
	Resolution string          `json:"resolution"`
}

func cases(t *testing.T) []labelled {
	t.Helper()
	file, err := os.Open("testdata/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var list []labelled
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var c labelled
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

// TestComparedWithWhatPeopleSay prints how often the verdict is a person's, and
// fails where that becomes worse than it was measured.
func TestComparedWithWhatPeopleSay(t *testing.T) {
	t.Parallel()
	all := cases(t)
	for half, least := range map[string]float64{"tune": 0.8, "held": 0.6} {
		matrix := map[[2]outcome.Verdict]int{}
		right, n := 0, 0
		for _, c := range all {
			if c.Half != half {
				continue
			}
			got, score := outcome.Compare(c.Problem, c.Advice, c.Resolution)
			matrix[[2]outcome.Verdict{c.Want, got}]++
			n++
			if got == c.Want {
				right++
			} else {
				t.Logf("%s: %s (%.2f), a person says %s: %.90s", half, got, score, c.Want, c.Resolution)
			}
		}
		var b strings.Builder
		fmt.Fprintf(&b, "%s: %d of %d as a person says (rows: person, columns: program)\n%14s", half, right, n, "")
		for _, v := range outcome.Verdicts {
			fmt.Fprintf(&b, "%14s", v)
		}
		for _, want := range outcome.Verdicts {
			fmt.Fprintf(&b, "\n%14s", want)
			for _, got := range outcome.Verdicts {
				fmt.Fprintf(&b, "%14d", matrix[[2]outcome.Verdict{want, got}])
			}
		}
		t.Log(b.String())
		if float64(right) < least*float64(n) {
			t.Errorf("%s: %d of %d, want %.0f %%", half, right, n, 100*least)
		}
	}
}
