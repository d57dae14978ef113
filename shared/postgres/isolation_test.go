package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/tenant"
)

// relation is a table of ours as the catalogue has it.
type relation struct {
	Name    string
	Tenant  bool     // it has tenant_id
	Columns []string // that an INSERT may name
}

const relationsSQL = `
SELECT c.relname::text AS name, bool_or(a.attname = 'tenant_id') AS tenant,
       array_agg(quote_ident(a.attname) ORDER BY a.attnum) FILTER (WHERE a.attgenerated = '') AS columns
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname NOT LIKE 'goose%'
GROUP BY c.relname ORDER BY c.relname`

func relations(t *testing.T, owner *pgxpool.Pool) []relation {
	t.Helper()
	rows, err := owner.Query(t.Context(), relationsSQL)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[relation])
	if err != nil || len(all) < 10 {
		t.Fatalf("%d tables, %v", len(all), err)
	}
	return all
}

// verb is one way to touch another tenant's row, with the least that row-level
// security makes of it.
type verb struct {
	name string
	sql  func(relation) string
	// refused: row-level security raises an error, or there is no privilege.
	// Otherwise the statement may go through, on no row.
	refused bool
}

// verbs are tried by acme on the rows of globex. An INSERT brings a row of
// globex back as it is, so that nothing but row-level security can refuse it.
var verbs = []verb{
	{"select", func(r relation) string { return "SELECT FROM " + r.Name + " WHERE tenant_id = 'globex'" }, false},
	{"select all", func(r relation) string { return "SELECT FROM " + r.Name + " WHERE tenant_id <> 'acme'" }, false},
	{"lock", func(r relation) string { return "SELECT FROM " + r.Name + " WHERE tenant_id <> 'acme' FOR UPDATE" }, false},
	{"update", func(r relation) string {
		return "UPDATE " + r.Name + " SET tenant_id = tenant_id WHERE tenant_id = 'globex'"
	}, false},
	{"take", func(r relation) string {
		return "UPDATE " + r.Name + " SET tenant_id = 'acme' WHERE tenant_id = 'globex'"
	}, false},
	{"give", func(r relation) string {
		return "UPDATE " + r.Name + " SET tenant_id = 'globex' WHERE tenant_id = 'acme'"
	}, true},
	{"delete", func(r relation) string { return "DELETE FROM " + r.Name + " WHERE tenant_id = 'globex'" }, false},
	{"insert", insertSQL, true},
	{"upsert", func(r relation) string { return insertSQL(r) + " ON CONFLICT DO NOTHING" }, true},
	{"truncate", func(r relation) string { return "TRUNCATE " + r.Name + " CASCADE" }, true},
	{"disable", func(r relation) string { return "ALTER TABLE " + r.Name + " DISABLE ROW LEVEL SECURITY" }, true},
	{"open", func(r relation) string { return "CREATE POLICY mine ON " + r.Name + " USING (true)" }, true},
}

// insertSQL takes globex' row as JSON in $1.
func insertSQL(r relation) string {
	columns := strings.Join(r.Columns, ", ")
	return fmt.Sprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM jsonb_populate_record(NULL::%s, $1::jsonb)", r.Name, columns, columns, r.Name)
}

// TestNoVerbReachesAnotherTenantsRows is the matrix of tables, verbs and roles:
// every table that the catalogue has, each way to touch a row, in acme, in a
// tenant that does not exist, without a tenant, and as each other role.
func TestNoVerbReachesAnotherTenantsRows(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	owner, app := db.Owner(t), db.App(t)
	seed(t, db)
	before := fingerprint(t, owner)
	queueUser := connect(t, db.QueueURL)
	asQueue := func(do func(pgx.Tx) error) error { return pgx.BeginFunc(t.Context(), queueUser, do) }
	in := func(id tenant.ID) func(func(pgx.Tx) error) error {
		return func(do func(pgx.Tx) error) error { return app.InTenant(t.Context(), id, do) }
	}
	admin := db.Admin(t)
	asAdmin := func(do func(pgx.Tx) error) error { return admin.InTenant(t.Context(), "acme", do) }
	nobody := func(do func(pgx.Tx) error) error { return pgx.BeginFunc(t.Context(), app.Pool, do) }
	tried := 0
	for _, r := range relations(t, owner) {
		if !r.Tenant {
			continue
		}
		row := foreignRow(t, owner, r)
		for _, v := range verbs {
			for _, role := range []struct {
				name    string
				run     func(func(pgx.Tx) error) error
				refused bool // whatever the verb
			}{
				{"app_user in acme", in("acme"), false},
				{"app_user in a tenant that is not there", in("initech"), false},
				{"app_user without a tenant", nobody, true},
				{"admin_user in acme", asAdmin, false},
				{"admin_user without a tenant", func(do func(pgx.Tx) error) error { return pgx.BeginFunc(t.Context(), admin.Pool, do) }, true},
				{"tenant_eraser in acme", asEraser(t, owner), false},
				{"queue_user", asQueue, true},
			} {
				tried++
				n, err := try(t.Context(), role.run, v, r, row)
				moot := v.name == "give" && strings.HasSuffix(role.name, "not there") // it has no row to give
				switch {
				case strings.HasPrefix(role.name, "tenant_eraser") && r.Name == "connection_tenants" && strings.HasPrefix(v.name, "select"):
					// It reads all routes, to tell which connections serve nobody else.
				case err == nil && n == 0 && (!v.refused && !role.refused || moot):
				case err != nil && denied(err):
				default:
					t.Errorf("%s: %s on %s reached %d rows (%v)", role.name, v.name, r.Name, n, err)
				}
			}
		}
		wantOwnRows(t, in("acme"), r)
	}
	if after := fingerprint(t, owner); after != before {
		t.Error("a row changed")
	}
	t.Logf("%d combinations of table, verb and role", tried)
}

// asEraser runs in acme as the owner of the functions that erase.
func asEraser(t *testing.T, owner *pgxpool.Pool) func(func(pgx.Tx) error) error {
	return func(do func(pgx.Tx) error) error {
		return pgx.BeginFunc(t.Context(), owner, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), "SET LOCAL app.tenant = 'acme'; SET LOCAL ROLE tenant_eraser"); err != nil {
				return err
			}
			return do(tx)
		})
	}
}

// appendSQL adds an entry to what may be added to.
var appendSQL = map[string]string{
	"installation_events": "INSERT INTO installation_events (operation, actor, status) VALUES ('x', 'x', 'x')",
	"erasures":            "INSERT INTO erasures (tenant_hash, actor, counts) VALUES ('x', 'x', '{}')",
}

// TestWhatBelongsToNoTenantIsReachedByItsDoorsAlone is the matrix of the tables
// without a tenant_id: whatever lies there is of many tenants.
func TestWhatBelongsToNoTenantIsReachedByItsDoorsAlone(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	owner := db.Owner(t)
	seed(t, db)
	before := fingerprint(t, owner)
	open := map[string]int64{ // rows that are reached
		"erasures select app_user": 2, "erasures select admin_user": 2, // the proof of erasures
		"installation_events select admin_user": 2, "installation_events append admin_user": 1,
		"connections select tenant_eraser": 1, "connections delete tenant_eraser": 1, // acme's own
		"api_tokens select tenant_eraser": 0, "erasures append tenant_eraser": 1,
	}
	runs := map[string]func(func(pgx.Tx) error) error{"tenant_eraser": asEraser(t, owner)}
	for role, url := range map[string]string{"app_user": db.AppURL, "admin_user": db.AdminURL, "queue_user": db.QueueURL} {
		conn := connect(t, url)
		runs[role] = func(do func(pgx.Tx) error) error { return pgx.BeginFunc(t.Context(), conn, do) }
	}
	tables := 0
	for _, r := range relations(t, owner) {
		if r.Tenant {
			continue
		}
		tables++
		var row string
		if err := owner.QueryRow(t.Context(), "SELECT to_jsonb(x)::text FROM "+r.Name+" x LIMIT 1").Scan(&row); err != nil {
			t.Fatal(err)
		}
		for name, sql := range map[string]string{
			"select": "SELECT FROM " + r.Name, "lock": "SELECT FROM " + r.Name + " FOR UPDATE", "delete": "DELETE FROM " + r.Name,
			"update": fmt.Sprintf("UPDATE %s SET %s = DEFAULT", r.Name, r.Columns[0]), "insert": insertSQL(r),
			"append":   appendSQL[r.Name],
			"truncate": "TRUNCATE " + r.Name, "disable": "ALTER TABLE " + r.Name + " DISABLE ROW LEVEL SECURITY",
		} {
			for role, run := range runs {
				what := r.Name + " " + name + " " + role
				want, may := open[what]
				n, err := try(t.Context(), run, verb{name, func(relation) string { return sql }, true}, r, row)
				switch {
				case sql == "", may && err == nil && n == want, !may && err != nil && denied(err):
				case what == "erasures insert tenant_eraser": // as it was: its id is taken
				default:
					t.Errorf("%s reached %d rows (%v)", what, n, err)
				}
			}
		}
	}
	if after := fingerprint(t, owner); after != before || tables < 5 {
		t.Errorf("a row of %d tables changed", tables)
	}
}

// errUndo takes back what a verb did.
var errUndo = errors.New("undo")

// try runs a verb and takes it back.
func try(ctx context.Context, run func(func(pgx.Tx) error) error, v verb, r relation, row string) (n int64, err error) {
	err = run(func(tx pgx.Tx) error {
		var args []any
		if strings.Contains(v.sql(r), "$1") {
			args = []any{row}
		}
		tag, err := tx.Exec(ctx, v.sql(r), args...)
		if n = tag.RowsAffected(); err != nil {
			return err
		}
		return errUndo
	})
	if errors.Is(err, errUndo) {
		err = nil
	}
	return n, err
}

// denied tells whether row-level security, a missing privilege or ownership
// refused: insufficient_privilege in all cases.
func denied(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "42501"
}

// wantOwnRows wants the tenant to see its own rows where it may see any: a
// matrix in which nobody sees anything proves nothing.
func wantOwnRows(t *testing.T, in func(func(pgx.Tx) error) error, r relation) {
	t.Helper()
	err := in(func(tx pgx.Tx) error {
		var may bool
		var n int
		if err := tx.QueryRow(t.Context(), "SELECT has_table_privilege($1, 'SELECT')", r.Name).Scan(&may); err != nil || !may {
			return err
		}
		err := tx.QueryRow(t.Context(), "SELECT count(*) FROM "+r.Name+" WHERE tenant_id = 'acme'").Scan(&n)
		if n == 0 && err == nil {
			t.Errorf("acme does not see its own row in %s", r.Name)
		}
		return err
	})
	if err != nil {
		t.Errorf("%s: %v", r.Name, err)
	}
}

// foreignRow gives a row of globex as JSON.
func foreignRow(t *testing.T, owner *pgxpool.Pool, r relation) (row string) {
	t.Helper()
	if err := owner.QueryRow(t.Context(), "SELECT to_jsonb(x)::text FROM "+r.Name+" x WHERE tenant_id = 'globex' LIMIT 1").Scan(&row); err != nil {
		t.Fatalf("%s: %v: give it rows in seedSQL", r.Name, err)
	}
	return row
}

// fingerprint is of all rows of all tables.
func fingerprint(t *testing.T, owner *pgxpool.Pool) string {
	t.Helper()
	var parts []string
	for _, r := range relations(t, owner) {
		var sum string
		if err := owner.QueryRow(t.Context(), "SELECT count(*) || coalesce(md5(string_agg(x::text, '' ORDER BY x::text)), '') FROM "+r.Name+" x").Scan(&sum); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, r.Name+sum)
	}
	return strings.Join(parts, " ")
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// holesSQL lists every way round the isolation that the catalogue shows, in
// sentences. What a later migration adds is looked at without being named.
const holesSQL = `
WITH ours AS (
    SELECT c.oid, c.relname::text AS name, c.relkind, c.relrowsecurity AND c.relforcerowsecurity AS forced, c.reloptions,
           EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) AS tenant,
           coalesce(obj_description(c.oid, 'pg_class'), '') LIKE 'Open: ____________________%' AS open
    FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'goose%'
), login AS (
    SELECT oid, rolname FROM pg_roles WHERE rolname IN ('app_user', 'queue_user', 'admin_user')
), definer AS (
    SELECT p.oid, p.oid::regprocedure::text AS name, p.proconfig, r.rolname, r.rolcanlogin OR r.rolsuper OR r.rolbypassrls AS mighty,
           pg_has_role('app_user', r.oid, 'MEMBER') OR pg_has_role('queue_user', r.oid, 'MEMBER') OR pg_has_role('admin_user', r.oid, 'MEMBER') AS taken, p.proacl, p.pronamespace
    FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
    WHERE p.prosecdef AND p.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
)
SELECT name || ' has no forced row-level security: CALL protect(''' || name || '''), or enable and force it where it belongs to no tenant' FROM ours
WHERE relkind IN ('r', 'p') AND NOT forced
UNION ALL SELECT name || ' has tenant_id, and not the policy of protect()' FROM ours
WHERE relkind IN ('r', 'p') AND tenant AND NOT EXISTS (SELECT FROM pg_policies p WHERE p.schemaname = 'public' AND p.tablename = ours.name
    AND p.policyname = 'tenant' AND 'app_user' = ANY(p.roles) AND NOT 'public' = ANY(p.roles) AND p.cmd = 'ALL' AND p.permissive = 'PERMISSIVE'
    AND p.qual LIKE '(tenant_id = ( SELECT current_tenant()%' AND p.with_check = p.qual)
UNION ALL SELECT format('policy %s on %s gives %s more than its tenant', policyname, tablename, roles) FROM pg_policies JOIN ours ON name = tablename
WHERE schemaname = 'public' AND NOT open AND permissive = 'PERMISSIVE' AND policyname <> 'tenant' AND roles && '{public,app_user,queue_user,admin_user}'
UNION ALL SELECT name || ' has no tenant_id, and a role that logs in may use it: give access by a function, or say in COMMENT ON TABLE, beginning with "Open: ", why everybody may know it' FROM ours, login l
WHERE relkind IN ('r', 'p') AND NOT tenant AND NOT open AND (has_any_column_privilege(l.oid, ours.oid, 'SELECT, INSERT, UPDATE') OR has_table_privilege(l.oid, ours.oid, 'DELETE'))
UNION ALL SELECT format('%s may %s %s', l.rolname, p, name) FROM ours, login l, unnest(ARRAY['TRUNCATE', 'REFERENCES', 'TRIGGER']) p
WHERE relkind IN ('r', 'p') AND has_table_privilege(l.oid, ours.oid, p)
UNION ALL SELECT 'queue_user may use ' || name FROM ours
WHERE relkind IN ('r', 'p', 'v', 'm') AND (has_any_column_privilege('queue_user', oid, 'SELECT, INSERT, UPDATE') OR has_table_privilege('queue_user', oid, 'DELETE'))
UNION ALL SELECT format('%s is granted on %s to %s', a.privilege_type, c.relname, coalesce(r.rolname, 'PUBLIC'))
FROM pg_class c, aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND a.grantee <> c.relowner
  AND (r.rolname IS NULL OR r.rolname NOT IN ('app_user', 'admin_user') AND (r.rolcanlogin OR r.rolsuper OR r.rolbypassrls))
UNION ALL SELECT format('%s is granted on %s.%s to %s', a.privilege_type, c.relname, at.attname, coalesce(r.rolname, 'PUBLIC'))
FROM pg_attribute at JOIN pg_class c ON c.oid = at.attrelid, aclexplode(at.attacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE c.relnamespace = 'public'::regnamespace AND a.grantee <> c.relowner
  AND (r.rolname IS NULL OR r.rolname NOT IN ('app_user', 'admin_user') AND (r.rolcanlogin OR r.rolsuper OR r.rolbypassrls))
UNION ALL SELECT name || ' is a view that runs as its owner: make it WITH (security_invoker = true)' FROM ours
WHERE relkind = 'v' AND NOT coalesce(reloptions, '{}') && '{security_invoker=true,security_invoker=on}'
UNION ALL SELECT name || ' is a materialised view: row-level security does not hold in it' FROM ours WHERE relkind = 'm'
UNION ALL SELECT format('function %s runs as %s, which may do too much: a role of its own that cannot log in', name, rolname) FROM definer WHERE mighty
UNION ALL SELECT format('function %s runs as %s, which an application role is a member of', name, rolname) FROM definer WHERE taken
UNION ALL SELECT format('function %s has no fixed search_path that ends with pg_temp', name) FROM definer
WHERE NOT EXISTS (SELECT FROM unnest(proconfig) s WHERE s ~ '^search_path=.*\mpg_temp"?$' OR s = 'search_path=pg_catalog')
UNION ALL SELECT format('function %s may be called by everybody', name) FROM definer WHERE proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0)
UNION ALL SELECT format('function %s may be called by queue_user', name) FROM definer WHERE has_function_privilege('queue_user', oid, 'EXECUTE')
UNION ALL SELECT format('function %s is a door round row-level security: say why in COMMENT ON FUNCTION, beginning with "Door: "', name) FROM definer
WHERE coalesce(obj_description(oid, 'pg_proc'), '') NOT LIKE 'Door: ____________________%'
UNION ALL SELECT format('role %s may bypass row-level security', rolname) FROM pg_roles
WHERE rolname IN (SELECT rolname FROM login UNION SELECT rolname FROM definer UNION VALUES ('directory_reader'::name), ('directory_writer')) AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)
UNION ALL SELECT format('%s owns %s', l.rolname, c.relname) FROM pg_class c JOIN login l ON l.oid = c.relowner
UNION ALL SELECT format('%s may become %s', l.rolname, r.rolname) FROM login l, pg_roles r
WHERE l.oid <> r.oid AND pg_has_role(l.oid, r.oid, 'MEMBER') AND NOT (l.rolname = 'admin_user' AND r.rolname = 'app_user')
UNION ALL SELECT format('%s may use the schema %s', l.rolname, nspname) FROM pg_namespace n, login l
WHERE l.rolname <> 'queue_user' AND nspname NOT IN ('public', 'information_schema', 'pg_catalog') AND nspname !~ '^pg_(temp|toast)' AND has_schema_privilege(l.oid, n.oid, 'USAGE')`

// holes gives what is open, "" for nothing.
func holes(t *testing.T, owner *pgxpool.Pool) string {
	t.Helper()
	rows, err := owner.Query(t.Context(), holesSQL)
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return strings.Join(slices.Compact(found), "\n")
}

func TestTheCatalogueShowsNoWayRoundTheIsolation(t *testing.T) {
	t.Parallel()
	if found := holes(t, pgtest.New(t).Owner(t)); found != "" {
		t.Error(found)
	}
}

// TestEveryHoleIsSeen makes what a later migration might, one at a time.
func TestEveryHoleIsSeen(t *testing.T) {
	t.Parallel()
	const table = "CREATE TABLE later (tenant_id text, n int);"
	for want, sql := range map[string]string{
		"later has no forced row-level security":                   table,
		"later has tenant_id, and not the policy":                  table + "ALTER TABLE later ENABLE ROW LEVEL SECURITY; ALTER TABLE later FORCE ROW LEVEL SECURITY",
		"articles has no forced":                                   "ALTER TABLE articles NO FORCE ROW LEVEL SECURITY",
		"policy support on articles gives":                         "CREATE POLICY support ON articles FOR SELECT USING (true)",
		"policy mine on articles gives {app_user} more":            "CREATE POLICY mine ON articles TO app_user USING (true)",
		"later has no tenant_id, and a role that logs in":          "CREATE TABLE later (n int); ALTER TABLE later ENABLE ROW LEVEL SECURITY; ALTER TABLE later FORCE ROW LEVEL SECURITY; GRANT SELECT ON later TO app_user",
		"connections has no tenant_id, and a role that logs in":    "GRANT SELECT ON connections TO app_user",
		"api_tokens has no tenant_id, and a role that logs in":     "GRANT SELECT (hash) ON api_tokens TO app_user",
		"unmapped_accounts has no tenant_id, and a role":           "GRANT UPDATE (seen) ON unmapped_accounts TO admin_user",
		"queue_user may use systems":                               "GRANT SELECT (hostname) ON systems TO queue_user",
		"SELECT is granted on systems.hostname to PUBLIC":          "GRANT SELECT (hostname) ON systems TO PUBLIC",
		"app_user may TRUNCATE articles":                           "GRANT TRUNCATE ON articles TO app_user",
		"queue_user may use articles":                              "GRANT SELECT ON articles TO queue_user",
		"SELECT is granted on articles to PUBLIC":                  "GRANT SELECT ON articles TO PUBLIC",
		"everything is a view that runs as its owner":              "CREATE VIEW everything AS SELECT * FROM articles; GRANT SELECT ON everything TO app_user",
		"summary is a materialised view":                           "CREATE MATERIALIZED VIEW summary AS SELECT * FROM articles",
		"function peek() runs as":                                  "CREATE FUNCTION peek() RETURNS SETOF articles LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS 'SELECT * FROM articles'",
		"function peek() has no fixed search_path":                 "CREATE FUNCTION peek() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
		"function peek() may be called by everybody":               "CREATE FUNCTION peek() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS 'SELECT 1'",
		"function peek() is a door round":                          "CREATE FUNCTION peek() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS 'SELECT 1'; REVOKE ALL ON FUNCTION peek() FROM PUBLIC",
		"function directory_tenants() may be called by queue_user": "GRANT EXECUTE ON FUNCTION directory_tenants() TO queue_user",
		"app_user owns later":                                      table + "CALL protect('later'); GRANT CREATE ON SCHEMA public TO app_user; ALTER TABLE later OWNER TO app_user",
		"app_user may use the schema side":                         "CREATE SCHEMA side; GRANT USAGE ON SCHEMA side TO PUBLIC",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			execute(t, db.OwnerURL, sql)
			if found := holes(t, db.Owner(t)); !strings.Contains(found, want) {
				t.Errorf("found %q, want %q", found, want)
			}
		})
	}
}

// TestAProtectedTableNeedsNothingElse is what a later migration should do.
func TestAProtectedTableNeedsNothingElse(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	execute(t, db.OwnerURL, "CREATE TABLE later (tenant_id text, n int); CALL protect('later')")
	if found := holes(t, db.Owner(t)); found != "" {
		t.Error(found)
	}
}
