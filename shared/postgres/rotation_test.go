package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/secret"
)

// rotating is a role whose password is rotated, and where that is kept.
type rotating struct {
	owner *pgxpool.Pool
	role  string
	kept  atomic.Pointer[string] // nil where it cannot be read
	reads atomic.Int32
}

func newRotating(t *testing.T) (*rotating, *postgres.DB) {
	t.Helper()
	at := pgtest.New(t)
	r := &rotating{owner: at.Owner(t), role: "rotates_" + strings.ToLower(rand.Text())}
	if _, err := r.owner.Exec(t.Context(), "CREATE ROLE "+r.role+" LOGIN"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := r.owner.Exec(context.Background(), "DROP ROLE "+r.role); err != nil {
			t.Error(err)
		}
	})
	r.rotate(t, "first")
	u, err := url.Parse(at.AppURL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(r.role, "first")
	db, err := postgres.OpenRotating(t.Context(), u.String(), 4, func(context.Context) (string, secret.Text, error) {
		r.reads.Add(1)
		if p := r.kept.Load(); p != nil {
			return r.role, secret.New(*p), nil
		}
		return "", secret.Text{}, errors.New("access denied")
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return r, db
}

// rotate changes the password, in Postgres and then where it is kept.
func (r *rotating) rotate(t *testing.T, password string) {
	t.Helper()
	if _, err := r.owner.Exec(t.Context(), fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", r.role, password)); err != nil {
		t.Fatal(err)
	}
	r.kept.Store(&password)
}

// TestARotatedPasswordIsReadAgain changes the password under a pool that is in
// use: sessions that are open go on, and of new ones the first alone is
// refused.
func TestARotatedPasswordIsReadAgain(t *testing.T) {
	t.Parallel()
	r, db := newRotating(t)
	open, err := db.Pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer open.Release()
	for i := range 20 {
		if i == 10 {
			r.rotate(t, "second p@ss/w:o?r%d#")
		}
		db.Pool.Reset() // the next query needs a new connection
		_, err := db.Pool.Exec(t.Context(), "SELECT 1")
		if i == 10 {
			wantCode(t, err, "28P01")
		} else if err != nil {
			t.Errorf("query %d: %v", i, err)
		}
		if _, err := open.Exec(t.Context(), "SELECT 1"); err != nil {
			t.Errorf("in a session that is open: %v", err)
		}
	}
	if n := r.reads.Load(); n != 1 {
		t.Errorf("%d reads", n)
	}
}

func TestAPasswordThatCannotBeReadAgainIsSaid(t *testing.T) {
	t.Parallel()
	r, db := newRotating(t)
	r.rotate(t, "second")
	r.kept.Store(nil)
	_, err := db.Pool.Exec(t.Context(), "SELECT 1")
	wantCode(t, err, "28P01")
	if _, err := db.Pool.Exec(t.Context(), "SELECT 1"); err == nil || !strings.Contains(err.Error(), "cannot be read again: access denied") {
		t.Error(err)
	}
	r.rotate(t, "third")
	deadline := time.Now().Add(10 * time.Second) // it is read once a second
	for _, err = db.Pool.Exec(t.Context(), "SELECT 1"); err != nil && time.Now().Before(deadline); _, err = db.Pool.Exec(t.Context(), "SELECT 1") {
		wantCode(t, err, "28P01")
	}
	if err != nil || r.reads.Load() != 2 {
		t.Errorf("%d reads, %v", r.reads.Load(), err)
	}
}
