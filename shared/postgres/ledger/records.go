package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/tenant"
)

// ErrUnknown says that the tenant has no such job.
var ErrUnknown = errors.New("the ledger has no such job")

// Record is a job as the ledger has it. Its Run is read by Run alone.
type Record = enhance.Record

const recordSQL = `
SELECT job_id::text, tenant_id, tool, connection_id, ticket_id, kind, tries, received_at, updated_at, ended_at,
       status, posting, error, skipped, shadow, evidence_only, retry_at, revision, note_id, note, context, model, usage
FROM enhancement_history WHERE tenant_id = current_tenant() `

// Find gives the record of one job, without its Run, or ErrUnknown.
func (l Ledger) Find(ctx context.Context, id tenant.ID, job string) (Record, error) {
	var parsed pgtype.UUID
	if parsed.Scan(job) != nil {
		return Record{}, fmt.Errorf("ledger: find job %.40q of tenant %s: it is no job's id: %w", job, id, ErrUnknown)
	}
	records, err := l.records(ctx, id, recordSQL+`AND job_id = $1`, parsed)
	if err == nil && len(records) == 0 {
		err = ErrUnknown
	}
	if err != nil {
		return Record{}, fmt.Errorf("ledger: find job %.40q of tenant %s: %w", job, id, err)
	}
	return records[0], nil
}

// Recent gives the n jobs that the tenant received last, the newest first.
func (l Ledger) Recent(ctx context.Context, id tenant.ID, n int) ([]Record, error) {
	records, err := l.records(ctx, id, recordSQL+`ORDER BY id DESC LIMIT $1`, max(0, n))
	if err != nil {
		return nil, fmt.Errorf("ledger: list the jobs of tenant %s: %w", id, err)
	}
	return records, nil
}

func (l Ledger) records(ctx context.Context, id tenant.ID, sql string, args ...any) (records []Record, err error) {
	err = l.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		records, err = pgx.CollectRows(rows, scan)
		return err
	})
	return records, err
}

func scan(row pgx.CollectableRow) (r Record, err error) {
	var ended, retry *time.Time
	err = row.Scan(&r.Job, &r.Ref.Tenant, &r.Ref.Tool, &r.Ref.Connection, &r.Ref.Key, &r.Kind, &r.Tries, &r.Received, &r.Updated, &ended,
		&r.Status, &r.Posting, &r.Error, &r.Skipped, &r.Shadow, &r.EvidenceOnly, &retry, &r.Revision, &r.NoteID, &r.Note, &r.Bundle, &r.Model, &r.Usage)
	if ended != nil {
		r.Ended = *ended
	}
	if retry != nil {
		r.RetryAt = *retry
	}
	return r, err
}

const sweepSQL = `
UPDATE enhancement_history h
SET status = 'failed', updated_at = now(), ended_at = now(), retry_at = NULL,
    error = 'the worker died or the message was lost: nothing happened for ' || $1::interval || '; replay the job'
WHERE tenant_id = current_tenant() AND status = 'pending' AND updated_at < now() - $1::interval
  AND (retry_at IS NULL OR retry_at < now() - $1::interval)
  AND NOT EXISTS (
    SELECT FROM ticket_leases l
    WHERE l.tenant_id = current_tenant() AND l.connection_id = h.connection_id AND l.ticket_id = h.ticket_id AND l.job_id = h.job_id
      AND l.until >= now() - $1::interval)
RETURNING ticket_id, job_id::text`

// Sweep ends the tenant's pending jobs for which nothing happened for idle: no
// try, no lease, and none is due. It gives their number. They are failed, and
// begin again where they are delivered again.
func (l Ledger) Sweep(ctx context.Context, id tenant.ID, idle time.Duration) (int, error) {
	var swept []audit.Event
	err := l.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sweepSQL, idle)
		if err != nil {
			return err
		}
		swept, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (audit.Event, error) {
			e := audit.Event{Operation: audit.EnhancementFailed, Status: audit.Failure}
			return e, row.Scan(&e.Ticket, &e.Correlation)
		})
		if err != nil {
			return err
		}
		return postgres.Record(ctx, tx, swept...)
	})
	if err != nil {
		return 0, fmt.Errorf("ledger: sweep the jobs of tenant %s: %w", id, err)
	}
	return len(swept), nil
}
