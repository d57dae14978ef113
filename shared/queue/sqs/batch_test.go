package sqs_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/queue/sqs"
	"github.com/deskhand/deskhand/shared/queue/sqs/sqsfake"
)

func message(id string) queue.Message {
	return queue.Message{ID: id, Tenant: "acme", Kind: "created", Body: []byte("body of " + id)}
}

func send(t *testing.T, q queue.Sender, messages ...queue.Message) {
	t.Helper()
	if err := q.Send(t.Context(), messages...); err != nil {
		t.Fatal(err)
	}
}

// event receives what is due, as an event source mapping does.
func event(t *testing.T, q *sqs.Queue) []queue.Record {
	t.Helper()
	out, err := q.Client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{
		QueueUrl: &q.URL, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	records := make([]queue.Record, len(out.Messages))
	for i, m := range out.Messages {
		records[i] = queue.Record{
			ID: *m.MessageId, ReceiptHandle: *m.ReceiptHandle, Body: *m.Body,
			Attributes: m.Attributes, MessageAttributes: map[string]string{}, ReceiveCount: 1,
		}
		for name, value := range m.MessageAttributes {
			records[i].MessageAttributes[name] = *value.StringValue
		}
	}
	return records
}

// stats are what is in the queue.
func stats(t *testing.T, q *sqs.Queue) queue.Stats {
	t.Helper()
	s, err := q.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// atRest is a message as the fake keeps it.
type atRest struct {
	Attributes map[string]struct{ StringValue string }
	Group      string
	Delay      time.Duration
}

func stored(t *testing.T, fake *sqsfake.Server, name string) (list []atRest) {
	t.Helper()
	if err := json.Unmarshal([]byte(fake.Stored(name)), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestABatchIsSettledRecordByRecord(t *testing.T) {
	t.Parallel()
	var fake sqsfake.Server
	q, _ := serve(t, &fake)
	q.Policy.Base = time.Hour // what is tried again waits
	send(t, q, message("done"), message("again"), message("later"), message("discarded"), message("panics"))
	records := event(t, q)
	damaged := queue.Record{ID: "damaged", ReceiptHandle: "none/", Body: "?"}

	failed := q.Batch(t.Context(), append(records, damaged), func(_ context.Context, m queue.Message) error {
		switch m.ID {
		case "again":
			return errors.New("the tool is broken")
		case "later":
			return queue.RetryAfter(time.Minute, errors.New("busy"))
		case "discarded":
			return queue.Discard(errors.New("the ticket is gone"))
		case "panics":
			panic("nil map")
		}
		return nil
	})
	if len(failed) != 0 {
		t.Errorf("failed %v, want none", failed)
	}
	if diff := cmp.Diff(queue.Stats{Depth: 3, Dead: 1}, stats(t, q)); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	got := map[string]string{}
	for _, m := range stored(t, &fake, "enhancement") {
		got[m.Attributes["id"].StringValue] = m.Attributes["errors"].StringValue
		if m.Group != "acme" {
			t.Errorf("the copy has the group %q, want the tenant", m.Group)
		}
	}
	if diff := cmp.Diff(map[string]string{"again": "1", "later": "", "panics": "1"}, got); diff != "" {
		t.Errorf("copies and their errors (-want +got):\n%s", diff)
	}
	letters, err := q.List(t.Context(), 10)
	if err != nil || len(letters) != 1 || !strings.Contains(letters[0].Reason, "not a message of this product") {
		t.Errorf("dead letters %+v, %v, want the damaged one", letters, err)
	}
}

func TestARecordThatCannotBeCopiedIsReported(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	fake := sqsfake.Server{Fault: func(operation string) *sqsfake.Error {
		if down.Load() && operation == "SendMessageBatch" {
			return &sqsfake.Error{Status: 503, Code: "ServiceUnavailable", Message: "later"}
		}
		return nil
	}}
	q, _ := serve(t, &fake)
	send(t, q, message("done"), message("again"), message("dead"))
	records := event(t, q)
	down.Store(true)
	failed := q.Batch(t.Context(), records, func(_ context.Context, m queue.Message) error {
		switch m.ID {
		case "again":
			return errors.New("the tool is broken")
		case "dead":
			return queue.RetryAfter(0, errors.New("busy"))
		}
		return nil
	})
	if diff := cmp.Diff([]string{records[1].ID, records[2].ID}, failed); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
	if s := stats(t, q); s.Running != 2 || s.Depth != 0 {
		t.Errorf("stats %+v, want the two hidden until they come again", s)
	}
}

func TestARecordThatCannotBeDeletedIsLeftToLambda(t *testing.T) {
	t.Parallel()
	fake := sqsfake.Server{Fault: func(operation string) *sqsfake.Error {
		if operation == "DeleteMessage" {
			return &sqsfake.Error{Status: 500, Code: "InternalFailure"}
		}
		return nil
	}}
	q, _ := serve(t, &fake)
	send(t, q, message("done"), message("again"))
	failed := q.Batch(t.Context(), event(t, q), func(_ context.Context, m queue.Message) error {
		if m.ID == "again" {
			return errors.New("the tool is broken")
		}
		return nil
	})
	if len(failed) != 0 {
		t.Errorf("failed %v, want none: Lambda deletes what is not reported", failed)
	}
	if s := stats(t, q); s.Running != 2 || s.Depth != 1 {
		t.Errorf("stats %+v, want two originals and a copy", s)
	}
}

func TestTheEndOfAnInvocationIsNoError(t *testing.T) {
	t.Parallel()
	var fake sqsfake.Server
	q, _ := serve(t, &fake)
	q.Concurrency = 1
	send(t, q, message("one"), message("two"))
	records := event(t, q)
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	failed := q.Batch(ctx, records, func(ctx context.Context, _ queue.Message) error {
		calls++
		cancel()
		return ctx.Err()
	})
	if diff := cmp.Diff([]string{records[0].ID, records[1].ID}, failed); diff != "" || calls != 1 {
		t.Errorf("%d calls, failed (-want +got):\n%s", calls, diff)
	}
	again := event(t, q)
	if len(again) != 2 || again[0].MessageAttributes["errors"] != "" || again[1].MessageAttributes["errors"] != "" {
		t.Errorf("%+v come again, want both at once and without an error: one was cut short, one not begun", again)
	}
}

func TestALongDelayIsMadeOfHops(t *testing.T) {
	t.Parallel()
	var fake sqsfake.Server
	q, _ := serve(t, &fake)
	send(t, q, message("job"))
	later := func(context.Context, queue.Message) error { return queue.RetryAfter(time.Hour, errors.New("busy")) }
	if failed := q.Batch(t.Context(), event(t, q), later); len(failed) != 0 {
		t.Fatalf("failed %v", failed)
	}
	first := stored(t, &fake, "enhancement")[0].Attributes
	due, err := time.Parse(time.RFC3339Nano, first["due"].StringValue)
	if err != nil || time.Until(due) < 59*time.Minute {
		t.Fatalf("due %s, %v, want in an hour", due, err)
	}

	// A receiver whose clock shows a quarter of an hour later sends it on,
	// and one an hour later handles it.
	hop := queue.Record{ID: "hop", ReceiptHandle: "gone/", Body: fakeBody(t, &fake), MessageAttributes: values(first)}
	q.Now = func() time.Time { return time.Now().Add(15 * time.Minute) }
	if failed := q.Batch(t.Context(), []queue.Record{hop}, unexpected(t)); len(failed) != 0 {
		t.Fatalf("failed %v", failed)
	}
	list := stored(t, &fake, "enhancement")
	if len(list) != 2 || list[1].Attributes["due"].StringValue == "" {
		t.Fatalf("stored %+v, want a second hop", list)
	}
	q.Now = func() time.Time { return time.Now().Add(time.Hour) }
	handled := false
	q.Batch(t.Context(), []queue.Record{hop}, func(_ context.Context, m queue.Message) error {
		handled = m.ID == "job" && string(m.Body) == "body of job"
		return nil
	})
	if !handled {
		t.Error("the message was not handled when it was due")
	}
}

func unexpected(t *testing.T) queue.Handler {
	t.Helper()
	return func(_ context.Context, m queue.Message) error {
		t.Errorf("%s was handled, want it sent on", m.ID)
		return nil
	}
}

func values(attributes map[string]struct{ StringValue string }) map[string]string {
	m := map[string]string{}
	for name, a := range attributes {
		m[name] = a.StringValue
	}
	return m
}

func fakeBody(t *testing.T, fake *sqsfake.Server) string {
	t.Helper()
	var list []struct{ Body string }
	if err := json.Unmarshal([]byte(fake.Stored("enhancement")), &list); err != nil || len(list) == 0 {
		t.Fatalf("stored %v, %v", list, err)
	}
	return list[0].Body
}

func FuzzARecordIsHandledOrDead(f *testing.F) {
	f.Add("", "", "", "")
	f.Add("job", "2026-01-02T03:04:05Z", "1", "AAAA")
	f.Add("job", "2999-01-02T03:04:05Z", "-1", "?")
	f.Add("\x00\xff", "9999999-01-02", "99999999999999999999", "AAAA\n")
	q := mustOpen(f, "http://127.0.0.1:1")
	q.Client = awssqs.New(q.Client.Options(), func(o *awssqs.Options) { o.HTTPClient = nobody{}; o.Retryer = aws.NopRetryer{} })
	f.Fuzz(func(t *testing.T, id, sent, count, body string) {
		r := queue.Record{ID: "1", ReceiptHandle: "r", Body: body, MessageAttributes: map[string]string{
			"id": id, "tenant": id, "sent": sent, "errors": count, "due": sent,
		}}
		failed := q.Batch(t.Context(), []queue.Record{r}, func(context.Context, queue.Message) error {
			t.Error("a record that nobody sealed was handled")
			return nil
		})
		if len(failed) != 1 {
			t.Errorf("failed %v, want the record: nothing was there to take the dead letter", failed)
		}
	})
}
