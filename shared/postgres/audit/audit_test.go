package audit_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	nouns "github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/postgres/audit"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/tenant"
)

func newTrail(t *testing.T) (audit.Trail, pgtest.DB) {
	t.Helper()
	db := pgtest.New(t)
	db.AddTenants(t, "acme", "globex")
	return audit.Trail{DB: db.App(t)}, db
}

// all reads the events of a tenant, without their times.
func all(t *testing.T, trail audit.Trail, id tenant.ID, ticket string) (events []nouns.Event) {
	t.Helper()
	q := nouns.Query{Since: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour), Ticket: ticket}
	err := trail.Each(t.Context(), id, q, func(e nouns.Event) error {
		if time.Since(e.Time).Abs() > time.Minute {
			t.Errorf("%v has the time %s", e.Operation, e.Time)
		}
		e.Time = time.Time{}
		events = append(events, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestATenantReadsWhatWasRecordedOfItAndNothingElse(t *testing.T) {
	t.Parallel()
	trail, _ := newTrail(t)
	mine := []nouns.Event{
		{Tenant: "acme", Ticket: "7", Operation: nouns.EventDiscarded, Actor: "cli:anna", Status: nouns.Dropped, Correlation: "job-1"},
		{Tenant: "acme", Ticket: "8", Operation: nouns.TrailExported, Actor: nouns.System, Status: nouns.Success},
	}
	other := nouns.Event{Tenant: "globex", Ticket: "7", Operation: nouns.EventDiscarded, Actor: "x", Status: nouns.Dropped}
	for _, e := range append(mine, other) {
		e.Time = time.Unix(0, 0) // the database's counts
		if err := trail.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[tenant.ID][]nouns.Event{"acme": mine, "globex": {other}, "nobody": nil} {
		if diff := cmp.Diff(want, all(t, trail, id, "")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
	if diff := cmp.Diff(mine[:1], all(t, trail, "acme", "7")); diff != "" {
		t.Errorf("ticket 7 (-want +got):\n%s", diff)
	}
}

func TestTheApplicationAppendsAndCannotAlter(t *testing.T) {
	t.Parallel()
	trail, db := newTrail(t)
	if err := trail.Record(t.Context(), nouns.Event{Tenant: "acme", Operation: nouns.TenantChanged, Status: nouns.Success}); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"UPDATE audit_events SET actor = 'somebody else'",
		"UPDATE audit_events SET at = now() - interval '1 year'",
		"DELETE FROM audit_events",
		"TRUNCATE audit_events",
		"INSERT INTO audit_events (at, tenant_id, operation, actor, status) VALUES (now() - interval '1 day', 'acme', 'x', 'x', 'x')",
		"INSERT INTO audit_events (tenant_id, operation, actor, status) VALUES ('globex', 'x', 'x', 'x')",
		"INSERT INTO audit_events (tenant_id, operation, actor, status) VALUES ('acme', 'The printer is on fire', 'x', 'x')",
		"INSERT INTO audit_events (tenant_id, operation, actor, status) VALUES ('acme', 'x', 'x', 'x') ON CONFLICT (id) DO UPDATE SET actor = 'y'",
		"DELETE FROM tenant_configs",                          // and the trail with it
		"UPDATE tenant_configs SET tenant_id = 'acme-2'",      // and leave it behind
		"ALTER TABLE audit_events DISABLE ROW LEVEL SECURITY", // and read all
		"SET LOCAL ROLE tenant_eraser",
		"INSERT INTO erasures (tenant_hash, actor, counts) VALUES ('x', 'x', '{}')",
		"DELETE FROM erasures",
		"UPDATE erasures SET actor = 'x'",
	} {
		err := trail.DB.InTenant(t.Context(), "acme", func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), sql)
			return err
		})
		if _, ok := errors.AsType[*pgconn.PgError](err); !ok {
			t.Errorf("%s: %v", sql, err)
		}
	}
	var n int
	if err := db.Owner(t).QueryRow(t.Context(), "SELECT count(*) FROM audit_events WHERE actor = 'system'").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d events, %v", n, err)
	}
}

func TestEventsShareTheFateOfTheirChange(t *testing.T) {
	t.Parallel()
	trail, _ := newTrail(t)
	undone := errors.New("undone")
	err := trail.DB.InTenant(t.Context(), "acme", func(tx pgx.Tx) error {
		if err := postgres.Record(t.Context(), tx, nouns.Event{Operation: nouns.TenantChanged, Status: nouns.Success}); err != nil {
			t.Error(err)
		}
		return undone
	})
	if !errors.Is(err, undone) || len(all(t, trail, "acme", "")) != 0 {
		t.Errorf("%v, events %v", err, all(t, trail, "acme", ""))
	}
}

func TestNoIdKeepsAChangeFromBeingMade(t *testing.T) {
	t.Parallel()
	trail, _ := newTrail(t)
	for _, ticket := range []string{strings.Repeat("ü", 500), "\x00\xff", "'); DELETE FROM audit_events; --"} {
		err := trail.Record(t.Context(), nouns.Event{Tenant: "acme", Ticket: ticket, Operation: nouns.EventDiscarded, Status: nouns.Dropped})
		if err != nil {
			t.Errorf("%.20q: %v", ticket, err)
		}
	}
	if n := len(all(t, trail, "acme", "")); n != 3 {
		t.Errorf("%d events", n)
	}
	for _, id := range []tenant.ID{"nobody", "No"} { // no trail
		if err := trail.Record(t.Context(), nouns.Event{Tenant: id, Operation: nouns.EventDiscarded, Status: nouns.Dropped}); err == nil {
			t.Errorf("%s has a trail", id)
		}
	}
}

func TestPruneTakesWhatIsOlderThan90Days(t *testing.T) {
	t.Parallel()
	trail, db := newTrail(t)
	for _, id := range []string{"acme", "globex"} {
		for _, days := range []int{0, 89, 91, 400} {
			sql := fmt.Sprintf("INSERT INTO audit_events (at, tenant_id, ticket_id, operation, actor, status) VALUES (now() - interval '%d days', '%s', '%d', 'x', 'x', 'x')", days, id, days)
			if _, err := db.Owner(t).Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, want := range []int{2, 0} {
		if n, err := trail.Prune(t.Context(), "acme"); n != want || err != nil {
			t.Errorf("pruned %d, %v; want %d", n, err, want)
		}
	}
	var left []string
	err := db.Owner(t).QueryRow(t.Context(), "SELECT array_agg(tenant_id || ticket_id ORDER BY id) FROM audit_events").Scan(&left)
	if want := []string{"acme0", "acme89", "globex0", "globex89", "globex91", "globex400"}; err != nil || !cmp.Equal(want, left) {
		t.Errorf("left %v, %v; want %v", left, err, want)
	}
}

func TestEachGoesThroughAllPagesInOrderAndStopsWhenTold(t *testing.T) {
	t.Parallel()
	trail, db := newTrail(t)
	// Many with the same time, across the borders of pages.
	_, err := db.Owner(t).Exec(t.Context(), `
INSERT INTO audit_events (at, tenant_id, ticket_id, operation, actor, status)
SELECT '2026-01-01 12:00:00Z'::timestamptz + (n / 700) * interval '1 second', 'acme', n::text, 'x', 'x', 'x' FROM generate_series(0, 2499) n`)
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		q    nouns.Query
		want int
	}{
		{nouns.Query{Since: noon, Until: noon.Add(time.Hour)}, 2500},
		{nouns.Query{Since: noon.Add(time.Second), Until: noon.Add(2 * time.Second)}, 700},
		{nouns.Query{Since: noon.Add(time.Hour), Until: noon.Add(2 * time.Hour)}, 0},
	} {
		var got []string
		err := trail.Each(t.Context(), "acme", c.q, func(e nouns.Event) error { got = append(got, e.Ticket); return nil })
		if err != nil || len(got) != c.want {
			t.Errorf("%v: %d events, %v; want %d", c.q, len(got), err, c.want)
		}
		for i := 1; i < len(got); i++ {
			if len(got[i]) < len(got[i-1]) || (len(got[i]) == len(got[i-1]) && got[i] <= got[i-1]) {
				t.Fatalf("%s after %s", got[i], got[i-1])
			}
		}
	}
	enough := errors.New("enough")
	n := 0
	err = trail.Each(t.Context(), "acme", nouns.Query{Since: noon, Until: noon.Add(time.Hour)}, func(nouns.Event) error { n++; return enough })
	if !errors.Is(err, enough) || n != 1 {
		t.Errorf("%d events, %v", n, err)
	}
	trail.DB.Close()
	if _, err := trail.Prune(t.Context(), "acme"); err == nil {
		t.Error("pruned without a database")
	}
	if err := trail.Each(t.Context(), "acme", nouns.Query{}, nil); err == nil {
		t.Error("read without a database")
	}
}
