package lambdaruntime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// Queue is as much of SQS as an event source mapping needs.
type Queue interface {
	// Receive gives up to n (at most 10) messages, and waits for the first up
	// to wait. Each is out of sight for the queue's visibility time.
	Receive(ctx context.Context, n int, wait time.Duration) ([]events.SQSMessage, error)
	// Delete deletes a message by its receipt handle.
	Delete(ctx context.Context, receipt string) error
}

// Mapping is an SQS event source mapping with ReportBatchItemFailures: it
// polls the queue, invokes the function with batches, and deletes what the
// function did not name as failed. What it names, or everything after a
// function error, is left to become visible again.
type Mapping struct {
	Queue       Queue
	Function    Invoker
	ARN         string        // of the queue, as the events have it
	BatchSize   int           // 10 where zero
	Window      time.Duration // how long a batch that is not full waits for more
	Concurrency int           // invocations at a time; 5 where zero
	Wait        time.Duration // of one long poll; 20 s where zero
	MaxBackoff  time.Duration // between polls after failures in a row; 10 s where zero
	Log         *slog.Logger
}

// Run polls until ctx is done, then ends the batches that it has, and returns.
func (m Mapping) Run(ctx context.Context) error {
	if m.BatchSize == 0 {
		m.BatchSize = 10
	}
	if m.Concurrency == 0 {
		m.Concurrency = 5
	}
	if m.Wait == 0 {
		m.Wait = 20 * time.Second
	}
	if m.MaxBackoff == 0 {
		m.MaxBackoff = 10 * time.Second
	}
	var pollers sync.WaitGroup
	for range m.Concurrency {
		pollers.Go(func() { m.poll(ctx) })
	}
	pollers.Wait()
	return nil
}

// poll takes one batch after the other. After failures it waits longer and
// longer: a function that is broken is not called in a loop.
func (m Mapping) poll(ctx context.Context) {
	var pause time.Duration
	for ctx.Err() == nil {
		batch, err := m.gather(ctx)
		if len(batch) > 0 {
			// What was received is worked on, also while this ends.
			err = errors.Join(err, m.deliver(context.WithoutCancel(ctx), batch))
		}
		if err == nil || ctx.Err() != nil {
			pause = 0
			continue
		}
		pause = min(max(2*pause, 100*time.Millisecond), m.MaxBackoff)
		m.Log.WarnContext(ctx, "a batch failed", "operation", "event_source_mapping", "queue", m.ARN, "pause", pause.String(), "error", err.Error())
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// gather receives a batch: until it is full, or 6 MB, or Window has passed
// since its first message.
func (m Mapping) gather(ctx context.Context) (batch []events.SQSMessage, err error) {
	wait, size := m.Wait, 0
	var until time.Time
	for len(batch) < m.BatchSize && size < maxPayload/2 {
		more, err := m.Queue.Receive(ctx, min(10, m.BatchSize-len(batch)), wait)
		if err != nil {
			if ctx.Err() != nil {
				err = nil // this ends: no failure
			}
			return batch, err
		}
		for _, message := range more {
			size += len(message.Body)
		}
		batch = append(batch, more...)
		if until.IsZero() {
			until = time.Now().Add(m.Window)
		}
		if wait = time.Until(until); len(batch) == 0 || wait <= 0 {
			break
		}
		wait = min(wait, m.Wait)
	}
	return batch, nil
}

// deliver invokes the function with a batch, and deletes what it did.
func (m Mapping) deliver(ctx context.Context, batch []events.SQSMessage) error {
	for n := range batch {
		batch[n].EventSource, batch[n].EventSourceARN, batch[n].AWSRegion = "aws:sqs", m.ARN, "eu-west-1"
	}
	payload, err := json.Marshal(events.SQSEvent{Records: batch})
	if err != nil {
		return fmt.Errorf("write the batch: %w", err)
	}
	result, err := m.Function.Invoke(ctx, payload)
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
	var errs []error
	for _, message := range batch {
		if !failed[message.MessageId] {
			errs = append(errs, m.Queue.Delete(ctx, message.ReceiptHandle))
		}
	}
	return errors.Join(errs...)
}

// failures reads which messages failed. Nothing, null and an empty list mean
// none; anything that is no list of ids of this batch means all, as an error.
func failures(payload []byte, batch []events.SQSMessage) (map[string]bool, error) {
	if len(payload) == 0 {
		return nil, nil //nolint:nilnil // none failed
	}
	var answer struct {
		Failures []map[string]any `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(payload, &answer); err != nil {
		return nil, fmt.Errorf("the function's answer is no batch response: %w", err)
	}
	known := map[string]bool{}
	for _, message := range batch {
		known[message.MessageId] = true
	}
	failed := map[string]bool{}
	for _, f := range answer.Failures {
		id, ok := f["itemIdentifier"].(string)
		if !ok || !known[id] {
			return nil, fmt.Errorf("the function names a message that is not in the batch: %v", f)
		}
		failed[id] = true
	}
	return failed, nil
}
