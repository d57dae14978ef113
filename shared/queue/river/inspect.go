package river

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/queue"
)

const stats = `
SELECT count(*) FILTER (WHERE state IN ('available', 'scheduled', 'retryable')) AS depth,
       count(*) FILTER (WHERE state = 'running') AS running,
       count(*) FILTER (WHERE state IN ('cancelled', 'discarded')) AS dead,
       extract(epoch FROM coalesce(now() - min(scheduled_at) FILTER (
           WHERE state IN ('available', 'scheduled', 'retryable') AND scheduled_at < now()), '0'))::float8 AS oldest
FROM river.river_job
WHERE queue = $1 AND state IN ('available', 'scheduled', 'retryable', 'running', 'cancelled', 'discarded')`

// Stats implements queue.Inspector. The age of a message that is delayed or
// tried again counts from when it is due.
func (q *Queue) Stats(ctx context.Context) (queue.Stats, error) {
	var s queue.Stats
	var oldest float64
	err := q.Pool.QueryRow(ctx, stats, q.Name).Scan(&s.Depth, &s.Running, &s.Dead, &oldest)
	if err != nil {
		return queue.Stats{}, q.unavailable("stats", err)
	}
	s.Oldest = time.Duration(oldest * float64(time.Second))
	return s, nil
}

const peek = `
SELECT args, priority, coalesce(metadata->'outcome', '{}')
FROM river.river_job
WHERE queue = $1 AND state IN ('available', 'scheduled', 'retryable')
ORDER BY scheduled_at > now(), CASE WHEN scheduled_at > now() THEN 0 ELSE priority END, scheduled_at, id
LIMIT $2`

// Peek implements queue.Inspector. A body that cannot be opened is left out.
func (q *Queue) Peek(ctx context.Context, n int) ([]queue.Message, error) {
	rows, _ := q.Pool.Query(ctx, peek, q.Name, n)
	messages, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (queue.Message, error) {
		m, _, err := q.scan(row)
		return m, err
	})
	if err != nil {
		return nil, q.unavailable("peek", err)
	}
	return messages, nil
}

const list = `
SELECT args, priority, coalesce(metadata->'outcome', '{}'),
       coalesce(errors[array_upper(errors, 1)]->>'error', ''), finalized_at
FROM river.river_job
WHERE queue = $1 AND state IN ('cancelled', 'discarded')
ORDER BY finalized_at DESC, id DESC
LIMIT $2`

// List implements queue.DeadLetters. A body that cannot be opened is left out,
// and for a reason that cannot be opened the error stands.
func (q *Queue) List(ctx context.Context, n int) ([]queue.DeadLetter, error) {
	rows, _ := q.Pool.Query(ctx, list, q.Name, n)
	letters, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d queue.DeadLetter, err error) {
		var last outcome
		var known string
		d.Message, last, err = q.scan(row, &known, &d.Died)
		d.Reason = q.reason(d.Message.ID, last, known)
		return d, err
	})
	if err != nil {
		return nil, q.unavailable("list the dead letters", err)
	}
	return letters, nil
}

// scan reads args, priority, outcome and then more.
func (q *Queue) scan(row pgx.CollectableRow, more ...any) (m queue.Message, last outcome, err error) {
	var t task
	var priority int
	if err := row.Scan(append([]any{&t, &priority, &last}, more...)...); err != nil {
		return m, last, err
	}
	m = t.message(priority, last)
	_ = q.open(&m, t) // a letter may well be dead because it does not open
	return m, last, nil
}

// Sent starts anew: a message that was put off for a day would otherwise die
// at the first RetryAfter.
const redrive = `
UPDATE river.river_job
SET state = 'available', scheduled_at = now(), finalized_at = NULL, attempt = 0, errors = NULL,
    metadata = metadata - 'outcome', args = jsonb_set(args, '{sent}', to_jsonb($3::text))
WHERE queue = $1 AND state IN ('cancelled', 'discarded') AND (cardinality($2::text[]) = 0 OR args->>'id' = ANY($2))`

// Redrive implements queue.DeadLetters. The messages count as sent now.
func (q *Queue) Redrive(ctx context.Context, ids ...string) (int, error) {
	return q.change(ctx, "redrive", redrive, q.Name, some(ids), q.Now().UTC().Format(time.RFC3339Nano))
}

const purge = `
DELETE FROM river.river_job
WHERE queue = $1 AND state IN ('cancelled', 'discarded') AND (cardinality($2::text[]) = 0 OR args->>'id' = ANY($2))`

// Purge implements queue.DeadLetters.
func (q *Queue) Purge(ctx context.Context, ids ...string) (int, error) {
	return q.change(ctx, "purge", purge, q.Name, some(ids))
}

func (q *Queue) change(ctx context.Context, what, statement string, args ...any) (int, error) {
	tag, err := q.Pool.Exec(ctx, statement, args...)
	if err != nil {
		return 0, q.unavailable(what, err)
	}
	return int(tag.RowsAffected()), nil
}

// some is ids as an array that is never NULL.
func some(ids []string) []string { return append([]string{}, ids...) }
