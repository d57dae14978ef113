package enhance

import (
	"slices"
	"sync"
	"time"
)

// timeline keeps when the steps of a try ended. It is safe for concurrent use.
type timeline struct {
	began time.Time

	mu    sync.Mutex
	steps []Step
}

// step begins a step. What it returns ends it, with a remark for the operator.
func (l *timeline) step(name string) (end func(remark string)) {
	start := time.Now()
	return func(remark string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.steps = append(l.steps, Step{Name: name, At: time.Since(l.began), Took: time.Since(start), Note: remark})
	}
}

// ended gives the steps that ended so far.
func (l *timeline) ended() []Step {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.steps)
}
