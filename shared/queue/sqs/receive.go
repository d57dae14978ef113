package sqs

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/deskhand/deskhand/shared/queue"
)

const (
	// pollWait is how long a poll waits for a message. A poll is never broken
	// off, because SQS may be giving it a message just then, which would stay
	// hidden; so this is also how long the end of Receive may take.
	pollWait = 3 * time.Second

	// pollPause is how long Receive waits after a poll that failed.
	pollPause = time.Second

	defaultVisibility = 30 * time.Second
)

// Receive implements queue.Receiver. It gives ErrUnavailable where it cannot
// start, and is not troubled by an SQS that does not answer later. Its end
// takes the rest of a poll, 3 s at most (8 s where SQS does not answer), or
// Drain where that is longer. A handler that ignores the end of its context
// holds up Receive.
func (q *Queue) Receive(ctx context.Context, h queue.Handler) error {
	if _, err := q.Stats(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(q.Drain, cancel) })
	defer stop()

	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, max(q.Concurrency, 1))
	for {
		n := take(ctx, slots)
		if n == 0 {
			return nil
		}
		deliveries := q.poll(ctx, n)
		for range n - len(deliveries) {
			<-slots
		}
		for _, d := range deliveries {
			running.Go(func() {
				defer func() { <-slots }()
				q.work(work, d, h)
			})
		}
	}
}

// take waits for a free slot and takes it, and more that are free, up to what
// one poll can fill. It takes none where ctx is done.
func take(ctx context.Context, slots chan struct{}) (n int) {
	if ctx.Err() != nil {
		return 0
	}
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for n = 1; n < maxBatch; n++ {
		select {
		case slots <- struct{}{}:
		default:
			return n
		}
	}
	return n
}

// poll asks for up to n messages. Those that come when ctx is done are given
// back.
func (q *Queue) poll(ctx context.Context, n int) []delivery {
	deliveries, err := q.fetch(context.WithoutCancel(ctx), q.URL, look{n, pollWait, q.visibility()})
	if ctx.Err() != nil {
		q.giveBack(ctx, deliveries)
		return nil
	}
	if err != nil {
		q.Log.WarnContext(ctx, "no messages can be received", "queue", q.Name, "error", err)
		select {
		case <-time.After(pollPause):
		case <-ctx.Done():
		}
	}
	return deliveries
}

// work gives d to h, with a heart that beats, and settles it.
func (q *Queue) work(ctx context.Context, d delivery, h queue.Handler) {
	alive, die := context.WithCancel(ctx)
	var heart sync.WaitGroup
	heart.Go(func() { q.beat(alive, d) })
	err := q.handle(ctx, d, func(ctx context.Context, m queue.Message) error {
		defer heart.Wait() // a beat after the settling would be an error
		defer die()
		return h(ctx, m)
	})
	die()
	heart.Wait()
	if err != nil {
		q.Log.WarnContext(ctx, "a message comes again", "queue", q.Name, "job_id", d.attributes[attrID], "error", err)
	}
}

// beat keeps d hidden until ctx is done. Three beats fit into the visibility,
// so that one may fail; one that gets no answer must not hold up the next.
func (q *Queue) beat(ctx context.Context, d delivery) {
	every := q.visibility() / 3
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		call, cancel := context.WithTimeout(ctx, every)
		err := q.hide(call, d, q.visibility())
		cancel()
		if err != nil && ctx.Err() == nil {
			q.Log.WarnContext(ctx, "a message may come twice", "queue", q.Name, "job_id", d.attributes[attrID], "error", err)
		}
	}
}

func (q *Queue) visibility() time.Duration { return cmp.Or(max(q.Visibility, 0), defaultVisibility) }

// look is how to receive: up to max messages, after up to wait, each to be
// hidden from then.
type look struct {
	max  int
	wait time.Duration
	hide time.Duration
}

// fetch is one call of ReceiveMessage.
func (q *Queue) fetch(ctx context.Context, url string, l look) ([]delivery, error) {
	ctx, cancel := context.WithTimeout(ctx, l.wait+callLimit)
	defer cancel()
	out, err := q.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: int32(min(l.max, maxBatch)), //nolint:gosec // at most 10
		WaitTimeSeconds: seconds(l.wait), VisibilityTimeout: seconds(l.hide),
		MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameSentTimestamp, types.MessageSystemAttributeNameApproximateReceiveCount,
		},
	})
	if err != nil {
		return nil, q.mapped("receive", err)
	}
	deliveries := make([]delivery, len(out.Messages))
	for i, m := range out.Messages {
		d := delivery{url: url, receipt: aws.ToString(m.ReceiptHandle), id: aws.ToString(m.MessageId), system: m.Attributes}
		d.body, d.attributes = aws.ToString(m.Body), make(map[string]string, len(m.MessageAttributes))
		for name, value := range m.MessageAttributes {
			d.attributes[name] = aws.ToString(value.StringValue)
		}
		deliveries[i] = d
	}
	return deliveries, nil
}

// giveBack makes what was received from one queue visible again.
func (q *Queue) giveBack(ctx context.Context, deliveries []delivery) {
	q.hideAll(context.WithoutCancel(ctx), deliveries, 0)
}

// hideAll hides deliveries of one queue until so long from now, as well as it
// can: where it fails, they are hidden for as long as they were. A receipt that
// has run out is no matter: another has the message.
func (q *Queue) hideAll(ctx context.Context, deliveries []delivery, long time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	for some := range slices.Chunk(deliveries, maxBatch) {
		in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &some[0].url}
		for i, d := range some {
			in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
				Id: aws.String(strconv.Itoa(i)), ReceiptHandle: aws.String(d.receipt), VisibilityTimeout: seconds(long),
			})
		}
		if _, err := q.Client.ChangeMessageVisibilityBatch(ctx, in); err != nil {
			q.Log.WarnContext(ctx, "messages stay hidden for another time than they should", "queue", q.Name,
				"messages", len(some), "error", err)
		}
	}
}
