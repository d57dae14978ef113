package postgres_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/migrations"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
)

// TestAMigrationThatIsMissingIsNamed takes the migrations back one by one: each
// has to be missed, by the role that may not read which were applied.
func TestAMigrationThatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	app := db.App(t)
	if err := app.CheckSchema(t.Context()); err != nil {
		t.Fatalf("a migrated database: %v", err)
	}
	files, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for i := len(files) - 1; i > 0; i-- {
		if _, err := postgres.MigrateDown(t.Context(), db.OwnerURL, number(t, files[i-1])); err != nil {
			t.Fatal(err)
		}
		want := "the first is " + files[i]
		if number(t, files[i]) <= 11 { // which makes the function that tells
			want = "older than migration 00011"
		}
		err := app.CheckSchema(t.Context())
		if !errors.Is(err, postgres.ErrSchema) || !strings.Contains(err.Error(), want) {
			t.Errorf("without migration %s: %v", files[i], err)
		}
	}
	if _, err := postgres.Migrate(t.Context(), db.OwnerURL); err != nil {
		t.Fatal(err)
	}
	// One in the middle, and the version that this database has is not looked at.
	execute(t, db.OwnerURL, "DELETE FROM goose_db_version WHERE version_id = 7; INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)")
	if err := app.CheckSchema(t.Context()); !errors.Is(err, postgres.ErrSchema) || !strings.Contains(err.Error(), "the first is 00007_audit.sql") {
		t.Errorf("without migration 7: %v", err)
	}
	app.Close()
	if err := app.CheckSchema(t.Context()); err == nil || errors.Is(err, postgres.ErrSchema) {
		t.Errorf("without a database: %v", err)
	}
	if _, err := app.Now(t.Context()); err == nil {
		t.Error("a closed pool tells the time")
	}
}

func TestTheDatabaseTellsTheTime(t *testing.T) {
	t.Parallel()
	now, err := pgtest.New(t).App(t).Now(t.Context())
	if err != nil || time.Since(now).Abs() > time.Minute {
		t.Errorf("%s, %v", now, err)
	}
}
