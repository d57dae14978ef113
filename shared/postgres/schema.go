package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"

	"github.com/deskhand/deskhand/migrations"
)

// ErrSchema says that the database lacks migrations of this version.
var ErrSchema = errors.New("the database lacks migrations of this version: run deskhand migrate")

// CheckSchema gives ErrSchema, with the first that is missing, where the database
// lacks migrations of this program. A schema that is newer than the program is
// well.
func (db *DB) CheckSchema(ctx context.Context) error {
	files, err := fs.Glob(migrations.FS, "*.sql") // in the order of their numbers
	if err != nil {
		return fmt.Errorf("postgres: check schema: %w", err)
	}
	applied, err := db.applied(ctx)
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "42883" { // undefined_function
		return fmt.Errorf("postgres: %w: it is older than migration 00011", ErrSchema)
	}
	if err != nil {
		return fmt.Errorf("postgres: check schema: %w", err)
	}
	for _, file := range files {
		version, err := goose.NumericComponent(file)
		if err != nil {
			return fmt.Errorf("postgres: check schema: %w", err)
		}
		if !slices.Contains(applied, version) {
			return fmt.Errorf("postgres: %w: the first is %s", ErrSchema, file)
		}
	}
	return nil
}

func (db *DB) applied(ctx context.Context) ([]int64, error) {
	rows, err := db.Pool.Query(ctx, `SELECT schema_versions()`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// Now gives the database's time.
func (db *DB) Now(ctx context.Context) (now time.Time, err error) {
	if err := db.Pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now); err != nil {
		return now, fmt.Errorf("postgres: ask the time: %w", err)
	}
	return now, nil
}
