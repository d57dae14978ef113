// Package feedback keeps in Postgres what technicians say of notes, what that
// mutes, and how resolutions compare with notes.
package feedback

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/feedback"
	"github.com/deskhand/deskhand/shared/outcome"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Store keeps answers and outcomes. It is safe for concurrent use.
type Store struct{ DB *postgres.DB }

var (
	_ feedback.Store = Store{}
	_ outcome.Notes  = Store{}
)

const noteSQL = `
SELECT h.connection_id, h.ticket_id, h.context, coalesce(v.vote, ''), coalesce(v.reasons, '{}'), coalesce(v.comment, '')
FROM enhancement_history h LEFT JOIN feedback_votes v ON v.tenant_id = h.tenant_id AND v.job_id = h.job_id
WHERE h.tenant_id = current_tenant() AND h.job_id = $1 AND h.note <> ''`

const mutedSQL = `SELECT kind, ref FROM muted_pairs WHERE tenant_id = current_tenant() AND job_id = $1`

// about is a note, and whose it is.
type about struct {
	feedback.Note
	connection, key string
}

// Note implements feedback.Store, in a transaction in which the server refuses to
// write.
func (s Store) Note(ctx context.Context, id tenant.ID, job string) (feedback.Note, error) {
	var a about
	err := s.DB.ReadOnly().InTenant(ctx, id, func(tx pgx.Tx) (err error) {
		a, err = read(ctx, tx, job)
		return err
	})
	if err != nil {
		return feedback.Note{}, fmt.Errorf("feedback: read the note of job %s of tenant %s: %w", job, id, err)
	}
	return a.Note, nil
}

func read(ctx context.Context, tx pgx.Tx, job string) (a about, err error) {
	var b evidence.Bundle
	var before feedback.Answer
	err = tx.QueryRow(ctx, noteSQL, job).Scan(&a.connection, &a.key, &b, &before.Vote, &before.Reasons, &before.Comment)
	if errors.Is(err, pgx.ErrNoRows) {
		return a, feedback.ErrUnknown
	}
	if err != nil {
		return a, err
	}
	rows, err := tx.Query(ctx, mutedSQL, job)
	if err != nil {
		return a, err
	}
	muted, err := pgx.CollectRows(rows, pgx.RowToStructByPos[feedback.Pair])
	if err != nil {
		return a, err
	}
	a.Note = feedback.NewNote(b, before)
	for _, it := range a.Items { // in the order of the note, as NewAnswer has them
		if p := (feedback.Pair{Kind: it.Kind, Ref: it.Ref}); slices.Contains(muted, p) && !slices.Contains(a.Answer.Wrong, p) {
			a.Answer.Wrong = append(a.Answer.Wrong, p)
		}
	}
	return a, nil
}

// Two answers to one note wait for each other.
const alone = `SELECT pg_advisory_xact_lock(hashtextextended('feedback/' || current_tenant() || '/' || $1::text, 0))`

const (
	voteSQL = `
INSERT INTO feedback_votes (tenant_id, job_id, vote, reasons, comment) VALUES (current_tenant(), $1, $2, $3, $4)
ON CONFLICT (tenant_id, job_id) DO UPDATE
SET vote = excluded.vote, reasons = excluded.reasons, comment = excluded.comment, updated_at = now()`
	unmuteSQL = `DELETE FROM muted_pairs WHERE tenant_id = current_tenant() AND job_id = $1`
	muteSQL   = `
INSERT INTO muted_pairs (tenant_id, connection_id, ticket_id, kind, ref, job_id)
SELECT current_tenant(), $2, $3, p.kind, p.ref, $1 FROM unnest($4::text[], $5::text[]) p (kind, ref)
ON CONFLICT DO NOTHING`
)

// Put implements feedback.Store. The trail tells of it, without what was said.
func (s Store) Put(ctx context.Context, id tenant.ID, job string, a feedback.Answer) error {
	a.Comment = postgres.Text(a.Comment) // as it will be read
	err := s.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, alone, job); err != nil {
			return err
		}
		note, err := read(ctx, tx, job)
		if err != nil || note.Answer.Is(a) {
			return err
		}
		reasons, kinds, refs := []string{}, []string{}, []string{}
		for _, r := range a.Reasons {
			reasons = append(reasons, string(r))
		}
		for _, p := range a.Wrong {
			kinds, refs = append(kinds, string(p.Kind)), append(refs, p.Ref)
		}
		batch := &pgx.Batch{}
		batch.Queue(voteSQL, job, a.Vote, reasons, a.Comment)
		batch.Queue(unmuteSQL, job)
		batch.Queue(muteSQL, job, note.connection, note.key, kinds, refs)
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		return postgres.Record(ctx, tx, audit.Event{
			Ticket: note.key, Operation: audit.FeedbackGiven, Actor: "feedback-link", Status: audit.Success, Correlation: job,
		})
	})
	if err != nil {
		return fmt.Errorf("feedback: store the answer to job %s of tenant %s: %w", job, id, err)
	}
	return nil
}

// The last note of the ticket that a technician could have read. A job with a
// reason to skip wrote none.
const lastSQL = `
SELECT job_id::text, context, note FROM enhancement_history
WHERE tenant_id = current_tenant() AND connection_id = $1 AND ticket_id = $2 AND note <> '' AND skipped = '' AND status = 'completed'
ORDER BY ended_at DESC, id DESC LIMIT 1`

// Last implements outcome.Notes.
func (s Store) Last(ctx context.Context, id tenant.ID, connection, key string) (n outcome.Note, err error) {
	err = s.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, lastSQL, connection, key).Scan(&n.Job, &n.Bundle, &n.Markdown)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return outcome.Note{}, nil
	}
	if err != nil {
		return n, fmt.Errorf("feedback: find the last note of ticket %s of tenant %s: %w", key, id, err)
	}
	return n, nil
}

const outcomeSQL = `
INSERT INTO note_outcomes (tenant_id, job_id, verdict, score) VALUES (current_tenant(), $1, $2, $3)
ON CONFLICT (tenant_id, job_id) DO UPDATE SET verdict = excluded.verdict, score = excluded.score, at = now()`

// PutOutcome implements outcome.Notes.
func (s Store) PutOutcome(ctx context.Context, id tenant.ID, job string, v outcome.Verdict, score float64) error {
	err := s.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, outcomeSQL, job, v, score)
		return err
	})
	if err != nil {
		return fmt.Errorf("feedback: store the outcome of job %s of tenant %s: %w", job, id, err)
	}
	return nil
}
