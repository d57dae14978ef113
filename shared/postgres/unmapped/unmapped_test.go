package unmapped_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/postgres/unmapped"
)

func TestUnmappedAccountsAreListedUntilTheyAreMapped(t *testing.T) {
	t.Parallel()
	s, owner := newStore(t)
	for _, account := range []string{"Initech", "Initech", "", "Umbrella\x00 \xff"} {
		note(t, s, "msp", account)
	}
	note(t, s, "msp", "Acme Ltd")    // is acme's
	note(t, s, "whole", "Initech")   // one client has every ticket
	note(t, s, "nowhere", "Initech") // no connection
	if got, want := accounts(t, s), `[msp/"" 1 msp/"Initech" 2 msp/"Umbrella `+"\uFFFD"+`" 1]`; got != want {
		t.Errorf("listed %s, want %s", got, want)
	}
	if _, err := owner.Exec(t.Context(), "INSERT INTO connection_tenants VALUES ('globex', 'msp', 'Initech')"); err != nil {
		t.Fatal(err)
	}
	if got := accounts(t, s); strings.Contains(got, "Initech") {
		t.Errorf("a mapped account is listed: %s", got)
	}
}

func TestAFloodOfAccountsFillsNothing(t *testing.T) {
	t.Parallel()
	s, owner := newStore(t)
	note(t, s, "msp", "the first")
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 40 {
				if err := s.Note(t.Context(), "msp", fmt.Sprint(worker, "/", i, strings.Repeat("x", 5000*(i%2)))); err != nil && !strings.Contains(err.Error(), "deadline") {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	list, err := s.List(t.Context())
	if err != nil || len(list) != 100 {
		t.Errorf("%d accounts, %v; want 100", len(list), err)
	}
	note(t, s, "msp", "the first")
	if got := accounts(t, s); !strings.Contains(got, `msp/"the first" 2`) {
		t.Errorf("the flood pushed out what was there: %s", got)
	}
	// What is not seen any more makes room.
	if _, err := owner.Exec(t.Context(), "UPDATE unmapped_accounts SET last_seen = now() - interval '31 days' WHERE account <> 'the first'"); err != nil {
		t.Fatal(err)
	}
	note(t, s, "msp", "the next")
	if got, want := accounts(t, s), `[msp/"the first" 2 msp/"the next" 1]`; got != want {
		t.Errorf("listed %s, want %s", got, want)
	}
}

func TestWithoutADatabaseItIsSaid(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	s.DB.Close()
	if _, err := s.List(t.Context()); err == nil {
		t.Error("listed without a database")
	}
	if err := s.Note(t.Context(), "msp", "secret account"); err == nil || strings.Contains(err.Error(), "secret account") {
		t.Errorf("err = %v", err)
	}
}

// newStore has the connection msp, where acme has an account, and the
// connection whole, which is all of globex.
func newStore(t *testing.T) (unmapped.Store, *pgxpool.Pool) {
	t.Helper()
	db := pgtest.New(t)
	db.AddTenants(t, "acme", "globex")
	owner := db.Owner(t)
	_, err := owner.Exec(t.Context(), `
INSERT INTO connections (id, tool, sealed_values, sealed_signing) VALUES ('msp', 'jira', '', ''), ('whole', 'jira', '', '');
INSERT INTO connection_tenants VALUES ('acme', 'msp', 'Acme Ltd'), ('globex', 'whole', '')`)
	if err != nil {
		t.Fatal(err)
	}
	return unmapped.Store{DB: db.Admin(t)}, owner
}

func note(t *testing.T, s unmapped.Store, connection, account string) {
	t.Helper()
	if err := s.Note(t.Context(), connection, account); err != nil {
		t.Fatal(err)
	}
}

// accounts gives the list without its times, by name.
func accounts(t *testing.T, s unmapped.Store) string {
	t.Helper()
	list, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := make([]string, len(list))
	for i, u := range list {
		if u.First.IsZero() || u.Last.Before(u.First) {
			t.Errorf("times of %q: %s to %s", u.Account, u.First, u.Last)
		}
		found[i] = fmt.Sprintf("%s/%q %d", u.Connection, u.Account, u.Seen)
	}
	slices.Sort(found)
	return fmt.Sprint(found)
}
