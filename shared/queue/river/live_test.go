package river_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/queue/river"
)

func message(id string) queue.Message {
	return queue.Message{ID: id, Tenant: "acme", Kind: "created", Body: []byte("body of " + id)}
}

func send(t *testing.T, q queue.Sender, messages ...queue.Message) {
	t.Helper()
	if err := q.Send(t.Context(), messages...); err != nil {
		t.Fatal(err)
	}
}

// receive runs Receive until the test ends.
func receive(t *testing.T, q queue.Receiver, h queue.Handler) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	returned := make(chan error)
	go func() { returned <- q.Receive(ctx, h) }()
	t.Cleanup(func() {
		cancel()
		if err := <-returned; err != nil {
			t.Errorf("receive returned %v", err)
		}
	})
}

// eventually polls the condition, a query that gives one boolean.
func eventually(t *testing.T, pool *pgxpool.Pool, condition string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var ok bool
		if err := pool.QueryRow(t.Context(), condition).Scan(&ok); err != nil {
			t.Fatal(err)
		}
		if ok {
			return
		}
	}
	t.Fatalf("never true: %s", condition)
}

func change(t *testing.T, pool *pgxpool.Pool, sql string) {
	t.Helper()
	tag, err := pool.Exec(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	if tag.RowsAffected() == 0 {
		t.Fatalf("changed nothing: %s", sql)
	}
}

const allDone = `SELECT count(*) > 0 AND bool_and(state = 'completed') FROM river.river_job`

func TestAThousandMessagesFromEightSendersAreHandledOnce(t *testing.T) {
	t.Parallel()
	const senders, each = 8, 125
	_, pool := database(t)
	q := open(pool)
	var mu sync.Mutex
	seen := map[string]int{}
	receive(t, q, func(_ context.Context, m queue.Message) error {
		mu.Lock()
		defer mu.Unlock()
		seen[m.ID]++
		return nil
	})
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for n := range each {
				if err := q.Send(t.Context(), message(fmt.Sprintf("%d/%d", s, n))); err != nil {
					t.Errorf("send: %v", err)
				}
			}
		})
	}
	wg.Wait()
	eventually(t, pool, allDone)
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != senders*each {
		t.Errorf("%d messages were handled, want %d", len(seen), senders*each)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s was handled %d times, want once", id, n)
		}
	}
}

func TestNormalMessagesComeBeforeLowOnes(t *testing.T) {
	t.Parallel()
	_, pool := database(t)
	q := open(pool)
	q.Concurrency = 1
	low := message("low")
	low.Priority = queue.Low
	send(t, q, low)
	send(t, q, message("one"), message("two"))
	peeked, err := q.Peek(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	var peek, got []string
	for _, m := range peeked {
		peek = append(peek, m.ID)
	}
	handled := make(chan string)
	receive(t, q, func(ctx context.Context, m queue.Message) error {
		select {
		case handled <- m.ID:
		case <-ctx.Done():
		}
		return ctx.Err()
	})
	for range 3 {
		got = append(got, <-handled)
	}
	if diff := cmp.Diff([]string{"one", "two", "low"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(got, peek); diff != "" {
		t.Errorf("peek has another order (-delivered +peeked):\n%s", diff)
	}
}

func TestQueuesOfOneDatabaseAreApart(t *testing.T) {
	t.Parallel()
	_, pool := database(t)
	q, other := open(pool), open(pool)
	other.Name = "catalogue"
	send(t, other, message("theirs"))
	send(t, q, message("ours"))
	handled := make(chan string, 2)
	receive(t, q, func(_ context.Context, m queue.Message) error {
		handled <- m.ID
		return nil
	})
	eventually(t, pool, `SELECT state = 'completed' FROM river.river_job WHERE args->>'id' = 'ours'`)
	if s, err := other.Stats(t.Context()); err != nil || s.Depth != 1 {
		t.Errorf("the other queue has %+v, %v, want one message that waits", s, err)
	}
	if id := <-handled; id != "ours" || len(handled) > 0 {
		t.Errorf("%s was handled, and %d more, want ours only", id, len(handled))
	}
}

func TestAReceiverThatLosesEverySessionKeepsItsMessagesAndGoesOn(t *testing.T) {
	t.Parallel()
	db, pool := database(t)
	q := open(pool)
	q.Timeout = time.Minute
	started, finish := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	calls := map[string]int{}
	handler := func(ctx context.Context, m queue.Message) error {
		mu.Lock()
		calls[m.ID]++
		mu.Unlock()
		if m.ID == "long" {
			close(started) // a second delivery would panic
			select {
			case <-finish:
			case <-ctx.Done():
			}
		}
		return nil
	}
	receive(t, q, handler)
	send(t, q, message("long"))
	<-started

	owner := db.Owner(t)
	change(t, owner, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'queue_user' AND datname = current_database()`)
	receive(t, open(connect(t, db.QueueURL)), handler) // another host
	eventually(t, owner, `SELECT count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	send(t, q, message("next"))
	eventually(t, pool, `SELECT state = 'completed' FROM river.river_job WHERE args->>'id' = 'next'`)
	// Both receivers have looked for dead workers since.
	eventually(t, pool, `SELECT now() > max(attempted_at) + interval '6 s' FROM river.river_job`)
	close(finish)
	eventually(t, pool, allDone)
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(map[string]int{"long": 1, "next": 1}, calls); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}

func TestARowOfALivingWorkerThatNeverHeardOfItComesAgain(t *testing.T) {
	t.Parallel()
	_, pool := database(t)
	q := open(pool)
	handled := make(chan int, 2)
	receive(t, q, func(_ context.Context, m queue.Message) error {
		handled <- m.Errors
		return nil
	})
	send(t, q, message("lost"))
	<-handled
	eventually(t, pool, allDone)
	change(t, pool, `UPDATE river.river_job SET state = 'running', finalized_at = NULL, attempted_at = now() - interval '64 s'`)
	if n := <-handled; n != 0 {
		t.Errorf("it comes with %d errors, want none", n)
	}
	eventually(t, pool, allDone)
}

func TestAMessageThatTenWorkersDiedWithIsDead(t *testing.T) {
	t.Parallel()
	_, pool := database(t)
	q := open(pool)
	send(t, q, message("poison"))
	change(t, pool, `UPDATE river.river_job SET state = 'running', attempt = 10, attempted_at = now(), attempted_by = '{killed}'`)
	receive(t, q, func(context.Context, queue.Message) error {
		t.Error("it was delivered")
		return nil
	})
	eventually(t, pool, `SELECT state = 'cancelled' FROM river.river_job`)
	letters, err := q.List(t.Context(), 1)
	if err != nil || len(letters) != 1 || letters[0].Reason != "10 workers died with it" {
		t.Errorf("dead letters %+v, %v, want one that says so", letters, err)
	}
}

func TestOldRowsAreRemoved(t *testing.T) {
	t.Parallel()
	_, pool := database(t)
	q := open(pool)
	send(t, q, message("done long ago"), message("done"), message("dead long ago"), message("dead"))
	change(t, pool, `UPDATE river.river_job SET state = 'completed', finalized_at = now() - interval '61 min' WHERE args->>'id' = 'done long ago'`)
	change(t, pool, `UPDATE river.river_job SET state = 'completed', finalized_at = now() - interval '59 min' WHERE args->>'id' = 'done'`)
	change(t, pool, `UPDATE river.river_job SET state = 'cancelled', finalized_at = now() - interval '15 days' WHERE args->>'id' = 'dead long ago'`)
	change(t, pool, `UPDATE river.river_job SET state = 'cancelled', finalized_at = now() - interval '13 days' WHERE args->>'id' = 'dead'`)
	receive(t, q, func(context.Context, queue.Message) error { return nil })
	eventually(t, pool, `SELECT array_agg(args->>'id' ORDER BY id) = '{done,dead}' FROM river.river_job`)
}

func TestTheLogHoldsWarningsAndPanicsOnly(t *testing.T) {
	t.Parallel()
	_, pool := database(t)
	var mu sync.Mutex
	var log bytes.Buffer
	q := open(pool)
	q.Log = slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(p)
	}), &slog.HandlerOptions{Level: slog.LevelDebug})).With("process", "test").WithGroup("river")
	send(t, q, message("panics"))
	ctx, cancel := context.WithCancel(t.Context())
	err := q.Receive(ctx, func(context.Context, queue.Message) error {
		cancel()
		none := map[string]map[string]int{}
		none["no"]["key"] = 1
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 1 || !strings.Contains(lines[0], "nil map") || !strings.Contains(lines[0], "live_test.go") ||
		!strings.Contains(lines[0], "process=test") {
		t.Errorf("want one line with the panic and where it was, have %d:\n%s", len(lines), &log)
	}
	if strings.Contains(log.String(), "body of") {
		t.Errorf("the log holds the body:\n%s", &log)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// BenchmarkSend is what a webhook waits for.
func BenchmarkSend(b *testing.B) {
	q := benchmark(b)
	for b.Loop() {
		if err := q.Send(b.Context(), message("one")); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSendAtOnce is the same with 32 at a time. Start it with
// TEST_DATABASE_URL on a server that waits for its disk: the tests' own does
// not.
func BenchmarkSendAtOnce(b *testing.B) {
	const senders = 32
	q := benchmark(b)
	b.SetParallelism(senders / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := q.Send(b.Context(), message("one")); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkPickup is the time from Send to the handler.
func BenchmarkPickup(b *testing.B) {
	q := benchmark(b)
	ctx, cancel := context.WithCancel(b.Context())
	handled, ended := make(chan struct{}, 1), make(chan error)
	go func() {
		ended <- q.Receive(ctx, func(context.Context, queue.Message) error {
			handled <- struct{}{}
			return nil
		})
	}()
	for b.Loop() {
		if err := q.Send(b.Context(), message("one")); err != nil {
			b.Fatal(err)
		}
		<-handled
	}
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}

func benchmark(b *testing.B) *river.Queue {
	b.Helper()
	db, _ := database(b)
	return open(connect(b, db.QueueURL+"&pool_max_conns=8")) // as the product has
}
