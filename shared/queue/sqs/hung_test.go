package sqs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/queue/sqs/sqsfake"
)

// hangs is a Fault that holds up the calls of one operation from the first to
// the last, until the test lets them go.
func hangs(operation string, first, last int32) (fault func(string) *sqsfake.Error, letGo func()) {
	var calls atomic.Int32
	gone := make(chan struct{})
	return func(o string) *sqsfake.Error {
		if o == operation {
			if n := calls.Add(1); n >= first && n <= last {
				<-gone
			}
		}
		return nil
	}, sync.OnceFunc(func() { close(gone) })
}

func TestASlowSQSIsNotFilledWithMoreThanMemoryHolds(t *testing.T) {
	t.Parallel()
	fault, letGo := hangs("SendMessageBatch", 1, 1<<30)
	fake := sqsfake.Server{Fault: fault}
	q, _ := serve(t, &fake)
	t.Cleanup(letGo)
	large := message("large")
	large.Body = bytes.Repeat([]byte{'x'}, 150<<10)
	const most, held = 200, 125 // of 270 KiB: 54 MiB, and a bit more than 32 MiB
	results := make(chan error, most)
	for range most {
		go func() { results <- q.Send(context.WithoutCancel(t.Context()), large) }()
	}
	for range most - held {
		if err := <-results; !errors.Is(err, queue.ErrUnavailable) || !strings.Contains(err.Error(), "too many messages wait") {
			t.Errorf("with an SQS that does not answer, those that return give %v, want ErrUnavailable and why", err)
		}
	}
	letGo()
	sent := 0
	for range held {
		if <-results == nil {
			sent++
		}
	}
	if n := len(stored(t, &fake, "enhancement")); n != sent || n < 100 {
		t.Errorf("%d are stored and %d told as sent, want about 32 MiB of them", n, sent)
	}
	if err := q.Send(t.Context(), large); err != nil {
		t.Errorf("sending afterwards gives %v", err)
	}
}

func TestASendThatIsLargerThanTheOutboxIsTakenAlone(t *testing.T) {
	t.Parallel()
	var fake sqsfake.Server
	q, _ := serve(t, &fake)
	large := make([]queue.Message, 130) // of 270 KiB: 35 MiB
	for i := range large {
		large[i] = message(fmt.Sprint(i))
		large[i].Body = bytes.Repeat([]byte{'x'}, 150<<10)
	}
	send(t, q, large...)
	if n := len(stored(t, &fake, "enhancement")); n != len(large) {
		t.Errorf("%d are stored, want %d", n, len(large))
	}
}

func TestAnSQSThatThrottlesIsNotAskedMore(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int32{
		"RequestThrottled":  2, // the SDK tries it twice
		"QueueDoesNotExist": 1,
		"KmsAccessDenied":   1,
	} {
		var calls atomic.Int32
		fake := sqsfake.Server{Fault: func(string) *sqsfake.Error {
			calls.Add(1)
			return &sqsfake.Error{Code: code}
		}}
		q, _ := serve(t, &fake)
		if err := q.Send(t.Context(), message("one"), message("two"), message("three")); !errors.Is(err, queue.ErrUnavailable) {
			t.Errorf("%s: sending gives %v, want ErrUnavailable", code, err)
		}
		if n := calls.Load(); n != want {
			t.Errorf("%s: %d calls, want %d", code, n, want)
		}
	}
}

func TestAnSQSThatDoesNotAnswerHoldsUpNoOperator(t *testing.T) {
	t.Parallel()
	fault, letGo := hangs("DeleteMessage", 2, 2) // the first is of the burial
	fake := sqsfake.Server{Fault: fault}
	q, _ := serve(t, &fake)
	t.Cleanup(letGo)
	bury(t, q, message("job"))
	result := make(chan error, 1)
	go func() {
		_, err := q.Purge(context.WithoutCancel(t.Context()))
		result <- err
	}()
	select {
	case err := <-result:
		if !errors.Is(err, queue.ErrUnavailable) {
			t.Errorf("purging gives %v, want ErrUnavailable", err)
		}
	case <-time.After(patience):
		t.Error("purging takes for ever")
	}
}

// spy keeps what is sent to SQS.
type spy struct{ bodies []string }

func (s *spy) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.bodies = append(s.bodies, r.Header.Get("X-Amz-Target")+" "+string(body))
	return nil, errors.New("no route to host")
}

func TestALongInvocationHidesItsMessagesForLonger(t *testing.T) {
	t.Parallel()
	for limit, want := range map[time.Duration]string{time.Minute: `"VisibilityTimeout":150}`, 10 * time.Minute: `"VisibilityTimeout":630}`} {
		var s spy
		q := mustOpen(t, "http://127.0.0.1:1")
		q.Client = awssqs.New(q.Client.Options(), func(o *awssqs.Options) { o.HTTPClient = &s; o.Retryer = aws.NopRetryer{} })
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		q.Batch(ctx, []queue.Record{{ID: "1", ReceiptHandle: "r", Body: "?"}}, unexpected(t))
		cancel()
		if first := s.bodies[0]; !strings.Contains(first, "ChangeMessageVisibilityBatch") || !strings.Contains(first, want) {
			t.Errorf("in an invocation of %s: %s, want first %s", limit, first, want)
		}
	}
}
