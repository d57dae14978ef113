// Package sqs keeps the queue port's promises on Amazon SQS, standard queues.
//
// A message is one SQS message: its body and trace are sealed, base64, in the
// body; its id, tenant, kind, time and count of handler errors are message
// attributes, so that an operator can look. The reason of a dead letter is one
// too, sealed: it may quote a ticket. Whatever becomes of it is decided
// by queue.Policy and settled with two calls in this order: send, then delete.
// "Again" sends a copy with DelaySeconds to the queue, "dead" sends one with
// its reason to the dead-letter queue, and both then delete the original. A
// crash between the two leaves both, never none: handlers know a message twice
// sent by its id, which the copy keeps.
//
// SQS's own count of receives counts nothing but the workers that died with
// the message. It must lead to the same dead-letter queue at maxReceiveCount
// 10, which is the backstop for a message that kills every worker.
//
// # What the queues need
//
// Both are standard queues with a MaximumMessageSize of 1 MiB, the default
// since August 2025: a sealed body of queue.MaxBody is 320 KiB as base64.
//
// The queue: a RedrivePolicy to the dead-letter queue with a maxReceiveCount of
// 10, and a MessageRetentionPeriod of 7 days. SQS deletes what is older without
// a word, by default after 4 days, so workers must not be down or paused for
// longer. A RetryAfter starts it anew, because it is a copy.
//
// The dead-letter queue: a MessageRetentionPeriod of 14 days, SQS's longest,
// and no redrive policy of its own. A message that SQS itself moved there keeps
// its age, and so stays for 7 days at least.
//
// For Lambda: an event source mapping with ReportBatchItemFailures (without it,
// Lambda deletes messages that failed), and a VisibilityTimeout of the queue
// of six times the function's time limit, as AWS advises.
//
// Who sends needs sqs:SendMessage on the queue. Who receives needs
// ReceiveMessage, DeleteMessage, ChangeMessageVisibility, GetQueueAttributes
// and SendMessage on it, and SendMessage and GetQueueAttributes on the
// dead-letter queue. An operator needs all five on both.
//
// # Fair queues
//
// MessageGroupId is the tenant, which makes a standard queue of AWS serve its
// tenants in turn. Some servers that speak the protocol of SQS refuse it on a
// standard queue: then the message goes without, and all later ones.
//
// # What SQS cannot do
//
// Delays are whole seconds, rounded up. Priorities order nothing. Nobody can
// look at a message without receiving it: see Peek. The age of the oldest
// message is known to CloudWatch only: see Stats.
package sqs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/secret"
)

const (
	// defaultSendLimit lets the webhook answer 503 within about a second where
	// SQS is down.
	defaultSendLimit = time.Second

	// callLimit is for every other call, beside the time that it waits.
	callLimit = 5 * time.Second

	// The SDK tries a call twice: Send has no time for more.
	attempts   = 2
	maxBackoff = 100 * time.Millisecond
)

// Queue is one queue and its dead-letter queue. It implements queue.Sender,
// queue.Receiver, queue.Inspector and queue.DeadLetters, and Batch is the
// receiver for Lambda. Set the fields before first use and leave them.
type Queue struct {
	Client  *sqs.Client // from Connect
	URL     string      // of the queue
	DeadURL string      // of its dead-letter queue
	Name    string      // "enhancement" or "catalogue"; bound into the seal
	Box     secret.Box  // seals the bodies
	Policy  queue.Policy
	Log     *slog.Logger
	Now     func() time.Time

	// SendLimit is how long Send may take. A second where it is 0.
	SendLimit time.Duration

	// For Receive and Batch.
	Concurrency int           // handlers at once
	Timeout     time.Duration // of one handler; its context ends then

	// For Receive only.
	Drain time.Duration // before it cancels the handlers
	// Visibility is how long a message stays hidden after its worker died; a
	// heartbeat keeps it hidden while the worker lives. 30 s where it is 0;
	// a second at least.
	Visibility time.Duration

	outbox  outbox
	noGroup atomic.Bool // the server refuses MessageGroupId
}

// Connect gives a client for Queue with the SDK's own configuration: region,
// credentials and AWS_ENDPOINT_URL come from the environment, and a call is
// tried twice. It makes no call yet; the error is about the configuration.
func Connect(ctx context.Context) (*sqs.Client, error) {
	c, err := config.LoadDefaultConfig(ctx, config.WithRetryer(func() aws.Retryer {
		return retry.AddWithMaxBackoffDelay(retry.AddWithMaxAttempts(retry.NewStandard(), attempts), maxBackoff)
	}))
	if err != nil {
		return nil, fmt.Errorf("sqs: read the AWS configuration from the environment: %w", err)
	}
	return sqs.NewFromConfig(c), nil
}

// Send implements queue.Sender. It takes SendLimit at most. What several calls
// send at nearly the same time travels as one batch, and a call returns when
// its own messages are stored. SQS has no transactions: where Send gives
// ErrUnavailable, some of the messages may have been sent, and all of them
// where ctx ended or the answer was lost. Send them all again then: handlers
// know a message twice sent by its id. It gives ErrUnavailable at once where 32
// MiB wait for an SQS that is slow.
func (q *Queue) Send(ctx context.Context, messages ...queue.Message) error {
	letters := make([]letter, len(messages))
	for i, m := range messages {
		var err error
		if letters[i], err = q.seal(m); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return q.unavailable("send", err)
	}
	places, err := q.post(letters)
	if err != nil {
		return q.unavailable("send", err)
	}
	ctx, cancel := context.WithTimeout(ctx, q.sendLimit())
	defer cancel()
	for _, p := range places {
		select {
		case <-p.batch.sent:
			if err := p.batch.errs[p.index]; err != nil {
				return err
			}
		case <-ctx.Done():
			return q.unavailable("send", ctx.Err())
		}
	}
	return nil
}

func (q *Queue) sendLimit() time.Duration { return cmp.Or(max(q.SendLimit, 0), defaultSendLimit) }

// mapped makes an error of the port from one of the SDK's.
func (q *Queue) mapped(what string, err error) error {
	if e, ok := errors.AsType[smithy.APIError](err); ok && tooLarge(e) {
		return fmt.Errorf("sqs: %s on queue %s: %w: %w", what, q.Name, queue.ErrTooLarge, err)
	}
	return q.unavailable(what, err)
}

func (q *Queue) unavailable(what string, err error) error {
	return fmt.Errorf("sqs: %s on queue %s: %w: %w", what, q.Name, queue.ErrUnavailable, err)
}
