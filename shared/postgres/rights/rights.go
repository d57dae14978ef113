// Package rights gives a tenant its data, and takes them away: every row of
// every table that has a tenant_id, found in the catalogue, so that a table of
// a later migration is neither forgotten in an export nor left by an erasure.
package rights

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Rights acts on one tenant at a time, in its transaction. It is safe for
// concurrent use.
type Rights struct{ DB *postgres.DB }

// patience is for a tenant of millions of rows; a session's usual limit is made
// for a web page.
const patience = "SET LOCAL statement_timeout = '30min'; SET LOCAL idle_in_transaction_session_timeout = '30min'"

const countSQL = `SELECT name, counted FROM tenant_rows()`

// Erase deletes the tenant: its rows, its routes, its API tokens, and the
// connections that serve nobody else, with their credentials and signing secrets.
// All of it or nothing. The rows are counted before, and, once all is committed,
// again: that is the proof. An entry without the tenant's name stays in the table
// erasures. tenant.ErrUnknown where there is no such tenant.
func (r Rights) Erase(ctx context.Context, id tenant.ID, actor string) (audit.Erasure, error) {
	var done audit.Erasure
	var before, after map[string]int64
	err := r.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, patience); err != nil {
			return err
		}
		return tx.QueryRow(ctx, "SELECT counts, gone FROM erase_tenant($1)", actor).Scan(&before, &done.Connections)
	})
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "P0002" { // no_data_found
		err = tenant.ErrUnknown
	}
	if err == nil {
		err = r.DB.InTenant(ctx, id, func(tx pgx.Tx) (err error) {
			after, err = counts(ctx, tx)
			return err
		})
	}
	if err != nil {
		return audit.Erasure{}, fmt.Errorf("rights: erase tenant %s: %w", id, err)
	}
	return proof(done, id, before, after)
}

func counts(ctx context.Context, tx pgx.Tx) (map[string]int64, error) {
	rows, err := tx.Query(ctx, countSQL)
	if err != nil {
		return nil, err
	}
	found := map[string]int64{}
	var name string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&name, &n}, func() error {
		found[name] = n
		return nil
	})
	return found, err
}

const (
	tablesSQL = `SELECT t, ARRAY(
    SELECT a.attname::text FROM pg_attribute a
    WHERE a.attrelid = t::regclass AND a.attnum > 0 AND NOT a.attisdropped AND (a.attname LIKE 'sealed%' OR a.attname = 'token'))
FROM tenant_tables() t`
	connectionsSQL = `
SELECT jsonb_build_object('id', c.id, 'tool', c.tool, 'disabled', c.disabled, 'accounts',
    (SELECT jsonb_agg(r.key ORDER BY r.key) FROM jsonb_each_text(c.routes) r WHERE r.value = current_tenant()))::text
FROM directory_connections() c WHERE EXISTS (SELECT FROM jsonb_each_text(c.routes) r WHERE r.value = current_tenant()) ORDER BY c.id`
	// A tenant that knew its canary could have another's notes blocked.
	noDecoy = `NOT EXISTS (SELECT FROM canaries c WHERE strpos((to_jsonb(t) - $1::text[])::text, c.token) > 0)`
)

// Export calls put with every row of the tenant, as JSON, table by table, as
// they were at one moment; of a connection, with what concerns this tenant. The
// decoys with its canary are left out, and so are columns with secrets, whose
// names it gives. It ends with put's error. The trail tells of it before the
// first row, for who stops in the middle has read, and again at the end.
// tenant.ErrUnknown where there is no such tenant.
func (r Rights) Export(ctx context.Context, id tenant.ID, actor string, put func(table, row string) error) (left []string, err error) {
	e := audit.Event{Operation: audit.TenantExported, Actor: actor, Status: audit.Started}
	err = r.DB.InTenant(ctx, id, func(tx pgx.Tx) error { return postgres.Record(ctx, tx, e) })
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "23503" { // foreign_key_violation: it has no trail
		err = tenant.ErrUnknown
	}
	if err == nil {
		err = r.DB.InTenant(ctx, id, func(tx pgx.Tx) (err error) {
			if left, err = export(ctx, tx, put); err != nil {
				return err
			}
			e.Status = audit.Success
			return postgres.Record(ctx, tx, e)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("rights: export tenant %s: %w", id, err)
	}
	return left, nil
}

func export(ctx context.Context, tx pgx.Tx, put func(table, row string) error) (left []string, err error) {
	if _, err := tx.Exec(ctx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; "+patience); err != nil {
		return nil, err
	}
	tables, err := tablesOf(ctx, tx)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		sql := fmt.Sprintf("SELECT (to_jsonb(t) - $1::text[])::text FROM %s t WHERE tenant_id = current_tenant() AND %s",
			pgx.Identifier{t.name}.Sanitize(), noDecoy)
		if err := each(ctx, tx, sql, []any{t.secrets}, func(row string) error { return put(t.name, row) }); err != nil {
			return nil, fmt.Errorf("table %s: %w", t.name, err)
		}
		for _, column := range t.secrets {
			left = append(left, t.name+"."+column)
		}
	}
	left = append(left, "connections.sealed_values", "connections.sealed_signing")
	return left, each(ctx, tx, connectionsSQL, nil, func(row string) error { return put("connections", row) })
}

type table struct {
	name    string
	secrets []string // columns
}

func tablesOf(ctx context.Context, tx pgx.Tx) ([]table, error) {
	rows, err := tx.Query(ctx, tablesSQL)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (t table, err error) {
		err = row.Scan(&t.name, &t.secrets)
		return t, err
	})
}

// each calls do with the one text of every row.
func each(ctx context.Context, tx pgx.Tx, sql string, args []any, do func(string) error) error {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	var text string
	_, err = pgx.ForEachRow(rows, []any{&text}, func() error { return do(text) })
	return err
}
