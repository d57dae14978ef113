package budget_test

import (
	"sync"
	"testing"

	"github.com/deskhand/deskhand/shared/postgres/budget"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/tenant"
)

// newStore gives a store with two tenants, and what a tenant's days have taken.
func newStore(t *testing.T) (s budget.Store, taken func(tenant.ID) int) {
	t.Helper()
	db := pgtest.New(t)
	owner := db.Owner(t)
	if _, err := owner.Exec(t.Context(), "INSERT INTO tenant_configs (tenant_id, name) VALUES ('acme', 'Acme'), ('globex', 'Globex')"); err != nil {
		t.Fatal(err)
	}
	return budget.Store{DB: db.App(t)}, func(id tenant.ID) (n int) {
		t.Helper()
		if err := owner.QueryRow(t.Context(), "SELECT coalesce(sum(tokens), 0) FROM model_use WHERE tenant_id = $1", id).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
}

func TestADayTakesLessThanItsLimitAndOneReservation(t *testing.T) {
	t.Parallel()
	s, taken := newStore(t)
	const limit, each = 1000, 300
	var mu sync.Mutex
	granted := 0
	var wg sync.WaitGroup
	for range 32 { // workers at the same time, none of which has settled
		wg.Go(func() {
			_, ok, err := s.Reserve(t.Context(), "acme", each, limit)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if ok {
				granted++
			}
		})
	}
	wg.Wait()
	if granted != 4 || taken("acme") != 4*each {
		t.Errorf("%d granted, %d tokens taken", granted, taken("acme"))
	}
	if _, ok, err := s.Reserve(t.Context(), "globex", each, limit); !ok || err != nil {
		t.Errorf("acme's day takes from globex: %v, %v", ok, err)
	}
}

func TestWhatWasUsedTakesThePlaceOfWhatWasReserved(t *testing.T) {
	t.Parallel()
	s, taken := newStore(t)
	for _, c := range []struct{ used, want int }{{120, 120}, {0, 120}, {700, 820}} {
		settle, ok, err := s.Reserve(t.Context(), "acme", 500, 800)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		if err := settle(t.Context(), c.used); err != nil {
			t.Fatal(err)
		}
		if got := taken("acme"); got != c.want {
			t.Errorf("%d taken after %d were used, want %d", got, c.used, c.want)
		}
	}
	if _, ok, err := s.Reserve(t.Context(), "acme", 1, 800); ok || err != nil {
		t.Errorf("a day over its limit grants: %v, %v", ok, err)
	}
	if _, ok, err := s.Reserve(t.Context(), "acme", 1, 821); !ok || err != nil {
		t.Errorf("a higher limit is not effective: %v, %v", ok, err)
	}
}

func TestATenantThatIsNotThereHasNoBudget(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	if _, ok, err := s.Reserve(t.Context(), "nobody", 1, 10); ok || err == nil {
		t.Errorf("Reserve = %v, %v", ok, err)
	}
	settle, _, err := s.Reserve(t.Context(), "acme", 1, 10)
	if err != nil {
		t.Fatal(err)
	}
	s.DB.Close()
	if settle(t.Context(), 1) == nil {
		t.Error("what is not settled is no error")
	}
}
