package enhance

import (
	"context"
	"errors"
	"time"

	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// hold renews the lease until letGo is called. Where the lease is lost, or
// cannot be renewed before it ends, the returned context is cancelled with
// ErrLost: another try may have the ticket, so this one must stop writing.
func (e *Enhancer) hold(ctx context.Context, a Attempt) (held context.Context, letGo func()) {
	held, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(lease / 4)
		defer ticker.Stop()
		until := time.Now().Add(lease)
		for {
			select {
			case <-held.Done():
				return
			case <-ticker.C:
			}
			renewed := time.Now()
			call, stop := context.WithTimeout(held, lease/8)
			err := e.Ledger.Keep(call, a, lease)
			stop()
			switch {
			case err == nil:
				until = renewed.Add(lease)
			case errors.Is(err, ErrLost) || !time.Now().Add(lease/4).Before(until):
				cancel(ErrLost)
				return
			}
		}
	}()
	return held, func() {
		cancel(nil)
		<-done
	}
}

// finish saves a job that is done. What an earlier try may have written is
// known no sooner than this one has written.
func (e *Enhancer) finish(ctx context.Context, a Attempt, r Enhancement) error {
	r.Status = Completed
	if r.NoteID != "" {
		r.Posting = false
	}
	err := e.save(ctx, a, r)
	if errors.Is(err, ErrLost) {
		return queue.RetryAfter(time.Second, err)
	}
	return err
}

// fail saves why this try failed, and gives the error by which the queue
// decides: put off for a limit or a lost lease, buried where the tool rejects
// what we write, counted otherwise.
func (e *Enhancer) fail(ctx context.Context, a Attempt, r Enhancement, judge func(error) queue.Verdict, err error) error {
	if errors.Is(context.Cause(ctx), ErrLost) || errors.Is(err, ErrLost) {
		return queue.RetryAfter(time.Second, ErrLost) // the record belongs to the other try
	}
	switch limited, ok := errors.AsType[*ticketing.LimitedError](err); {
	case ok:
		err = queue.RetryAfter(limited.After, err)
	case errors.Is(err, ticketing.ErrRejected), errors.Is(err, ticketing.ErrImmutable):
		err = queue.Bury(err)
	}
	r.Error = err.Error()
	switch verdict := judge(err); verdict.Action {
	case queue.Again:
		r.Status, r.RetryAt = Pending, e.Now().Add(verdict.Delay)
	default:
		r.Status, r.Error = Failed, verdict.Reason
	}
	if saved := e.save(ctx, a, r); saved != nil {
		err = errors.Join(err, saved)
	}
	return err
}

// save writes the record even where the time of the job is over, or the
// process is told to stop: the next try should not wait for the lease to end.
func (e *Enhancer) save(ctx context.Context, a Attempt, r Enhancement) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveLimit)
	defer cancel()
	return e.Ledger.Save(ctx, a, r)
}
