package queuetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/deskhand/deskhand/shared/queue"
)

func failing(t *testing.T, h Harness) {
	deliveries := record(t, h.Queue, broken)
	send(t, h.Queue, message(1))
	first := next(t, deliveries)
	last, pause := first, Policy.Base
	for try := 2; try <= Policy.Tries; try++ {
		d := next(t, deliveries)
		if took := d.at.Sub(last.at); took < pause || took > pause+h.Late {
			t.Errorf("try %d came %s after the one before, want %s to %s", try, took, pause, pause+h.Late)
		}
		if d.Errors != try-1 {
			t.Errorf("try %d sees %d errors, want %d", try, d.Errors, try-1)
		}
		if !d.Sent.Equal(first.Sent) {
			t.Errorf("try %d was sent %s, want %s as at first", try, d.Sent, first.Sent)
		}
		last, pause = d, time.Duration(float64(pause)*Policy.Factor)
	}
	waitDead(t, h.Queue, 1)
	if n := len(deliveries); n != 0 {
		t.Errorf("%d more deliveries, want none", n)
	}
	letter := list(t, h.Queue, 10)[0]
	if letter.Message.ID != "job-1" || string(letter.Message.Body) != "body 1" || letter.Message.Errors != Policy.Tries {
		t.Errorf("dead letter %+v, want job-1 with its body and %d errors", letter.Message, Policy.Tries)
	}
	if !strings.Contains(letter.Reason, errBroken.Error()) || !strings.Contains(letter.Reason, "4 times") {
		t.Errorf("it is dead because %q, want the count and the last error", letter.Reason)
	}
	if letter.Died.Before(last.at.Add(-time.Second)) || time.Since(letter.Died) < -time.Second {
		t.Errorf("it died at %s, want after its last try at %s", letter.Died, last.at)
	}
}

func recovering(t *testing.T, h Harness) {
	deliveries := record(t, h.Queue, func(m queue.Message) error {
		if m.Errors == 0 {
			return errBroken
		}
		return nil
	})
	send(t, h.Queue, message(1))
	next(t, deliveries)
	next(t, deliveries)
	waitDead(t, h.Queue, 0)
}

func panicking(t *testing.T, h Harness) {
	deliveries := record(t, h.Queue, func(m queue.Message) error {
		if m.ID == "job-1" {
			panic("what the ticket says")
		}
		return nil
	})
	send(t, h.Queue, message(1))
	for try := range Policy.Tries {
		if d := next(t, deliveries); d.Errors != try {
			t.Errorf("try %d sees %d errors, want %d", try+1, d.Errors, try)
		}
	}
	waitDead(t, h.Queue, 1)
	if reason := list(t, h.Queue, 1)[0].Reason; !strings.Contains(reason, "panic") || strings.Contains(reason, "ticket") {
		t.Errorf("it is dead because %q, want a panic, and not its value, which may quote the message", reason)
	}
	send(t, h.Queue, message(2))
	if d := next(t, deliveries); d.ID != "job-2" {
		t.Errorf("%s was delivered after the panics, want job-2", d.ID)
	}
}

func slow(t *testing.T, h Harness) {
	limits := make(chan time.Duration, Policy.Tries)
	receive(t, h.Queue, func(ctx context.Context, m queue.Message) error {
		if m.Errors > 0 {
			close(limits)
			return nil
		}
		start := time.Now()
		<-ctx.Done()
		limits <- time.Since(start)
		return ctx.Err()
	})
	send(t, h.Queue, message(1))
	if took := <-limits; took < Timeout/2 || took > Timeout+time.Second {
		t.Errorf("the context ended after %s, want about %s", took, Timeout)
	}
	if _, again := <-limits; again {
		t.Errorf("the timeout was not counted as an error")
	}
	waitDead(t, h.Queue, 0)
}

func hostileError(t *testing.T, h Harness) {
	hostile := errors.New("upstream said \x00\xff'; DROP TABLE x; --" + strings.Repeat("é", 100_000))
	deliveries := record(t, h.Queue, func(m queue.Message) error {
		if m.ID == "job-1" {
			return hostile
		}
		return nil
	})
	send(t, h.Queue, message(1), message(2))
	for range Policy.Tries + 1 {
		next(t, deliveries)
	}
	waitDead(t, h.Queue, 1)
	reason := list(t, h.Queue, 1)[0].Reason
	if !strings.Contains(reason, "upstream said") || len(reason) > 10_000 || !utf8.ValidString(reason) {
		t.Errorf("the reason is %d bytes, %.100q, want a short readable one", len(reason), reason)
	}
}

func discarded(t *testing.T, h Harness) {
	deliveries := record(t, h.Queue, func(queue.Message) error { return queue.Discard(errors.New("the ticket is gone")) })
	send(t, h.Queue, message(1))
	next(t, deliveries)
	waitDead(t, h.Queue, 0)
	if n := len(deliveries); n != 0 {
		t.Errorf("%d more deliveries, want none", n)
	}
}

var errBusy = errors.New("another job has the ticket")

func putOff(t *testing.T, h Harness) {
	const times = 20
	calls := 0
	deliveries := record(t, h.Queue, func(queue.Message) error {
		if calls++; calls <= times { // one message, so one handler at a time
			return queue.RetryAfter(time.Millisecond, errBusy)
		}
		return nil
	})
	send(t, h.Queue, message(1))
	first := next(t, deliveries)
	for n := range times {
		d := next(t, deliveries)
		if d.Errors != 0 || !d.Sent.Equal(first.Sent) {
			t.Fatalf("put off %d times it has %d errors and was sent %s, want none and %s", n+1, d.Errors, d.Sent, first.Sent)
		}
	}
	waitDead(t, h.Queue, 0)
}

func putOffBetweenErrors(t *testing.T, h Harness) {
	calls := 0
	deliveries := record(t, h.Queue, func(queue.Message) error {
		calls++
		return []error{errBroken, queue.RetryAfter(time.Millisecond, errBusy), errBroken, nil}[calls-1]
	})
	send(t, h.Queue, message(1))
	for n, want := range []int{0, 1, 1, 2} {
		if d := next(t, deliveries); d.Errors != want {
			t.Errorf("delivery %d sees %d errors, want %d", n+1, d.Errors, want)
		}
	}
	waitDead(t, h.Queue, 0)
}

func givenUp(t *testing.T, h Harness) {
	calls := 0
	deliveries := record(t, h.Queue, func(queue.Message) error {
		if calls++; calls < 3 {
			return queue.RetryAfter(time.Millisecond, errBusy)
		}
		return nil
	})
	old := message(1)
	old.Sent = time.Now().Add(-Policy.GiveUp - time.Minute)
	send(t, h.Queue, old)
	next(t, deliveries)
	waitDead(t, h.Queue, 1)
	if reason := list(t, h.Queue, 1)[0].Reason; !strings.Contains(reason, errBusy.Error()) {
		t.Errorf("it is dead because %q, want why it was put off", reason)
	}

	// Redriven it is as if sent now: it may be put off for another day.
	if n, err := h.Queue.Redrive(t.Context()); n != 1 || err != nil {
		t.Fatalf("redrive gives %d, %v, want 1", n, err)
	}
	next(t, deliveries)
	if d := next(t, deliveries); time.Since(d.Sent) > time.Hour {
		t.Errorf("the redriven message was sent %s, want now", d.Sent)
	}
	waitDead(t, h.Queue, 0)
}
