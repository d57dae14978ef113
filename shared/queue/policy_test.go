package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/queue"
)

var (
	sent = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

	errBroken = errors.New("the tool is broken")
	errBusy   = errors.New("another job has the ticket")
	errGone   = errors.New("the ticket is gone")
)

func TestDecide(t *testing.T) {
	t.Parallel()
	exact := queue.DefaultPolicy
	exact.Jitter = 0
	for name, c := range map[string]struct {
		err    error
		errors int
		age    time.Duration
		want   queue.Verdict
	}{
		"no error is done":       {want: queue.Verdict{Action: queue.Done}},
		"done in spite of age":   {age: 1000 * time.Hour, errors: 3, want: queue.Verdict{Action: queue.Done}},
		"the first error":        {err: errBroken, want: queue.Verdict{Action: queue.Again, Delay: 5 * time.Second, Reason: "the tool is broken", Failed: true}},
		"the second error":       {err: errBroken, errors: 1, want: queue.Verdict{Action: queue.Again, Delay: 20 * time.Second, Reason: "the tool is broken", Failed: true}},
		"the third error":        {err: errBroken, errors: 2, want: queue.Verdict{Action: queue.Again, Delay: 80 * time.Second, Reason: "the tool is broken", Failed: true}},
		"the fourth error":       {err: errBroken, errors: 3, want: queue.Verdict{Action: queue.Dead, Reason: "failed 4 times, last: the tool is broken", Failed: true}},
		"more errors than tries": {err: errBroken, errors: 9, want: queue.Verdict{Action: queue.Dead, Reason: "failed 10 times, last: the tool is broken", Failed: true}},
		"an error in spite of age": {
			err: errBroken, age: 1000 * time.Hour,
			want: queue.Verdict{Action: queue.Again, Delay: 5 * time.Second, Reason: "the tool is broken", Failed: true},
		},
		"a timeout is an error": {err: context.DeadlineExceeded, want: queue.Verdict{Action: queue.Again, Delay: 5 * time.Second, Reason: "context deadline exceeded", Failed: true}},
		"discarded":             {err: queue.Discard(errGone), errors: 3, want: queue.Verdict{Action: queue.Done, Reason: "discarded: the ticket is gone"}},
		"discarded further down": {
			err:  fmt.Errorf("enhance: %w", queue.Discard(errGone)),
			want: queue.Verdict{Action: queue.Done, Reason: "discarded: the ticket is gone"},
		},
		"put off": {
			err: queue.RetryAfter(1500*time.Millisecond, errBusy), errors: 3,
			want: queue.Verdict{Action: queue.Again, Delay: 1500 * time.Millisecond, Reason: "later, in 1.5s: another job has the ticket"},
		},
		"put off further down": {
			err:  fmt.Errorf("enhance: %w", queue.RetryAfter(time.Minute, errBusy)),
			want: queue.Verdict{Action: queue.Again, Delay: time.Minute, Reason: "later, in 1m0s: another job has the ticket"},
		},
		"put off into the past": {err: queue.RetryAfter(-time.Minute, errBusy), want: queue.Verdict{Action: queue.Again, Reason: "later, in -1m0s: another job has the ticket"}},
		"put off for almost a day": {
			err: queue.RetryAfter(time.Second, errBusy), age: 24*time.Hour - 1,
			want: queue.Verdict{Action: queue.Again, Delay: time.Second, Reason: "later, in 1s: another job has the ticket"},
		},
		"put off for a day": {
			err: queue.RetryAfter(time.Second, errBusy), age: 24 * time.Hour,
			want: queue.Verdict{Action: queue.Dead, Reason: "put off for 24h0m0s: another job has the ticket"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := exact.Decide(queue.Message{Errors: c.errors, Sent: sent}, c.err, sent.Add(c.age))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJitterSpreadsPausesByAFifth(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	for range 1000 {
		v := queue.DefaultPolicy.Decide(queue.Message{Errors: 1, Sent: sent}, errBroken, sent)
		if v.Delay < 16*time.Second || v.Delay > 24*time.Second {
			t.Fatalf("the pause is %s, want 16 s to 24 s", v.Delay)
		}
		seen[v.Delay] = true
	}
	if len(seen) < 900 {
		t.Errorf("a thousand pauses are only %d different ones", len(seen))
	}
}

func TestSteeringErrorsKeepTheirReason(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"discard": queue.Discard(errGone), "retry after": queue.RetryAfter(time.Second, errGone)} {
		if !errors.Is(err, errGone) || !strings.Contains(err.Error(), errGone.Error()) {
			t.Errorf("%s: %v does not hold its reason", name, err)
		}
	}
}

func TestWhatIsBuriedIsDeadAtOnceWithItsReason(t *testing.T) {
	t.Parallel()
	now := time.Now()
	err := fmt.Errorf("post: %w", queue.Bury(errors.New("mandatory field missing")))
	v := queue.DefaultPolicy.Decide(queue.Message{Sent: now}, err, now)
	if v.Action != queue.Dead || !strings.Contains(v.Reason, "mandatory field missing") {
		t.Errorf("verdict %+v", v)
	}
}
