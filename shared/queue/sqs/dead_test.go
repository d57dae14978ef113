package sqs_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/queue/queuetest"
	"github.com/deskhand/deskhand/shared/queue/sqs"
	"github.com/deskhand/deskhand/shared/queue/sqs/sqsfake"
)

const quoted = "the password of Ms. Miller is hunter2"

// bury sends the messages and makes dead letters of them.
func bury(t *testing.T, q *sqs.Queue, messages ...queue.Message) {
	t.Helper()
	send(t, q, messages...)
	failed := q.Batch(t.Context(), event(t, q), func(context.Context, queue.Message) error { return queue.Bury(errors.New(quoted)) })
	if s := stats(t, q); len(failed) != 0 || s.Dead != len(messages) {
		t.Fatalf("failed %v, stats %+v, want %d dead letters", failed, s, len(messages))
	}
}

func TestTheReasonOfADeadLetterIsSealed(t *testing.T) {
	t.Parallel()
	var fake sqsfake.Server
	q, url := serve(t, &fake)
	bury(t, q, message("job"))
	if raw := fake.Stored("enhancement-dead"); strings.Contains(raw, "Miller") || strings.Contains(raw, "operator") {
		t.Errorf("the reason lies open in the queue: %s", raw)
	}
	stranger := mustOpen(t, url)
	stranger.Box = queuetest.Box(1)
	for want, q := range map[string]*sqs.Queue{quoted: q, "sealed with another key": stranger} {
		letters, err := q.List(t.Context(), 10)
		if err != nil || len(letters) != 1 || letters[0].Message.ID != "job" || !strings.Contains(letters[0].Reason, want) {
			t.Errorf("dead letters %+v, %v, want the job, dead because %q", letters, err, want)
		}
	}
}

func TestRedriveEndsThoughWhatItRedrivesFailsAtOnce(t *testing.T) {
	t.Parallel()
	var fake sqsfake.Server
	q, _ := serve(t, &fake)
	bury(t, q, message("one"), message("two"))
	receive(t, q, func(context.Context, queue.Message) error { return queue.Bury(errors.New("still broken")) })
	n, err := q.Redrive(t.Context())
	if n != 2 || err != nil {
		t.Errorf("redriving gives %d, %v, want 2", n, err)
	}
	for end := time.Now().Add(patience); stats(t, q) != (queue.Stats{Dead: 2}); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("stats %+v, want both dead again", stats(t, q))
		}
	}
}
