package river

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/deskhand/deskhand/shared/queue"
)

// flushers is how many batches travel at once: while one waits for the disk,
// another one is on its way.
const flushers = 2

var (
	fullBatch  = load{rows: 500, bytes: 4 << 20}
	fullOutbox = load{rows: 5000, bytes: 64 << 20}
)

var errFull = errors.New("too many messages wait already")

// load is what letters weigh.
type load struct{ rows, bytes int }

func (l load) plus(m load) load  { return load{l.rows + m.rows, l.bytes + m.bytes} }
func (l load) minus(m load) load { return load{l.rows - m.rows, l.bytes - m.bytes} }

// takes tells whether m may be added. The first always may: a call is not
// divided.
func (l load) takes(m, limit load) bool {
	sum := l.plus(m)
	return l.rows == 0 || sum.rows <= limit.rows && sum.bytes <= limit.bytes
}

// outbox collects what concurrent calls of Send want to send. Nothing waits
// for company: a batch fills while others are under way, and there is no
// goroutine where there is no batch.
type outbox struct {
	mu       sync.Mutex
	waiting  []*batch // the last one takes more letters
	load     load     // of all that wait
	underWay int      // flushers that run, at most two
}

// batch is one transaction of several calls.
type batch struct {
	letters []*letter
	load    load
}

// letter is what one call of Send sends: all its rows or none.
type letter struct {
	rows rows
	load load
	gone <-chan struct{} // closed when the call has given up
	sent chan error      // gets one
}

// rows are columns of river_job.
type rows struct {
	args       [][]byte
	priorities []int
	due        []*time.Time // nil: now
}

func (r *rows) add(more rows) {
	r.args = append(r.args, more.args...)
	r.priorities = append(r.priorities, more.priorities...)
	r.due = append(r.due, more.due...)
}

// letter makes rows of messages.
func (q *Queue) letter(ctx context.Context, messages []queue.Message) (*letter, error) {
	l := &letter{gone: ctx.Done(), sent: make(chan error, 1)}
	for _, m := range messages {
		args, err := q.args(m)
		if err != nil {
			return nil, err
		}
		var due *time.Time
		if m.Delay > 0 {
			at := q.Now().Add(m.Delay)
			due = &at
		}
		l.rows.add(rows{[][]byte{args}, []int{priorities[m.Priority]}, []*time.Time{due}})
		l.load = l.load.plus(load{1, len(args)})
	}
	return l, nil
}

// post puts l into a batch that leaves by itself. ErrUnavailable where too
// much waits.
func (q *Queue) post(l *letter) error {
	o := &q.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.load.takes(l.load, fullOutbox) {
		return q.unavailable("send", errFull)
	}
	last := len(o.waiting) - 1
	if last < 0 || !o.waiting[last].load.takes(l.load, fullBatch) {
		o.waiting = append(o.waiting, &batch{})
		last++
	}
	b := o.waiting[last]
	b.letters, b.load = append(b.letters, l), b.load.plus(l.load)
	o.load = o.load.plus(l.load)
	if o.underWay < flushers {
		o.underWay++
		go q.flush()
	}
	return nil
}

// flush dispatches batches until none waits.
func (q *Queue) flush() {
	for b := q.outbox.next(); b != nil; b = q.outbox.next() {
		q.dispatch(b)
	}
}

// next closes the first batch for more letters. Nil ends a flusher.
func (o *outbox) next() *batch {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 {
		o.waiting = nil
		o.underWay--
		return nil
	}
	b := o.waiting[0]
	o.waiting[0] = nil
	o.waiting = o.waiting[1:]
	o.load = o.load.minus(b.load)
	return b
}

// dispatch sends the letters that somebody still waits for.
func (q *Queue) dispatch(b *batch) {
	var letters []*letter
	for _, l := range b.letters {
		select {
		case <-l.gone:
		default:
			letters = append(letters, l)
		}
	}
	if len(letters) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), q.sendLimit())
	defer cancel()
	q.transmit(ctx, letters)
}

// River's own way is a COPY between BEGIN and COMMIT, six round trips. This is
// one, as a transaction of its own.
const insert = `
INSERT INTO river.river_job (queue, kind, max_attempts, args, priority, scheduled_at, state)
SELECT $1, $2, $3, args, priority, coalesce(due, now()), CASE WHEN due IS NULL THEN 'available' ELSE 'scheduled' END::river.river_job_state
FROM unnest($4::jsonb[], $5::smallint[], $6::timestamptz[]) AS t (args, priority, due)`

// Workers listen for this.
const announce = `SELECT pg_notify('river.river_insert', json_build_object('queue', $1::text)::text)`

// transmit inserts letters in one transaction. Where Postgres refuses a row,
// each half goes again by itself, so that nobody's letter is refused for
// another's sake.
func (q *Queue) transmit(ctx context.Context, letters []*letter) {
	var all rows
	for _, l := range letters {
		all.add(l.rows)
	}
	err := q.write(ctx, all)
	if ended(err) { // as did the pool's other sessions
		q.Pool.Reset()
		err = q.write(ctx, all)
	}
	if half := len(letters) / 2; half > 0 && refused(err) {
		q.transmit(ctx, letters[:half])
		q.transmit(ctx, letters[half:])
		return
	}
	for _, l := range letters {
		l.sent <- err
	}
}

func (q *Queue) write(ctx context.Context, all rows) error {
	var batch pgx.Batch
	batch.Queue(insert, q.Name, task{}.Kind(), crashLimit, all.args, all.priorities, all.due)
	batch.Queue(announce, q.Name)
	return q.Pool.SendBatch(ctx, &batch).Close()
}

// ended tells whether Postgres, or what is between, has ended the session, as
// where it restarts or fails over. Whoever sent a webhook may not send it again.
func ended(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "57P01" || e.Code == "57P02" // admin_shutdown, crash_shutdown
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// refused tells whether it was the rows that Postgres did not like: their
// data (22), what they collide with (23), or their size (54).
func refused(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (strings.HasPrefix(e.Code, "22") || strings.HasPrefix(e.Code, "23") || strings.HasPrefix(e.Code, "54"))
}
