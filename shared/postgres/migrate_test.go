package postgres_test

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"

	"github.com/deskhand/deskhand/localstack/pgserver"
	"github.com/deskhand/deskhand/migrations"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
)

// schemaSQL describes everything that migrations make, one line each.
const schemaSQL = `
SELECT coalesce(array_agg(line ORDER BY line), '{}') FROM (
    SELECT format('column %s.%s %s %s %s %s', table_name, column_name, data_type, is_nullable, column_default, generation_expression)
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'goose%'
    UNION ALL SELECT format('index %s', indexdef) FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE 'goose%'
    UNION ALL SELECT format('constraint %s.%s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text NOT LIKE 'goose%'
    UNION ALL SELECT format('policy %s.%s %s %s %s %s %s', tablename, policyname, permissive, cmd, roles, qual, with_check) FROM pg_policies
    UNION ALL SELECT format('function %s %s %s %s %s', p.oid::regprocedure, proowner::regrole, prosecdef, proconfig, p.proacl)
    FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT format('table %s %s %s %s', relname, relacl, relrowsecurity, relforcerowsecurity) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname NOT LIKE 'goose%'
) AS made (line)`

// seedSQL gives the tenant named $1 a row in every table, where it has none.
// tablesSQL counts the rows of
// every table.
const (
	seedSQL = `
INSERT INTO tenant_configs (tenant_id, name) VALUES ('$1', '$1') ON CONFLICT DO NOTHING;
INSERT INTO connections (id, tool, sealed_values, sealed_signing) VALUES ('$1', 'jira', '', '') ON CONFLICT DO NOTHING;
INSERT INTO connection_tenants VALUES ('$1', '$1', '') ON CONFLICT DO NOTHING;
INSERT INTO enhancement_history (tenant_id, job_id, tool, connection_id, ticket_id, kind, received_at)
VALUES ('$1', '7d444840-9dc0-11d1-b245-5ffdce74fad2', 'jira', '$1', '7', 'created', now()) ON CONFLICT DO NOTHING;
INSERT INTO ticket_leases VALUES ('$1', '$1', '7', gen_random_uuid(), gen_random_uuid(), now()) ON CONFLICT DO NOTHING;
INSERT INTO ticket_history (tenant_id, connection_id, ticket_id, subject, description, source)
VALUES ('$1', '$1', '7', 's', 'd', 'bulk_import') ON CONFLICT DO NOTHING;
INSERT INTO articles (tenant_id, connection_id, article_id, title, body) VALUES ('$1', '$1', '7', 't', 'b') ON CONFLICT DO NOTHING;
INSERT INTO systems (tenant_id, connection_id, system_id, hostname) VALUES ('$1', '$1', '7', 'SRV') ON CONFLICT DO NOTHING;
INSERT INTO system_addresses SELECT tenant_id, '10.0.0.7', id FROM systems WHERE tenant_id = '$1' ON CONFLICT DO NOTHING;
INSERT INTO postings SELECT tenant_id, 'ticket', 'printer', id, 1, 1 FROM ticket_history WHERE tenant_id = '$1' ON CONFLICT DO NOTHING;
INSERT INTO corpora VALUES ('$1', 'ticket', 1, 1) ON CONFLICT DO NOTHING;
INSERT INTO corpus_terms VALUES ('$1', 'ticket', 'printer', 1) ON CONFLICT DO NOTHING;
INSERT INTO ticket_references SELECT tenant_id, id, '1042', true FROM ticket_history WHERE tenant_id = '$1' ON CONFLICT DO NOTHING;
INSERT INTO term_vectors VALUES ('$1', 'latent/1', 'printer', '\x00') ON CONFLICT DO NOTHING;
INSERT INTO document_vectors SELECT tenant_id, 'ticket', 'latent/1', id, '\x00' FROM ticket_history WHERE tenant_id = '$1' ON CONFLICT DO NOTHING;
INSERT INTO latent_factors (tenant_id, active) VALUES ('$1', 1) ON CONFLICT DO NOTHING;
INSERT INTO model_use VALUES ('$1', '2026-03-22', 100) ON CONFLICT DO NOTHING;
INSERT INTO model_reservations VALUES ('$1', '7d444840-9dc0-11d1-b245-5ffdce74fad2', '2026-03-22', 100, 100, now()) ON CONFLICT DO NOTHING;
INSERT INTO enhancement_runs (tenant_id, job_id, record) SELECT tenant_id, job_id, '{}' FROM enhancement_history WHERE tenant_id = '$1' ON CONFLICT DO NOTHING;
INSERT INTO feedback_votes (tenant_id, job_id, vote) VALUES ('$1', '7d444840-9dc0-11d1-b245-5ffdce74fad2', 'useless') ON CONFLICT DO NOTHING;
INSERT INTO muted_pairs VALUES ('$1', '$1', '7', 'ticket', '8', '7d444840-9dc0-11d1-b245-5ffdce74fad2') ON CONFLICT DO NOTHING;
INSERT INTO note_outcomes VALUES ('$1', '7d444840-9dc0-11d1-b245-5ffdce74fad2', 'used', 1) ON CONFLICT DO NOTHING;
INSERT INTO schedule_slots VALUES ('$1', 'catalogue', now()) ON CONFLICT DO NOTHING;
INSERT INTO canaries (tenant_id, token) SELECT '$1', 'dhcanary' || translate(md5('$1'), '0123456789', 'ghijklmnop') ON CONFLICT DO NOTHING;
INSERT INTO unmapped_accounts (connection_id, account) VALUES ('$1', 'Initech') ON CONFLICT DO NOTHING;
INSERT INTO audit_events (tenant_id, operation, actor, status) VALUES ('$1', 'seed', 'test', 'success');
INSERT INTO erasures (tenant_hash, actor, counts) VALUES ('$1', 'test', '{}');
INSERT INTO api_tokens (id, hash, name, role, created_by, expires_at)
VALUES (left(md5('$1'), 8), sha256('$1'), 'n', 'viewer', 'test', now() + interval '1 day') ON CONFLICT DO NOTHING;
INSERT INTO installation_events (operation, actor, status) VALUES ('seed', 'test', 'success')`
	tablesSQL = `
SELECT relname::text, (xpath('//c/text()', query_to_xml(format('SELECT count(*) AS c FROM %I', relname), false, true, '')))[1]::text::int
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname NOT LIKE 'goose%'`
)

// TestEveryMigrationGoesDownAndUpAgain has rows in every table, for what goes
// through on empty ones may fail on those of an installation.
func TestEveryMigrationGoesDownAndUpAgain(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	owner := db.Owner(t)
	files, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	before := schema(t, owner)
	for stay := len(files) - 1; stay >= 0; stay-- {
		version := int64(0)
		if stay > 0 {
			version = number(t, files[stay-1])
		}
		seed(t, db)
		if n, err := postgres.MigrateDown(t.Context(), db.OwnerURL, version); n != len(files)-stay || err != nil {
			t.Fatalf("down to %d: %d, %v; want %d", version, n, err, len(files)-stay)
		}
		if left := schema(t, owner); version == 0 && len(left) > 0 {
			t.Errorf("after all went down there is still:\n%s", strings.Join(left, "\n"))
		}
		wantRows(t, owner) // in the tables of the migrations that stay
		if n, err := postgres.Migrate(t.Context(), db.OwnerURL); n != len(files)-stay || err != nil {
			t.Fatalf("up from %d: %d, %v; want %d", version, n, err, len(files)-stay)
		}
		if diff := cmp.Diff(before, schema(t, owner)); diff != "" {
			t.Errorf("down to %d and up gives another schema (-before +after):\n%s", version, diff)
		}
	}
	if n, err := postgres.Migrate(t.Context(), db.OwnerURL); n != 0 || err != nil {
		t.Errorf("a second time: %d, %v; want 0", n, err)
	}
}

// TestAnOlderVersionLeavesANewerSchemaAlone is a rollback: the migrations of
// the version before run on a database that has one more.
func TestAnOlderVersionLeavesANewerSchemaAlone(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	execute(t, db.OwnerURL, "ALTER TABLE tenant_configs ADD newer text; INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)")
	before := schema(t, db.Owner(t))
	if n, err := postgres.Migrate(t.Context(), db.OwnerURL); n != 0 || err != nil {
		t.Errorf("%d, %v; want 0", n, err)
	}
	if diff := cmp.Diff(before, schema(t, db.Owner(t))); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// number is that of a migration's file.
func number(t *testing.T, file string) int64 {
	t.Helper()
	n, err := goose.NumericComponent(file)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestNobodyMakesThingsInOurSchema holds where the database comes as before
// Postgres 15.
func TestNobodyMakesThingsInOurSchema(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	if _, err := postgres.MigrateDown(t.Context(), db.OwnerURL, 0); err != nil {
		t.Fatal(err)
	}
	execute(t, db.OwnerURL, "GRANT CREATE ON SCHEMA public TO PUBLIC")
	if _, err := postgres.Migrate(t.Context(), db.OwnerURL); err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"app_user", "queue_user", "admin_user", "directory_reader", "directory_writer", "tenant_eraser"} {
		var may bool
		if err := db.Owner(t).QueryRow(t.Context(), "SELECT has_schema_privilege($1, 'public', 'CREATE')", role).Scan(&may); err != nil || may {
			t.Errorf("%s may make things in public: %v, %v", role, may, err)
		}
	}
}

func TestProcessesMigrateOneAfterTheOther(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	total, err := postgres.MigrateDown(t.Context(), db.OwnerURL, 0)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	applied := 0
	for range 4 {
		wg.Go(func() {
			n, err := postgres.Migrate(t.Context(), db.OwnerURL)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			applied += n
		})
	}
	wg.Wait()
	if applied != total {
		t.Errorf("%d migrations were applied, want each of the %d once", applied, total)
	}
}

// TestOwnerNeedsNoSuperuser holds for RDS, where nobody is one, and where the
// owner makes the roles itself.
func TestOwnerNeedsNoSuperuser(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	execute(t, s.OwnerURL("postgres"), "CREATE ROLE plain LOGIN CREATEROLE PASSWORD 'p'")
	execute(t, s.OwnerURL("postgres"), "CREATE DATABASE deskhand OWNER plain")
	owner := as(t, s, "plain", "p")
	for range 2 { // a second installation finds the roles
		if _, err := postgres.Migrate(t.Context(), owner); err != nil {
			t.Fatal(err)
		}
		if n, err := postgres.MigrateDown(t.Context(), owner, 0); n == 0 || err != nil {
			t.Fatalf("down: %d, %v", n, err)
		}
	}
	if _, err := postgres.Migrate(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	appURL := as(t, s, "app_user", "p")
	adminURL := as(t, s, "admin_user", "p")
	if err := postgres.EnsureLogin(t.Context(), owner, appURL, adminURL); err != nil {
		t.Fatal(err)
	}
	db := pgtest.DB{AppURL: appURL, AdminURL: adminURL}
	db.AddTenants(t, "acme", "globex")
	execute(t, adminURL, "SELECT write_connection('msp', 0, 'jira', '', '', false, '', false, '{a,b}', '{acme,globex}')")
	execute(t, adminURL, "SELECT add_token('aaaaaaaa', sha256('x'), 'x', 'admin', '{acme}', 'x', now() + interval '1 day')")
	execute(t, adminURL, "BEGIN; SET LOCAL app.tenant = 'globex'; SELECT erase_tenant('x'); COMMIT")
	db.AddTenants(t, "globex")
	var n int
	if err := db.App(t).Pool.QueryRow(t.Context(), "SELECT count(*) FROM directory_tenants()").Scan(&n); err != nil || n != 2 {
		t.Errorf("the directory has %d tenants, %v; want 2", n, err)
	}
}

// TestEveryTenantTableHasForcedRowLevelSecurity reads the catalogue, so that a
// table of a later migration cannot be forgotten.
func TestEveryTenantTableHasForcedRowLevelSecurity(t *testing.T) {
	t.Parallel()
	rows, err := pgtest.New(t).Owner(t).Query(t.Context(), `
SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity
       AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'tenant_id' AND NOT a.attisdropped`)
	if err != nil {
		t.Fatal(err)
	}
	var table string
	var protected bool
	tag, err := pgx.ForEachRow(rows, []any{&table, &protected}, func() error {
		if !protected {
			t.Errorf("%s has no forced row-level security: CALL protect('%s') in its migration", table, table)
		}
		return nil
	})
	if err != nil || tag.RowsAffected() < 8 {
		t.Errorf("%d tables, %v", tag.RowsAffected(), err)
	}
}

func TestMigrationErrorsNameTheRoleNotThePassword(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	_, errApp := postgres.Migrate(t.Context(), db.AppURL)
	_, errDown := postgres.MigrateDown(t.Context(), db.AppURL, 0)
	_, errWrong := postgres.Migrate(t.Context(), strings.Replace(db.AppURL, "deskhand-test", "hunter2", 1))
	for _, err := range []error{errApp, errDown, errWrong} {
		if err == nil || !strings.HasPrefix(err.Error(), "postgres: migrate ") {
			t.Errorf("err = %v", err)
		}
	}
	if errWrong == nil || !strings.Contains(errWrong.Error(), "app_user") || strings.Contains(errWrong.Error(), "hunter2") {
		t.Errorf("wrong password: %v", errWrong)
	}
}

func TestOnlyOurRolesGetALogin(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	u, err := url.Parse(db.AppURL)
	if err != nil {
		t.Fatal(err)
	}
	for want, user := range map[string]*url.Userinfo{
		`role "postgres"`:                  url.UserPassword("postgres", "hunter2"),
		`role "directory_reader"`:          url.UserPassword("directory_reader", "hunter2"),
		`role "app_user; --"`:              url.UserPassword("app_user; --", "hunter2"),
		"app_user: the URL needs":          url.User("app_user"),
		"queue_user: the URL needs a pass": url.UserPassword("queue_user", "hunter2ü"),
	} {
		u.User = user
		err := postgres.EnsureLogin(t.Context(), db.OwnerURL, db.AppURL, u.String())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", want, err)
		}
	}
	other := strings.Replace(db.AppURL, "deskhand-test", "hunter2", 1)
	if err := postgres.EnsureLogin(t.Context(), db.AppURL, other); err == nil {
		t.Error("app_user gave itself a login")
	}
	if err := postgres.EnsureLogin(t.Context(), db.AppURL, db.AppURL); err != nil {
		t.Errorf("a login that is good already: %v", err)
	}
}

func TestLoginsGetThePasswordsOfTheirURLs(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	owner := s.OwnerURL("deskhand")
	execute(t, s.OwnerURL("postgres"), "CREATE DATABASE deskhand")
	execute(t, owner, "ALTER SYSTEM SET log_statement = 'all'")
	execute(t, owner, "SELECT pg_reload_conf()")

	const password = `hunter2 '"\ $1`
	if err := postgres.EnsureLogin(t.Context(), owner, as(t, s, "app_user", password)); err == nil || !strings.Contains(err.Error(), "run the migrations first") {
		t.Errorf("before the migrations: %v", err)
	}
	if _, err := postgres.Migrate(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"former", password} { // a password can be changed
		if err := postgres.EnsureLogin(t.Context(), owner, as(t, s, "app_user", p), as(t, s, "queue_user", p)); err != nil {
			t.Fatal(err)
		}
	}
	for _, role := range []string{"app_user", "queue_user"} {
		if err := ping(t, as(t, s, role, password)); err != nil {
			t.Errorf("%s: %v", role, err)
		}
		if ping(t, as(t, s, role, "former")) == nil {
			t.Errorf("%s: the former password still works", role)
		}
	}
	log, err := os.ReadFile(filepath.Join(s.dir, "postgres.log"))
	if err != nil || !strings.Contains(string(log), "ALTER ROLE app_user LOGIN") || strings.Contains(string(log), "hunter2") {
		t.Errorf("the server's log (%v) has the password, or not the statement", err)
	}
}

// server is a Postgres server of one test's own, for what belongs to a whole
// server: roles and their passwords.
type server struct {
	*pgserver.Server
	dir string
}

func newServer(t *testing.T) server {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil { // for the server's user
		t.Fatal(err)
	}
	s, err := pgserver.Start(t.Context(), pgserver.Options{Dir: dir, Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	return server{s, dir}
}

// as gives the URL of the database deskhand for a role.
func as(t *testing.T, s server, role, password string) string {
	t.Helper()
	u, err := url.Parse(s.OwnerURL("deskhand"))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, password)
	return u.String()
}

func execute(t *testing.T, db, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func ping(t *testing.T, url string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return err
	}
	return conn.Close(t.Context())
}

func schema(t *testing.T, owner *pgxpool.Pool) (lines []string) {
	t.Helper()
	if err := owner.QueryRow(t.Context(), schemaSQL).Scan(&lines); err != nil {
		t.Fatal(err)
	}
	return lines
}

// seed gives two tenants a row in every table.
func seed(t *testing.T, db pgtest.DB) {
	t.Helper()
	for _, id := range []string{"acme", "globex"} {
		execute(t, db.OwnerURL, strings.ReplaceAll(seedSQL, "$1", id))
	}
	wantRows(t, db.Owner(t))
}

// wantRows wants two rows or more in every table that there is.
func wantRows(t *testing.T, owner *pgxpool.Pool) {
	t.Helper()
	rows, err := owner.Query(t.Context(), tablesSQL)
	if err != nil {
		t.Fatal(err)
	}
	var table string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&table, &n}, func() error {
		if n < 2 {
			t.Errorf("table %s has %d rows, want one for each of two tenants: add it to seedSQL", table, n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
