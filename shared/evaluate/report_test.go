package evaluate

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheFiguresOfAnAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer                    Answer
		recall5, reciprocal, ndcg float64
	}{
		{Answer{Relevant: 1}, 0, 0, 0},
		{Answer{1, []int{1}}, 1, 1, 1},
		{Answer{1, []int{2}}, 1, .5, .6309},
		{Answer{1, []int{6}}, 0, .1667, .3562},
		{Answer{2, []int{2, 7}}, .5, .5, .5912},
		{Answer{2, []int{1, 2}}, 1, 1, 1},
		{Answer{20, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}, .25, 1, 1},
	} {
		got := [3]float64{recall(5)(c.answer), reciprocal(c.answer), gain(c.answer)}
		for i, want := range []float64{c.recall5, c.reciprocal, c.ndcg} {
			if math.Abs(got[i]-want) > .0001 {
				t.Errorf("%+v: %v, want %v, %v, %v", c.answer, got, c.recall5, c.reciprocal, c.ndcg)
			}
		}
	}
}

func TestAnAnswerIsKeptAndWhatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for _, a := range []Answer{{1, []int{}}, {3, []int{1, 10}}} {
		text, err := json.Marshal(a)
		var back Answer
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if diff := cmp.Diff(a, back); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", text, err, diff)
		}
	}
	for _, text := range []string{`[]`, `[0]`, `[-1]`, `[1,2,3]`, `[2,3,1]`, `[1,0]`, `[1,11]`, `{}`, `["1"]`} {
		var a Answer
		if json.Unmarshal([]byte(text), &a) == nil {
			t.Errorf("%s is %+v", text, a)
		}
	}
}

// answers gives n answers, of which the first so many were found at rank one.
func answers(n, first int) map[string]Answer {
	list := map[string]Answer{}
	for i := range n {
		a := Answer{Relevant: 1}
		if i < first {
			a.Ranks = []int{1}
		}
		list[fmt.Sprint(i)] = a
	}
	return list
}

func TestADifferenceHasAnInterval(t *testing.T) {
	t.Parallel()
	same := compare(answers(50, 10), answers(50, 10), metrics[Tickets])
	if d := same.Differences["R@5"]; d != (Difference{}) || same.Queries != 50 || same.Left != 0 {
		t.Errorf("the same answers: %+v", same)
	}
	better := compare(answers(200, 60), answers(150, 20), metrics[Tickets])
	d := better.Differences["nDCG@10"]
	if better.Queries != 150 || better.Left != 50 || math.Abs(d.Mean-40./150) > 1e-9 || d.Low < .18 || d.Low > .21 || d.High < .32 || d.High > .35 {
		t.Errorf("40 of 150 are better: %+v", better)
	}
	if diff := cmp.Diff(better, compare(answers(200, 60), answers(150, 20), metrics[Tickets])); diff != "" {
		t.Errorf("another time: %s", diff)
	}
	if none := compare(answers(3, 1), nil, metrics[Articles]); none.Queries != 0 || none.Left != 3 || len(none.Differences) != 0 {
		t.Errorf("nothing to compare with: %+v", none)
	}
}

func run() Measured {
	row := func(corpus, configuration string, n, first int) Measurement {
		return Measurement{Corpus: corpus, Configuration: configuration, Answers: answers(n, first), Took: []time.Duration{3e6, 1e6, 2e6, 40e6}}
	}
	return Measured{
		Set: "desk", Tickets: 12, Findable: 10, Articles: 3, Left: []string{"1 label"},
		Rows: []Measurement{
			row(Tickets, Words, 40, 10), row(Tickets, Meaning, 40, 12), row(Tickets, Citations, 40, 30), row(Tickets, Solved, 40, 20),
			row(Articles, Words, 20, 5), row(Articles, Meaning, 20, 4), row(Articles, Citations, 20, 10),
		},
	}
}

func TestAReportSaysWhatWasFoundAndWhatChanged(t *testing.T) {
	t.Parallel()
	before := run()
	before.Rows[2].Answers = answers(39, 20)
	stored := Baseline{}
	stored.Keep(before)
	var b strings.Builder
	if err := NewReport(run(), stored).Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"desk: 12 tickets, 10 of them can be found; 3 articles", "left out: 1 label", "tickets (40)", "articles (20)", "R@5", "R@3",
		"words 0.250 0.250", "+ meaning 0.300 +0.050 [+0.000 +0.125]", "+ citations * 0.750 +0.500 [", "solved by then 0.500",
		"against the baseline +0.256 [", "against the baseline +0.000 [+0.000 +0.000]", "2.0 ms", "3.0 ms",
		"tickets: the baseline lacks 1 of 40 queries, which are not compared",
	} {
		if !strings.Contains(strings.Join(strings.Fields(b.String()), " "), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

func TestAnEmptyReportSaysSo(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := NewReport(Measured{Set: "acme", Tickets: 5}, nil).Print(&b); err != nil || !strings.Contains(b.String(), "nothing can be measured") {
		t.Errorf("%v: %s", err, b.String())
	}
}

func TestFloorsHoldWithAndWithoutCitations(t *testing.T) {
	t.Parallel()
	reports := []Report{NewReport(run(), nil)}
	floor := func(corpus, name string, x float64) Floors { return Floors{"desk": {corpus: {name: x}}} }
	for _, c := range []struct {
		floors Floors
		missed string
	}{
		{floor(Tickets, "R@5", .3), ""},
		{floor(Tickets, "R@5", .31), "desk, tickets, + meaning: R@5 is 0.3000, the floor 0.3100"},
		{floor(Articles, "R@3", .21), "desk, articles, + meaning: R@3 is 0.2000, the floor 0.2100"},
		{floor(Articles, "R@5", .01), "desk, articles, + meaning: R@5 was not measured\ndesk, articles, + citations: R@5 was not measured"},
		{Floors{"another": {Tickets: {"R@5": 1}}}, ""},
	} {
		if got := strings.Join(c.floors.Missed(reports), "\n"); got != c.missed {
			t.Errorf("%v: missed %q, want %q", c.floors, got, c.missed)
		}
	}
	if !floor(Tickets, "R@5", 1).Judges(reports) || (Floors{"another": {}}).Judges(reports) {
		t.Error("it is not known which sets have floors")
	}
}
