// Package queuetest holds every queue adapter to the same promises. An adapter
// passes it with a test that calls Run.
package queuetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Policy is that of a Harness's queue: the real one with shorter pauses.
var Policy = queue.Policy{Tries: 4, Base: 100 * time.Millisecond, Factor: 3, GiveUp: 24 * time.Hour}

// The other settings of a Harness's queue.
const (
	Concurrency = 4
	Timeout     = 3 * time.Second
	Drain       = 500 * time.Millisecond
)

// Box seals with one of several fixed keys, so that two processes can share a
// queue, and two senders can differ.
func Box(key byte) secret.Box {
	aead, err := subtle.NewAESGCM([]byte{key, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
	if err != nil {
		panic(err) // the length of the key is right
	}
	return secret.Box{AEAD: aead}
}

// Queue is all that an adapter does.
type Queue interface {
	queue.Sender
	queue.Receiver
	queue.Inspector
	queue.DeadLetters
}

// Harness is an adapter on an empty store of its own.
type Harness struct {
	Queue Queue // with Policy, Concurrency, Timeout, Drain and Box(0)
	// Late is how long after it is due a message may come at the latest.
	Late time.Duration
	// Ageless says that the store cannot tell how old its messages are.
	Ageless bool
	// Stored gives everything that the store holds, as it is at rest.
	Stored func(t *testing.T) string
	// Stranger sends to the same queue, with Box(1).
	Stranger queue.Sender
	// Down sends to a store that takes the connection and never answers.
	Down queue.Sender
	// Spawn starts another process that receives from the same queue and never
	// finishes a message. The function that it returns kills it, as the kernel
	// would. Nil where the store cannot find out about it in seconds.
	Spawn func(t *testing.T) (kill func())
}

// Run runs the suite. open makes a Harness and cleans it up with its t.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"a message arrives with all it carries", arrives},
		{"hostile bytes arrive unchanged", hostileBody},
		{"as many handlers run at once as were asked for", concurrency},
		{"two receivers share the messages", sharing},
		{"a delayed message is not early, and hardly late", delayed},
		{"a failing message is tried four times, then dead with its reason", failing},
		{"a message that fails once is done at its second try", recovering},
		{"a panic is an error", panicking},
		{"a handler that takes too long is an error", slow},
		{"what an error says may be hostile", hostileError},
		{"a discarded message is no dead letter", discarded},
		{"a message put off twenty times is no failure", putOff},
		{"being put off does not forget errors", putOffBetweenErrors},
		{"a message put off for a day is dead until it is redriven", givenUp},
		{"dead letters are redriven by id or all, with errors forgotten", redriven},
		{"dead letters are purged by id or all", purged},
		{"dead letters are listed newest first", listed},
		{"peek shows what waits and leaves it", peeked},
		{"stats count what waits, runs and is dead", counted},
		{"at the end a running handler may finish", drained},
		{"at the end a handler that does not finish is cancelled, and its message kept", interrupted},
		{"bodies and traces are sealed at rest", sealed},
		{"a message sealed with another key is dead", strange},
		{"a message that is too large is refused", tooLarge},
		{"all messages are sent or none", allOrNone},
		{"a store that does not answer is unavailable within two seconds", down},
		{"a sender that gives up has sent nothing", givesUp},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, open(t))
		})
	}
	t.Run("a killed worker's message comes again within ten seconds", func(t *testing.T) {
		t.Parallel()
		if h := open(t); h.Spawn != nil {
			killed(t, h)
		}
	})
}

// message is one of two tenants' messages.
func message(n int) queue.Message {
	return queue.Message{
		ID:     fmt.Sprintf("job-%d", n),
		Tenant: []tenant.ID{"acme", "globex"}[n%2],
		Kind:   "created",
		Body:   fmt.Appendf(nil, "body %d", n),
	}
}

func send(t *testing.T, s queue.Sender, messages ...queue.Message) {
	t.Helper()
	if err := s.Send(t.Context(), messages...); err != nil {
		t.Fatalf("send: %v", err)
	}
}

// receive runs Receive until the test ends, or stop is called. Stop waits for
// Receive to return, which must be nil and not take much longer than Drain.
func receive(t *testing.T, r queue.Receiver, h queue.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	returned := make(chan error, 1)
	go func() {
		// On a starved machine a queue may not answer in time, and is asked again
		// as the product does.
		err := r.Receive(ctx, h)
		for errors.Is(err, queue.ErrUnavailable) && ctx.Err() == nil {
			err = r.Receive(ctx, h)
		}
		returned <- err
	}()
	stopped := false
	stop = func() {
		t.Helper()
		cancel()
		if stopped {
			return
		}
		stopped = true
		select {
		case err := <-returned:
			if err != nil {
				t.Errorf("receive returned %v, want nil", err)
			}
		case <-time.After(Drain + 10*time.Second):
			t.Errorf("receive did not return")
		}
	}
	t.Cleanup(stop)
	return stop
}

// delivery is one call of a handler.
type delivery struct {
	queue.Message
	at time.Time
}

// record receives, and tells of every delivery; answer is what the handler
// returns.
func record(t *testing.T, r queue.Receiver, answer func(queue.Message) error) <-chan delivery {
	t.Helper()
	deliveries := make(chan delivery, 1000)
	receive(t, r, func(_ context.Context, m queue.Message) error {
		deliveries <- delivery{m, time.Now()}
		return answer(m)
	})
	return deliveries
}

func done(queue.Message) error { return nil }

var errBroken = errors.New("the tool is broken")

func broken(queue.Message) error { return errBroken }

const patience = 15 * time.Second // for what takes milliseconds on a quiet machine

func next(t *testing.T, deliveries <-chan delivery) delivery {
	t.Helper()
	select {
	case d := <-deliveries:
		return d
	case <-time.After(patience):
		t.Fatal("no delivery")
		return delivery{}
	}
}

// wait polls until the stats are as asked for.
func wait(t *testing.T, q queue.Inspector, what string, ok func(queue.Stats) bool) {
	t.Helper()
	var s queue.Stats
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var err error
		if s, err = q.Stats(t.Context()); err != nil {
			t.Fatalf("stats: %v", err)
		}
		if ok(s) {
			return
		}
	}
	t.Fatalf("want %s, have %+v", what, s)
}

func idle(s queue.Stats) bool { return s.Depth == 0 && s.Running == 0 }

// waitDead waits until n messages are dead and none is left.
func waitDead(t *testing.T, q queue.Inspector, n int) {
	t.Helper()
	wait(t, q, fmt.Sprintf("%d dead letters and nothing else", n), func(s queue.Stats) bool { return idle(s) && s.Dead == n })
}

func list(t *testing.T, q queue.DeadLetters, n int) []queue.DeadLetter {
	t.Helper()
	letters, err := q.List(t.Context(), n)
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	return letters
}
