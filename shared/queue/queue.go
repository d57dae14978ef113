// Package queue is the port to the durable queue between the webhook and the
// workers. Two adapters keep the same promises, held by queuetest: sqs on AWS
// and river on Postgres. Delivery is at least once; a handler steers by the
// error it returns.
package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

// MaxBody is the largest sealed body that a queue takes. On SQS it travels as
// base64, 320 KiB of the 1 MiB that a message may have.
const MaxBody = 240 << 10

// Priority orders messages where the queue can: a tenant over its rate is
// served after the others.
type Priority int

// The priorities, most urgent first. The zero value is Normal.
const (
	Normal Priority = iota
	Low
)

// Message is one unit of work.
type Message struct {
	ID       string    // the sender's: job id, for logs and dead letters
	Tenant   tenant.ID // whom it belongs to, for fairness and audit
	Kind     string    // what the handler switches on: "created", "updated"
	Priority Priority
	Body     []byte // plain here, sealed in the queue
	// Trace carries the W3C trace context ("traceparent") across the queue.
	Trace map[string]string
	// Delay keeps the message back; at most 15 minutes, as on SQS. It is for
	// the sender: a receiver sees 0.
	Delay time.Duration
	// Sent is when it was first sent, kept over every retry. Send sets it
	// where it is zero.
	Sent time.Time
	// Errors counts the handler errors so far. A crash is not an error.
	Errors int
}

// Handler works on one message. Nil means done. Discard means never again,
// and that is fine. Bury means never again by itself, and an operator has to
// look. RetryAfter means later, and that is no failure. Any other error is
// counted against Policy.
type Handler func(context.Context, Message) error

// Sender appends messages durably: when Send returns nil, they survive every
// crash. One that is too large keeps back all of them. After ErrUnavailable
// send all of them again: nothing was sent as far as the queue can tell, but an
// answer may have been lost, and SQS, which has no transactions, may have taken
// some. Handlers know a message twice sent by its id.
type Sender interface {
	Send(ctx context.Context, messages ...Message) error
}

// Receiver gives messages to a handler, several at once, until ctx is done;
// then it takes no new ones, waits for the running handlers up to its drain
// time, cancels them, and returns nil. A message whose handler did not finish
// is delivered again.
type Receiver interface {
	Receive(ctx context.Context, h Handler) error
}

// Stats is the state of a queue.
type Stats struct {
	Depth   int           `json:"depth"`   // waiting, due or delayed
	Running int           `json:"running"` // being worked on
	Dead    int           `json:"dead"`    // dead letters
	Oldest  time.Duration `json:"oldest"`  // age of the oldest that waits; 0 for none
}

// Inspector looks at a queue without changing it.
type Inspector interface {
	Stats(ctx context.Context) (Stats, error)
	// Peek gives up to n waiting messages, the next one first.
	Peek(ctx context.Context, n int) ([]Message, error)
}

// DeadLetter is a message that failed for good, and why.
type DeadLetter struct {
	Message Message
	Reason  string
	Died    time.Time
}

// DeadLetters is where messages go that failed for good. They are kept for 14
// days.
type DeadLetters interface {
	// List gives up to n, the newest first.
	List(ctx context.Context, n int) ([]DeadLetter, error)
	// Redrive sends them again with their errors forgotten: those with these
	// message ids, or all where none is given. It returns how many.
	Redrive(ctx context.Context, ids ...string) (int, error)
	// Purge deletes them, likewise.
	Purge(ctx context.Context, ids ...string) (int, error)
}

// ErrUnavailable says that the queue does not take or give messages now.
var ErrUnavailable = errors.New("the queue does not answer")

// ErrTooLarge says that a message is over MaxBody.
var ErrTooLarge = fmt.Errorf("the message is over %d bytes", MaxBody)

type discardError struct{ reason error }

// Discard says that the work must not be tried again, and why: the ticket is
// gone, the tenant is disabled. The message is done; it is no dead letter.
func Discard(reason error) error { return &discardError{reason} }

func (e *discardError) Error() string { return "discarded: " + e.reason.Error() }
func (e *discardError) Unwrap() error { return e.reason }

type buryError struct{ reason error }

// Bury says that another try does not help before somebody acts: the tool
// rejects what we write. The message goes to the dead letters at once.
func Bury(reason error) error { return &buryError{reason} }

func (e *buryError) Error() string { return "needs an operator: " + e.reason.Error() }
func (e *buryError) Unwrap() error { return e.reason }

type retryAfterError struct {
	after  time.Duration
	reason error
}

// RetryAfter asks for another delivery after d, which is not counted as an
// error: another job has the ticket, the tool wants a pause.
func RetryAfter(d time.Duration, reason error) error { return &retryAfterError{d, reason} }

func (e *retryAfterError) Error() string {
	return fmt.Sprintf("later, in %s: %s", e.after.Round(time.Millisecond), e.reason)
}
func (e *retryAfterError) Unwrap() error { return e.reason }

// envelope is a message as it is sealed: the body and what belongs to nobody
// but the handler.
type envelope struct {
	Body  []byte            `json:"body"`
	Trace map[string]string `json:"trace,omitempty"`
}

// Seal gives what an adapter stores of a message: body and trace, sealed for
// the queue and the message's id. ErrTooLarge where that is over MaxBody.
func Seal(box secret.Box, queue string, m Message) ([]byte, error) {
	plain, err := json.Marshal(envelope{m.Body, m.Trace})
	if err != nil {
		return nil, fmt.Errorf("queue %s: message %s: %w", queue, m.ID, err)
	}
	sealed, err := box.Seal(plain, subject(queue, m.ID))
	if err != nil {
		return nil, err
	}
	if len(sealed) > MaxBody {
		return nil, fmt.Errorf("queue %s: message %s: %w", queue, m.ID, ErrTooLarge)
	}
	return sealed, nil
}

// Open fills in the body and trace of m from what Seal made.
func Open(box secret.Box, queue string, m *Message, sealed []byte) error {
	plain, err := box.Open(sealed, subject(queue, m.ID))
	if err != nil {
		return err
	}
	var e envelope
	if err := json.Unmarshal(plain, &e); err != nil {
		return fmt.Errorf("queue %s: message %s: %w", queue, m.ID, err)
	}
	m.Body, m.Trace = e.Body, e.Trace
	return nil
}

func subject(queue, id string) string { return "queue/" + queue + "/" + id }
