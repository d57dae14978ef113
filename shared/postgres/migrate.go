package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/deskhand/deskhand/migrations"
)

// Migrate applies every migration that the database lacks, as its owner, and
// gives their number. Processes that migrate at the same time wait for each
// other.
func Migrate(ctx context.Context, ownerURL string) (applied int, err error) {
	err = withMigrations(ctx, ownerURL, func(p *goose.Provider) error {
		results, err := p.Up(ctx)
		applied = len(results)
		return err
	})
	if err != nil {
		return applied, fmt.Errorf("postgres: migrate up: %w", err)
	}
	return applied, nil
}

// MigrateDown takes back every migration after version to, newest first, and
// gives their number. 0 takes all back, and every row with them.
func MigrateDown(ctx context.Context, ownerURL string, to int64) (reverted int, err error) {
	err = withMigrations(ctx, ownerURL, func(p *goose.Provider) error {
		results, err := p.DownTo(ctx, to)
		reverted = len(results)
		return err
	})
	if err != nil {
		return reverted, fmt.Errorf("postgres: migrate down to %d: %w", to, err)
	}
	return reverted, nil
}

func withMigrations(ctx context.Context, ownerURL string, do func(*goose.Provider) error) (err error) {
	db, err := openOwner(ctx, ownerURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 120), lock.WithUnlockTimeout(1, 10))
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	return do(provider)
}

// openOwner connects as the owner, without the limits of the pool: a migration
// may take minutes.
func openOwner(ctx context.Context, ownerURL string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(ownerURL)
	if err != nil {
		return nil, errURL
	}
	config.RuntimeParams["application_name"] = "deskhand-migrate"
	db := stdlib.OpenDB(*config)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("connect as owner %s: %w", config.User, err), db.Close())
	}
	return db, nil
}
