package queue

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Policy decides what becomes of a message after its handler returned. It is
// pure, so both adapters decide alike.
//
// With DefaultPolicy, a handler that keeps failing is called:
//
//	try  after the one before   since the first try
//	 1   at once                 0 s
//	 2   5 s  (4 to 6)           5 s
//	 3   20 s (16 to 24)        25 s
//	 4   80 s (64 to 96)       105 s, then the dead letters
type Policy struct {
	Tries  int           // including the first
	Base   time.Duration // before the second try
	Factor float64       // from one pause to the next
	Jitter float64       // 0.2 spreads a pause from 80 % to 120 %
	GiveUp time.Duration // after the first send, RetryAfter no longer helps
}

// DefaultPolicy is one try and three retries, and a day of RetryAfter.
var DefaultPolicy = Policy{Tries: 4, Base: 5 * time.Second, Factor: 4, Jitter: 0.2, GiveUp: 24 * time.Hour}

// Action is what to do with a message.
type Action int

// The actions.
const (
	Done  Action = iota // delete it
	Again               // deliver it after Verdict.Delay
	Dead                // move it to the dead letters with Verdict.Reason
)

// Verdict is what becomes of a message.
type Verdict struct {
	Action Action
	Delay  time.Duration
	Reason string
	Failed bool // Again counts as a handler error
}

// Decide says what becomes of m, whose handler returned err at now.
func (p Policy) Decide(m Message, err error, now time.Time) Verdict {
	if err == nil {
		return Verdict{Action: Done}
	}
	if d, ok := errors.AsType[*discardError](err); ok {
		return Verdict{Action: Done, Reason: d.Error()}
	}
	if b, ok := errors.AsType[*buryError](err); ok {
		return Verdict{Action: Dead, Reason: b.Error(), Failed: true}
	}
	if later, ok := errors.AsType[*retryAfterError](err); ok {
		if now.Sub(m.Sent) >= p.GiveUp {
			return Verdict{Action: Dead, Reason: fmt.Sprintf("put off for %s: %s", p.GiveUp, later.reason)}
		}
		return Verdict{Action: Again, Delay: max(later.after, 0), Reason: later.Error()}
	}
	if m.Errors+1 >= p.Tries {
		return Verdict{Action: Dead, Reason: fmt.Sprintf("failed %d times, last: %s", m.Errors+1, err), Failed: true}
	}
	return Verdict{Action: Again, Delay: p.delay(m.Errors), Reason: err.Error(), Failed: true}
}

func (p Policy) delay(errorsSoFar int) time.Duration {
	d := float64(p.Base)
	for range errorsSoFar {
		d *= p.Factor
	}
	return time.Duration(d * (1 + p.Jitter*(2*rand.Float64()-1)))
}
