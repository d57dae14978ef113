package river

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"
	riverqueue "github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/deskhand/deskhand/shared/queue"
)

const (
	// A message is announced, so the poll is for retries and delays that fall
	// due, and for what was announced while the listener was away.
	fetchCooldown = 5 * time.Millisecond
	fetchPoll     = 250 * time.Millisecond

	keepCompleted = time.Hour
	keepDead      = 14 * 24 * time.Hour

	// maxReason keeps what an upstream said from filling the table.
	maxReason = 2000
)

// Receive implements queue.Receiver. It gives ErrUnavailable where it cannot
// start, and is not troubled by a Postgres that goes away later. A handler
// that ignores the end of its context holds up Receive.
func (q *Queue) Receive(ctx context.Context, h queue.Handler) error {
	id := q.Name + "-" + uuid.NewString()
	client, err := riverqueue.NewClient(riverpgxv5.New(q.Pool), q.config(id, h))
	if err != nil {
		return fmt.Errorf("river: receive from queue %s: %w", q.Name, err)
	}
	conn, err := q.hold(ctx, id)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return q.unavailable("receive", err)
	}
	// The lock must outlive ctx: handlers run on while the client drains.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { q.live(life, id, conn) })
	defer wg.Wait()
	defer end()

	if err := client.Start(ctx); err != nil && ctx.Err() == nil {
		return q.unavailable("receive", err)
	}
	<-client.Stopped()
	return nil
}

func (q *Queue) config(id string, h queue.Handler) *riverqueue.Config {
	workers := riverqueue.NewWorkers()
	riverqueue.AddWorker(workers, &worker{queue: q, handle: h})
	return &riverqueue.Config{
		ID:                          id,
		Schema:                      schema,
		Logger:                      q.logger(),
		Queues:                      map[string]riverqueue.QueueConfig{q.Name: {MaxWorkers: q.Concurrency}},
		Workers:                     workers,
		FetchCooldown:               fetchCooldown,
		FetchPollInterval:           fetchPoll,
		JobTimeout:                  q.Timeout,
		RescueStuckJobsAfter:        time.Hour + q.Timeout, // the lock of live is what finds dead workers
		SoftStopTimeout:             q.Drain,
		CompletedJobRetentionPeriod: keepCompleted,
		CancelledJobRetentionPeriod: keepDead,
		DiscardedJobRetentionPeriod: keepDead,
		ReindexerIndexNames:         []string{}, // queue_user owns no index
	}
}

type worker struct {
	riverqueue.WorkerDefaults[task]
	queue  *Queue
	handle queue.Handler
}

// Work implements riverqueue.Worker: it hands the message to the handler and
// tells River what the policy makes of the answer.
func (w *worker) Work(ctx context.Context, job *riverqueue.Job[task]) error {
	var meta struct {
		Outcome outcome `json:"outcome"`
	}
	if err := json.Unmarshal(job.Metadata, &meta); err != nil {
		return fmt.Errorf("river: metadata of message %s: %w", job.Args.ID, err)
	}
	m := job.Args.message(job.Priority, meta.Outcome)
	if job.Attempt > job.MaxAttempts {
		return w.dead(ctx, m.ID, m.Errors, fmt.Sprintf("%d workers died with it", job.MaxAttempts))
	}
	if err := w.queue.open(&m, job.Args); err != nil {
		return w.dead(ctx, m.ID, m.Errors, err.Error())
	}

	v := w.queue.Policy.Decide(m, w.call(ctx, m), w.queue.Now())
	if v.Failed {
		// Only the end of Receive cancels the context; the limit of the
		// handler is a deadline. A deploy is not an error.
		if errors.Is(ctx.Err(), context.Canceled) {
			return riverqueue.JobSnooze(0)
		}
		m.Errors++
	}
	switch v.Action {
	case queue.Done:
		return nil
	case queue.Again:
		return errors.Join(w.note(ctx, m.ID, m.Errors, v.Reason), riverqueue.JobSnooze(v.Delay))
	default:
		return w.dead(ctx, m.ID, m.Errors, v.Reason)
	}
}

// call turns a panic of the handler into an error.
func (w *worker) call(ctx context.Context, m queue.Message) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic with a %T", p)
			if known, ok := p.(runtime.Error); ok { // any other panic may quote the ticket
				err = fmt.Errorf("panic: %w", known)
			}
			w.queue.Log.ErrorContext(ctx, "the handler panicked", "queue", w.queue.Name, "job_id", m.ID,
				"tenant_id", string(m.Tenant), "error", err.Error(), "stack", string(debug.Stack()))
		}
	}()
	return w.handle(ctx, m)
}

// errDead is all that River keeps of a failure, in a column that is not sealed.
var errDead = errors.New("see metadata")

func (w *worker) dead(ctx context.Context, id string, failures int, reason string) error {
	return errors.Join(w.note(ctx, id, failures, reason), riverqueue.JobCancel(errDead))
}

// note has River write the outcome together with the new state of the row.
// A reason that cannot be sealed is left out; the count is not.
func (w *worker) note(ctx context.Context, id string, failures int, reason string) error {
	last, err := w.queue.outcome(id, failures, reason)
	return errors.Join(err, riverqueue.MetadataSet(ctx, "outcome", last))
}
