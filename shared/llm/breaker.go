package llm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// The pauses of a Breaker, and how many models it counts.
const (
	firstPause = 15 * time.Second
	maxPause   = 2 * time.Minute
	maxCounted = 1000
)

// Breaker is a Model that stops asking one that does not answer: after so many
// failures in a row with ErrUnavailable it gives ErrOpen at once. After a pause
// it lets one request through. An answer of any kind closes it; another failure
// doubles the pause, up to two minutes. It counts by Request.Model. It is safe
// for concurrent use; the fields are set once.
type Breaker struct {
	Model    Model
	Failures int              // that open it; 0 for 5
	Now      func() time.Time // nil for time.Now

	lines lines
}

// Complete implements Model.
func (b *Breaker) Complete(ctx context.Context, r Request) (reply Reply, err error) {
	err = b.lines.through(ctx, limits{r.Model, cmp.Or(b.Failures, 5), b.Now}, func() (err error) {
		reply, err = b.Model.Complete(ctx, r)
		return err
	})
	return reply, err
}

// EmbeddingBreaker does for an Embedder what a Breaker does for a Model, after
// three failures: whoever asks can go on without vectors. It is safe for
// concurrent use; Embedder is set once.
type EmbeddingBreaker struct {
	Embedder Embedder

	lines lines
}

// Embed implements Embedder.
func (b *EmbeddingBreaker) Embed(ctx context.Context, model string, texts []string) (vectors [][]float32, err error) {
	err = b.lines.through(ctx, limits{model: model, failures: 3}, func() (err error) {
		vectors, err = b.Embedder.Embed(ctx, model, texts)
		return err
	})
	return vectors, err
}

// lines are the models that failed.
type lines struct {
	mu    sync.Mutex
	known map[string]*line
}

// limits are whose line it is, how many failures open it, and its clock.
type limits struct {
	model    string
	failures int
	now      func() time.Time // nil for time.Now
}

// line is what is known of one model that failed. One without failures has none.
type line struct {
	failures int           // in a row
	pause    time.Duration // 0 while it is closed
	until    time.Time     // the end of the pause
	probing  bool          // one request is under way to see
}

// through makes a call, or gives ErrOpen. A caller that stops waiting because the
// model is slow says so with a context whose cause is an ErrUnavailable: then the
// end of its context is the model's failure.
func (ls *lines) through(ctx context.Context, of limits, call func() error) error {
	wait, probe := ls.enter(of)
	if wait > 0 {
		return fmt.Errorf("%w (next try in %s)", ErrOpen, wait.Round(time.Second))
	}
	answered := errPanicked // where the call does not return
	defer func() { ls.leave(of, probe, answered) }()
	err := call()
	answered = err
	if err != nil && errors.Is(err, ctx.Err()) {
		answered = context.Cause(ctx)
	}
	return err
}

var errPanicked = errors.New("the call panicked")

// enter tells how long this model is to be left alone, and whether this request
// is the one that sees whether it answers again.
func (ls *lines) enter(of limits) (wait time.Duration, probe bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.known[of.model]
	if l == nil || l.pause == 0 {
		return 0, false
	}
	wait = l.until.Sub(of.time())
	if wait <= 0 && !l.probing {
		l.probing = true
		return 0, true
	}
	return max(wait, time.Second), false
}

// leave counts how a request ended. One that its caller gave up says nothing,
// and the late failures of those that were under way when the breaker opened
// say nothing new.
func (ls *lines) leave(of limits, probe bool, err error) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if err == nil || errors.Is(err, ErrRejected) || errors.Is(err, ErrEmpty) {
		delete(ls.known, of.model)
		return
	}
	failed := errors.Is(err, ErrUnavailable)
	l := ls.known[of.model]
	if l == nil {
		if !failed || len(ls.known) >= maxCounted {
			return
		}
		if ls.known == nil {
			ls.known = map[string]*line{}
		}
		l = new(line)
		ls.known[of.model] = l
	}
	switch {
	case probe:
		l.probing = false // where it says nothing, the next request is the probe
		if failed {
			l.pause = min(max(2*l.pause, firstPause), maxPause)
			l.until = of.time().Add(l.pause)
		}
	case failed && l.pause == 0:
		if l.failures++; l.failures >= of.failures {
			l.pause, l.until = firstPause, of.time().Add(firstPause)
		}
	}
}

func (of limits) time() time.Time {
	if of.now != nil {
		return of.now()
	}
	return time.Now()
}
