package llm_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deskhand/deskhand/shared/llm"
)

// model answers after a second with what it is told to.
type model struct {
	calls atomic.Int32
	err   atomic.Pointer[error]
}

func (m *model) says(err error) { m.err.Store(&err) }

func (m *model) Complete(ctx context.Context, _ llm.Request) (llm.Reply, error) {
	m.calls.Add(1)
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return llm.Reply{}, ctx.Err()
	}
	if err := *m.err.Load(); err != nil {
		return llm.Reply{}, err
	}
	return llm.Reply{Text: "ok"}, nil
}

var errDown = fmt.Errorf("openai: ask m: %w", llm.ErrUnavailable)

// breaker gives one whose model is down, and that has opened for "m".
func breaker(t *testing.T) (*llm.Breaker, *model) {
	t.Helper()
	m := &model{}
	m.says(errDown)
	b := &llm.Breaker{Model: m}
	for i := range 5 {
		if err := ask(t, b, "m"); !errors.Is(err, llm.ErrUnavailable) || errors.Is(err, llm.ErrOpen) {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	return b, m
}

func ask(t *testing.T, b *llm.Breaker, name string) error {
	t.Helper()
	_, err := b.Complete(t.Context(), llm.Request{Model: name})
	return err
}

func TestTheBreakerOpensAfterFiveFailuresAndAnswersAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, m := breaker(t)
		start := time.Now()
		if err := ask(t, b, "m"); !errors.Is(err, llm.ErrOpen) || !errors.Is(err, llm.ErrUnavailable) || errors.Is(err, llm.ErrRefused) {
			t.Errorf("error %v", err)
		}
		if time.Since(start) != 0 || m.calls.Load() != 5 {
			t.Errorf("after %s and %d calls", time.Since(start), m.calls.Load())
		}
		if err := ask(t, b, "another"); errors.Is(err, llm.ErrOpen) {
			t.Error("another model is left alone too")
		}
	})
}

func TestAProbeClosesTheBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, m := breaker(t)
		m.says(nil)
		time.Sleep(15 * time.Second)
		for range 7 {
			if err := ask(t, b, "m"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestAFailedProbeDoublesThePauseUpToTwoMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, m := breaker(t)
		for _, pause := range []int{15, 30, 60, 120, 120} {
			time.Sleep(time.Duration(pause)*time.Second - time.Millisecond)
			if err := ask(t, b, "m"); !errors.Is(err, llm.ErrOpen) {
				t.Fatalf("before %d s: %v", pause, err)
			}
			time.Sleep(time.Millisecond)
			if err := ask(t, b, "m"); errors.Is(err, llm.ErrOpen) {
				t.Fatalf("after %d s: %v", pause, err)
			}
		}
		if n := m.calls.Load(); n != 10 {
			t.Errorf("%d calls, want 5 and 5 probes", n)
		}
	})
}

func TestOneProbeAtATimeGoesThrough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, m := breaker(t)
		time.Sleep(15 * time.Second)
		var open atomic.Int32
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if errors.Is(ask(t, b, "m"), llm.ErrOpen) {
					open.Add(1)
				}
			})
		}
		wg.Wait()
		if open.Load() != 49 || m.calls.Load() != 6 {
			t.Errorf("%d were left alone, %d calls", open.Load(), m.calls.Load())
		}
	})
}

func TestFailuresThatWereUnderWayOpenItOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &model{}
		m.says(errDown)
		b := &llm.Breaker{Model: m}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { _ = ask(t, b, "m") })
		}
		wg.Wait()
		m.says(nil)
		time.Sleep(15 * time.Second)
		if err := ask(t, b, "m"); err != nil {
			t.Errorf("after the first pause: %v", err)
		}
	})
}

func TestAProbeThatItsCallerGivesUpCostsNoOtherPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, m := breaker(t)
		time.Sleep(15 * time.Second)
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			if _, err := b.Complete(ctx, llm.Request{Model: "m"}); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			cancel()
		}
		if err := ask(t, b, "m"); !errors.Is(err, llm.ErrUnavailable) || errors.Is(err, llm.ErrOpen) {
			t.Fatalf("the next request is no probe: %v", err)
		}
		time.Sleep(30*time.Second - time.Millisecond)
		if err := ask(t, b, "m"); !errors.Is(err, llm.ErrOpen) {
			t.Errorf("the pause is not twice the first: %v", err)
		}
		time.Sleep(time.Millisecond)
		m.says(nil)
		if err := ask(t, b, "m"); err != nil {
			t.Errorf("after the second pause: %v", err)
		}
	})
}

func TestOnlySilenceInARowOpensTheBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &model{}
		b := &llm.Breaker{Model: m, Failures: 2}
		for _, err := range []error{errDown, nil, errDown, llm.ErrRejected, errDown, llm.ErrEmpty, errDown, context.Canceled, errDown} {
			m.says(err)
			if got := ask(t, b, "m"); errors.Is(got, llm.ErrOpen) {
				t.Fatalf("open before %v", err)
			}
		}
		if err := ask(t, b, "m"); !errors.Is(err, llm.ErrOpen) {
			t.Errorf("two failures, with one given up between: %v", err)
		}
	})
}

func TestTheBreakerReadsItsClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		m := &model{}
		m.says(errDown)
		b := &llm.Breaker{Model: m, Failures: 1, Now: func() time.Time { return now }}
		_ = ask(t, b, "m")
		if err := ask(t, b, "m"); !errors.Is(err, llm.ErrOpen) {
			t.Fatal(err)
		}
		now = now.Add(15 * time.Second)
		if err := ask(t, b, "m"); errors.Is(err, llm.ErrOpen) {
			t.Fatal(err)
		}
	})
}

// embedder says what a model says.
type embedder struct{ *model }

func (e embedder) Embed(ctx context.Context, name string, texts []string) ([][]float32, error) {
	_, err := e.Complete(ctx, llm.Request{Model: name})
	return make([][]float32, len(texts)), err
}

func TestAnEmbedderIsLeftAloneAfterThreeFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &model{}
		m.says(errDown)
		b := &llm.EmbeddingBreaker{Embedder: embedder{m}}
		embed := func(ctx context.Context) error {
			_, err := b.Embed(ctx, "m", []string{"a", "b"})
			return err
		}
		// A caller that is gone says nothing; one that finds it slow says so.
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		slow, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, fmt.Errorf("slow: %w", llm.ErrUnavailable))
		defer cancel()
		for i, ctx := range []context.Context{gone, slow, gone, t.Context(), gone, slow} {
			if err := embed(ctx); err == nil || errors.Is(err, llm.ErrOpen) {
				t.Fatalf("call %d: %v", i, err)
			}
		}
		for _, pause := range []int{15, 30, 60, 120, 120} {
			if err := embed(t.Context()); !errors.Is(err, llm.ErrOpen) {
				t.Fatalf("before %d s: %v", pause, err)
			}
			time.Sleep(time.Duration(pause) * time.Second)
			if err := embed(t.Context()); !errors.Is(err, llm.ErrUnavailable) || errors.Is(err, llm.ErrOpen) {
				t.Fatalf("after %d s: %v", pause, err)
			}
		}
		time.Sleep(2 * time.Minute)
		m.says(nil)
		for range 4 {
			if v, err := b.Embed(t.Context(), "m", []string{"a", "b"}); err != nil || len(v) != 2 {
				t.Fatalf("%d vectors, %v", len(v), err)
			}
		}
	})
}
