package sqs

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/deskhand/deskhand/shared/queue"
)

const (
	// lookWait makes SQS ask all of its servers, and so ends a walk through a
	// queue. lookHide is for how long a walk hides what it has seen.
	lookWait = time.Second
	lookHide = 30 * time.Second

	// maxListed is how many dead letters List reads for the newest.
	maxListed = 1000
)

// Stats implements queue.Inspector. The numbers are what SQS calls
// approximate: on AWS they may be a minute old. Oldest is always 0, because
// the API does not tell it and looking at the messages would count as
// receiving them: the metric ApproximateAgeOfOldestMessage in CloudWatch has
// it.
func (q *Queue) Stats(ctx context.Context) (queue.Stats, error) {
	waiting, running, err := q.numbers(ctx, q.URL)
	if err != nil {
		return queue.Stats{}, err
	}
	dead, looked, err := q.numbers(ctx, q.DeadURL)
	if err != nil {
		return queue.Stats{}, err
	}
	return queue.Stats{Depth: waiting, Running: running, Dead: dead + looked}, nil
}

// numbers gives how many messages of a queue wait, due or delayed, and how
// many are hidden.
func (q *Queue) numbers(ctx context.Context, url string) (waiting, hidden int, err error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	names := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
	}
	out, err := q.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: names})
	if err != nil {
		return 0, 0, q.mapped("stats", err)
	}
	var n [3]int
	for i, name := range names {
		if n[i], err = strconv.Atoi(out.Attributes[string(name)]); err != nil {
			return 0, 0, q.unavailable("stats", fmt.Errorf("%s is %.20q", name, out.Attributes[string(name)]))
		}
	}
	return n[0] + n[1], n[2], nil
}

// Peek implements queue.Inspector as well as SQS can, which cannot look
// without receiving. It gives some messages that are due, in the order in
// which SQS gives them, and none that are delayed. Workers do not see those
// messages while Peek runs, and it counts as one of the ten receives after
// which SQS itself moves a message to the dead letters: look seldom. A body
// that cannot be opened is left out.
func (q *Queue) Peek(ctx context.Context, n int) ([]queue.Message, error) {
	deliveries, err := q.walk(ctx, q.URL, n)
	defer q.giveBack(ctx, deliveries)
	if err != nil {
		return nil, err
	}
	messages := make([]queue.Message, len(deliveries))
	for i, d := range deliveries {
		messages[i], _ = q.open(d.letter)
	}
	return messages, nil
}

// walk receives up to n messages and hides them for lookHide. It ends where
// nothing new comes. What it has received it gives with an error, too.
func (q *Queue) walk(ctx context.Context, url string, n int) ([]delivery, error) {
	var all []delivery
	seen := map[string]int{}
	for len(all) < n {
		some, err := q.fetch(ctx, url, look{n - len(all), lookWait, lookHide})
		if err != nil {
			return all, err
		}
		before := len(all)
		for _, d := range some {
			if i, again := seen[d.id]; again {
				all[i] = d // only the last receipt is good
				continue
			}
			seen[d.id] = len(all)
			all = append(all, d)
		}
		if len(all) == before {
			break
		}
	}
	return all, nil
}

// List implements queue.DeadLetters. It reads all dead letters, but not more
// than a thousand, and takes a second longer than SQS does. Two that run at
// once see a part each. A message that SQS itself moved there has no reason of
// its own; it counts as dead since it was sent to the queue.
func (q *Queue) List(ctx context.Context, n int) ([]queue.DeadLetter, error) {
	deliveries, err := q.walk(ctx, q.DeadURL, maxListed)
	defer q.giveBack(ctx, deliveries)
	if err != nil {
		return nil, err
	}
	letters := make([]queue.DeadLetter, len(deliveries))
	for i, d := range deliveries {
		letters[i] = q.deadLetter(d)
	}
	slices.SortStableFunc(letters, func(a, b queue.DeadLetter) int { return b.Died.Compare(a.Died) })
	return letters[:min(n, len(letters))], nil
}

func (q *Queue) deadLetter(d delivery) queue.DeadLetter {
	m, _ := q.open(d.letter) // a letter may well be dead because it does not open
	return queue.DeadLetter{Message: m, Reason: q.openReason(m.ID, d.attributes[attrReason]), Died: d.died()}
}

// died is when d became a dead letter, or was sent where SQS moved it there.
func (d delivery) died() time.Time {
	if died, err := time.Parse(time.RFC3339Nano, d.attributes[attrDied]); err == nil {
		return died
	}
	ms, _ := strconv.ParseInt(d.system[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64) // SQS wrote it
	return time.UnixMilli(ms)
}

// Redrive implements queue.DeadLetters. The messages count as sent now. It
// goes through all dead letters, so it takes a while where they are many. One
// that fails again meanwhile stays dead.
func (q *Queue) Redrive(ctx context.Context, ids ...string) (int, error) {
	return q.each(ctx, ids, func(d delivery) error {
		alive := d.with(map[string]string{
			attrErrors: "", attrReason: "", attrDied: "", attrDue: "", attrSent: stamp(q.Now()),
		})
		return q.settle(ctx, d, func(ctx context.Context) error { return q.move(ctx, q.URL, alive, d) })
	})
}

// Purge implements queue.DeadLetters, likewise.
func (q *Queue) Purge(ctx context.Context, ids ...string) (int, error) {
	return q.each(ctx, ids, func(d delivery) error {
		return q.settle(ctx, d, func(ctx context.Context) error { return q.delete(ctx, d) })
	})
}

// each does something with the dead letters that have one of the ids, or with
// all where there are none, and gives back the others. It leaves alone what
// died since it began: it would never end where what it redrives fails at once.
// It returns how many it was done with.
func (q *Queue) each(ctx context.Context, ids []string, do func(delivery) error) (n int, err error) {
	var others []delivery
	defer func() { q.giveBack(ctx, others) }()
	began, seen := q.Now(), map[string]bool{}
	for {
		some, err := q.fetch(ctx, q.DeadURL, look{maxBatch, lookWait, lookHide})
		if err != nil {
			return n, err
		}
		fresh := false
		for i, d := range some {
			late := d.died().After(began)
			fresh = fresh || !late && !seen[d.id]
			seen[d.id] = true
			if late || len(ids) > 0 && !slices.Contains(ids, d.attributes[attrID]) {
				d.body = "" // there may be many
				others = append(others, d)
				continue
			}
			if err := do(d); err != nil {
				others = append(others, some[i:]...)
				return n, err
			}
			n++
		}
		if !fresh {
			return n, nil
		}
	}
}
