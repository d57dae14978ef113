package feedback

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/feedback"
	"github.com/deskhand/deskhand/shared/outcome"
	"github.com/deskhand/deskhand/shared/quality"
	"github.com/deskhand/deskhand/shared/receipts"
	"github.com/deskhand/deskhand/shared/tenant"
)

var _ quality.Store = Store{}

// ofSpan are the jobs of the tenant whose webhooks came in a span.
const ofSpan = ` h.tenant_id = current_tenant() AND h.received_at >= $1 AND h.received_at < $2`

const (
	// A job with a reason to skip is no note, whatever its row still holds. What
	// notes took leaves out jobs that nobody waits for from a webhook on: those
	// that improve a note later, and an operator's replays.
	jobsSQL = `
SELECT count(*) FILTER (WHERE noted), count(*) FILTER (WHERE noted AND shadow), count(*) FILTER (WHERE noted AND evidence_only), count(*) FILTER (WHERE status = 'failed'),
    coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY took) FILTER (WHERE timed), 0), coalesce(percentile_cont(0.95) WITHIN GROUP (ORDER BY took) FILTER (WHERE timed), 0),
    coalesce(sum(cost), 0)
FROM (SELECT status, shadow, evidence_only, noted, noted AND kind NOT IN ('improve', 'replayed') AS timed, greatest(extract(epoch FROM ended_at - received_at)::float8, 0) AS took,
        (usage->>'cost_usd')::float8 AS cost
    FROM enhancement_history h CROSS JOIN LATERAL (SELECT status = 'completed' AND note <> '' AND skipped = '' AS noted) n WHERE` + ofSpan + `) jobs`
	// Reasons that name a job are one. A job that was to improve a note and left it
	// as it was is no ticket without a note.
	skippedSQL = `
SELECT CASE WHEN h.skipped LIKE 'done as job %' THEN 'done under the ticket''s own key' ELSE left(h.skipped, 80) END, count(*)
FROM enhancement_history h WHERE h.status = 'completed' AND h.skipped <> '' AND h.kind <> 'improve' AND` + ofSpan + ` GROUP BY 1`
	votesSQL = `
SELECT v.vote, count(*) FROM feedback_votes v JOIN enhancement_history h USING (tenant_id, job_id) WHERE` + ofSpan + ` GROUP BY 1`
	commentsSQL = `
SELECT '', count(*) FROM feedback_votes v JOIN enhancement_history h USING (tenant_id, job_id) WHERE v.comment <> '' AND` + ofSpan
	reasonsSQL = `
SELECT r.reason, count(*) FROM feedback_votes v JOIN enhancement_history h USING (tenant_id, job_id) CROSS JOIN unnest(v.reasons) r (reason)
WHERE` + ofSpan + ` GROUP BY 1`
	outcomesSQL = `
SELECT o.verdict, count(*) FROM note_outcomes o JOIN enhancement_history h USING (tenant_id, job_id) WHERE` + ofSpan + ` GROUP BY 1`
	claimsSQL = `
SELECT c.claim->>'outcome', count(*)
FROM enhancement_runs r JOIN enhancement_history h USING (tenant_id, job_id) CROSS JOIN jsonb_path_query(r.record, '$.verdicts[*]') c (claim)
WHERE` + ofSpan + ` GROUP BY 1`
)

// Count implements quality.Store.
func (s Store) Count(ctx context.Context, id tenant.ID, in quality.Span) (f quality.Figures, err error) {
	f = quality.Figures{Skipped: map[string]int{}, Votes: map[feedback.Vote]int{}, Reasons: map[feedback.Reason]int{}, Outcomes: map[outcome.Verdict]int{}}
	comments, claims := map[string]int{}, map[string]int{}
	err = s.DB.ReadOnly().InTenant(ctx, id, func(tx pgx.Tx) error {
		var p50, p95 float64
		row := tx.QueryRow(ctx, jobsSQL, in.Since, in.Until)
		if err := row.Scan(&f.Notes, &f.Shadow, &f.EvidenceOnly, &f.Failed, &p50, &p95, &f.CostUSD); err != nil {
			return err
		}
		f.P50, f.P95 = time.Duration(p50*float64(time.Second)), time.Duration(p95*float64(time.Second))
		batch := &pgx.Batch{}
		counted(batch, in, skippedSQL, f.Skipped)
		counted(batch, in, votesSQL, f.Votes)
		counted(batch, in, commentsSQL, comments)
		counted(batch, in, reasonsSQL, f.Reasons)
		counted(batch, in, outcomesSQL, f.Outcomes)
		counted(batch, in, claimsSQL, claims)
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return f, fmt.Errorf("feedback: count the notes of tenant %s: %w", id, err)
	}
	f.Comments = comments[""]
	for name, n := range claims {
		f.Claims += n
		if name == string(receipts.Removed) {
			f.Removed += n
		}
	}
	return f, nil
}

// counted queues a statement that gives names and their counts.
func counted[K ~string](batch *pgx.Batch, in quality.Span, sql string, into map[K]int) {
	batch.Queue(sql, in.Since, in.Until).Query(func(rows pgx.Rows) error {
		var name K
		var n int
		_, err := pgx.ForEachRow(rows, []any{&name, &n}, func() error {
			into[name] = n
			return nil
		})
		return err
	})
}
