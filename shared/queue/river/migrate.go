package river

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// queue_user gets the three tables that River uses on Postgres, and owns
// nothing. Nobody else gets the schema.
const grant = `
GRANT USAGE ON SCHEMA river TO queue_user;
GRANT SELECT, INSERT, UPDATE, DELETE ON river.river_job, river.river_leader, river.river_queue TO queue_user;
GRANT USAGE ON SEQUENCE river.river_job_id_seq TO queue_user`

// River makes these for searches in its own interface. Nothing here searches,
// and a sealed body is dear to index.
const unindex = `DROP INDEX IF EXISTS river.river_job_args_index, river.river_job_metadata_index`

var errURL = errors.New("river: migrate: the owner's database URL cannot be read: want postgres://owner:password@host:5432/database")

// Migrate brings the schema river to the version of this program, as the owner
// of the database that ownerURL names. The role queue_user must exist (the
// first migration of the migrations package makes it). It may be run again,
// and by several processes at once.
func Migrate(ctx context.Context, ownerURL string) error {
	return alone(ctx, ownerURL, func(pool *pgxpool.Pool) error {
		if _, err := pool.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS river`); err != nil {
			return err
		}
		migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: schema, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
		if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
			return err
		}
		_, err = pool.Exec(ctx, grant+";"+unindex)
		return err
	})
}

// Unmigrate removes the schema river and every message in it.
func Unmigrate(ctx context.Context, ownerURL string) error {
	return alone(ctx, ownerURL, func(pool *pgxpool.Pool) error {
		_, err := pool.Exec(ctx, `DROP SCHEMA IF EXISTS river CASCADE`)
		return err
	})
}

// alone runs change while no other process migrates.
func alone(ctx context.Context, ownerURL string, change func(*pgxpool.Pool) error) error {
	config, err := pgxpool.ParseConfig(ownerURL)
	if err != nil {
		return errURL // the cause would quote the URL, password and all
	}
	config.MaxConns = 2 // one holds the lock
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("river: migrate: %w", err)
	}
	defer pool.Close() // ends the session, and with it the lock
	lock, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("river: migrate: %w", err)
	}
	defer lock.Release()
	if _, err := lock.Exec(ctx, `SELECT pg_advisory_lock(hashtextextended('river/migrate', 0))`); err != nil {
		return fmt.Errorf("river: migrate: %w", err)
	}
	if err := change(pool); err != nil {
		return fmt.Errorf("river: migrate: %w", err)
	}
	return nil
}
