package queuetest

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/queue"
)

func sealed(t *testing.T, h Harness) {
	const body, trace = "The password of Ms. Miller is hunter2", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	m := message(1)
	m.Body, m.Trace = []byte(body), map[string]string{"traceparent": trace}
	send(t, h.Queue, m)
	stored := h.Stored(t)
	if !strings.Contains(stored, m.ID) {
		t.Fatalf("the store does not hold the message: %.200q", stored)
	}
	for _, plain := range []string{body, "hunter2", trace, base64.StdEncoding.EncodeToString([]byte(body))} {
		if strings.Contains(stored, plain) {
			t.Errorf("%q lies open in the store", plain)
		}
	}
}

func strange(t *testing.T, h Harness) {
	deliveries := record(t, h.Queue, done)
	send(t, h.Stranger, message(1))
	send(t, h.Queue, message(2))
	if d := next(t, deliveries); d.ID != "job-2" {
		t.Errorf("%s was delivered, want job-2 only", d.ID)
	}
	waitDead(t, h.Queue, 1)
	letter := list(t, h.Queue, 10)[0]
	if letter.Message.ID != "job-1" || !strings.Contains(letter.Reason, "sealed") {
		t.Errorf("%s is dead because %q, want job-1 because it does not open", letter.Message.ID, letter.Reason)
	}
}

// large is the message whose sealed form is a little over or under MaxBody:
// the envelope holds the body as base64.
func large(over int) queue.Message {
	m := message(1)
	m.Body = bytes.Repeat([]byte{7}, (queue.MaxBody-1000)/4*3+over)
	return m
}

func tooLarge(t *testing.T, h Harness) {
	if err := h.Queue.Send(t.Context(), large(1000)); !errors.Is(err, queue.ErrTooLarge) {
		t.Errorf("sending gives %v, want ErrTooLarge", err)
	}
	wait(t, h.Queue, "nothing", func(s queue.Stats) bool { return s == queue.Stats{} })

	send(t, h.Queue, large(0))
	if d := next(t, record(t, h.Queue, done)); len(d.Body) != len(large(0).Body) {
		t.Errorf("%d bytes arrived, want %d", len(d.Body), len(large(0).Body))
	}
}

func allOrNone(t *testing.T, h Harness) {
	if err := h.Queue.Send(t.Context()); err != nil {
		t.Errorf("sending no messages gives %v", err)
	}
	if err := h.Queue.Send(t.Context(), message(1), large(1000), message(2)); !errors.Is(err, queue.ErrTooLarge) {
		t.Errorf("sending gives %v, want ErrTooLarge", err)
	}
	wait(t, h.Queue, "nothing", func(s queue.Stats) bool { return s == queue.Stats{} })
}

func down(t *testing.T, h Harness) {
	took := time.Hour // of the quickest of three, as the machine may be busy
	for range 3 {
		start := time.Now()
		if err := h.Down.Send(t.Context(), message(1)); !errors.Is(err, queue.ErrUnavailable) {
			t.Errorf("sending gives %v, want ErrUnavailable", err)
		}
		took = min(took, time.Since(start))
	}
	if took > 2*time.Second {
		t.Errorf("it took %s to find out, want at most 2 s", took)
	}
}

func givesUp(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Queue.Send(ctx, message(1)); !errors.Is(err, queue.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("sending gives %v, want ErrUnavailable and the context's error", err)
	}
	wait(t, h.Queue, "nothing", func(s queue.Stats) bool { return s == queue.Stats{} })
}
