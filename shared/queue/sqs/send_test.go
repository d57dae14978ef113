package sqs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/queue/sqs"
	"github.com/deskhand/deskhand/shared/queue/sqs/sqsfake"
)

// nobody is a network without anybody in it.
type nobody struct{}

func (nobody) Do(*http.Request) (*http.Response, error) { return nil, errors.New("no route to host") }

// counter counts the calls of one operation, and holds them up a little.
func counter(operation string, n *atomic.Int32) func(string) *sqsfake.Error {
	return func(o string) *sqsfake.Error {
		if o == operation {
			n.Add(1)
			time.Sleep(2 * time.Millisecond)
		}
		return nil
	}
}

func TestWhatIsSentAtOnceTravelsTogether(t *testing.T) {
	t.Parallel()
	const senders, each = 30, 3
	var calls atomic.Int32
	fake := sqsfake.Server{Fault: counter("SendMessageBatch", &calls)}
	q, _ := serve(t, &fake)
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for n := range each {
				id := fmt.Sprintf("job-%d/%d", s, n)
				if err := q.Send(t.Context(), message(id)); err != nil {
					t.Errorf("send: %v", err)
				}
				if !strings.Contains(fake.Stored("enhancement"), id) {
					t.Errorf("%s is sent, but not stored", id)
				}
			}
		})
	}
	wg.Wait()
	if n := len(stored(t, &fake, "enhancement")); n != senders*each {
		t.Errorf("%d messages are stored, want %d", n, senders*each)
	}
	if n := calls.Load(); n > senders*each*2/3 {
		t.Errorf("%d calls for %d messages, want fewer", n, senders*each)
	}
}

func TestManyMessagesOfOneSendTravelTenByTen(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	fake := sqsfake.Server{Fault: counter("SendMessageBatch", &calls)}
	q, _ := serve(t, &fake)
	messages := make([]queue.Message, 25)
	for n := range messages {
		messages[n] = message(fmt.Sprintf("job-%d", n))
	}
	send(t, q, messages...)
	if n := calls.Load(); n != 3 {
		t.Errorf("%d calls for 25 messages, want 3", n)
	}
}

func TestAServerThatRefusesGroupsGetsNone(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	fake := sqsfake.Server{RefuseGroups: true, Fault: counter("SendMessageBatch", &calls)}
	q, _ := serve(t, &fake)
	send(t, q, message("one"), message("two"))
	calls.Store(0)
	send(t, q, message("three"))
	if n := calls.Load(); n != 1 {
		t.Errorf("%d calls for the third message, want 1: the first ones told", n)
	}
	list := stored(t, &fake, "enhancement")
	if len(list) != 3 || list[0].Group != "" {
		t.Errorf("stored %+v, want three without a group", list)
	}
}

func TestARefusedMessageHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	fake := sqsfake.Server{Fault: func(operation string) *sqsfake.Error {
		if operation == "SendMessageBatch" && calls.Add(1) == 1 {
			return &sqsfake.Error{Code: "InvalidMessageContents", Message: "something in the batch"}
		}
		return nil
	}}
	q, _ := serve(t, &fake)
	send(t, q, message("one"), message("two"))
	if n := len(stored(t, &fake, "enhancement")); n != 2 {
		t.Errorf("%d messages are stored, want each sent alone", n)
	}
	bad := message("bad")
	bad.Kind = "\x01"
	if err := q.Send(t.Context(), bad, message("three")); err != nil {
		t.Errorf("sending a kind that SQS cannot take gives %v, want it cleaned", err)
	}
}

func TestSendTellsWhatWentWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault *sqsfake.Error
		want  error
		calls int32
	}{
		"broken":    {&sqsfake.Error{Status: 500, Code: "InternalFailure"}, queue.ErrUnavailable, 2},
		"throttled": {&sqsfake.Error{Status: 400, Code: "RequestThrottled"}, queue.ErrUnavailable, 2},
		"forbidden": {&sqsfake.Error{Status: 403, Code: "AccessDenied"}, queue.ErrUnavailable, 1},
		"no queue":  {&sqsfake.Error{Code: "QueueDoesNotExist"}, queue.ErrUnavailable, 1},
		"too long":  {&sqsfake.Error{Code: "BatchRequestTooLong"}, queue.ErrTooLarge, 1},
		"small queue": {
			&sqsfake.Error{Code: "InvalidParameterValue", Message: "Reason: Message must be shorter than 1024 bytes."}, queue.ErrTooLarge, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			fake := sqsfake.Server{Fault: func(string) *sqsfake.Error {
				calls.Add(1)
				return c.fault
			}}
			q, _ := serve(t, &fake)
			err := q.Send(t.Context(), message("job"))
			if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), "enhancement") {
				t.Errorf("sending gives %v, want %v and the queue's name", err, c.want)
			}
			if n := calls.Load(); n != c.calls {
				t.Errorf("%d calls, want %d", n, c.calls)
			}
			if strings.Contains(fmt.Sprintf("%+v", err), "hidden-key") {
				t.Errorf("%v tells the key", err)
			}
		})
	}
}

func TestAnOutageFailsEveryOperationWithErrUnavailable(t *testing.T) {
	t.Parallel()
	fake := sqsfake.Server{Fault: func(string) *sqsfake.Error { return &sqsfake.Error{Status: 500, Code: "InternalFailure"} }}
	q, _ := serve(t, &fake)
	for name, call := range map[string]func() error{
		"stats":   func() error { _, err := q.Stats(t.Context()); return err },
		"peek":    func() error { _, err := q.Peek(t.Context(), 1); return err },
		"list":    func() error { _, err := q.List(t.Context(), 1); return err },
		"redrive": func() error { _, err := q.Redrive(t.Context()); return err },
		"purge":   func() error { _, err := q.Purge(t.Context(), "job"); return err },
		"receive": func() error { return q.Receive(t.Context(), unexpected(t)) },
	} {
		if err := call(); !errors.Is(err, queue.ErrUnavailable) {
			t.Errorf("%s gives %v, want ErrUnavailable", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.Receive(ctx, unexpected(t)); err != nil {
		t.Errorf("receiving until now gives %v, want nil", err)
	}
}

// receive runs Receive until the test ends, however often it cannot start.
func receive(t *testing.T, q *sqs.Queue, h queue.Handler) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	returned := make(chan error)
	go func() {
		err := q.Receive(ctx, h)
		for errors.Is(err, queue.ErrUnavailable) && ctx.Err() == nil { // a busy machine: again, as the product does
			err = q.Receive(ctx, h)
		}
		returned <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-returned; err != nil {
			t.Errorf("receive returned %v", err)
		}
	})
}

func TestAReceiverOutlivesAnOutageOfEveryCall(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	fake := sqsfake.Server{Fault: func(string) *sqsfake.Error {
		if down.Load() {
			return &sqsfake.Error{Status: 500, Code: "InternalFailure"}
		}
		return nil
	}}
	q, _ := serve(t, &fake)
	var log lockedBuffer
	q.Log = slog.New(slog.NewTextHandler(&log, nil))
	q.Visibility = time.Second
	started, finish := make(chan int, 10), make(chan struct{})
	var calls atomic.Int32
	receive(t, q, func(context.Context, queue.Message) error {
		call := int(calls.Add(1))
		started <- call
		if call == 1 {
			<-finish
		}
		return nil
	})
	send(t, q, message("job"))
	<-started
	down.Store(true)
	for !strings.Contains(log.String(), "may come twice") || !strings.Contains(log.String(), "no messages can be received") {
		time.Sleep(5 * time.Millisecond)
	}
	close(finish) // it cannot be deleted now
	for !strings.Contains(log.String(), "could not be deleted") {
		time.Sleep(5 * time.Millisecond)
	}
	down.Store(false)
	if n := <-started; n != 2 {
		t.Errorf("call %d, want the second", n)
	}
	for end := time.Now().Add(10 * time.Second); stats(t, q) != (queue.Stats{}); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("stats %+v, want an empty queue", stats(t, q))
		}
	}
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestAMessageThatSQSGaveUpHasAReason(t *testing.T) {
	t.Parallel()
	var fake sqsfake.Server
	q, _ := serve(t, &fake)
	fake.Create("enhancement", sqsfake.Settings{DeadLetters: "enhancement-dead", MaxReceives: 2})
	send(t, q, message("poison"))
	for range 3 { // to look is to receive
		if _, err := q.Peek(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	letters, err := q.List(t.Context(), 10)
	if err != nil || len(letters) != 1 {
		t.Fatalf("%d dead letters, %v, want 1", len(letters), err)
	}
	if l := letters[0]; !strings.Contains(l.Reason, "SQS gave up") || time.Since(l.Died) > time.Minute || string(l.Message.Body) != "body of poison" {
		t.Errorf("dead letter %+v, want the message, a reason and a time", l)
	}
}
