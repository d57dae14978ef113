// Package river keeps the queue port's promises on Postgres with
// riverqueue.com: for one machine, and for clusters without SQS.
//
// A message is one row of river.river_job, in a schema that only the role
// queue_user may use. Its body and trace are sealed, and so is the reason of its
// last failure, which may quote a ticket; its id, tenant, kind and time are not,
// so that an operator can look. Whatever becomes of a message is
// decided by queue.Policy and written as a snooze (again, without an attempt
// spent), a cancellation (a dead letter) or a completion. The count of handler
// errors is therefore ours, in the row's metadata, and River's attempts count
// nothing but the workers that died with the message.
//
// # Crashes
//
// River takes back the rows of a dead worker after an hour, because it cannot
// know that the worker is dead. Postgres can: every receiver holds a session
// advisory lock derived from its client id for as long as it lives, and the
// server drops the lock with the session. So every receiver looks every second
// for running rows whose client's lock nobody holds, and makes them available;
// a message of a killed worker comes again within seconds, on any host. A
// receiver looks over the very session that holds its own lock, and not within
// four seconds of taking it: after a restart of Postgres, every receiver has
// its lock again before the first one looks. Should a row be taken back from a
// worker that lives, its message is handled twice at once; the lease in the
// ledger of enhancements is for that.
//
// # Connections
//
// Receive takes two connections out of Pool for good, one to listen and one
// for the lock. Both need a session, so a pooler in transaction mode will not
// do. Pool may be as small as two besides.
package river

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

const (
	schema = "river"

	// defaultSendLimit lets the webhook answer 503 within about a second where
	// Postgres is down.
	defaultSendLimit = time.Second

	// crashLimit is how many workers may die with a message: as many as SQS
	// receives it before it is a dead letter.
	crashLimit = 10
)

// Queue is one queue. It implements queue.Sender, queue.Receiver,
// queue.Inspector and queue.DeadLetters. Set the fields before first use and
// leave them.
type Queue struct {
	Pool   *pgxpool.Pool // connects as queue_user
	Name   string        // "enhancement" or "catalogue"
	Box    secret.Box    // seals the bodies, and the reasons of failures
	Policy queue.Policy
	Log    *slog.Logger
	Now    func() time.Time

	// SendLimit is how long Send may take. A second where it is 0.
	SendLimit time.Duration

	// For Receive only.
	Concurrency int           // handlers at once
	Timeout     time.Duration // of one handler; its context ends then
	Drain       time.Duration // of Receive, before it cancels the handlers

	outbox outbox
}

// task is a message as River keeps it.
type task struct {
	ID     string    `json:"id"`
	Tenant tenant.ID `json:"tenant"`
	Event  string    `json:"kind"`
	Sent   time.Time `json:"sent"`
	Sealed []byte    `json:"sealed"`
}

// Kind implements riverqueue.JobArgs.
func (task) Kind() string { return "message" }

// outcome is what the last try left in the metadata of a row.
type outcome struct {
	Errors int    `json:"errors"`
	Sealed []byte `json:"sealed,omitempty"` // the reason
}

// River takes 1 to 4, the most urgent first.
var priorities = map[queue.Priority]int{queue.Normal: 1, queue.Low: 4}

// Send implements queue.Sender. It takes SendLimit at most. The messages of one
// call are committed together or not at all, and with them those of other
// calls that came while the batches before were under way. Where the session ends
// they go again, once, by another. So a message may be sent twice, and where ctx
// ends during the commit ErrUnavailable may be wrong: handlers know a message twice
// sent by its id.
func (q *Queue) Send(ctx context.Context, messages ...queue.Message) error {
	if len(messages) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, q.sendLimit())
	defer cancel()
	l, err := q.letter(ctx, messages)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return q.unavailable("send", err)
	}
	if err := q.post(l); err != nil {
		return err
	}
	select {
	case err := <-l.sent:
		if err != nil {
			return q.unavailable("send", err)
		}
		return nil
	case <-ctx.Done():
		return q.unavailable("send", ctx.Err())
	}
}

func (q *Queue) sendLimit() time.Duration { return cmp.Or(max(q.SendLimit, 0), defaultSendLimit) }

// args is the row's payload.
func (q *Queue) args(m queue.Message) ([]byte, error) {
	sealed, err := queue.Seal(q.Box, q.Name, m)
	if err != nil {
		return nil, err
	}
	if m.Sent.IsZero() {
		m.Sent = q.Now()
	}
	args, err := json.Marshal(task{ID: m.ID, Tenant: m.Tenant, Event: m.Kind, Sent: m.Sent.UTC(), Sealed: sealed})
	if err != nil {
		return nil, fmt.Errorf("river: message %s for queue %s: %w", m.ID, q.Name, err)
	}
	return args, nil
}

// message is t without its body and trace, which open fills in.
func (t task) message(priority int, last outcome) queue.Message {
	m := queue.Message{ID: t.ID, Tenant: t.Tenant, Kind: t.Event, Sent: t.Sent, Errors: last.Errors}
	if priority > priorities[queue.Normal] {
		m.Priority = queue.Low
	}
	return m
}

func (q *Queue) open(m *queue.Message, t task) error {
	return queue.Open(q.Box, q.Name, m, t.Sealed)
}

// outcome seals reason, cut to what is worth keeping. Whatever the tool and the
// model said is in it, and they may quote a ticket.
func (q *Queue) outcome(id string, failures int, reason string) (outcome, error) {
	if len(reason) > maxReason {
		reason = reason[:maxReason] + "..."
	}
	sealed, err := q.Box.Seal([]byte(strings.ToValidUTF8(reason, "")), q.reasonOf(id))
	return outcome{failures, sealed}, err
}

// reason opens what outcome sealed. Where River alone knows why, it is given.
func (q *Queue) reason(id string, last outcome, known string) string {
	if len(last.Sealed) == 0 {
		return known
	}
	reason, err := q.Box.Open(last.Sealed, q.reasonOf(id))
	if err != nil {
		return err.Error()
	}
	return string(reason)
}

func (q *Queue) reasonOf(id string) string { return "queue/" + q.Name + "/" + id + "/reason" }

func (q *Queue) unavailable(what string, err error) error {
	return fmt.Errorf("river: %s on queue %s: %w: %w", what, q.Name, queue.ErrUnavailable, err)
}

// logger is what River itself logs to: warnings and worse.
func (q *Queue) logger() *slog.Logger { return slog.New(warnings{q.Log.Handler()}) }

type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }
