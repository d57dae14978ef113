package sqs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/queue/sqs/sqsfake"
)

// wire calls a handler without a network, which a bubble of synctest cannot
// wait for. As on a network, the handler goes on when its client is gone.
type wire struct{ handler http.Handler }

func (w wire) Do(r *http.Request) (*http.Response, error) {
	answered := make(chan *http.Response, 1)
	go func() {
		answer := httptest.NewRecorder()
		w.handler.ServeHTTP(answer, r)
		answered <- answer.Result()
	}()
	select {
	case response := <-answered:
		return response, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// heartbeat has a worker take a message that needs so long, in a bubble whose
// time stands still while anybody has something to do: how busy the machine is
// does not matter. It gives what the handler tells.
func heartbeat(t *testing.T, fake *sqsfake.Server, visibility, long time.Duration) (told []string) {
	t.Helper()
	q := mustOpen(t, "http://sqs.invalid")
	prepare(fake)
	q.Client = awssqs.New(q.Client.Options(), func(o *awssqs.Options) { o.HTTPClient = wire{fake} })
	q.Visibility, q.Timeout = visibility, 10*long
	calls := make(chan string, 100)
	receive(t, q, func(ctx context.Context, m queue.Message) error {
		calls <- m.ID
		select {
		case <-time.After(long):
		case <-ctx.Done():
			t.Errorf("the handler's time is up: %v", ctx.Err())
		}
		calls <- m.ID + " has ended"
		return nil
	})
	send(t, q, message("slow"))
	time.Sleep(3 * long)
	synctest.Wait()
	close(calls)
	for call := range calls {
		told = append(told, call)
	}
	if s := stats(t, q); s != (queue.Stats{}) {
		t.Errorf("stats %+v, want an empty queue", s)
	}
	return told
}

func TestTheHeartbeatKeepsASlowMessageHidden(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got := heartbeat(t, &sqsfake.Server{}, 3*time.Second, 7500*time.Millisecond)
		if diff := cmp.Diff([]string{"slow", "slow has ended"}, got); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

func TestAHeartbeatWithoutAnswerDoesNotStopTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fault, letGo := hangs("ChangeMessageVisibility", 1, 1)
		t.Cleanup(letGo)
		got := heartbeat(t, &sqsfake.Server{Fault: fault}, 6*time.Second, 7500*time.Millisecond)
		if diff := cmp.Diff([]string{"slow", "slow has ended"}, got); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}
