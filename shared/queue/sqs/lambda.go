package sqs

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/deskhand/deskhand/shared/queue"
)

const (
	// lambdaVisibility is the visibility that Batch sets: much shorter than
	// what an event source mapping wants of the queue (six times the function's
	// limit), so that a killed invocation costs minutes.
	lambdaVisibility = 150 * time.Second

	// lambdaSlack is for how long after the end of a longer invocation it lasts.
	lambdaSlack = 30 * time.Second
)

// Batch gives every record of one Lambda event to h, as many at once as
// Concurrency says (all of them where it is 0), and settles each as Receive
// does. It returns the ids of those that are still in the queue and must come
// again: report them as batchItemFailures. These are the records that could
// not be copied or put among the dead letters, and those whose handler was cut
// short or not begun at the end of ctx, which is no error; end ctx a little
// before Lambda ends the invocation. A record that is settled but could not be
// deleted is not among them, because Lambda deletes what is not reported. A
// panic of h fails its message alone.
func (q *Queue) Batch(ctx context.Context, records []queue.Record, h queue.Handler) (failed []string) {
	deliveries := make([]delivery, len(records))
	for i, r := range records {
		deliveries[i] = delivery{
			letter: letter{body: r.Body, attributes: r.MessageAttributes},
			url:    q.URL, receipt: r.ReceiptHandle, id: r.ID, system: r.Attributes,
		}
	}
	hidden := lambdaVisibility
	if end, ok := ctx.Deadline(); ok {
		hidden = max(hidden, time.Until(end)+lambdaSlack)
	}
	q.hideAll(ctx, deliveries, hidden)

	errs := make([]error, len(records))
	slots := make(chan struct{}, cmp.Or(max(q.Concurrency, 0), len(records)))
	var running sync.WaitGroup
	for i, d := range deliveries {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			errs[i] = q.handle(ctx, d, h)
		})
	}
	running.Wait()

	for i, err := range errs {
		if err == nil {
			continue
		}
		q.Log.WarnContext(ctx, "a message comes again", "queue", q.Name, "job_id", deliveries[i].attributes[attrID],
			"receives", records[i].ReceiveCount, "error", err)
		if !errors.Is(err, errKept) {
			failed = append(failed, records[i].ID)
		}
	}
	return failed
}
