package river_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/queue/river"
)

func TestMigrateGoesUpTwiceAndAtOnceAndDownAndUp(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := river.Migrate(t.Context(), db.OwnerURL); err != nil {
				t.Errorf("at once with others: %v", err)
			}
		})
	}
	wg.Wait()
	q := open(connect(t, db.QueueURL))
	send(t, q, message("one"))
	for range 2 {
		if err := river.Unmigrate(t.Context(), db.OwnerURL); err != nil {
			t.Fatalf("down: %v", err)
		}
	}
	if err := q.Send(t.Context(), message("two")); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("sending without the schema gives %v, want ErrUnavailable", err)
	}
	if err := river.Migrate(t.Context(), db.OwnerURL); err != nil {
		t.Fatalf("up again: %v", err)
	}
	if s, err := q.Stats(t.Context()); err != nil || s.Depth != 0 {
		t.Errorf("the new schema holds %+v, %v, want nothing", s, err)
	}
}

func TestMigrateTellsWhyItFailsAndNoPassword(t *testing.T) {
	t.Parallel()
	db, _ := database(t)
	for name, url := range map[string]string{
		"no URL":         "postgres://owner:hunter2@[::1/x",
		"no server":      "postgres://owner:hunter2@127.0.0.1:1/deskhand",
		"not the owner":  db.AppURL,
		"also not owner": db.QueueURL,
	} {
		for what, migrate := range map[string]func(context.Context, string) error{"up": river.Migrate, "down": river.Unmigrate} {
			err := migrate(t.Context(), url)
			if err == nil || !strings.HasPrefix(err.Error(), "river: migrate: ") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s, %s: %v, want an error that tells where and not the password", name, what, err)
			}
		}
	}
}

func TestOnlyQueueUserUsesTheSchemaAndOwnsNothingInIt(t *testing.T) {
	t.Parallel()
	db, queueUser := database(t)
	appUser := connect(t, db.AppURL)
	for _, sql := range []string{
		`SELECT count(*) FROM river.river_job`,
		`INSERT INTO river.river_job (kind, args, max_attempts) VALUES ('message', '{}', 1)`,
		`SELECT nextval('river.river_job_id_seq')`,
	} {
		if _, err := appUser.Exec(t.Context(), sql); !denied(err) {
			t.Errorf("app_user: %s: %v, want permission denied", sql, err)
		}
	}
	for _, sql := range []string{
		`CREATE TABLE river.mine (id int)`,
		`ALTER TABLE river.river_job DISABLE TRIGGER USER`,
		`TRUNCATE river.river_job`,
		`SELECT count(*) FROM river.river_migration`,
		`SELECT count(*) FROM tenant_configs`,
	} {
		if _, err := queueUser.Exec(t.Context(), sql); !denied(err) {
			t.Errorf("queue_user: %s: %v, want permission denied", sql, err)
		}
	}
}

func denied(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "42501"
}

func TestWhatCannotReachPostgresSaysSo(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"silent":  silent(t),
		"refused": "postgres://queue_user:hunter2@127.0.0.1:1/deskhand?sslmode=disable",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := open(connect(t, url))
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			for what, call := range map[string]func() error{
				"send":    func() error { return q.Send(ctx, message("one")) },
				"stats":   func() error { _, err := q.Stats(ctx); return err },
				"peek":    func() error { _, err := q.Peek(ctx, 1); return err },
				"list":    func() error { _, err := q.List(ctx, 1); return err },
				"redrive": func() error { _, err := q.Redrive(ctx); return err },
				"purge":   func() error { _, err := q.Purge(ctx, "one"); return err },
				"receive": func() error { return q.Receive(context.WithoutCancel(ctx), nil) },
			} {
				if err := call(); !errors.Is(err, queue.ErrUnavailable) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s gives %v, want ErrUnavailable and no password", what, err)
				}
			}
		})
	}
}

func TestReceiveEndsWithItsContext(t *testing.T) {
	t.Parallel()
	_, pool := database(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := open(pool).Receive(ctx, nil); err != nil {
		t.Errorf("a context that is done gives %v, want nil", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := open(connect(t, silent(t))).Receive(ctx, nil); err != nil {
		t.Errorf("a context that ends while connecting gives %v, want nil", err)
	}
}

func TestReceiveRefusesWhatItCannotRun(t *testing.T) {
	t.Parallel()
	db, pool := database(t)
	q := open(pool)
	q.Concurrency = 0
	if err := q.Receive(t.Context(), nil); err == nil || errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("no concurrency gives %v, want an error that says so", err)
	}
	if err := river.Unmigrate(t.Context(), db.OwnerURL); err != nil {
		t.Fatal(err)
	}
	if err := open(pool).Receive(t.Context(), nil); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("no schema gives %v, want ErrUnavailable", err)
	}
}
