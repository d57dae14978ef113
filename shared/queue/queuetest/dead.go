package queuetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/queue"
)

// kill makes dead letters of the messages, one after the other. RetryAfter for
// one sent long ago is the shortest way to die.
func kill(t *testing.T, q Queue, messages ...queue.Message) {
	t.Helper()
	stop := receive(t, q, func(context.Context, queue.Message) error { return queue.RetryAfter(0, errBusy) })
	for n, m := range messages {
		m.Sent = time.Now().Add(-2 * Policy.GiveUp)
		send(t, q, m)
		waitDead(t, q, n+1)
	}
	stop()
}

func ids(letters []queue.DeadLetter) []string {
	ids := make([]string, len(letters))
	for i, d := range letters {
		ids[i] = d.Message.ID
	}
	return ids
}

func listed(t *testing.T, h Harness) {
	if letters := list(t, h.Queue, 10); len(letters) != 0 {
		t.Errorf("an empty queue has dead letters: %v", letters)
	}
	kill(t, h.Queue, message(1), message(2), message(3))
	if diff := cmp.Diff([]string{"job-3", "job-2"}, ids(list(t, h.Queue, 2))); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	letter := list(t, h.Queue, 1)[0]
	if m := letter.Message; m.Tenant != "globex" || m.Kind != "created" || string(m.Body) != "body 3" {
		t.Errorf("dead letter %+v, want message 3", m)
	}
}

func redriven(t *testing.T, h Harness) {
	stop := receive(t, h.Queue, func(context.Context, queue.Message) error { return errBroken })
	send(t, h.Queue, message(1), message(2), message(3))
	waitDead(t, h.Queue, 3)
	stop()

	if n, err := h.Queue.Redrive(t.Context(), "job-2", "job-9"); n != 1 || err != nil {
		t.Errorf("redriving job-2 gives %d, %v, want 1", n, err)
	}
	wait(t, h.Queue, "two dead and one that waits", func(s queue.Stats) bool { return s.Dead == 2 && s.Depth == 1 })
	if n, err := h.Queue.Redrive(t.Context()); n != 2 || err != nil {
		t.Errorf("redriving all gives %d, %v, want 2", n, err)
	}
	deliveries := record(t, h.Queue, done)
	for range 3 {
		if d := next(t, deliveries); d.Errors != 0 || d.Body == nil {
			t.Errorf("redriven %s has %d errors and body %q, want none and its own", d.ID, d.Errors, d.Body)
		}
	}
	waitDead(t, h.Queue, 0)
	if n, err := h.Queue.Redrive(t.Context()); n != 0 || err != nil {
		t.Errorf("redriving nothing gives %d, %v, want 0", n, err)
	}
}

func purged(t *testing.T, h Harness) {
	kill(t, h.Queue, message(1), message(2), message(3))
	live := message(4)
	live.ID = "job-1" // the same id as a dead one
	send(t, h.Queue, live)
	if n, err := h.Queue.Purge(t.Context(), "job-1"); n != 1 || err != nil {
		t.Errorf("purging job-1 gives %d, %v, want 1", n, err)
	}
	wait(t, h.Queue, "two dead, and the live message", func(s queue.Stats) bool { return s.Dead == 2 && s.Depth == 1 })
	if n, err := h.Queue.Purge(t.Context()); n != 2 || err != nil {
		t.Errorf("purging all gives %d, %v, want 2", n, err)
	}
	wait(t, h.Queue, "only the live message", func(s queue.Stats) bool { return s.Dead == 0 && s.Depth == 1 })
}

func peeked(t *testing.T, h Harness) {
	late := message(3)
	late.Delay = time.Minute
	send(t, h.Queue, late)
	send(t, h.Queue, message(1))
	for range 2 { // the first look changes nothing
		messages, err := h.Queue.Peek(t.Context(), 1)
		if err != nil || len(messages) != 1 {
			t.Fatalf("peek gives %d messages, %v, want 1", len(messages), err)
		}
		if m := messages[0]; m.ID != "job-1" || string(m.Body) != "body 1" || m.Tenant != "globex" || m.Errors != 0 {
			t.Errorf("peek shows %+v, want message 1, which is next", m)
		}
	}
	if d := next(t, record(t, h.Queue, done)); d.ID != "job-1" {
		t.Errorf("%s was delivered, want job-1", d.ID)
	}
}

func counted(t *testing.T, h Harness) {
	wait(t, h.Queue, "zeros", func(s queue.Stats) bool { return s == queue.Stats{} })
	kill(t, h.Queue, message(1))

	later := message(3)
	later.Delay = time.Minute
	send(t, h.Queue, message(2), later)
	wait(t, h.Queue, "two that wait, one of them for some time", func(s queue.Stats) bool {
		return s.Depth == 2 && s.Running == 0 && s.Dead == 1 && (h.Ageless || s.Oldest > 0) && s.Oldest < time.Minute
	})

	finish := make(chan struct{})
	receive(t, h.Queue, func(context.Context, queue.Message) error {
		<-finish
		return nil
	})
	wait(t, h.Queue, "one that waits and one that runs", func(s queue.Stats) bool {
		return s.Depth == 1 && s.Running == 1 && s.Dead == 1
	})
	close(finish)
	wait(t, h.Queue, "the delayed one only", func(s queue.Stats) bool { return s.Depth == 1 && s.Running == 0 && s.Oldest == 0 })
}
