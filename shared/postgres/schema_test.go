package postgres_test

import (
	"errors"
	"fmt"
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
	files, err := migrations.FS.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for n := len(files); n > 1; n-- {
		if _, err := postgres.MigrateDown(t.Context(), db.OwnerURL, int64(n-1)); err != nil {
			t.Fatal(err)
		}
		err := app.CheckSchema(t.Context())
		if !errors.Is(err, postgres.ErrSchema) || !strings.Contains(err.Error(), fmt.Sprintf("the first is %05d_", n)) {
			t.Errorf("without migration %d: %v", n, err)
		}
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
