package river_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/queue/queuetest"
	"github.com/deskhand/deskhand/shared/queue/river"
)

// childURL makes this test binary a worker that never finishes a message.
const childURL = "DESKHAND_TEST_QUEUE_URL"

func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		work(url)
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/deskhand/deskhand/localstack/pgserver.(*Server).run.func1"))
}

// work receives until it is killed or its parent is gone.
func work(url string) {
	pool, err := pgxpool.New(context.Background(), url)
	if err != nil {
		panic(err)
	}
	go func() {
		err := open(pool).Receive(context.Background(), func(context.Context, queue.Message) error {
			select {}
		})
		panic(err)
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// open is a queue as the suite wants it.
func open(pool *pgxpool.Pool) *river.Queue {
	return &river.Queue{
		Pool: pool, Name: "enhancement", Box: queuetest.Box(0), Policy: queuetest.Policy,
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Concurrency: queuetest.Concurrency, Timeout: queuetest.Timeout, Drain: queuetest.Drain,
		SendLimit: 30 * time.Second, // the machine may be busy
	}
}

// database is a migrated database, and the pool of queue_user on it.
func database(t testing.TB) (pgtest.DB, *pgxpool.Pool) {
	t.Helper()
	db := pgtest.New(t)
	if err := river.Migrate(t.Context(), db.OwnerURL); err != nil {
		t.Fatal(err)
	}
	return db, connect(t, db.QueueURL)
}

func connect(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = 2 // as few as the package says it needs
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// silent is the URL of a server that takes connections and never answers.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return "postgres://queue_user:secret@" + l.Addr().String() + "/deskhand?sslmode=disable"
}

func TestConformance(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, func(t *testing.T) queuetest.Harness {
		db, pool := database(t)
		stranger := open(pool)
		stranger.Box = queuetest.Box(1)
		down := open(connect(t, silent(t)))
		down.SendLimit = 0 // that of the product
		return queuetest.Harness{
			Queue:    open(pool),
			Late:     2 * time.Second,
			Stranger: stranger,
			Down:     down,
			Stored: func(t *testing.T) (rows string) {
				const all = `SELECT coalesce(string_agg(j::text, E'\n'), '') FROM river.river_job j`
				if err := pool.QueryRow(t.Context(), all).Scan(&rows); err != nil {
					t.Fatal(err)
				}
				return rows
			},
			Spawn: func(t *testing.T) func() { return spawn(t, db.QueueURL) },
		}
	})
}

// spawn starts work in a process of its own and gives the way to kill it -9.
func spawn(t *testing.T, url string) (kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childURL+"="+url)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = stdin.Close()
	}
	t.Cleanup(kill)
	return kill
}
