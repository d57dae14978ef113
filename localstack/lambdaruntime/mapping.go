package lambdaruntime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Mapping is an event source mapping of a standard SQS queue, with
// ReportBatchItemFailures: it polls the queue, invokes the function with
// batches, and deletes what the function did not name as failed. What it names,
// or everything after a function error, is left to become visible again. A
// batch that is throttled is tried again, with growing pauses, for as long as
// its messages are hidden.
//
// As on Lambda with ReportBatchItemFailures, failures do not slow it down.
// Lambda begins with five batches at a time and adds up to 300 a minute; this
// one polls with five from the beginning, and has up to Concurrency at work as
// soon as there are so many.
type Mapping struct {
	Client      *sqs.Client
	QueueURL    string
	Function    Invoker
	BatchSize   int           // 10 where zero; 10,000 at most
	Window      time.Duration // how long a batch that is not full waits for more; 5 min at most, 1 s at least for a BatchSize over 10
	Concurrency int           // MaximumConcurrency: 5 where zero; AWS takes 2 to 1,000, and 1 is for tests
	Visibility  time.Duration // the queue's; 30 s where zero, as on SQS
	Log         *slog.Logger
}

const (
	pollers   = 5               // that Lambda begins with
	longPoll  = 3 * time.Second // Lambda's own take 20 s; Run ends sooner so
	pollPause = time.Second     // after a poll that failed
	maxPause  = 5 * time.Second // between tries of a batch that is throttled
	perCall   = 10              // messages that one call to SQS takes
)

// Run polls until ctx is done, then ends the batches that it has, and returns.
// That takes the rest of a poll at least, 3 s: a poll is never broken off,
// because SQS may be giving it messages just then. It gives an error at once
// where AWS would not make such a mapping.
func (m Mapping) Run(ctx context.Context) error {
	if m.BatchSize == 0 {
		m.BatchSize = perCall
	}
	if m.Concurrency == 0 {
		m.Concurrency = 5
	}
	if m.Visibility == 0 {
		m.Visibility = 30 * time.Second
	}
	switch {
	case m.BatchSize < 1 || m.BatchSize > 10_000, m.Window < 0 || m.Window > 5*time.Minute, m.Concurrency < 1 || m.Concurrency > 1000:
		return errors.New("lambdaruntime: event source mapping: BatchSize, Window or Concurrency is out of its range")
	case m.BatchSize > perCall && m.Window < time.Second:
		return errors.New("lambdaruntime: event source mapping: a BatchSize over 10 needs a Window of 1 s at least")
	}
	slots := make(chan struct{}, m.Concurrency)
	var running sync.WaitGroup
	for range min(pollers, m.Concurrency) {
		running.Go(func() {
			for m.poll(ctx, slots, &running) {
			}
		})
	}
	running.Wait()
	return nil
}

// poll waits for a free slot, gathers a batch and has it worked on; false where
// ctx is done.
func (m Mapping) poll(ctx context.Context, slots chan struct{}, running *sync.WaitGroup) bool {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	batch, err := m.gather(context.WithoutCancel(ctx))
	if err != nil {
		m.Log.WarnContext(ctx, "no messages can be received", "operation", "event_source_mapping", "queue", m.QueueURL, "error", err.Error())
		sleep(ctx, pollPause)
	}
	if len(batch) == 0 {
		<-slots
		return ctx.Err() == nil
	}
	running.Go(func() { // also while this ends
		defer func() { <-slots }()
		if err := m.deliver(context.WithoutCancel(ctx), batch); err != nil {
			m.Log.WarnContext(ctx, "a batch failed", "operation", "event_source_mapping", "queue", m.QueueURL, "messages", len(batch), "error", err.Error())
		}
	})
	return ctx.Err() == nil
}

// gather receives a batch: until it is full, or 6 MB, or Window has passed
// since its first message. What it has it gives also with an error.
func (m Mapping) gather(ctx context.Context) (batch []events.SQSMessage, err error) {
	wait, size := longPoll, 0
	var until time.Time
	for len(batch) < m.BatchSize && size < maxPayload/2 {
		more, err := m.receive(ctx, min(perCall, m.BatchSize-len(batch)), wait)
		if err != nil {
			return batch, err
		}
		for _, message := range more {
			size += len(message.Body)
		}
		batch = append(batch, more...)
		if until.IsZero() {
			until = time.Now().Add(m.Window)
		}
		if wait = min(time.Until(until), longPoll); len(batch) == 0 || wait <= 0 {
			break
		}
	}
	return batch, nil
}

// receive is one call of ReceiveMessage, as records of an event. The messages
// are hidden for as long as the queue says.
func (m Mapping) receive(ctx context.Context, n int, wait time.Duration) ([]events.SQSMessage, error) {
	out, err := m.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &m.QueueURL, MaxNumberOfMessages: int32(n), //nolint:gosec // at most 10
		WaitTimeSeconds: int32((wait + time.Second - 1) / time.Second), MessageAttributeNames: []string{"All"}, //nolint:gosec // at most 20
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err != nil {
		return nil, err
	}
	records := make([]events.SQSMessage, len(out.Messages))
	for i, received := range out.Messages {
		records[i] = events.SQSMessage{
			MessageId: aws.ToString(received.MessageId), ReceiptHandle: aws.ToString(received.ReceiptHandle), Body: aws.ToString(received.Body),
			Md5OfBody: aws.ToString(received.MD5OfBody), Md5OfMessageAttributes: aws.ToString(received.MD5OfMessageAttributes),
			Attributes: received.Attributes, MessageAttributes: map[string]events.SQSMessageAttribute{},
			EventSource: "aws:sqs", EventSourceARN: queueARN(m.QueueURL), AWSRegion: region,
		}
		for name, value := range received.MessageAttributes {
			records[i].MessageAttributes[name] = events.SQSMessageAttribute{
				StringValue: value.StringValue, BinaryValue: value.BinaryValue, DataType: aws.ToString(value.DataType),
				StringListValues: []string{}, BinaryListValues: [][]byte{},
			}
		}
	}
	return records, nil
}

// queueARN is the ARN of a queue by its URL, which ends with account and name.
func queueARN(url string) string {
	parts := strings.Split(url, "/")
	return "arn:aws:sqs:" + region + ":" + strings.Join(parts[max(0, len(parts)-2):], ":")
}

// deliver invokes the function with a batch, and deletes what it did.
func (m Mapping) deliver(ctx context.Context, batch []events.SQSMessage) error {
	payload, err := json.Marshal(events.SQSEvent{Records: batch})
	if err != nil {
		return fmt.Errorf("write the batch: %w", err)
	}
	result, err := m.invoke(ctx, payload)
	if err != nil {
		return err
	}
	if result.FunctionError != "" {
		return fmt.Errorf("the function failed: %s", result.Payload)
	}
	failed, err := failures(result.Payload, batch)
	if err != nil {
		return err
	}
	done := slices.DeleteFunc(slices.Clone(batch), func(message events.SQSMessage) bool { return failed[message.MessageId] })
	var errs []error
	for some := range slices.Chunk(done, perCall) {
		errs = append(errs, m.delete(ctx, some))
	}
	return errors.Join(errs...)
}

// invoke tries again while the function is throttled and the messages are
// hidden.
func (m Mapping) invoke(ctx context.Context, payload []byte) (Result, error) {
	visible := time.Now().Add(m.Visibility)
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, maxPause) {
		result, err := m.Function.Invoke(ctx, payload)
		if !errors.Is(err, ErrThrottled) || time.Now().Add(pause).After(visible) {
			return result, err
		}
		sleep(ctx, pause)
	}
}

// delete deletes up to ten messages.
func (m Mapping) delete(ctx context.Context, done []events.SQSMessage) error {
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &m.QueueURL}
	for i, message := range done {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: aws.String(message.ReceiptHandle)})
	}
	out, err := m.Client.DeleteMessageBatch(ctx, in)
	if err != nil {
		return fmt.Errorf("delete what is done: %w", err)
	}
	// A function may have deleted its message itself: what is not there any
	// more is what was wanted.
	out.Failed = slices.DeleteFunc(out.Failed, func(f types.BatchResultErrorEntry) bool {
		return strings.Contains(aws.ToString(f.Code), "ReceiptHandleIsInvalid")
	})
	if len(out.Failed) > 0 {
		return fmt.Errorf("delete what is done: %d of %d are still there, the first: %s", len(out.Failed), len(done), aws.ToString(out.Failed[0].Message))
	}
	return nil
}

// failures reads which messages failed. Nothing, null and an empty list mean
// none; anything that is no list of ids of this batch means all, as an error.
func failures(payload []byte, batch []events.SQSMessage) (map[string]bool, error) {
	failed := map[string]bool{}
	if len(payload) == 0 {
		return failed, nil
	}
	var answer struct {
		Failures []map[string]any `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(payload, &answer); err != nil {
		return nil, fmt.Errorf("the function's answer is no batch response: %w", err)
	}
	for _, f := range answer.Failures {
		id, ok := f["itemIdentifier"].(string)
		if !ok || !slices.ContainsFunc(batch, func(message events.SQSMessage) bool { return message.MessageId == id }) {
			return nil, fmt.Errorf("the function names a message that is not in the batch: %v", f)
		}
		failed[id] = true
	}
	return failed, nil
}

// sleep waits, or until ctx is done.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
