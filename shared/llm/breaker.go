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

	mu    sync.Mutex
	lines map[string]*line
}

// line is what is known of one model that failed. One without failures has none.
type line struct {
	failures int           // in a row
	pause    time.Duration // 0 while it is closed
	until    time.Time     // the end of the pause
	probing  bool          // one request is under way to see
}

// Complete implements Model.
func (b *Breaker) Complete(ctx context.Context, r Request) (Reply, error) {
	wait, probe := b.enter(r.Model)
	if wait > 0 {
		return Reply{}, fmt.Errorf("%w (next try in %s)", ErrOpen, wait.Round(time.Second))
	}
	answered := errUnfinished // also where the model panics
	defer func() { b.leave(r.Model, probe, answered) }()
	reply, err := b.Model.Complete(ctx, r)
	answered = err
	return reply, err
}

var errUnfinished = errors.New("the call did not end")

// enter tells how long this model is to be left alone, and whether this request
// is the one that sees whether it answers again.
func (b *Breaker) enter(model string) (wait time.Duration, probe bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.lines[model]
	if l == nil || l.pause == 0 {
		return 0, false
	}
	wait = l.until.Sub(b.now())
	if wait <= 0 && !l.probing {
		l.probing = true
		return 0, true
	}
	return max(wait, time.Second), false
}

// leave counts how a request ended. One that its caller gave up says nothing,
// and the late failures of those that were under way when the breaker opened
// say nothing new.
func (b *Breaker) leave(model string, probe bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil || errors.Is(err, ErrRejected) || errors.Is(err, ErrEmpty) {
		delete(b.lines, model)
		return
	}
	failed := errors.Is(err, ErrUnavailable)
	l := b.lines[model]
	if l == nil {
		if !failed || len(b.lines) >= maxCounted {
			return
		}
		if b.lines == nil {
			b.lines = map[string]*line{}
		}
		l = new(line)
		b.lines[model] = l
	}
	switch {
	case probe:
		l.probing = false // where it says nothing, the next request is the probe
		if failed {
			l.pause = min(max(2*l.pause, firstPause), maxPause)
			l.until = b.now().Add(l.pause)
		}
	case failed && l.pause == 0:
		if l.failures++; l.failures >= cmp.Or(b.Failures, 5) {
			l.pause, l.until = firstPause, b.now().Add(firstPause)
		}
	}
}

func (b *Breaker) now() time.Time {
	if b.Now != nil {
		return b.Now()
	}
	return time.Now()
}
