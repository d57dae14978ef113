package doctor_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/doctor"
)

func found(all ...doctor.Finding) func(context.Context) []doctor.Finding {
	return func(context.Context) []doctor.Finding { return all }
}

func TestAnExaminationHasAVerdictOnEverything(t *testing.T) {
	t.Parallel()
	bad := errors.New("no route to host")
	checks := []doctor.Check{
		{Name: "well", Means: "m", Fix: "f", Run: found(doctor.Finding{Said: "answers"})},
		{Name: "down", Means: "m", Fix: "f", Run: found(doctor.Finding{Err: bad})},
		{Name: "behind", After: "down", Run: nil},
		{Name: "further", After: "behind", Run: nil},
		{Name: "spare", Means: "m", Fix: "f", Optional: true, Run: found(doctor.Finding{Err: bad})},
		{Name: "many", Means: "m", Fix: "f", Run: found(doctor.Finding{Subject: "a", Said: "granted"}, doctor.Finding{Subject: "b", Err: bad}, doctor.Finding{Subject: "c", Warn: true, Said: "odd"})},
	}
	want := []doctor.Result{
		{Check: "well", Verdict: doctor.OK, Detail: "answers"},
		{Check: "down", Verdict: doctor.Fail, Detail: "no route to host", Means: "m", Fix: "f"},
		{Check: "behind", Verdict: doctor.Skip, Detail: "not asked: down fails"},
		{Check: "further", Verdict: doctor.Skip, Detail: "not asked: behind fails"},
		{Check: "spare", Verdict: doctor.Warn, Detail: "no route to host", Means: "m", Fix: "f"},
		{Check: "many", Subject: "a", Verdict: doctor.OK, Detail: "granted"},
		{Check: "many", Subject: "b", Verdict: doctor.Fail, Detail: "no route to host", Means: "m", Fix: "f"},
		{Check: "many", Subject: "c", Verdict: doctor.Warn, Detail: "odd", Means: "m", Fix: "f"},
	}
	got := doctor.Examine(t.Context(), checks)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := doctor.Failures(got); n != 2 {
		t.Errorf("%d failures, want 2: what is skipped and what is optional do not count", n)
	}
	if b, err := json.Marshal(got[0]); err != nil || string(b) != `{"check":"well","verdict":"ok","detail":"answers"}` {
		t.Errorf("as JSON: %s, %v", b, err)
	}
}

func TestACheckHasALimitedTime(t *testing.T) {
	t.Parallel()
	var left time.Duration
	doctor.Examine(t.Context(), []doctor.Check{{Name: "slow", Run: doctor.One(func(ctx context.Context) (string, error) {
		end, _ := ctx.Deadline()
		left = time.Until(end)
		return "", nil
	})}})
	if left <= 0 || left > time.Minute {
		t.Errorf("it has %s", left)
	}
}

func TestSkewAllowsForWhatTheQuestionTook(t *testing.T) {
	t.Parallel()
	asked := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		other, took, precision time.Duration
		ok                     bool
	}{
		"the same":             {0, 0, 0, true},
		"a whole second":       {-900 * time.Millisecond, time.Millisecond, time.Second, true},
		"at the limit":         {30 * time.Second, 0, 0, true},
		"ahead":                {31 * time.Second, 0, 0, false},
		"behind":               {-31 * time.Second, 0, 0, false},
		"a long question":      {33 * time.Second, 8 * time.Second, 0, true},
		"an hour, summer time": {time.Hour, time.Second, time.Second, false},
	} {
		f := doctor.Skew(asked.Add(c.other), asked, asked.Add(c.took), c.precision, 30*time.Second)
		if (f.Err == nil) != c.ok || f.Err == nil && f.Said == "" {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestTheTableHasEveryCheck(t *testing.T) {
	t.Parallel()
	table := doctor.Markdown([]doctor.Check{
		{Name: "a", Means: "m", Fix: "f", Optional: true, Ready: func(context.Context) error { return nil }}, {Name: "b", Means: "n", Fix: "g"},
	})
	for _, want := range []string{"| `a` (a warning) (also at `/readyz`) | m | f |\n", "| `b` | n | g |\n"} {
		if !strings.Contains(table, want) {
			t.Errorf("no line %q in\n%s", want, table)
		}
	}
}
