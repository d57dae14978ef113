package river

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	sweepEvery = time.Second
	sweepLimit = 5 * time.Second

	// settle is how long a receiver must have its lock before it judges
	// others by theirs.
	settle = 4 * time.Second

	// overdue is how long past its limit a row may be running. It is for rows
	// of a living worker that never heard the answer to its fetch.
	overdue = time.Minute
)

// A host that vanishes without a word is found by TCP: after 15 s its sessions
// are gone. A shared lock does not wait for the session before this one.
const takeLock = `
SELECT set_config('tcp_keepalives_idle', '6', false), set_config('tcp_keepalives_interval', '3', false),
       set_config('tcp_keepalives_count', '3', false), pg_advisory_lock_shared(hashtextextended($1, 0))`

// hold takes the lock of a receiver in a session of its own.
func (q *Queue) hold(ctx context.Context, id string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, sweepLimit)
	defer cancel()
	pooled, err := q.Pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	conn := pooled.Hijack()
	if _, err := conn.Exec(ctx, takeLock, id); err != nil {
		hangUp(conn)
		return nil, err
	}
	return conn, nil
}

// live holds the lock of a receiver until ctx is done, takes it again where
// conn is lost, and meanwhile sweeps.
func (q *Queue) live(ctx context.Context, id string, conn *pgx.Conn) {
	defer func() { hangUp(conn) }()
	for since := time.Now(); ; {
		var err error
		if conn == nil {
			conn, err = q.hold(ctx, id)
			since = time.Now()
		} else {
			err = q.sweep(ctx, conn, time.Since(since) > settle)
		}
		if err != nil && ctx.Err() == nil {
			q.Log.WarnContext(ctx, "the receiver lost the session that shows that it lives, and opens another", "queue", q.Name, "err", err)
			hangUp(conn)
			conn = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepEvery):
		}
	}
}

// The lock is an advisory one on a bigint, which pg_locks shows in halves.
const release = `
UPDATE river.river_job SET state = 'available', scheduled_at = now()
WHERE queue = $1 AND state = 'running'
  AND (attempted_at < now() - make_interval(secs => $2)
    OR hashtextextended(attempted_by[array_upper(attempted_by, 1)], 0) NOT IN (
        SELECT classid::bigint << 32 | objid::bigint FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1 AND granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())))`

// River's scheduler looks every five seconds. This makes a delay precise:
// available rows are fetched when their time has come.
const ripen = `
UPDATE river.river_job SET state = 'available'
WHERE queue = $1 AND state IN ('scheduled', 'retryable') AND scheduled_at < now() + make_interval(secs => $2)`

// sweep makes available what is due soon and, where settled, what dead workers
// left running.
func (q *Queue) sweep(ctx context.Context, conn *pgx.Conn, settled bool) error {
	ctx, cancel := context.WithTimeout(ctx, sweepLimit)
	defer cancel()
	_, err := conn.Exec(ctx, ripen, q.Name, (3 * sweepEvery).Seconds())
	if err == nil && settled {
		_, err = conn.Exec(ctx, release, q.Name, (q.Timeout + overdue).Seconds())
	}
	return err
}

// hangUp closes conn, and with it the session and its lock.
func hangUp(conn *pgx.Conn) {
	if conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
