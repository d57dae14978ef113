package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/tenant"
)

// tenantsSeen lists the tenants that a query without WHERE gives.
const tenantsSeen = "SELECT array_agg(tenant_id) FROM tenant_configs"

func TestTenantSeesItsOwnRowsOnly(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.AddTenants(t, "acme", "globex")
	app := db.App(t)
	for _, id := range []tenant.ID{"acme", "globex", "nobody"} {
		var got []string
		err := app.InTenant(t.Context(), id, func(tx pgx.Tx) error {
			return tx.QueryRow(t.Context(), tenantsSeen).Scan(&got)
		})
		want := []string{string(id)}
		if id == "nobody" {
			want = nil
		}
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s sees %v, %v; want %v", id, got, err, want)
		}
	}
}

func TestTenantCannotWriteRowsOfAnother(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.AddTenants(t, "acme", "globex")
	app := db.Admin(t) // who may write tenant_configs besides
	for _, sql := range []string{
		"INSERT INTO systems (tenant_id, connection_id, system_id, hostname) VALUES ('globex', 'c', 's', 'h')",
		"UPDATE tenant_configs SET tenant_id = 'globex-2'",
	} {
		err := app.InTenant(t.Context(), "acme", func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), sql)
			return err
		})
		wantCode(t, err, "42501")
	}
	err := app.InTenant(t.Context(), "acme", func(tx pgx.Tx) error {
		tag, err := tx.Exec(t.Context(), "UPDATE tenant_configs SET name = 'x' WHERE tenant_id = 'globex'")
		if tag.RowsAffected() != 0 {
			t.Error("acme changed globex")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWithoutTenantThereIsAnErrorNotAllRows(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.AddTenants(t, "acme")
	app, err := postgres.Open(t.Context(), db.AppURL, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(app.Close)
	look := func() error {
		var ids []string
		return app.Pool.QueryRow(t.Context(), tenantsSeen).Scan(&ids)
	}
	wantCode(t, look(), "42501")
	if err := app.InTenant(t.Context(), "acme", func(pgx.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	wantCode(t, look(), "42501") // the pool's one connection has forgotten acme
}

func TestFailedTransactionLeavesNothing(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.AddTenants(t, "acme")
	app := db.Admin(t)
	sentinel := errors.New("no")
	rename := func(tx pgx.Tx) {
		if _, err := tx.Exec(t.Context(), "UPDATE tenant_configs SET name = 'changed'"); err != nil {
			t.Error(err)
		}
	}
	err := app.InTenant(t.Context(), "acme", func(tx pgx.Tx) error {
		rename(tx)
		return sentinel
	})
	if err != sentinel { //nolint:errorlint // as it is, not wrapped
		t.Errorf("err = %v, want fn's own", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = app.InTenant(t.Context(), "acme", func(tx pgx.Tx) error {
			rename(tx)
			panic("no")
		})
	}()
	var name string
	if err := db.Owner(t).QueryRow(t.Context(), "SELECT name FROM tenant_configs").Scan(&name); err != nil || name != "acme" {
		t.Errorf("name = %q, %v; want acme", name, err)
	}
}

func TestAReadOnlyTransactionWritesNothing(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.AddTenants(t, "acme", "globex")
	admin := db.Admin(t)
	var names []string
	err := admin.ReadOnly().InTenant(t.Context(), "acme", func(tx pgx.Tx) error {
		rows, err := tx.Query(t.Context(), "SELECT name FROM tenant_configs")
		if err == nil {
			names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
	if err != nil || len(names) != 1 || names[0] != "acme" {
		t.Errorf("read %q, %v", names, err)
	}
	for name, db := range map[string]*postgres.DB{"read only": admin.ReadOnly(), "": admin} {
		err := db.InTenant(t.Context(), "acme", func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), "UPDATE tenant_configs SET name = 'changed'")
			return err
		})
		if refused := err != nil && strings.Contains(err.Error(), "25006"); refused != (name != "") { // read_only_sql_transaction
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestHostileTenantIDsAreRefused(t *testing.T) {
	t.Parallel()
	app := pgtest.New(t).App(t)
	for _, id := range []tenant.ID{"", "a'; DROP TABLE tenant_configs; --", "ACME", "a_b", "-a", tenant.ID(strings.Repeat("a", 64)), "a\x00", "a\n"} {
		err := app.InTenant(t.Context(), id, func(pgx.Tx) error {
			t.Errorf("%q: the transaction began", id)
			return nil
		})
		if err == nil {
			t.Errorf("%q: no error", id)
		}
	}
}

func TestDeadServerFailsSoonAndWithoutThePassword(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // it listens and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	app, err := postgres.Open(t.Context(), fmt.Sprintf("postgres://app_user:hunter2@%s/x?sslmode=disable", l.Addr()), 0)
	if err != nil {
		t.Fatalf("Open needs the server: %v", err)
	}
	t.Cleanup(app.Close)
	start := time.Now()
	for what, err := range map[string]error{
		"ping":       app.Ping(t.Context()),
		"check role": app.CheckRole(t.Context()),
		"in tenant":  app.InTenant(t.Context(), "acme", func(pgx.Tx) error { return nil }),
	} {
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("three calls took %s", took)
	}
}

func TestMalformedURLIsRefusedWithoutThePassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://app_user:hunter2@host:port/x", "postgres://app_user:hunter2%zz@host/x", "app_user:hunter2@host",
		"postgres://app_user:hunter2@host/x?sslmode=often", "host=h password=hunter2 sslmode=often",
	} {
		_, errOpen := postgres.Open(t.Context(), url, 1)
		_, errUp := postgres.Migrate(t.Context(), url)
		for _, err := range []error{errOpen, errUp, postgres.EnsureLogin(t.Context(), url, url)} {
			if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "want postgres://") {
				t.Errorf("%s: %v", url, err)
			}
		}
	}
}

func TestSessionsHaveLimitsThatTheURLMayChange(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	for url, want := range map[string]string{db.AppURL: "15s", db.AppURL + "&statement_timeout=3s": "3s"} {
		app, err := postgres.Open(t.Context(), url, 1)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(app.Close)
		var got, name string
		err = app.Pool.QueryRow(t.Context(), "SELECT current_setting('statement_timeout'), current_setting('application_name')").Scan(&got, &name)
		if err != nil || got != want || name != "deskhand" {
			t.Errorf("statement_timeout = %s, application_name = %s, %v; want %s", got, name, err, want)
		}
	}
}

func TestPingAndRoleOfAppUserAreFine(t *testing.T) {
	t.Parallel()
	app := pgtest.New(t).App(t)
	if err := errors.Join(app.Ping(t.Context()), app.CheckRole(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestRolesThatRowLevelSecurityDoesNotHoldAreRefused(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	owner := db.Owner(t)
	role := func(attributes string, grants ...string) string {
		name := "role_" + strings.ToLower(rand.Text())
		for _, sql := range append([]string{"CREATE ROLE " + name + " LOGIN PASSWORD 'p' " + attributes}, grants...) {
			if _, err := owner.Exec(t.Context(), strings.ReplaceAll(sql, "$role", name)); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
		t.Cleanup(func() {
			if _, err := owner.Exec(context.Background(), "DROP OWNED BY "+name+"; DROP ROLE "+name); err != nil {
				t.Error(err)
			}
		})
		u, err := url.Parse(db.OwnerURL)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(name, "p")
		return u.String()
	}
	for name, tc := range map[string]struct{ url, want string }{
		"superuser":  {db.OwnerURL, "is a superuser"},
		"bypass":     {role("BYPASSRLS"), "has BYPASSRLS"},
		"directory":  {role("IN ROLE directory_reader"), "is a member of directory_reader, which reads all tenants"},
		"writer":     {role("IN ROLE directory_writer"), "is a member of directory_writer, which writes all connections"},
		"eraser":     {role("IN ROLE tenant_eraser"), "is a member of tenant_eraser, which erases tenants"},
		"tableowner": {role("", "CREATE TABLE owned (n int)", "ALTER TABLE owned OWNER TO $role"), "owns tables"},
		"admin":      {db.AdminURL, "admin_user administers all tenants"},
		"harmless":   {role(""), ""},
	} {
		app, err := postgres.Open(t.Context(), tc.url, 1)
		if err != nil {
			t.Fatal(err)
		}
		err = app.CheckRole(t.Context())
		app.Close()
		if tc.want == "" && err == nil {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "Connect as app_user") {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// TestOnlyTheRoleOfAdministratorsAdministers holds the doors of administration,
// and the check at the start.
func TestOnlyTheRoleOfAdministratorsAdministers(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.AddTenants(t, "acme", "globex")
	app, admin := db.App(t), db.Admin(t)
	var doors []string
	err := db.Owner(t).QueryRow(t.Context(), `
SELECT array_agg(p.proname::text ORDER BY p.proname) FROM pg_proc p
WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace AND has_function_privilege('app_user', p.oid, 'EXECUTE')`).Scan(&doors)
	want := []string{"canary_owners", "directory_connections", "directory_tenants", "directory_verify", "note_unmapped", "prune_audit", "schema_versions"}
	if diff := cmp.Diff(want, doors); err != nil || diff != "" {
		t.Errorf("%v: app_user has other doors than it needs (-want +got):\n%s", err, diff)
	}
	for _, sql := range []string{
		"SELECT add_token('aaaaaaaa', sha256('x'), 'x', 'admin', NULL, 'cli:anna', now() + interval '1 day')",
		"SELECT write_connection('c', 0, 'jira', '', '', false, '', false, '{x}', '{acme}')",
		"UPDATE tenant_configs SET settings = '{}'", "INSERT INTO installation_events (operation, actor, status) VALUES ('x', 'x', 'x')",
		"SELECT erase_tenant('nobody')",
	} {
		run := func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), sql)
			return err
		}
		wantCode(t, app.InTenant(t.Context(), "acme", run), "42501")
		if err := admin.InTenant(t.Context(), "acme", run); err != nil {
			t.Errorf("admin_user: %s: %v", sql, err)
		}
	}
	_, err = admin.Pool.Exec(t.Context(), "SELECT add_token('bbbbbbbb', sha256('y'), 'x', 'admin', NULL, 'cli:anna', now() + interval '90 years')")
	wantCode(t, err, "23514")
	if err := admin.CheckAdmin(t.Context()); err != nil {
		t.Error(err)
	}
	for name, url := range map[string]string{"is not admin_user": db.AppURL, "is a superuser": db.OwnerURL} {
		other, err := postgres.Open(t.Context(), url, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := other.CheckAdmin(t.Context()); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "DATABASE_ADMIN_URL") {
			t.Errorf("%s: %v", name, err)
		}
		other.Close()
	}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if e, ok := errors.AsType[*pgconn.PgError](err); !ok || e.Code != code {
		t.Errorf("err = %v, want SQLSTATE %s", err, code)
	}
}
