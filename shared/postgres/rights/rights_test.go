package rights_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/postgres/rights"
	"github.com/deskhand/deskhand/shared/tenant"
)

// seedSQL gives the tenant named $1 rows, a connection of its own, and an
// account of the shared one.
const seedSQL = `
INSERT INTO tenant_configs (tenant_id, name) VALUES ('$1', 'Name of $1');
INSERT INTO connections (id, tool, sealed_values, sealed_signing) VALUES ('$1', 'jira', 'sealed-$1', 'signing-$1');
INSERT INTO connections (id, tool, sealed_values, sealed_signing) VALUES ('msp', 'jira', 'v', 's') ON CONFLICT DO NOTHING;
INSERT INTO connection_tenants VALUES ('$1', '$1', ''), ('$1', 'msp', 'Account of $1');
INSERT INTO enhancement_history (tenant_id, job_id, tool, connection_id, ticket_id, kind, received_at, note)
SELECT '$1', gen_random_uuid(), 'jira', '$1', n::text, 'created', now(), 'Note of $1' FROM generate_series(1, 3) n;
INSERT INTO ticket_leases VALUES ('$1', '$1', '7', gen_random_uuid(), gen_random_uuid(), now());
INSERT INTO ticket_history (tenant_id, connection_id, ticket_id, subject, description, source)
VALUES ('$1', '$1', '7', 'Subject of $1', E'two\nlines "quoted"', 'bulk_import');
INSERT INTO articles (tenant_id, connection_id, article_id, title, body) VALUES ('$1', '$1', '7', 't', 'b');
INSERT INTO systems (tenant_id, connection_id, system_id, hostname) VALUES ('$1', '$1', '7', 'SRV');
INSERT INTO system_addresses SELECT tenant_id, '10.0.0.7', id FROM systems WHERE tenant_id = '$1';
INSERT INTO postings SELECT tenant_id, 'ticket', 'printer', id, 1, 1 FROM ticket_history WHERE tenant_id = '$1';
INSERT INTO corpora VALUES ('$1', 'ticket', 1, 1);
INSERT INTO corpus_terms VALUES ('$1', 'ticket', 'printer', 1);
INSERT INTO ticket_references SELECT tenant_id, id, '1042', true FROM ticket_history WHERE tenant_id = '$1';
INSERT INTO term_vectors VALUES ('$1', 'latent/1', 'printer', '\x00');
INSERT INTO document_vectors SELECT tenant_id, 'ticket', 'latent/1', id, '\x00' FROM ticket_history WHERE tenant_id = '$1';
INSERT INTO latent_factors (tenant_id, active) VALUES ('$1', 1);
INSERT INTO model_use VALUES ('$1', '2026-03-22', 100);
INSERT INTO model_reservations VALUES ('$1', gen_random_uuid(), '2026-03-22', 100, 100, now());
INSERT INTO enhancement_runs (tenant_id, job_id, record) SELECT tenant_id, job_id, '{}' FROM enhancement_history WHERE tenant_id = '$1';
INSERT INTO feedback_votes (tenant_id, job_id, vote, comment) VALUES ('$1', '7d444840-9dc0-11d1-b245-5ffdce74fad2', 'useless', 'Comment of $1');
INSERT INTO muted_pairs VALUES ('$1', '$1', '7', 'ticket', '8', '7d444840-9dc0-11d1-b245-5ffdce74fad2');
INSERT INTO note_outcomes VALUES ('$1', '7d444840-9dc0-11d1-b245-5ffdce74fad2', 'used', 1);
INSERT INTO schedule_slots VALUES ('$1', 'catalogue', now());
INSERT INTO canaries (tenant_id, token) SELECT '$1', 'dhcanary' || translate(md5('$1'), '0123456789', 'ghijklmnop');
INSERT INTO audit_events (tenant_id, operation, actor, status) VALUES ('$1', 'seed', 'test', 'success');
INSERT INTO api_tokens (id, hash, name, role, tenants, created_by, expires_at) VALUES
    (md5('$1'), sha256('$1'), 'n', 'admin', '{$1}', 'test', now() + interval '1 day');
INSERT INTO api_tokens (id, hash, name, role, tenants, created_by, expires_at) VALUES
    ('ofbothofthem', sha256('both'), 'n', 'admin', '{acme,globex}', 'test', now() + interval '1 day') ON CONFLICT DO NOTHING`

// laterSQL is a table of a later migration, whose rows keep those of another
// from being deleted first.
const laterSQL = `
CREATE TABLE aaa_later (tenant_id text NOT NULL, id bigint PRIMARY KEY);
CREATE TABLE zzz_later (tenant_id text NOT NULL, refers bigint NOT NULL REFERENCES aaa_later);
CALL protect('aaa_later');
CALL protect('zzz_later')`

func setUp(t *testing.T) (rights.Rights, *pgxpool.Pool) {
	t.Helper()
	db := pgtest.New(t)
	owner := db.Owner(t)
	run(t, owner, laterSQL)
	for i, id := range []string{"acme", "globex"} {
		run(t, owner, strings.ReplaceAll(seedSQL, "$1", id))
		run(t, owner, fmt.Sprintf("INSERT INTO aaa_later VALUES ('%s', %d); INSERT INTO zzz_later VALUES ('%s', %d)", id, i, id, i))
	}
	return rights.Rights{DB: db.Admin(t)}, owner
}

func run(t *testing.T, owner *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := owner.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// rowsOf gives every row of every table that names the tenant anywhere, to the
// byte, by table.
func rowsOf(t *testing.T, owner *pgxpool.Pool, id string) map[string][]string {
	t.Helper()
	tables, err := owner.Query(t.Context(), "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname NOT LIKE 'goose%'")
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(tables, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, name := range names {
		rows, err := owner.Query(t.Context(), fmt.Sprintf("SELECT x::text FROM %s x WHERE x::text LIKE '%%%s%%' OR x::text LIKE '%%' || encode('%s', 'hex') || '%%' ORDER BY 1", name, id, id))
		if err != nil {
			t.Fatal(err)
		}
		list, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > 0 {
			found[name] = list
		}
	}
	return found
}

func TestErasingOneTenantLeavesTheOtherToTheRow(t *testing.T) {
	t.Parallel()
	r, owner := setUp(t)
	before := rowsOf(t, owner, "globex")
	if len(before) < 17 {
		t.Fatalf("globex has rows in %d tables only: add the new ones to seedSQL", len(before))
	}
	for i, row := range before["api_tokens"] { // the token of both loses acme
		before["api_tokens"][i] = strings.Replace(row, `"{acme,globex}"`, "{globex}", 1)
	}
	slices.Sort(before["api_tokens"])
	done, err := r.Erase(t.Context(), "acme", "cli:anna")
	if err != nil {
		t.Fatal(err)
	}
	if left := rowsOf(t, owner, "acme"); len(left) > 0 {
		t.Errorf("acme still has %v", left)
	}
	if diff := cmp.Diff(before, rowsOf(t, owner, "globex")); diff != "" {
		t.Errorf("globex changed (-before +after):\n%s", diff)
	}
	counted := map[string]int64{}
	for _, c := range done.Tables {
		if c.After != 0 || c.Before == 0 {
			t.Errorf("%s: %d before, %d after", c.Table, c.Before, c.After)
		}
		counted[c.Table] = c.Before
	}
	if counted["enhancement_history"] != 3 || counted["connections"] != 1 || counted["connection_tenants"] != 2 || counted["zzz_later"] != 1 || counted["api_tokens"] != 2 || len(counted) < 17 {
		t.Errorf("counted %v", counted)
	}
	if !cmp.Equal(done.Connections, []string{"acme"}) {
		t.Errorf("connections %v are gone", done.Connections)
	}
	var hash, actor string
	var rows map[string]int64
	if err := owner.QueryRow(t.Context(), "SELECT tenant_hash, actor, counts FROM erasures").Scan(&hash, &actor, &rows); err != nil {
		t.Fatal(err)
	}
	if actor != "cli:anna" || !cmp.Equal(rows, counted) {
		t.Errorf("entry of %s, %v", actor, rows)
	}
	var same bool
	if err := owner.QueryRow(t.Context(), "SELECT $1 = encode(sha256('acme'), 'hex')", hash).Scan(&same); err != nil || !same {
		t.Errorf("the entry's hash is not acme's: %v", err)
	}
}

func TestErasingWhoIsNotThereIsAnErrorAndChangesNothing(t *testing.T) {
	t.Parallel()
	r, owner := setUp(t)
	before := rowsOf(t, owner, "e") // of everybody
	if _, err := r.Erase(t.Context(), "nobody", "x"); !errors.Is(err, tenant.ErrUnknown) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := r.Erase(t.Context(), "a'; DROP TABLE x", "x"); err == nil {
		t.Error("a bad id was erased")
	}
	if diff := cmp.Diff(before, rowsOf(t, owner, "e")); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if _, err := r.Erase(t.Context(), "acme", "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Erase(t.Context(), "acme", "x"); !errors.Is(err, tenant.ErrUnknown) {
		t.Errorf("a second time: %v", err)
	}
	r.DB.Close()
	if _, err := r.Erase(t.Context(), "globex", "x"); err == nil {
		t.Error("erased without a database")
	}
}

// TestAnErasureHoldsUpNobodyElse has a transaction that erased acme and does not
// end: others set up their connections meanwhile, and acme gets no new ones.
func TestAnErasureHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	r, _ := setUp(t)
	change := func(sql string) error {
		return pgx.BeginFunc(t.Context(), r.DB.Pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), "SET LOCAL lock_timeout = '300ms'"); err != nil {
				return err
			}
			_, err := tx.Exec(t.Context(), sql)
			return err
		})
	}
	const (
		ofGlobex = "SELECT write_connection('globex', 1, 'jira', '', '', false, '', false, '{\"\"}', '{globex}')"
		ofAcme   = "SELECT write_connection('acme-2', 0, 'jira', '', '', false, '', false, '{\"\"}', '{acme}')"
		token    = "SELECT add_token('aaaaaaaa', sha256('x'), 'x', 'admin', '{acme}', 'x', now() + interval '1 day')"
	)
	err := r.DB.InTenant(t.Context(), "acme", func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "SELECT erase_tenant('x')"); err != nil {
			return err
		}
		if err := change(ofGlobex); err != nil {
			t.Errorf("a connection of globex: %v", err)
		}
		for _, sql := range []string{ofAcme, token} {
			if err := change(sql); err == nil || !strings.Contains(err.Error(), "lock timeout") {
				t.Errorf("%s: %v, want it to wait", sql, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{ofAcme, token} {
		if err := change(sql); err == nil || !strings.Contains(err.Error(), "tenant acme is not there") {
			t.Errorf("%s, once it is erased: %v", sql, err)
		}
	}
}

// TestWhoWritesMeanwhileLeavesNothingBehind has workers write for the tenant
// while it is erased: each write is before and erased, or fails.
func TestWhoWritesMeanwhileLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	r, owner := setUp(t)
	begun, gone := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				err := r.DB.InTenant(t.Context(), "acme", func(tx pgx.Tx) error {
					_, err := tx.Exec(t.Context(), `WITH a AS (INSERT INTO articles (tenant_id, connection_id, article_id, title, body) VALUES ('acme', 'c', $1, 't', 'b'))
INSERT INTO audit_events (tenant_id, operation, actor, status) VALUES ('acme', 'x', 'x', 'x')`, fmt.Sprint(i, "/", n))
					return err
				})
				if n == 20 && i == 0 {
					close(begun)
				}
				select {
				case <-gone:
					if err == nil {
						t.Error("a write after the erasure went through")
					}
					return
				default:
				}
			}
		})
	}
	<-begun
	_, err := r.Erase(t.Context(), "acme", "x")
	close(gone)
	wg.Wait()
	if left := rowsOf(t, owner, "acme"); err != nil || len(left) > 0 {
		t.Errorf("%v, left %v", err, left)
	}
}

func TestTheEraserIsHeldByTheTenantOfTheTransaction(t *testing.T) {
	t.Parallel()
	_, owner := setUp(t)
	before := rowsOf(t, owner, "globex")
	tx, err := owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	for _, sql := range []string{
		"SET LOCAL app.tenant = 'acme'", "SET LOCAL ROLE tenant_eraser",
		"DELETE FROM connections", "DELETE FROM articles", "DELETE FROM zzz_later", "DELETE FROM audit_events",
	} {
		if _, err := tx.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, rowsOf(t, owner, "globex")); diff != "" {
		t.Errorf("globex changed (-before +after):\n%s", diff)
	}
	for _, sql := range []string{"SELECT tenant_rows()", "SELECT erase_tenant('x')", "SELECT prune_audit()"} {
		if _, err := owner.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "no tenant is set") {
			t.Errorf("%s without a tenant: %v", sql, err)
		}
	}
}

func TestExportHasEveryRowOfTheTenantAndNoSecret(t *testing.T) {
	t.Parallel()
	r, owner := setUp(t)
	run(t, owner, `INSERT INTO articles (tenant_id, connection_id, article_id, title, body)
		SELECT tenant_id, '_canary', '8', 'decoy', 'with ' || token FROM canaries`)
	got := map[string][]string{}
	left, err := r.Export(t.Context(), "acme", "cli:anna", func(table, row string) error {
		if !json.Valid([]byte(row)) || strings.Contains(row, "\n") {
			t.Errorf("%s: %q is no line of JSON", table, row)
		}
		if strings.Contains(row, "globex") {
			t.Errorf("%s has a row with globex: %s", table, row)
		}
		for _, hidden := range []string{"sealed", "signing", "dhcanary"} {
			if strings.Contains(row, hidden) {
				t.Errorf("%s has a secret: %s", table, row)
			}
		}
		got[table] = append(got[table], row)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := rowsOf(t, owner, "acme")
	delete(want, "unmapped_accounts")
	delete(want, "api_tokens") // the installation's
	for table, rows := range want {
		n := len(rows)
		switch table {
		case "connections":
			n++ // the shared one, with acme's account
		case "audit_events":
			n-- // that of this export came after
		case "articles":
			n-- // the decoy
		}
		if len(got[table]) != n {
			t.Errorf("%s: %d rows, want %d", table, len(got[table]), n)
		}
	}
	for _, column := range []string{"connections.sealed_values", "connections.sealed_signing", "canaries.token"} {
		if !slices.Contains(left, column) {
			t.Errorf("left out %v, without %s", left, column)
		}
	}
	if !slices.ContainsFunc(want["audit_events"], func(s string) bool { return strings.Contains(s, "tenant_exported,cli:anna") }) {
		t.Errorf("the trail does not tell of it: %v", want["audit_events"])
	}
}

func TestExportEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	r, owner := setUp(t)
	full := errors.New("no space left")
	n := 0
	put := func(string, string) error { n++; return full }
	if _, err := r.Export(t.Context(), "acme", "x", put); !errors.Is(err, full) || n != 1 {
		t.Errorf("%v after %d rows", err, n)
	}
	var trail string // who stops has read
	err := owner.QueryRow(t.Context(), "SELECT string_agg(status, ' ') FROM audit_events WHERE operation = 'tenant_exported' AND tenant_id = 'acme'").Scan(&trail)
	if err != nil || trail != "started" {
		t.Errorf("the trail of an export that was stopped: %q, %v", trail, err)
	}
	if _, err := r.Export(t.Context(), "nobody", "x", put); !errors.Is(err, tenant.ErrUnknown) || n != 1 {
		t.Errorf("nobody: %v, %d rows", err, n)
	}
}
