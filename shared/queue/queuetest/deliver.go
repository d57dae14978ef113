package queuetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deskhand/deskhand/shared/queue"
)

func arrives(t *testing.T, h Harness) {
	before := time.Now()
	plain := message(1)
	low := queue.Message{
		ID: "job-low", Tenant: "globex", Kind: "resolved", Priority: queue.Low, Body: []byte(`{"id":"7"}`),
		Trace: map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		Sent:  time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC),
	}
	send(t, h.Queue, plain, low)

	got := map[string]queue.Message{}
	deliveries := record(t, h.Queue, done)
	for range 2 {
		d := next(t, deliveries)
		got[d.ID] = d.Message
	}
	plain.Sent = got[plain.ID].Sent
	if now := time.Now(); plain.Sent.Before(before.Add(-time.Second)) || plain.Sent.After(now) {
		t.Errorf("send set Sent to %s, want now, %s", plain.Sent, now)
	}
	want := map[string]queue.Message{plain.ID: plain, low.ID: low}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateApproxTime(time.Millisecond)); diff != "" {
		t.Errorf("messages (-sent +delivered):\n%s", diff)
	}
	waitDead(t, h.Queue, 0)
}

func hostileBody(t *testing.T, h Harness) {
	m := message(1)
	m.Body = []byte("\x00\xff\xfe\"'\\'; DROP TABLE river_job; --\u2028</script>{{.}}%s")
	send(t, h.Queue, m)
	if d := next(t, record(t, h.Queue, done)); string(d.Body) != string(m.Body) {
		t.Errorf("body %q arrived as %q", m.Body, d.Body)
	}
}

func concurrency(t *testing.T, h Harness) {
	const messages = 3 * Concurrency
	for n := range messages {
		send(t, h.Queue, message(n))
	}
	var running, finished atomic.Int32
	full := make(chan struct{}) // closed when Concurrency handlers run
	var once sync.Once
	receive(t, h.Queue, func(ctx context.Context, _ queue.Message) error {
		defer finished.Add(1)
		switch n := running.Add(1); {
		case n == Concurrency:
			once.Do(func() { close(full) })
		case n > Concurrency:
			t.Errorf("%d handlers run, want at most %d", n, Concurrency)
		}
		defer running.Add(-1)
		select {
		case <-full:
			// Stay a little, so that one too many would be seen.
			time.Sleep(20 * time.Millisecond)
		case <-ctx.Done():
			t.Errorf("%d handlers run, want %d", running.Load(), Concurrency)
		}
		return nil
	})
	waitDead(t, h.Queue, 0)
	if n := finished.Load(); n != messages {
		t.Errorf("%d deliveries, want %d", n, messages)
	}
}

func sharing(t *testing.T, h Harness) {
	const messages = 40
	one := record(t, h.Queue, done)
	two := record(t, h.Queue, done)
	for n := range messages {
		send(t, h.Queue, message(n))
	}
	seen := map[string]int{}
	for range messages {
		select {
		case d := <-one:
			seen[d.ID]++
		case d := <-two:
			seen[d.ID]++
		case <-time.After(patience):
			t.Fatalf("%d of %d messages arrived", len(seen), messages)
		}
	}
	for n := range messages {
		if id := fmt.Sprintf("job-%d", n); seen[id] != 1 {
			t.Errorf("%s was delivered %d times, want once", id, seen[id])
		}
	}
}

func delayed(t *testing.T, h Harness) {
	deliveries := record(t, h.Queue, done)
	m := message(1)
	m.Delay = 1500 * time.Millisecond
	start := time.Now()
	send(t, h.Queue, m)
	d := next(t, deliveries)
	after := d.at.Sub(start)
	if after < m.Delay || after > m.Delay+h.Late {
		t.Errorf("delivered after %s, want %s to %s", after, m.Delay, m.Delay+h.Late)
	}
	if d.Delay != 0 {
		t.Errorf("the receiver sees a delay of %s, want 0", d.Delay)
	}
}

func drained(t *testing.T, h Harness) {
	started, ending := make(chan struct{}), make(chan struct{})
	stop := receive(t, h.Queue, func(ctx context.Context, _ queue.Message) error {
		close(started)
		<-ending
		time.Sleep(Drain / 5)
		return ctx.Err()
	})
	send(t, h.Queue, message(1))
	<-started
	close(ending)
	stop()
	waitDead(t, h.Queue, 0)

	send(t, h.Queue, message(2)) // nobody takes it any more
	wait(t, h.Queue, "one message that waits", func(s queue.Stats) bool { return s.Depth == 1 && s.Running == 0 })
}

func interrupted(t *testing.T, h Harness) {
	started := make(chan time.Time, 1)
	stop := receive(t, h.Queue, func(ctx context.Context, _ queue.Message) error {
		started <- time.Now()
		<-ctx.Done()
		return fmt.Errorf("read the ticket: %w", ctx.Err())
	})
	send(t, h.Queue, message(1))
	<-started
	asked := time.Now()
	stop()
	if took := time.Since(asked); took < Drain || took > Drain+5*time.Second {
		t.Errorf("the end took %s, want a little over %s", took, Drain)
	}
	if d := next(t, record(t, h.Queue, done)); d.Errors != 0 {
		t.Errorf("the message comes again with %d errors, want none", d.Errors)
	}
	waitDead(t, h.Queue, 0)
}

func killed(t *testing.T, h Harness) {
	kill := h.Spawn(t)
	send(t, h.Queue, message(1))
	wait(t, h.Queue, "a message that runs", func(s queue.Stats) bool { return s.Running == 1 })
	deliveries := record(t, h.Queue, done)
	kill()
	died := time.Now()
	d := next(t, deliveries)
	if took := d.at.Sub(died); took < 0 || took > 10*time.Second {
		t.Errorf("delivered again %s after the kill, want within 10 s", took)
	}
	if d.Errors != 0 {
		t.Errorf("the message comes again with %d errors: a crash is none", d.Errors)
	}
	waitDead(t, h.Queue, 0)
}
