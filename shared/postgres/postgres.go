// Package postgres is the way to the database: the pool, the transaction of
// one tenant (InTenant), the check that the role cannot bypass row-level
// security, and the migrations. What is stored lies in the packages below it.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/deskhand/deskhand/shared/tenant"
)

// DB is a pool of connections as app_user, or as admin_user. SQL on tenant data goes through
// InTenant; Pool itself is for what belongs to no tenant.
type DB struct {
	Pool *pgxpool.Pool

	readOnly bool
}

// ReadOnly gives the same pool, with transactions of a tenant in which the server
// refuses to write.
func (db *DB) ReadOnly() *DB { return &DB{Pool: db.Pool, readOnly: true} }

// The limits of every session, where the URL does not set others. No query of
// the product takes seconds, so what does is broken and must not hold a
// connection.
var limits = map[string]string{
	"application_name":                    "deskhand",
	"statement_timeout":                   "15s",
	"lock_timeout":                        "5s",
	"idle_in_transaction_session_timeout": "30s",
}

// connectIn is short: a caller has another answer (503, try later) and a
// sender who waits. A connect_timeout in the URL goes before.
const connectIn = time.Second

var errURL = errors.New("the database URL cannot be read: want postgres://user:password@host:5432/database (sslmode=require outside this machine)")

// Open makes a pool of at most maxConns connections (1 to 1000). It does not connect: the
// server may be down, and every use tries anew. Close it at the end.
func Open(ctx context.Context, url string, maxConns int) (*DB, error) {
	return OpenRotating(ctx, url, maxConns, nil)
}

// OpenRotating is Open for a password that changes while the pool is in use:
// after the server refused it, read is asked for the one that is valid now,
// once a second at most, and new connections log in with that. The attempt
// that was refused fails. A nil read is none.
func OpenRotating(ctx context.Context, url string, maxConns int, read Credentials) (*DB, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errURL // the cause would quote the URL, password and all
	}
	for name, value := range limits {
		if _, ok := config.ConnConfig.RuntimeParams[name]; !ok {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	if !strings.Contains(url, "connect_timeout=") {
		config.ConnConfig.ConnectTimeout = connectIn
	}
	instruments := otelpgx.NewTracer(otelpgx.WithDisableConnectionDetailsInAttributes())
	config.ConnConfig.Tracer = instruments
	if read != nil {
		r := &rotation{read: read, now: time.Now}
		config.BeforeConnect, config.ConnConfig.Tracer = r.login, tracer{instruments, r}
	}
	config.MaxConns = int32(min(max(1, maxConns), 1000))
	config.MaxConnIdleTime = 5 * time.Minute
	config.MaxConnLifetime = 30 * time.Minute
	config.MaxConnLifetimeJitter = 5 * time.Minute
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("postgres: open pool: %w", err)
	}
	return &DB{Pool: pool}, nil
}

// Close closes the pool. It waits for connections that are in use.
func (db *DB) Close() { db.Pool.Close() }

// Ping tells whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.Pool.Ping(ctx); err != nil {
		return fmt.Errorf("postgres: ping: %w", err)
	}
	return nil
}

// InTenant runs fn in a transaction that sees and writes the rows of one
// tenant. It commits when fn returns nil and rolls back otherwise; fn's error
// comes back as it is. fn must not keep the transaction.
func (db *DB) InTenant(ctx context.Context, id tenant.ID, fn func(pgx.Tx) error) error {
	// The id becomes part of the SQL text, so that BEGIN and the tenant are one
	// round trip. What ParseID lets through needs no escaping.
	id, err := tenant.ParseID(string(id))
	if err != nil {
		return fmt.Errorf("postgres: begin: %w", err)
	}
	begin := fmt.Sprintf("BEGIN; SET LOCAL app.tenant = '%s'", id)
	if db.readOnly {
		begin = fmt.Sprintf("BEGIN READ ONLY; SET LOCAL app.tenant = '%s'", id)
	}
	return pgx.BeginTxFunc(ctx, db.Pool, pgx.TxOptions{BeginQuery: begin}, fn)
}

// adminRole may do what app_user may, and administers all tenants besides.
const adminRole = "admin_user"

// roleSQL finds what the session's role is, or may become, that row-level
// security does not hold, or that may do more than the role $1; the role itself
// before those it is a member of.
const roleSQL = `
SELECT current_user::text, r.rolname::text, CASE
    WHEN r.rolsuper THEN 'is a superuser'
    WHEN r.rolbypassrls THEN 'has BYPASSRLS'
    WHEN r.rolname = 'directory_reader' THEN 'reads all tenants'
    WHEN r.rolname = 'directory_writer' THEN 'writes all connections'
    WHEN r.rolname = 'tenant_eraser' THEN 'erases tenants'
    WHEN r.rolname = 'admin_user' THEN 'administers all tenants'
    ELSE 'owns tables' END
FROM pg_roles r
WHERE pg_has_role(r.oid, 'MEMBER')
  AND (r.rolsuper OR r.rolbypassrls OR r.rolname IN ('directory_reader', 'directory_writer', 'tenant_eraser')
       OR r.rolname = 'admin_user' AND r.rolname <> $1
       OR EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')))
ORDER BY r.rolname = current_user DESC, r.rolname
LIMIT 1`

// The errors of a role. ErrRole says that it may do more than it should,
// ErrNoAdmin that it may do less.
var (
	ErrRole    = errors.New("row-level security does not hold this database role")
	ErrNoAdmin = errors.New("this database role may not administer")
)

// CheckRole refuses a role that may do more than app_user: a superuser, one
// with BYPASSRLS, an owner of tables, the role of administrators, or a member of
// such a role. The error is ErrRole, unless the database does not answer.
func (db *DB) CheckRole(ctx context.Context) error {
	return db.checkRole(ctx, "app_user", "DATABASE_URL")
}

// CheckAdmin is CheckRole for admin_user. It refuses a role that may do less, too:
// ErrNoAdmin.
func (db *DB) CheckAdmin(ctx context.Context) error {
	if err := db.checkRole(ctx, adminRole, "DATABASE_ADMIN_URL"); err != nil {
		return err
	}
	var user string
	var may bool
	err := db.Pool.QueryRow(ctx, `SELECT current_user::text, coalesce((SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = $1), false)`, adminRole).Scan(&user, &may)
	if err != nil {
		return fmt.Errorf("postgres: check role: %w", err)
	}
	if !may {
		return fmt.Errorf("postgres: %w: %s is not %s. Correct DATABASE_ADMIN_URL, and run deskhand migrate", ErrNoAdmin, user, adminRole)
	}
	return nil
}

// checkRole refuses a role that may do more than want.
func (db *DB) checkRole(ctx context.Context, want, variable string) error {
	var user, role, why string
	err := db.Pool.QueryRow(ctx, roleSQL, want).Scan(&user, &role, &why)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("postgres: check role: %w", err)
	}
	if role != user {
		user += " is a member of " + role + ", which"
	}
	return fmt.Errorf("postgres: %w: %s %s. "+
		"Connect as %s (%s), and leave the owner's URL to migrations", ErrRole, user, why, want, variable)
}
