// Package ledger keeps enhance.Ledger in Postgres: a row for every job, and a
// lease for every ticket that is being worked on. Time is the database's, so
// that the clocks of the workers do not matter.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/ticket"
)

// Ledger implements enhance.Ledger. It is safe for concurrent use.
//
// Every transaction locks the ticket's lease before the job's row, so that two
// of them never wait for each other.
type Ledger struct{ DB *postgres.DB }

var _ enhance.Ledger = Ledger{}

// The lease is taken where there is none or it has run out.
const takeSQL = `
INSERT INTO ticket_leases AS l (tenant_id, connection_id, ticket_id, job_id, token, until)
VALUES (current_tenant(), $1, $2, $3, gen_random_uuid(), clock_timestamp() + $4)
ON CONFLICT (tenant_id, connection_id, ticket_id) DO UPDATE
SET job_id = excluded.job_id, token = excluded.token, until = excluded.until
WHERE l.until <= clock_timestamp()
RETURNING token::text`

// Its holder, where it is not taken. The row is there: takeSQL locked it.
const holderSQL = `
SELECT job_id::text, until - clock_timestamp() FROM ticket_leases
WHERE tenant_id = current_tenant() AND connection_id = $1 AND ticket_id = $2`

// The job's row is made, or found. A failed one is pending again.
const openSQL = `
INSERT INTO enhancement_history AS h (tenant_id, job_id, tool, connection_id, ticket_id, kind, received_at, tries)
VALUES (current_tenant(), $1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (tenant_id, job_id) DO UPDATE
SET status = CASE h.status WHEN 'failed' THEN 'pending' ELSE h.status END, tries = h.tries + excluded.tries, updated_at = now(), ended_at = NULL
RETURNING status, tries, xmax = 0` // xmax is 0 where the row is new

// What earlier tries and jobs left on the ticket.
const formerSQL = `
SELECT coalesce(last.note_id, ''), coalesce(last.revision, ''), coalesce(last.evidence_only, false), coalesce(shade.revision, ''), EXISTS (
    SELECT FROM enhancement_history
    WHERE tenant_id = current_tenant() AND connection_id = $1 AND ticket_id = $2 AND posting)
FROM (SELECT) one LEFT JOIN LATERAL (
    SELECT note_id, revision, evidence_only FROM enhancement_history
    WHERE tenant_id = current_tenant() AND connection_id = $1 AND ticket_id = $2 AND status = 'completed' AND note_id <> ''
    ORDER BY ended_at DESC, id DESC LIMIT 1) last ON true LEFT JOIN LATERAL (
    SELECT revision FROM enhancement_history
    WHERE tenant_id = current_tenant() AND connection_id = $1 AND ticket_id = $2 AND status = 'completed' AND shadow AND note <> ''
    ORDER BY ended_at DESC, id DESC LIMIT 1) shade ON true`

// Begin implements enhance.Ledger.
func (l Ledger) Begin(ctx context.Context, ev ticket.Event, hold time.Duration) (enhance.Attempt, error) {
	a := enhance.Attempt{Job: ev.Job, Ref: ev.Ref}
	var busy *enhance.BusyError // not fn's error: the job's row is committed all the same
	err := l.DB.InTenant(ctx, ev.Ref.Tenant, func(tx pgx.Tx) (err error) {
		if busy, err = take(ctx, tx, &a, hold); err != nil {
			return err
		}
		tries := 1
		if busy != nil {
			tries = 0
		}
		var status enhance.Status
		var fresh bool
		err = tx.QueryRow(ctx, openSQL, ev.Job, ev.Ref.Tool, ev.Ref.Connection, ev.Ref.Key, ev.Kind, ev.Received, tries).Scan(&status, &a.Try, &fresh)
		if err != nil {
			return err
		}
		if status == enhance.Completed {
			return enhance.ErrEnded // which gives the lease back, too
		}
		if err := postgres.Record(ctx, tx, begun(a, fresh, busy != nil)...); err != nil {
			return err
		}
		return tx.QueryRow(ctx, formerSQL, ev.Ref.Connection, ev.Ref.Key).Scan(&a.NoteID, &a.Revision, &a.EvidenceOnly, &a.ShadowRevision, &a.Posting)
	})
	if err == nil && busy != nil {
		err = busy
	}
	if err != nil {
		return enhance.Attempt{}, fmt.Errorf("ledger: begin job %s of %s: %w", ev.Job, ev.Ref, err)
	}
	return a, nil
}

// take takes the lease and puts its token into a, or tells who has it.
func take(ctx context.Context, tx pgx.Tx, a *enhance.Attempt, hold time.Duration) (*enhance.BusyError, error) {
	err := tx.QueryRow(ctx, takeSQL, a.Ref.Connection, a.Ref.Key, a.Job, hold).Scan(&a.Token)
	if !errors.Is(err, pgx.ErrNoRows) {
		return nil, err
	}
	var busy enhance.BusyError
	if err := tx.QueryRow(ctx, holderSQL, a.Ref.Connection, a.Ref.Key).Scan(&busy.Job, &busy.Until); err != nil {
		return nil, err
	}
	busy.Until = max(0, busy.Until)
	return &busy, nil
}

const ofAttempt = ` WHERE tenant_id = current_tenant() AND connection_id = $1 AND ticket_id = $2 AND token = $3`

const (
	keepSQL    = `UPDATE ticket_leases SET until = clock_timestamp() + $4` + ofAttempt
	fenceSQL   = `SELECT FROM ticket_leases` + ofAttempt + ` FOR UPDATE`
	releaseSQL = `DELETE FROM ticket_leases` + ofAttempt
)

// Keep implements enhance.Ledger. A lease that has run out is good again where
// nobody else took it.
func (l Ledger) Keep(ctx context.Context, a enhance.Attempt, hold time.Duration) error {
	err := l.DB.InTenant(ctx, a.Ref.Tenant, func(tx pgx.Tx) error {
		return fenced(ctx, tx, keepSQL, a, hold)
	})
	if err != nil {
		return fmt.Errorf("ledger: keep the lease of job %s on %s: %w", a.Job, a.Ref, err)
	}
	return nil
}

const saveSQL = `
UPDATE enhancement_history
SET status = $2, posting = $3, error = $4, skipped = $5, shadow = $6, evidence_only = $7, revision = $8, note_id = $9, note = $10,
    context = $11, model = $12, usage = $13, retry_at = $14, updated_at = now(), ended_at = CASE WHEN $2 = 'pending' THEN NULL ELSE now() END
WHERE tenant_id = current_tenant() AND job_id = $1`

// A note that may have been written is in doubt until a job of the ticket
// completes with one: that job has looked for it. Were a job still in doubt
// then, it would not see that the ticket did not change since.
const settleSQL = `
UPDATE enhancement_history SET posting = false
WHERE tenant_id = current_tenant() AND connection_id = $1 AND ticket_id = $2 AND posting`

// Save implements enhance.Ledger. Characters that Postgres does not take are
// left out.
func (l Ledger) Save(ctx context.Context, a enhance.Attempt, e enhance.Enhancement) error {
	run, err := encode(e.Run)
	if err != nil {
		return fmt.Errorf("ledger: save job %s of %s: its run: %w", a.Job, a.Ref, err)
	}
	err = l.DB.InTenant(ctx, a.Ref.Tenant, func(tx pgx.Tx) error {
		sql := releaseSQL
		if e.Status == enhance.Pending && e.RetryAt.IsZero() {
			sql = fenceSQL
		}
		if err := fenced(ctx, tx, sql, a); err != nil {
			return err
		}
		if e.Status == enhance.Completed && e.NoteID != "" {
			if _, err := tx.Exec(ctx, settleSQL, a.Ref.Connection, a.Ref.Key); err != nil {
				return err
			}
		}
		if err := write(ctx, tx, a.Job, e); err != nil {
			return err
		}
		if err := writeRun(ctx, tx, a.Job, run); err != nil {
			return err
		}
		return postgres.Record(ctx, tx, saved(a, e)...)
	})
	if err != nil {
		return fmt.Errorf("ledger: save job %s of %s as %s: %w", a.Job, a.Ref, e.Status, err)
	}
	return nil
}

// fenced runs SQL on the lease that only succeeds for the try that holds it.
func fenced(ctx context.Context, tx pgx.Tx, sql string, a enhance.Attempt, more ...any) error {
	tag, err := tx.Exec(ctx, sql, append([]any{a.Ref.Connection, a.Ref.Key, a.Token}, more...)...)
	if err == nil && tag.RowsAffected() == 0 {
		err = enhance.ErrLost
	}
	return err
}

// write writes the record of a job.
func write(ctx context.Context, tx pgx.Tx, job string, e enhance.Enhancement) error {
	found, errFound := postgres.JSON(e.Bundle)
	usage, errUsage := postgres.JSON(e.Usage)
	if err := errors.Join(errFound, errUsage); err != nil {
		return err
	}
	var retryAt *time.Time
	if !e.RetryAt.IsZero() {
		retryAt = &e.RetryAt
	}
	text := postgres.Text
	tag, err := tx.Exec(ctx, saveSQL, job, e.Status, e.Posting, text(e.Error), text(e.Skipped), e.Shadow, e.EvidenceOnly,
		text(e.Revision), text(e.NoteID), text(e.Note), found, text(e.Model), usage, retryAt)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrUnknown
	}
	return err
}
