package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/tests/evals/cases"
)

// evaluation is the notes of some cases, judged.
type evaluation struct {
	cases  []cases.Case
	floors map[string]*page // by case: the note without a model
}

// evaluate makes the note of each case without a model, which is the floor for
// all others, and judges it.
func evaluate(ctx context.Context, list []cases.Case) (evaluation, row, error) {
	e := evaluation{cases: list, floors: map[string]*page{}}
	r := row{Name: "no model", Must: true}
	err := e.each(ctx, nil, func(c cases.Case, o outcome) {
		e.floors[c.Name] = &o.page
		r.judge(c, o)
	})
	return e, r, err
}

// each runs every case, several at a time, and hands
// over what came of it, one at a time.
func (e evaluation) each(ctx context.Context, model func(cases.Case) (llm.Model, func(), error), with func(cases.Case, outcome)) error {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	work := make(chan cases.Case)
	for range atOnce {
		wg.Go(func() {
			for c := range work {
				o, err := e.one(ctx, c, model)
				mu.Lock()
				if errs = append(errs, err); err == nil {
					with(c, o)
				}
				mu.Unlock()
			}
		})
	}
	for _, c := range e.cases {
		work <- c
	}
	close(work)
	wg.Wait()
	return errors.Join(errs...)
}

func (e evaluation) one(ctx context.Context, c cases.Case, open func(cases.Case) (llm.Model, func(), error)) (outcome, error) {
	if open == nil {
		return judged(ctx, c, nil, nil)
	}
	model, done, err := open(c)
	if err != nil {
		return outcome{}, err
	}
	defer done()
	return judged(ctx, c, model, e.floors[c.Name])
}

// always is a model that gives this answer, whatever it is asked.
func always(answer func(cases.Case) llmtest.Answer) func(cases.Case) (llm.Model, func(), error) {
	return func(c cases.Case) (llm.Model, func(), error) {
		s, err := script(answer(c))
		return s, s.server.Close, err
	}
}

// replay judges the notes of the recorded answers.
func (e evaluation) replay(ctx context.Context) (row, error) {
	r := row{Name: "recorded answer", Must: true}
	err := e.each(ctx, always(func(c cases.Case) llmtest.Answer { return llmtest.Text(c.Answer) }), r.answered)
	return r, err
}

// misbehave judges the notes of the cases with every way in which a model can
// go wrong: one row for each, of every so manyth case. Each way is tried on
// others.
func (e evaluation) misbehave(ctx context.Context, every int) (rows []row, err error) {
	for i, m := range ways() {
		r := row{Name: m.Name, Must: true, Raw: map[string]int{}}
		some := evaluation{floors: e.floors}
		for j, c := range e.cases {
			if (i+j)%every == 0 {
				some.cases = append(some.cases, c)
			}
		}
		if err := some.each(ctx, always(func(cases.Case) llmtest.Answer { return m.Answer }), func(c cases.Case, o outcome) {
			r.judge(c, o)
			r.raw(c, naive(o))
		}); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// ways are llmtest's, and one that needs evidence of more than one kind: every
// claim cites what another one is taken from.
func ways() []llmtest.Misbehaviour {
	return append(llmtest.Misbehaviours(), llmtest.Misbehaviour{Name: "another's receipts", Answer: llmtest.Answer{Write: func(asked llmtest.Completion) string {
		prompt := ""
		for _, m := range asked.Messages {
			prompt += m.Content + "\n"
		}
		return crossed(llmtest.Briefing(prompt))
	}}})
}

// crossed gives the ids of evidence in an answer to the claims before them, each in turn.
func crossed(answer string) string {
	ids := cited.FindAllString(answer, -1)
	i := 0
	return cited.ReplaceAllStringFunc(answer, func(string) string {
		i++
		return ids[i%len(ids)]
	})
}

var cited = regexp.MustCompile(`"evidence":\[[^\]]*\]`)

// live judges the notes of a real model, several times. A model may go wrong;
// what it says must not get far.
func (e evaluation) live(ctx context.Context, model llm.Model, repeats int) (rows []row, err error) {
	open := func(cases.Case) (llm.Model, func(), error) { return model, func() {}, nil }
	for i := range repeats {
		r := row{Name: fmt.Sprintf("live %d", i+1), Must: true}
		if err := e.each(ctx, open, r.answered); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// row is how often the notes of a set of cases failed each check.
type row struct {
	Name     string         `json:"name"`
	Must     bool           `json:"must"` // a failed check fails the evaluation
	Notes    int            `json:"notes"`
	Failed   map[string]int `json:"failed"`
	Raw      map[string]int `json:"raw,omitempty"` // the same for the answers as they came
	Reasons  []string       `json:"reasons,omitempty"`
	Answered int            `json:"answered"` // notes that have claims of the model
	Claims   int            `json:"claims"`
	Removed  int            `json:"removed"`
	CostUSD  float64        `json:"cost_usd"`
	Slowest  time.Duration  `json:"slowest_ns"`
}

func (r *row) judge(c cases.Case, o outcome) {
	if r.Failed == nil {
		r.Failed = map[string]int{}
	}
	r.Notes++
	for _, k := range checks {
		wrong := k.of(c, o)
		if len(wrong) > 0 {
			r.Failed[k.name]++
		}
		for _, w := range wrong {
			r.Reasons = append(r.Reasons, fmt.Sprintf("%s: %s: %s", c.Name, k.name, w))
		}
	}
	if !o.record.EvidenceOnly {
		r.Answered++
	}
	for _, v := range o.record.Run.Verdicts {
		r.Claims++
		if v.Outcome == "removed" {
			r.Removed++
		}
	}
	r.CostUSD += o.record.Usage.CostUSD
	r.Slowest = max(r.Slowest, o.record.Usage.Latency)
	slices.Sort(r.Reasons)
}

// answered judges a note that ought to have claims of the model.
func (r *row) answered(c cases.Case, o outcome) {
	r.judge(c, o)
	if o.record.EvidenceOnly {
		why := "no model was asked"
		if calls := o.record.Run.Calls; len(calls) > 0 {
			why = calls[len(calls)-1].Error
		}
		for _, v := range o.record.Run.Verdicts {
			why += "; " + v.Why
		}
		r.Reasons = append(r.Reasons, fmt.Sprintf("%s: nothing of the answer is in the note: %s", c.Name, why))
	}
}

func (r *row) raw(c cases.Case, o outcome) {
	for _, k := range checks {
		if len(k.of(c, o)) > 0 {
			r.Raw[k.name]++
		}
	}
}

// good tells whether no check failed that must not.
func (r row) good() bool { return !r.Must || len(r.Failed) == 0 }

// atOnce is how many cases run at a time: they mostly wait.
const atOnce = 16
