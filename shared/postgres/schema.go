package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/migrations"
)

// ErrSchema says that the database lacks migrations of this version.
var ErrSchema = errors.New("the database lacks migrations of this version: run deskhand migrate")

// creates finds what a migration makes.
var creates = regexp.MustCompile(`(?m)^CREATE (?:TABLE|FUNCTION|PROCEDURE) (\w+)`)

const missingSQL = `
SELECT m.migration || ' (' || m.name || ')' FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS m(migration, name, at)
WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.relname = m.name AND c.relnamespace = 'public'::regnamespace)
  AND NOT EXISTS (SELECT FROM pg_proc p WHERE p.proname = m.name AND p.pronamespace = 'public'::regnamespace)
ORDER BY m.at LIMIT 1`

// CheckSchema gives ErrSchema where the database lacks what a migration of this
// program makes. The role of the application may not read the table of
// migrations, so it looks for the tables and functions themselves. A schema
// that is newer than the program is well.
func (db *DB) CheckSchema(ctx context.Context) error {
	made, err := makes()
	if err != nil {
		return fmt.Errorf("postgres: check schema: %w", err)
	}
	var missing string
	err = db.Pool.QueryRow(ctx, missingSQL, made.files, made.names).Scan(&missing)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("postgres: check schema: %w", err)
	}
	return fmt.Errorf("postgres: %w: the first is %s", ErrSchema, missing)
}

// objects are the tables and functions that the migrations make, each with the
// name of its migration.
type objects struct{ files, names []string }

// makes reads the migrations, once: /readyz asks often.
var makes = sync.OnceValues(func() (objects, error) {
	var all objects
	list, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		return all, err
	}
	for _, file := range list {
		text, err := migrations.FS.ReadFile(file)
		if err != nil {
			return all, err
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		for _, m := range creates.FindAllStringSubmatch(up, -1) {
			all.files, all.names = append(all.files, file), append(all.names, m[1])
		}
	}
	return all, nil
})

// Now gives the database's time.
func (db *DB) Now(ctx context.Context) (now time.Time, err error) {
	if err := db.Pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now); err != nil {
		return now, fmt.Errorf("postgres: ask the time: %w", err)
	}
	return now, nil
}
