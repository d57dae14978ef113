package sqs

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/deskhand/deskhand/shared/queue"
)

// delivery is a letter that was received.
type delivery struct {
	letter
	url     string // of the queue that it came from
	receipt string // what SQS knows this delivery by
	id      string // SQS's own, the same in every delivery
	system  map[string]string
}

var (
	// errLeft says that a message was left for another delivery.
	errLeft = errors.New("the worker stopped before the handler had finished; the message comes again")

	// errKept says that a message was settled, but is still there.
	errKept = errors.New("the message is settled, but could not be deleted")
)

// handle gives d to h and settles it. Where ctx is done it gives d back. The
// error says why d is still in the queue and comes again by itself; errKept is
// in it where that is only a duplicate.
func (q *Queue) handle(ctx context.Context, d delivery, h queue.Handler) error {
	if ctx.Err() != nil {
		return q.leave(ctx, d)
	}
	m, err := q.open(d.letter)
	if err != nil {
		return q.settle(ctx, d, func(ctx context.Context) error { return q.bury(ctx, d, m.Errors, err.Error()) })
	}
	if wait := d.early(q.Now()); wait > 0 {
		return q.settle(ctx, d, func(ctx context.Context) error {
			return q.move(ctx, q.URL, d.after(wait, q.Now()), d)
		})
	}
	v := q.Policy.Decide(m, q.call(ctx, m, h), q.Now())
	if v.Failed {
		if ctx.Err() != nil { // a deploy is not an error
			return q.leave(ctx, d)
		}
		m.Errors++
	}
	return q.settle(ctx, d, func(ctx context.Context) error {
		switch v.Action {
		case queue.Done:
			return q.delete(ctx, d)
		case queue.Again:
			copied := d.with(map[string]string{attrErrors: count(m.Errors)})
			return q.move(ctx, q.URL, copied.after(v.Delay, q.Now()), d)
		default:
			return q.bury(ctx, d, m.Errors, v.Reason)
		}
	})
}

// leave makes d visible at once, for another worker.
func (q *Queue) leave(ctx context.Context, d delivery) error {
	return q.settle(ctx, d, func(ctx context.Context) error { return errors.Join(errLeft, q.hide(ctx, d, 0)) })
}

// settle runs step, which may take some time even where ctx is done.
func (q *Queue) settle(ctx context.Context, d delivery, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
	defer cancel()
	if err := step(ctx); err != nil {
		return fmt.Errorf("sqs: settle message %.100q: %w", d.attributes[attrID], err)
	}
	return nil
}

// bury moves d to the dead letters.
func (q *Queue) bury(ctx context.Context, d delivery, failures int, reason string) error {
	sealed, err := q.sealReason(d.attributes[attrID], reason)
	if err != nil {
		return err
	}
	return q.move(ctx, q.DeadURL, d.with(map[string]string{
		attrErrors: count(failures), attrReason: sealed, attrDied: stamp(q.Now()), attrDue: "",
	}), d)
}

// call runs h within the time of a handler, and turns a panic into an error.
// The panic's own text is kept only where the runtime wrote it: any other may
// quote the ticket.
func (q *Queue) call(ctx context.Context, m queue.Message, h queue.Handler) (err error) {
	ctx, cancel := context.WithTimeout(ctx, q.Timeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic with a %T", p)
			if known, ok := p.(runtime.Error); ok {
				err = fmt.Errorf("panic: %w", known)
			}
			q.Log.ErrorContext(ctx, "the handler panicked", "queue", q.Name, "job_id", m.ID,
				"tenant_id", string(m.Tenant), "error", err.Error(), "stack", string(debug.Stack()))
		}
	}()
	return h(ctx, m)
}

func (q *Queue) delete(ctx context.Context, d delivery) error {
	_, err := q.Client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &d.url, ReceiptHandle: &d.receipt})
	if err != nil {
		return fmt.Errorf("%w: %w", errKept, q.mapped("delete a message", err))
	}
	return nil
}

// hide keeps d from other receivers until so long from now.
func (q *Queue) hide(ctx context.Context, d delivery, long time.Duration) error {
	_, err := q.Client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &d.url, ReceiptHandle: &d.receipt, VisibilityTimeout: seconds(long),
	})
	if err != nil {
		return q.mapped("hide a message", err)
	}
	return nil
}

// count is n as an attribute: none for 0.
func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
