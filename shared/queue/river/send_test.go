package river_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/queue/river"
)

// blocked gives a queue whose table is locked until release is called.
func blocked(t *testing.T) (db pgtest.DB, q *river.Queue, release func()) {
	t.Helper()
	db, _ = database(t)
	q = open(connect(t, db.QueueURL))
	tx, err := db.Owner(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `LOCK river.river_job IN EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() {
		if err := tx.Rollback(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(release)
	return db, q, release
}

// stuck waits until so many sessions wait for a lock.
func stuck(t *testing.T, db pgtest.DB, n int) {
	t.Helper()
	eventually(t, db.Owner(t), fmt.Sprintf(`SELECT count(*) = %d FROM pg_stat_activity
		WHERE datname = current_database() AND usename = 'queue_user' AND wait_event_type = 'Lock'`, n))
}

func TestTwoHundredSendersLoseNothingAndDoubleNothing(t *testing.T) {
	t.Parallel()
	const senders, each = 200, 10
	db, pool := database(t)
	q := open(pool)
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for n := range each {
				id := fmt.Sprintf("%d/%d", s, n)
				for q.Send(t.Context(), message(id)) != nil {
					t.Logf("%s goes again: two cores have a hard time", id)
				}
			}
		})
	}
	wg.Wait()
	var ids, batches int
	const count = `SELECT count(DISTINCT args->>'id'), count(DISTINCT xmin::text) FROM river.river_job`
	if err := db.Owner(t).QueryRow(t.Context(), count).Scan(&ids, &batches); err != nil {
		t.Fatal(err)
	}
	if ids != senders*each || batches >= ids {
		t.Errorf("%d messages in %d transactions, want %d in far fewer", ids, batches, senders*each)
	}
}

func TestWhatComesMeanwhileTravelsTogether(t *testing.T) {
	t.Parallel()
	db, q, release := blocked(t)
	errs := make(chan error, 12)
	post := func(id string) { go func() { errs <- q.Send(t.Context(), message(id), message(id+"'")) }() }
	post("first")
	stuck(t, db, 1)
	post("second")
	stuck(t, db, 2)
	for n := range 10 {
		post(fmt.Sprint(n))
	}
	time.AfterFunc(50*time.Millisecond, release) // by then they wait; earlier, they travel in more batches
	for range 12 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	rows, err := db.Owner(t).Query(t.Context(), `SELECT count(*) FROM river.river_job GROUP BY xmin::text ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	sizes, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil || len(sizes) < 3 || sizes[len(sizes)-1] < 4 {
		t.Errorf("transactions of %d rows, %v, want three or a few more", sizes, err)
	}
	for _, n := range sizes {
		if n%2 != 0 {
			t.Errorf("a transaction has %d rows: a call was divided", n)
		}
	}
}

func TestABadMessageFailsItsOwnCallOnly(t *testing.T) {
	t.Parallel()
	db, q, release := blocked(t)
	const bad = "a\x00b" // JSON takes it, jsonb does not
	results := make(chan func() (string, error), 12)
	post := func(ids ...string) {
		go func() {
			var all []queue.Message
			for _, id := range ids {
				all = append(all, message(id))
			}
			err := q.Send(t.Context(), all...)
			results <- func() (string, error) { return ids[0], err }
		}()
	}
	post("first")
	stuck(t, db, 1)
	post("second")
	stuck(t, db, 2)
	for n := range 9 {
		post(fmt.Sprint(n))
	}
	post("good", bad)
	time.AfterFunc(50*time.Millisecond, release)
	for range 12 {
		id, err := (<-results)()
		if failed := err != nil; failed != (id == "good") {
			t.Errorf("%s: %v", id, err)
		}
	}
	if s, err := q.Stats(t.Context()); err != nil || s.Depth != 11 {
		t.Errorf("the queue has %+v, %v, want the eleven of the other calls", s, err)
	}
}

// Postgres restarts or fails over, and all sessions of the pool are dead. Who sends
// a webhook then may not send it again.
func TestASendDoesNotFailForSessionsThatHaveEnded(t *testing.T) {
	t.Parallel()
	db, q, release := blocked(t)
	errs := make(chan error, 2)
	for n := range 2 { // as many sessions as the pool may have
		go func() { errs <- q.Send(t.Context(), message(fmt.Sprint("before ", n))) }()
		stuck(t, db, n+1)
	}
	release()
	for range 2 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	change(t, db.Owner(t), `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = 'queue_user' AND datname = current_database()`)
	if err := q.Send(t.Context(), message("after")); err != nil {
		t.Errorf("the first call fails: %v", err)
	}
	if s, err := q.Stats(t.Context()); err != nil || s.Depth != 3 {
		t.Errorf("the queue has %+v, %v, want 3", s, err)
	}
}

func TestAMessageThatCannotBeWrittenIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	_, pool := database(t)
	m := message("one")
	m.Sent = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := open(pool).Send(t.Context(), m); err == nil || errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("a year of five digits gives %v, want an error that sending again does not help", err)
	}
}

func TestACallerThatGivesUpIsToldAtOnceAndTakesNobodyWithIt(t *testing.T) {
	t.Parallel()
	db, q, release := blocked(t)
	errs := make(chan error, 3)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { errs <- q.Send(ctx, message("travels")) }()
	stuck(t, db, 1)
	go func() { errs <- q.Send(ctx, message("travels, too")) }()
	stuck(t, db, 2)
	go func() { errs <- q.Send(ctx, message("waits")) }()
	stays := make(chan error, 1)
	go func() { stays <- q.Send(t.Context(), message("stays")) }()
	time.Sleep(20 * time.Millisecond) // the last two wait, most likely
	cancel()
	for range 3 {
		if err := <-errs; !errors.Is(err, queue.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that gave up got %v", err)
		}
	}
	release()
	if err := <-stays; err != nil {
		t.Errorf("the caller that stayed got %v", err)
	}
	eventually(t, db.Owner(t), `SELECT count(*) = 3 AND bool_and(args->>'id' <> 'waits') FROM river.river_job`)
}

func TestWhatIsTooMuchIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	db, q, release := blocked(t)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer release()
	for n := range 2 {
		wg.Go(func() { _ = q.Send(t.Context(), message("travels")) })
		stuck(t, db, n+1)
	}
	many := make([]queue.Message, 5000)
	for n := range many {
		many[n] = message(fmt.Sprint(n))
	}
	refused := make(chan error, 2)
	for range 2 { // there is room for one of them
		wg.Go(func() { refused <- q.Send(t.Context(), many...) })
	}
	if err := <-refused; !errors.Is(err, queue.ErrUnavailable) || !strings.Contains(err.Error(), "too many messages wait") {
		t.Errorf("%v, want ErrUnavailable as too many wait", err)
	}
}

func TestPostgresThatStopsIsUnavailableWithinASecondAndABit(t *testing.T) {
	t.Parallel()
	_, q, _ := blocked(t)
	q.SendLimit = 0   // that of the product
	took := time.Hour // of the slowest of many, in the best of three rounds, as the machine may be busy
	for range 3 {
		var wg sync.WaitGroup
		start := time.Now()
		for n := range 50 {
			wg.Go(func() {
				if err := q.Send(t.Context(), message(fmt.Sprint(n))); !errors.Is(err, queue.ErrUnavailable) {
					t.Errorf("%v, want ErrUnavailable", err)
				}
			})
		}
		wg.Wait()
		took = min(took, time.Since(start))
	}
	if took > 1500*time.Millisecond {
		t.Errorf("it took %s to find out, want a second and a bit", took)
	}
}
