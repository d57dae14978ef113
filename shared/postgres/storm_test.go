package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/tenant"
)

// storm is random operations of two tenants over one pool.
type storm struct {
	db     *postgres.DB
	tables []string
	// in runs fn in a tenant's transaction: DB.InTenant, or a mutant of it.
	in func(context.Context, tenant.ID, func(pgx.Tx) error) error

	mu      sync.Mutex
	done    map[string]int // operations by kind
	own     int            // rows seen of the tenant that asked
	foreign int            // rows seen of another, or without a tenant
	odd     []error        // what no operation should end with
}

// errThrown is what operations fail with on purpose.
var errThrown = errors.New("thrown")

// operations are what a transaction may do, and how it may end. Each gets a
// table, and reports the tenants of all rows that it sees.
var operations = map[string]func(s *storm, ctx context.Context, id tenant.ID, table string) error{
	"read": func(s *storm, ctx context.Context, id tenant.ID, table string) error {
		return s.in(ctx, id, func(tx pgx.Tx) error { return s.look(ctx, tx, id, "SELECT tenant_id FROM "+table) })
	},
	"write": func(s *storm, ctx context.Context, id tenant.ID, table string) error {
		return s.in(ctx, id, func(tx pgx.Tx) error {
			return s.look(ctx, tx, id, "UPDATE "+table+" SET tenant_id = tenant_id RETURNING tenant_id")
		})
	},
	"delete and roll back": func(s *storm, ctx context.Context, id tenant.ID, table string) error {
		return s.in(ctx, id, func(tx pgx.Tx) error {
			return errors.Join(s.look(ctx, tx, id, "DELETE FROM "+table+" WHERE '"+table+"' <> 'tenant_configs' RETURNING tenant_id"), errThrown)
		})
	},
	"panic": func(s *storm, ctx context.Context, id tenant.ID, table string) (err error) {
		defer func() { err = errors.Join(err, recover().(error)) }()
		return s.in(ctx, id, func(tx pgx.Tx) error {
			panic(errors.Join(s.look(ctx, tx, id, "SELECT tenant_id FROM "+table+" FOR UPDATE"), errThrown))
		})
	},
	"cancel": func(s *storm, ctx context.Context, id tenant.ID, table string) error {
		ctx, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(2000))*time.Microsecond)
		defer cancel()
		return s.in(ctx, id, func(tx pgx.Tx) error {
			return s.look(ctx, tx, id, "SELECT tenant_id FROM "+table+", pg_sleep(0.001)")
		})
	},
	"broken statement": func(s *storm, ctx context.Context, id tenant.ID, table string) error {
		return s.in(ctx, id, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "SELECT no_such_column FROM "+table)
			return errors.Join(err, errThrown)
		})
	},
	"savepoint": func(s *storm, ctx context.Context, id tenant.ID, table string) error {
		return s.in(ctx, id, func(tx pgx.Tx) error {
			inner := pgx.BeginFunc(ctx, tx, func(pgx.Tx) error { return errThrown })
			if !errors.Is(inner, errThrown) {
				return inner
			}
			return s.look(ctx, tx, id, "SELECT tenant_id FROM "+table)
		})
	},
	"rows left unread": func(s *storm, ctx context.Context, id tenant.ID, table string) error {
		return s.in(ctx, id, func(tx pgx.Tx) error {
			_, err := tx.Query(ctx, "SELECT tenant_id FROM "+table) // left open on purpose
			return errors.Join(err, errThrown)
		})
	},
	"batch": func(s *storm, ctx context.Context, id tenant.ID, table string) error {
		return s.in(ctx, id, func(tx pgx.Tx) error {
			var b pgx.Batch
			for range 3 {
				b.Queue("SELECT tenant_id FROM " + table).Query(func(rows pgx.Rows) error { return s.count(rows, id) })
			}
			return tx.SendBatch(ctx, &b).Close()
		})
	},
	"without a tenant": func(s *storm, ctx context.Context, _ tenant.ID, table string) error {
		rows, err := s.db.Pool.Query(ctx, "SELECT tenant_id FROM "+table)
		if err == nil {
			err = s.count(rows, "nobody")
		}
		if denied(err) {
			return nil
		}
		return fmt.Errorf("without a tenant: %w", err)
	},
}

// look counts whose rows a statement gives.
func (s *storm) look(ctx context.Context, tx pgx.Tx, id tenant.ID, sql string) error {
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return err
	}
	return s.count(rows, id)
}

func (s *storm) count(rows pgx.Rows, id tenant.ID) error {
	var owner tenant.ID
	_, err := pgx.ForEachRow(rows, []any{&owner}, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if owner == id {
			s.own++
		} else {
			s.foreign++
		}
		return nil
	})
	return err
}

// run does n operations by many at once.
func (s *storm) run(t *testing.T, n int) {
	t.Helper()
	kinds := []string{}
	for kind := range operations {
		kinds = append(kinds, kind)
	}
	s.done = map[string]int{}
	var wg sync.WaitGroup
	const workers = 8
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				kind, id := kinds[rand.IntN(len(kinds))], []tenant.ID{"acme", "globex"}[rand.IntN(2)]
				if kind == "cancel" && rand.IntN(5) > 0 { // each costs a connection
					kind = "read"
				}
				err := operations[kind](s, t.Context(), id, s.tables[rand.IntN(len(s.tables))])
				s.mu.Lock()
				s.done[kind]++
				if !expected(kind, err) {
					s.odd = append(s.odd, fmt.Errorf("%s: %w", kind, err))
				}
				s.mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// expected tells whether an operation may end so: by what it threw itself, by a
// missing privilege (the tables differ in them), by a lock, or cancelled.
func expected(kind string, err error) bool {
	e, isSQL := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil, errors.Is(err, errThrown), denied(err):
		return true
	case isSQL && (e.Code == "40P01" || e.Code == "55P03"):
		return true
	}
	return kind == "cancel"
}

func newStorm(t *testing.T) (*storm, pgtest.DB) {
	t.Helper()
	db := pgtest.New(t)
	seed(t, db)
	app, err := postgres.Open(t.Context(), db.AppURL, 3) // fewer than work at a time
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(app.Close)
	s := &storm{db: app, in: app.InTenant}
	for _, r := range relations(t, db.Owner(t)) {
		if r.Tenant {
			s.tables = append(s.tables, r.Name)
		}
	}
	return s, db
}

// TestAStormOfTwoTenantsOverOnePoolShowsNoForeignRow does 10,000 operations, or
// as many as TENANCY_OPERATIONS says.
func TestAStormOfTwoTenantsOverOnePoolShowsNoForeignRow(t *testing.T) {
	t.Parallel()
	n := 10_000
	if more := os.Getenv("TENANCY_OPERATIONS"); more != "" {
		var err error
		if n, err = strconv.Atoi(more); err != nil {
			t.Fatalf("TENANCY_OPERATIONS: %v", err)
		}
	}
	s, db := newStorm(t)
	before := fingerprint(t, db.Owner(t))
	start := time.Now()
	s.run(t, n)
	t.Logf("%d operations in %s: %d own rows, %d foreign rows; %v", n, time.Since(start).Round(time.Millisecond), s.own, s.foreign, s.done)
	if s.foreign > 0 || s.own < n/4 {
		t.Errorf("%d foreign rows, want 0; %d own ones", s.foreign, s.own)
	}
	if err := errors.Join(s.odd[:min(len(s.odd), 5)]...); err != nil {
		t.Errorf("%d operations ended otherwise than they should: %v", len(s.odd), err)
	}
	if len(s.done) != len(operations) {
		t.Errorf("some operation was never done: %v", s.done)
	}
	if after := fingerprint(t, db.Owner(t)); after != before {
		t.Error("a row changed")
	}
	s.idleHaveNoTenant(t)
}

// idleHaveNoTenant looks at every connection that the pool has.
func (s *storm) idleHaveNoTenant(t *testing.T) {
	t.Helper()
	if err := s.db.InTenant(t.Context(), "acme", func(pgx.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	idle := s.db.Pool.AcquireAllIdle(t.Context())
	for _, c := range idle {
		var left string
		if err := c.QueryRow(t.Context(), "SELECT coalesce(current_setting('app.tenant', true), '')").Scan(&left); err != nil || left != "" {
			t.Errorf("a connection of the pool still has the tenant %q, %v", left, err)
		}
		c.Release()
	}
	if len(idle) == 0 {
		t.Error("the pool has no idle connection to look at")
	}
}

// TestTheStormNoticesALeak runs it on mutants of InTenant: one that sets the
// tenant for the session, and one that never sets it again.
func TestTheStormNoticesALeak(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{
		"for the session": "BEGIN; SET app.tenant = '%s'",
		"of the first":    "BEGIN; SELECT set_config('app.tenant', coalesce(nullif(current_setting('app.tenant', true), ''), '%s'), false)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := newStorm(t)
			s.in = func(ctx context.Context, id tenant.ID, fn func(pgx.Tx) error) error {
				return pgx.BeginTxFunc(ctx, s.db.Pool, pgx.TxOptions{BeginQuery: strings.Replace(begin, "%s", string(id), 1)}, fn)
			}
			s.run(t, 500)
			if s.foreign == 0 {
				t.Error("the storm saw no foreign row")
			}
		})
	}
}
