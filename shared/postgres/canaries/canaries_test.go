package canaries_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/canary"
	"github.com/deskhand/deskhand/shared/postgres/canaries"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/tenant"
)

func TestEachTenantHasOneCanaryForGood(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var mu sync.Mutex
	all := map[tenant.ID]map[string]bool{"acme": {}, "globex": {}}
	var wg sync.WaitGroup
	for range 8 {
		for id := range all {
			wg.Go(func() {
				token, err := s.Of(t.Context(), id)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				all[id][token] = true
			})
		}
	}
	wg.Wait()
	if len(all["acme"]) != 1 || len(all["globex"]) != 1 || cmp.Equal(all["acme"], all["globex"]) {
		t.Errorf("canaries: %v", all)
	}
	if _, err := s.Of(t.Context(), "nobody"); err == nil {
		t.Error("a tenant that is not there has a canary")
	}
}

func TestOnlyWhoHoldsACanaryLearnsWhoseItIs(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	want := map[string]tenant.ID{}
	for _, id := range []tenant.ID{"acme", "globex"} {
		token, err := s.Of(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		want[token] = id
	}
	asked := []string{canary.New(), "", "%"}
	for token := range want {
		asked = append(asked, token)
	}
	got, err := s.Whose(t.Context(), asked)
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("owners: %v, %v; want %v", got, err, want)
	}
	if got, err := s.Whose(t.Context(), nil); err != nil || len(got) > 0 {
		t.Errorf("without a question: %v, %v", got, err)
	}
	for _, sql := range []string{"UPDATE canaries SET token = $1", "DELETE FROM canaries WHERE token <> $1"} {
		err := s.DB.InTenant(t.Context(), "acme", func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), sql, canary.New())
			return err
		})
		if err == nil {
			t.Errorf("the application changes its canary: %s", sql)
		}
	}
	s.DB.Close()
	if _, err := s.Whose(t.Context(), asked); err == nil {
		t.Error("without a database nobody owns them, and that is no error")
	}
}

func newStore(t *testing.T) canaries.Store {
	t.Helper()
	db := pgtest.New(t)
	db.AddTenants(t, "acme", "globex")
	return canaries.Store{DB: db.App(t)}
}
