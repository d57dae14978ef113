package evidence_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/evidence"
)

// source answers after a time, fails, hangs until its context ends, or panics.
type source struct {
	name  string
	after time.Duration
	items []evidence.Item
	err   error
	panic any
}

func (s source) Name() string  { return s.name }
func (s source) Label() string { return "the " + s.name }
func (s source) Find(ctx context.Context, _ evidence.Query) ([]evidence.Item, error) {
	if s.panic != nil {
		panic(s.panic)
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(s.after):
		return s.items, s.err
	}
}

func TestGatherAsksAllAtOnceAndNamesWhatFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		b := evidence.Gather(t.Context(), evidence.Query{}, 10*time.Second,
			source{name: "slow", after: 9 * time.Second, items: []evidence.Item{{Kind: evidence.PastTicket, Ref: "1"}, {Kind: evidence.PastTicket, Ref: "2"}}},
			source{name: "hung", after: time.Hour},
			source{name: "broken", err: errors.New("503 Service Unavailable")},
			source{name: "mad", panic: "boom"},
			source{name: "quick", items: []evidence.Item{{Kind: evidence.PastTicket, Ref: "3"}, {Kind: evidence.System, Ref: "srv"}}},
		)
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took %s: the sources were not asked at once, or the hung one not given up", took)
		}
		var ids []string
		for _, it := range b.Items {
			ids = append(ids, it.ID+"="+it.Ref+"@"+it.Source)
		}
		if diff := cmp.Diff([]string{"T1=1@slow", "T2=2@slow", "T3=3@quick", "S1=srv@quick"}, ids); diff != "" {
			t.Error(diff)
		}
		var gaps []string
		for _, g := range b.Gaps {
			gaps = append(gaps, g.Label)
		}
		if diff := cmp.Diff([]string{"the hung", "the broken", "the mad"}, gaps); diff != "" {
			t.Error(diff)
		}
		if !strings.Contains(b.Gaps[0].Reason, "10s") || !strings.Contains(b.Gaps[1].Reason, "503") {
			t.Errorf("reasons: %v", b.Gaps)
		}
		if b.Took["slow"] != 9*time.Second || len(b.Took) != 5 {
			t.Errorf("took: %v", b.Took)
		}
	})
}

func TestABundleFindsItsItems(t *testing.T) {
	t.Parallel()
	b := evidence.Gather(t.Context(), evidence.Query{}, time.Second, source{name: "s", items: []evidence.Item{{Kind: evidence.Article, Ref: "kb"}}})
	if it, ok := b.Find("A1"); !ok || it.Ref != "kb" {
		t.Errorf("Find(A1) = %v, %v", it, ok)
	}
	if _, ok := b.Find("T9"); ok {
		t.Error("found an item that is not there")
	}
	if len(b.Of(evidence.Article)) != 1 || len(b.Of(evidence.System)) != 0 {
		t.Error("Of sorts wrongly")
	}
}
