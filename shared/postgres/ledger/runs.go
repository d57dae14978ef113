package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/tenant"
)

// The bounds of a run record.
const (
	maxRun  = 256 << 10 // bytes, as JSON
	maxList = 100       // calls, steps and verdicts, each
	maxCite = 20        // of a verdict
	// RunsKept is how long a run record stays, as long as the audit trail.
	RunsKept = 90 * 24 * time.Hour
)

const (
	putRunSQL = `
INSERT INTO enhancement_runs (tenant_id, job_id, record) VALUES (current_tenant(), $1, $2)
ON CONFLICT (tenant_id, job_id) DO UPDATE SET record = excluded.record, recorded_at = now()`
	dropRunSQL = `DELETE FROM enhancement_runs WHERE tenant_id = current_tenant() AND job_id = $1`
)

// writeRun writes how the job's last try went, as encode gave it. A try that did
// not get so far, or that must leave no text, has none, and leaves none of an
// earlier one either.
func writeRun(ctx context.Context, tx pgx.Tx, job string, record []byte) error {
	if record == nil {
		_, err := tx.Exec(ctx, dropRunSQL, job)
		return err
	}
	_, err := tx.Exec(ctx, putRunSQL, job, record)
	return err
}

// encode gives the run as JSON within its bound; nil for none. Where it is
// larger, every text is cut to the same length, until it fits.
func encode(run enhance.Run) (record []byte, err error) {
	if run.Started.IsZero() {
		return nil, nil
	}
	texts := bounded(&run)
	whole := make([]string, len(texts))
	for i, text := range texts {
		whole[i] = *text
	}
	for most := maxRun / 2; ; most /= 2 {
		size := 0
		for i, text := range whole {
			size += min(len(text), most)
			if size <= maxRun {
				*texts[i] = shorten(text, most)
			}
		}
		if size > maxRun {
			continue
		}
		if record, err = postgres.JSON(run); err != nil || len(record) <= maxRun || most == 0 {
			return record, err
		}
	}
}

// bounded makes the run's lists copies of at most so many entries, and gives
// all its texts.
func bounded(run *enhance.Run) (texts []*string) {
	run.Steps, run.Calls, run.Verdicts = head(run.Steps, maxList), head(run.Calls, maxList), head(run.Verdicts, maxList)
	texts = append(texts, &run.Versions.Program, &run.Versions.Prompt, &run.Versions.Policy)
	for i := range run.Steps {
		texts = append(texts, &run.Steps[i].Name, &run.Steps[i].Note)
	}
	for i := range run.Calls {
		c := &run.Calls[i]
		texts = append(texts, &c.Model, &c.System, &c.User, &c.Answer, &c.Error)
	}
	for i := range run.Verdicts {
		v := &run.Verdicts[i]
		v.Cites = head(v.Cites, maxCite)
		texts = append(texts, &v.Section, &v.Text, &v.Why)
		for j := range v.Cites {
			texts = append(texts, &v.Cites[j])
		}
	}
	return texts
}

// head copies the first entries of a list.
func head[T any](list []T, n int) []T { return slices.Clone(list[:min(len(list), n)]) }

// shorten cuts a text, and says so.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	end := most
	for end > 0 && s[end]&0xC0 == 0x80 { // within a character
		end--
	}
	return fmt.Sprintf("%s… [cut: %d of %d bytes]", s[:end], end, len(s))
}

const runSQL = `SELECT record FROM enhancement_runs WHERE tenant_id = current_tenant() AND job_id = $1`

// Run gives the record of one job with how its last try went, or ErrUnknown.
// Where no such record was kept, or not any more, Run.Started is zero.
func (l Ledger) Run(ctx context.Context, id tenant.ID, job string) (Record, error) {
	r, err := l.Find(ctx, id, job)
	if err != nil {
		return r, err
	}
	err = l.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, runSQL, r.Job).Scan(&r.Run)
		if errors.Is(err, pgx.ErrNoRows) {
			err = nil
		}
		return err
	})
	if err != nil {
		return Record{}, fmt.Errorf("ledger: find the run of job %.40q of tenant %s: %w", job, id, err)
	}
	return r, nil
}

const lastSQL = `
SELECT job_id::text FROM enhancement_history WHERE tenant_id = current_tenant() AND ticket_id = $1 ORDER BY note <> '' AND skipped = '' DESC, id DESC LIMIT 1`

// Last gives the id of the last job of a ticket that wrote a note, and did not
// skip the ticket, else of the last one, by the tool's key; or ErrUnknown.
func (l Ledger) Last(ctx context.Context, id tenant.ID, key string) (job string, err error) {
	err = l.DB.InTenant(ctx, id, func(tx pgx.Tx) error { return tx.QueryRow(ctx, lastSQL, postgres.Text(key)).Scan(&job) })
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrUnknown
	}
	if err != nil {
		return "", fmt.Errorf("ledger: find the last job of ticket %.40q of tenant %s: %w", key, id, err)
	}
	return job, nil
}

const pruneSQL = `DELETE FROM enhancement_runs WHERE tenant_id = current_tenant() AND recorded_at < now() - $1::interval`

// Prune deletes the tenant's run records that are older than RunsKept, and gives
// their number. The jobs stay in the ledger.
func (l Ledger) Prune(ctx context.Context, id tenant.ID) (int, error) {
	var n int64
	err := l.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, pruneSQL, RunsKept)
		n = tag.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("ledger: prune the runs of tenant %s: %w", id, err)
	}
	return int(n), nil
}
