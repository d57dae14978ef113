package river_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/deskhand/deskhand/shared/queue"
)

// rows is the whole table as JSON, with every column of every row, and what
// the sealed reasons are without base64.
func rows(t *testing.T, pool *pgxpool.Pool) (all string) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), `
SELECT json_agg(j)::text || string_agg(coalesce(encode(decode(metadata->'outcome'->>'sealed', 'base64'), 'escape'), ''), ' ')
FROM river.river_job j`).Scan(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWhatAHandlerSaysOfAFailureIsSealed(t *testing.T) {
	t.Parallel()
	_, pool := database(t)
	q := open(pool)
	const quoted = "the password of Ms. Miller is hunter2"
	said := map[string]error{
		"retried": errors.New("the tool said: " + quoted),
		"later":   queue.RetryAfter(time.Hour, errors.New(quoted)),
		"buried":  queue.Bury(errors.New(quoted)),
		"dropped": queue.Discard(errors.New(quoted)),
		"panics":  nil,
	}
	receive(t, q, func(_ context.Context, m queue.Message) error {
		if m.ID == "panics" {
			panic(quoted)
		}
		return said[m.ID]
	})
	for id := range said {
		send(t, q, message(id))
	}
	eventually(t, pool, `SELECT bool_and(CASE args->>'id'
		WHEN 'buried' THEN state = 'cancelled' WHEN 'dropped' THEN state = 'completed'
		WHEN 'later' THEN state IN ('scheduled', 'retryable') AND metadata ? 'outcome'
		ELSE (metadata->'outcome'->>'errors')::int > 0 OR state = 'cancelled' END) FROM river.river_job`)
	stored := rows(t, pool)
	for _, plain := range []string{"Miller", "hunter2", "the tool said"} {
		if strings.Contains(stored, plain) {
			t.Errorf("%q lies open in the table:\n%s", plain, stored)
		}
	}
	if !strings.Contains(stored, "see metadata") {
		t.Errorf("River's own errors do not say where to look:\n%s", stored)
	}
	letters, err := q.List(t.Context(), 10)
	if err != nil || len(letters) == 0 {
		t.Fatalf("dead letters %+v, %v, want some", letters, err)
	}
	for _, l := range letters {
		if l.Message.ID == "buried" && !strings.Contains(l.Reason, quoted) {
			t.Errorf("List says %q, not what the handler said", l.Reason)
		}
	}
}

func TestAReasonOpensWithItsKeyAndForItsMessageOnly(t *testing.T) {
	t.Parallel()
	_, pool := database(t)
	q := open(pool)
	receive(t, q, func(_ context.Context, m queue.Message) error { return queue.Bury(errors.New("because of " + m.ID)) })
	send(t, q, message("one"), message("two"))
	eventually(t, pool, `SELECT count(*) = 2 AND bool_and(state = 'cancelled') FROM river.river_job`)
	wantReasons := func(want string) {
		t.Helper()
		letters, err := q.List(t.Context(), 10)
		if err != nil || len(letters) != 2 {
			t.Fatalf("dead letters %+v, %v, want two", letters, err)
		}
		for _, l := range letters {
			if !strings.Contains(l.Reason, strings.ReplaceAll(want, "$id", l.Message.ID)) {
				t.Errorf("%s is dead because %q, want %q", l.Message.ID, l.Reason, want)
			}
		}
	}
	wantReasons("because of $id")
	change(t, pool, `UPDATE river.river_job j SET metadata = jsonb_set(j.metadata, '{outcome}', o.metadata->'outcome')
		FROM river.river_job o WHERE o.id <> j.id`)
	wantReasons("open queue/enhancement/$id/reason: sealed with another key")
	change(t, pool, `UPDATE river.river_job SET metadata = metadata - 'outcome'`)
	wantReasons("see metadata")
}
