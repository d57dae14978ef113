package budget_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/postgres/budget"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/tenant"
)

// asker is a store and the test that asks it.
type asker struct {
	budget.Store
	t *testing.T
}

// newStore gives a store with two tenants, and the owner's way to the tables.
func newStore(t *testing.T) (asker, *pgxpool.Pool) {
	t.Helper()
	db := pgtest.New(t)
	db.AddTenants(t, "acme", "globex")
	return asker{budget.Store{DB: db.App(t)}, t}, db.Owner(t)
}

// run runs the owner's SQL.
func run(t *testing.T, owner *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := owner.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// taken is what a tenant used and reserved on all days, in tokens and billionths
// of a dollar.
func taken(t *testing.T, owner *pgxpool.Pool, id tenant.ID) (tokens, nano int64) {
	t.Helper()
	err := owner.QueryRow(t.Context(), `
		SELECT coalesce(sum(tokens), 0)::bigint, coalesce(sum(nano_usd), 0)::bigint
		FROM (SELECT tenant_id, tokens, nano_usd FROM model_use UNION ALL SELECT tenant_id, tokens, nano_usd FROM model_reservations) u
		WHERE tenant_id = $1`, id).Scan(&tokens, &nano)
	if err != nil {
		t.Fatal(err)
	}
	return tokens, nano
}

// granted reserves, and fails the test where the answer is not the one wanted:
// the name of the limit, or "" for a reservation.
func (a asker) granted(id tenant.ID, most enhance.Amount, limits enhance.Limits, want string) func(enhance.Amount) {
	t, s := a.t, a.Store
	t.Helper()
	settle, refused, err := s.Reserve(t.Context(), id, most, limits)
	if err != nil || refused != want {
		t.Fatalf("Reserve(%+v, %+v) = %q, %v; want %q", most, limits, refused, err, want)
	}
	return func(used enhance.Amount) {
		t.Helper()
		if err := settle(t.Context(), used); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNoLimitIsEverPassed has 50 jobs at the same time, of which each makes two
// calls and a third of which die before they settle. The owner looks at the sum
// all the while.
func TestNoLimitIsEverPassed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits enhance.Limits
		most   int64 // calls of 1000 tokens or 0.01 USD that may be held at once
	}{
		"tokens of the day":  {enhance.Limits{DailyTokens: 9_999}, 9},
		"dollars of the day": {enhance.Limits{DailyUSD: 0.1, MonthlyUSD: 100}, 10},
		"of the month":       {enhance.Limits{DailyUSD: 100, MonthlyUSD: 0.0799}, 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, owner := newStore(t)
			var made, refused atomic.Int64
			var wg sync.WaitGroup
			for job := range 50 {
				wg.Go(func() {
					for range 2 {
						settle, no, err := s.Reserve(t.Context(), "acme", enhance.Amount{Tokens: 1000, USD: 0.01}, c.limits)
						if err != nil {
							t.Error(err)
							return
						}
						if tokens, nano := taken(t, owner, "acme"); tokens > c.most*1000 || nano > c.most*10_000_000 {
							t.Errorf("%d tokens and %d billionths of a dollar are taken", tokens, nano)
						}
						if no != "" {
							refused.Add(1)
							continue
						}
						made.Add(1)
						if job%3 == 0 {
							return // it dies
						}
						if err := settle(t.Context(), enhance.Amount{Tokens: 1000, USD: 0.01}); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			tokens, nano := taken(t, owner, "acme")
			if made.Load() != c.most || tokens != c.most*1000 || nano != c.most*10_000_000 || refused.Load() == 0 {
				t.Errorf("%d calls were made, want %d; %d refused; %d tokens, %d billionths of a dollar", made.Load(), c.most, refused.Load(), tokens, nano)
			}
			s.granted("globex", enhance.Amount{Tokens: 1000, USD: 0.01}, c.limits, "") // acme takes nothing from it
		})
	}
}

func TestWhatWasUsedTakesThePlaceOfWhatWasReserved(t *testing.T) {
	t.Parallel()
	s, owner := newStore(t)
	limits := enhance.Limits{DailyTokens: 800, DailyUSD: 1}
	var tokens, nano int64
	for _, used := range []enhance.Amount{{Tokens: 120, USD: 0.25}, {}, {Tokens: 500, USD: 0.3}} {
		s.granted("acme", enhance.Amount{Tokens: 600, USD: 0.5}, limits, "")(used)
		tokens, nano = tokens+int64(used.Tokens), nano+int64(used.USD*1e9)
		if gotTokens, gotNano := taken(t, owner, "acme"); gotTokens != tokens || gotNano != nano {
			t.Errorf("after %+v: %d tokens, %d billionths of a dollar", used, gotTokens, gotNano)
		}
	}
	s.granted("acme", enhance.Amount{Tokens: 181}, limits, "daily_tokens")
	s.granted("acme", enhance.Amount{Tokens: 180, USD: 0.46}, limits, "daily_usd")
	s.granted("acme", enhance.Amount{Tokens: 180, USD: 0.45}, limits, "") // up to the limit
	s.granted("acme", enhance.Amount{Tokens: 1}, enhance.Limits{DailyTokens: 801}, "")
}

func TestWhatADeadProcessReservedComesBackAfterFiveMinutes(t *testing.T) {
	t.Parallel()
	s, owner := newStore(t)
	limits := enhance.Limits{DailyTokens: 100}
	late := s.granted("acme", enhance.Amount{Tokens: 100}, limits, "")
	run(t, owner, "UPDATE model_reservations SET until = until - interval '4 minutes 50 seconds'")
	s.granted("acme", enhance.Amount{Tokens: 100}, limits, "daily_tokens")
	run(t, owner, "UPDATE model_reservations SET until = until - interval '10 seconds'")
	s.granted("acme", enhance.Amount{Tokens: 30}, limits, "")(enhance.Amount{Tokens: 30})
	var left int
	if err := owner.QueryRow(t.Context(), "SELECT count(*) FROM model_reservations").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d reservations are left, %v", left, err)
	}
	late(enhance.Amount{Tokens: 60}) // it was not dead: what it used counts
	s.granted("acme", enhance.Amount{Tokens: 11}, limits, "daily_tokens")
	s.granted("acme", enhance.Amount{Tokens: 10}, limits, "")
}

func TestADayAndAMonthBeginAnew(t *testing.T) {
	t.Parallel()
	s, owner := newStore(t)
	limits := enhance.Limits{DailyUSD: 1, MonthlyUSD: 1.5}
	one := enhance.Amount{Tokens: 10, USD: 1}
	// The first of this month, or the last of the month before where that is
	// today: what is used then is of another day.
	s.granted("acme", one, limits, "")(one)
	s.granted("acme", one, limits, "daily_usd")
	running := s.granted("acme", enhance.Amount{}, limits, "")
	const today = "(now() AT TIME ZONE 'UTC')::date"
	run(t, owner, "INSERT INTO model_use (tenant_id, day, tokens, nano_usd) VALUES ('globex', date_trunc('month', now() AT TIME ZONE 'UTC')::date, 1, 1000000000)")
	s.granted("globex", enhance.Amount{USD: 0.6}, enhance.Limits{MonthlyUSD: 1.5}, "monthly_usd")
	s.granted("globex", enhance.Amount{USD: 0.5}, enhance.Limits{MonthlyUSD: 1.5}, "")
	// The month turns: all of it was on the last day of the month before.
	run(t, owner, "UPDATE model_use SET day = date_trunc('month', now() AT TIME ZONE 'UTC')::date - 1")
	run(t, owner, "UPDATE model_reservations SET day = "+today+" - 40")
	s.granted("acme", one, limits, "")(one)
	s.granted("globex", enhance.Amount{USD: 1.5}, enhance.Limits{MonthlyUSD: 1.5}, "")
	s.granted("acme", enhance.Amount{USD: 0.1}, limits, "daily_usd")
	s.granted("acme", enhance.Amount{USD: 0.6}, enhance.Limits{MonthlyUSD: 1.5}, "monthly_usd")
	running(enhance.Amount{USD: 0.2}) // on the day on which it began, which is today
	s.granted("acme", enhance.Amount{USD: 0.4}, enhance.Limits{MonthlyUSD: 1.5}, "monthly_usd")
}

// TestTheVersionBeforeGoesOnCounting has its two statements on this schema.
func TestTheVersionBeforeGoesOnCounting(t *testing.T) {
	t.Parallel()
	s, owner := newStore(t)
	s.granted("acme", enhance.Amount{Tokens: 500, USD: 0.1}, enhance.Limits{DailyTokens: 1000}, "")(enhance.Amount{Tokens: 400, USD: 0.1})
	run(t, owner, `
		INSERT INTO model_use AS m (tenant_id, day, tokens) VALUES ('acme', (now() AT TIME ZONE 'UTC')::date, 300)
		ON CONFLICT (tenant_id, day) DO UPDATE SET tokens = m.tokens + excluded.tokens WHERE m.tokens < 1000;
		UPDATE model_use SET tokens = greatest(tokens - 100, 0) WHERE tenant_id = 'acme' AND day = (now() AT TIME ZONE 'UTC')::date`)
	if tokens, nano := taken(t, owner, "acme"); tokens != 600 || nano != 100_000_000 {
		t.Errorf("%d tokens, %d billionths of a dollar", tokens, nano)
	}
	s.granted("acme", enhance.Amount{Tokens: 401}, enhance.Limits{DailyTokens: 1000}, "daily_tokens")
	s.granted("acme", enhance.Amount{Tokens: 400}, enhance.Limits{DailyTokens: 1000}, "")
}

func TestATenantThatIsNotThereHasNoBudget(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	if _, refused, err := s.Reserve(t.Context(), "nobody", enhance.Amount{Tokens: 1}, enhance.Limits{DailyTokens: 10}); refused != "" || err == nil {
		t.Errorf("Reserve = %q, %v", refused, err)
	}
	settle, _, err := s.Reserve(t.Context(), "acme", enhance.Amount{Tokens: 1}, enhance.Limits{DailyTokens: 10})
	if err != nil {
		t.Fatal(err)
	}
	s.DB.Close()
	if settle(t.Context(), enhance.Amount{Tokens: 1}) == nil {
		t.Error("what is not settled is no error")
	}
}
