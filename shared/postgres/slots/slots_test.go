package slots_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/postgres/slots"
	"github.com/deskhand/deskhand/shared/tenant"
)

func TestASlotIsClaimedOnceByManyProcesses(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.AddTenants(t, "acme", "globex")
	s := slots.Slots{DB: db.App(t)}
	slot := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	claims := func(id tenant.ID, schedule string, at time.Time) int32 {
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				err := s.Claim(t.Context(), id, schedule, at, func(context.Context) error { won.Add(1); return nil })
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		return won.Load()
	}
	if n := claims("acme", "articles", slot); n != 1 {
		t.Errorf("the slot was claimed %d times", n)
	}
	if n := claims("acme", "articles", slot); n != 0 {
		t.Errorf("the same slot was claimed again %d times", n)
	}
	broken := errors.New("the queue is down")
	if err := s.Claim(t.Context(), "globex", "articles", slot, func(context.Context) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("a claim whose work failed: %v", err)
	}
	if n := claims("globex", "articles", slot); n != 1 {
		t.Errorf("the other tenant's slot was claimed %d times", n)
	}
	if n := claims("acme", "systems", slot); n != 1 {
		t.Errorf("the other schedule's slot was claimed %d times", n)
	}
	if n := claims("acme", "articles", slot.Add(time.Hour)); n != 1 {
		t.Errorf("the next slot was claimed %d times", n)
	}
	if n := claims("acme", "articles", slot); n != 0 {
		t.Errorf("a past slot was claimed %d times", n)
	}
}
