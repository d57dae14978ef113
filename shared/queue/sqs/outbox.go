package sqs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/deskhand/deskhand/shared/tenant"
)

const (
	// linger is how long a batch waits for company while another is under way.
	// One that is alone goes at once.
	linger = 3 * time.Millisecond

	maxBatch      = 10
	maxBatchBytes = 1<<20 - 16<<10 // of 1 MiB, less what SQS may count besides

	// maxHeld bounds the memory for letters that wait or travel, where SQS is
	// slower than the senders. Each counts for a little more than its bytes.
	maxHeld  = 32 << 20
	overhead = 1 << 10
)

// outbox collects what concurrent calls of Send want to send.
type outbox struct {
	mu       sync.Mutex
	open     *batch // takes more letters; nil for none
	underWay int    // batches that wait or travel
	held     int    // what their letters count for
}

// batch is one SendMessageBatch. Its errors may be read when sent is closed.
type batch struct {
	letters []letter
	size    int
	sent    chan struct{}
	errs    []error // one for each letter
}

// place says where a letter is.
type place struct {
	batch *batch
	index int
}

func (b *batch) fits(l letter) bool {
	return len(b.letters) < maxBatch && b.size+l.size() <= maxBatchBytes
}

func (l letter) size() int {
	n := len(l.body)
	for name, value := range l.attributes {
		n += len(name) + len("String") + len(value)
	}
	return n
}

// weight is what letters count for in the outbox.
func weight(letters []letter) (n int) {
	for _, l := range letters {
		n += l.size() + overhead
	}
	return n
}

var errFull = errors.New("it is slower than the senders, and too many messages wait")

// post puts letters into batches that leave by themselves: all or none. An
// outbox with nothing in it takes any number.
func (q *Queue) post(letters []letter) ([]place, error) {
	more := weight(letters)
	o := &q.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held > 0 && o.held+more > maxHeld {
		return nil, errFull
	}
	o.held += more
	places := make([]place, len(letters))
	for i, l := range letters {
		if o.open == nil || !o.open.fits(l) {
			o.open = &batch{sent: make(chan struct{})}
			go q.dispatch(o.open, o.underWay > 0)
			o.underWay++
		}
		places[i] = place{o.open, len(o.open.letters)}
		o.open.letters = append(o.open.letters, l)
		o.open.size += l.size()
	}
	return places, nil
}

// dispatch closes b for more letters and sends it.
func (q *Queue) dispatch(b *batch, wait bool) {
	if wait {
		time.Sleep(linger)
	}
	o := &q.outbox
	o.mu.Lock()
	if o.open == b {
		o.open = nil
	}
	o.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), q.sendLimit())
	defer cancel()
	b.errs = q.transmit(ctx, q.URL, b.letters)

	o.mu.Lock()
	o.underWay--
	o.held -= weight(b.letters)
	o.mu.Unlock()
	close(b.sent)
}

var errNoAnswer = errors.New("SQS said nothing about this message")

// transmit sends up to ten letters and gives an error for each. What SQS
// refuses for its group goes again without one, and of a call that it refuses
// as a whole for what is in it every letter goes again alone, so that nobody's
// letter is refused for another's sake.
func (q *Queue) transmit(ctx context.Context, url string, letters []letter) []error {
	grouped := !q.noGroup.Load()
	errs := q.sendBatch(ctx, url, letters, grouped)
	for i, err := range errs {
		refused := grouped && groupRefused(err)
		if refused {
			q.noGroup.Store(true)
		}
		if refused || len(letters) > 1 && batchRefused(err) {
			errs[i] = q.transmit(ctx, url, letters[i:i+1])[0]
		}
	}
	return errs
}

// sendBatch is one call of SendMessageBatch.
func (q *Queue) sendBatch(ctx context.Context, url string, letters []letter, grouped bool) []error {
	out, err := q.Client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries(letters, grouped)})
	if err == nil {
		err = errNoAnswer
	}
	errs := make([]error, len(letters))
	for i := range errs {
		errs[i] = q.mapped("send", err)
	}
	if out == nil {
		return errs
	}
	for _, f := range out.Failed {
		if i, ok := index(f.Id, errs); ok {
			errs[i] = q.mapped("send", &smithy.GenericAPIError{Code: aws.ToString(f.Code), Message: aws.ToString(f.Message)})
		}
	}
	for _, s := range out.Successful {
		if i, ok := index(s.Id, errs); ok {
			errs[i] = nil
		}
	}
	return errs
}

// index is the letter that an entry of an answer is about.
func index(id *string, errs []error) (i int, ok bool) {
	i, err := strconv.Atoi(aws.ToString(id))
	return i, err == nil && i >= 0 && i < len(errs)
}

func entries(letters []letter, grouped bool) []types.SendMessageBatchRequestEntry {
	list := make([]types.SendMessageBatchRequestEntry, len(letters))
	for i, l := range letters {
		list[i] = types.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(l.body), DelaySeconds: seconds(l.delay),
			MessageAttributes: make(map[string]types.MessageAttributeValue, len(l.attributes)),
		}
		for name, value := range l.attributes {
			list[i].MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value)}
		}
		if id, err := tenant.ParseID(l.attributes[attrTenant]); err == nil && grouped {
			list[i].MessageGroupId = aws.String(string(id))
		}
	}
	return list
}

func groupRefused(err error) bool {
	e, ok := errors.AsType[smithy.APIError](err)
	return ok && strings.Contains(e.ErrorCode(), "Invalid") && strings.Contains(e.ErrorMessage(), "MessageGroupId")
}

func tooLarge(e smithy.APIError) bool {
	return strings.Contains(e.ErrorCode(), "BatchRequestTooLong") || strings.Contains(e.ErrorMessage(), "must be shorter than")
}

// batchRefused says that SQS refused a whole call for what is in it. To send
// more calls where it throttles, or does not know the queue, would make it
// worse.
func batchRefused(err error) bool {
	_, whole := errors.AsType[*smithy.OperationError](err)
	e, ok := errors.AsType[smithy.APIError](err)
	return whole && ok && (strings.Contains(e.ErrorCode(), "Invalid") || strings.Contains(e.ErrorCode(), "BatchRequestTooLong"))
}

// move sends l to url and deletes what it is a copy of. Where it fails, the
// original is still there.
func (q *Queue) move(ctx context.Context, url string, l letter, original delivery) error {
	if err := q.transmit(ctx, url, []letter{l})[0]; err != nil {
		return fmt.Errorf("copy message %.100q: %w", l.attributes[attrID], err)
	}
	return q.delete(ctx, original)
}
