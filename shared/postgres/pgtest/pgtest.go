// Package pgtest gives every test a Postgres database of its own: with all
// migrations, in some tens of milliseconds, and gone when the test ends.
package pgtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/deskhand/deskhand/localstack/pgserver"
	"github.com/deskhand/deskhand/migrations"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/tenant"
)

// DB is the database of one test, by the URLs of its roles.
type DB struct {
	OwnerURL string // owns the schema
	AppURL   string // app_user, held by row-level security
	AdminURL string // admin_user, which may administer besides
	QueueURL string // queue_user
}

// New makes a database with all migrations and drops it when t ends. The
// server is that of TEST_DATABASE_URL (its owner's URL), else one that this
// process starts and that ends with it.
//
// The roles get a fixed password on that server: never point TEST_DATABASE_URL
// at one that matters.
func New(t testing.TB) DB {
	t.Helper()
	s, err := shared()
	must(t, "no server", err)
	name := "test_" + strings.ToLower(rand.Text())
	must(t, "create database", s.exec(t.Context(), fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, s.template)))
	t.Cleanup(func() {
		must(t, "drop database", s.exec(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"))
	})
	return DB{
		OwnerURL: s.url(name, s.owner.User),
		AppURL:   s.url(name, url.UserPassword("app_user", password)),
		AdminURL: s.url(name, url.UserPassword("admin_user", password)),
		QueueURL: s.url(name, url.UserPassword("queue_user", password)),
	}
}

// App opens the database as app_user, as the product does, until t ends.
func (db DB) App(t testing.TB) *postgres.DB {
	t.Helper()
	return open(t, db.AppURL)
}

// Admin opens the database as admin_user, as the admin API does, until t ends.
func (db DB) Admin(t testing.TB) *postgres.DB {
	t.Helper()
	return open(t, db.AdminURL)
}

func open(t testing.TB, url string) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(context.Background(), url, 8)
	must(t, "open", err)
	t.Cleanup(db.Close)
	return db
}

// Owner opens the database as its owner, who sees every row, until t ends.
func (db DB) Owner(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), db.OwnerURL)
	must(t, "open as owner", err)
	t.Cleanup(pool.Close)
	return pool
}

// AddTenants adds tenants that have nothing but a name.
func (db DB) AddTenants(t testing.TB, ids ...tenant.ID) {
	t.Helper()
	admin := db.Admin(t)
	for _, id := range ids {
		must(t, "add tenant "+string(id), admin.InTenant(t.Context(), id, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), "INSERT INTO tenant_configs (tenant_id, name) VALUES ($1, $1)", string(id))
			return err
		}))
	}
}

// Plan gives the plan of a statement as app_user has it in a tenant's
// transaction: what is not leakproof cannot use an index there.
func Plan(t testing.TB, app *postgres.DB, id tenant.ID, sql string, args ...any) (plan string) {
	t.Helper()
	must(t, "explain", app.InTenant(t.Context(), id, func(tx pgx.Tx) error {
		rows, err := tx.Query(t.Context(), "EXPLAIN "+sql, args...)
		if err != nil {
			return err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		plan = strings.Join(lines, "\n")
		return err
	}))
	return plan
}

func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("pgtest: %s: %v", what, err)
	}
}

const password = "deskhand-test" // of the roles, on a server for tests

// server is where the databases are made.
type server struct {
	owner    *url.URL  // of the maintenance database
	template string    // the database that all are copied from
	alive    io.Closer // closed by the end of the process; held, for the garbage collector closes it too
}

// shared is the server of this process, with its template.
var shared = sync.OnceValues(func() (server, error) {
	ctx := context.Background()
	var s server
	var err error
	ownerURL := os.Getenv("TEST_DATABASE_URL")
	if ownerURL == "" {
		if ownerURL, s.alive, err = startServer(ctx); err != nil {
			return s, err
		}
	}
	if s.owner, err = url.Parse(ownerURL); err != nil {
		return s, errors.New("TEST_DATABASE_URL is not a URL: want postgres://owner:password@host:5432/postgres")
	}
	s.template, err = s.makeTemplate(ctx)
	return s, err
})

// startServer starts Postgres for this process. Both the server and its folder
// go when the process ends, in whatever way.
func startServer(ctx context.Context) (ownerURL string, alive io.Closer, err error) {
	dir, err := os.MkdirTemp("/tmp", "deskhand-pgtest-")
	if err != nil {
		return "", nil, err
	}
	if alive, err = removeAtExit(dir); err != nil {
		return "", nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil { // for the server's user
		return "", nil, err
	}
	s, err := pgserver.Start(ctx, pgserver.Options{Dir: dir, Fast: true})
	if err != nil {
		return "", nil, err
	}
	return s.OwnerURL("postgres"), alive, nil
}

// removeAtExit leaves a shell behind that waits for the end of this process,
// which closes its standard input, and removes dir.
func removeAtExit(dir string) (io.Closer, error) {
	cmd := exec.CommandContext(context.Background(), "sh", "-c", `cat; sleep 1; rm -rf -- "$1"`, "sh", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return stdin, cmd.Start()
}

// makeTemplate makes the template database of these migrations where no other
// process has, and lets the roles log in.
func (s server) makeTemplate(ctx context.Context) (template string, err error) {
	hash, err := migrationsHash()
	if err != nil {
		return "", err
	}
	template = "template_" + hash
	conn, err := pgx.Connect(ctx, s.owner.String())
	if err != nil {
		return "", fmt.Errorf("connect to the test server: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(4711)"); err != nil { // until conn closes
		return "", err
	}
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", template).Scan(&exists); err != nil {
		return "", err
	}
	if !exists {
		if err := s.migrate(ctx, conn, template); err != nil {
			return "", err
		}
	}
	return template, postgres.EnsureLogin(ctx, s.owner.String(), s.url("postgres", url.UserPassword("app_user", password)),
		s.url("postgres", url.UserPassword("admin_user", password)), s.url("postgres", url.UserPassword("queue_user", password)))
}

// migrate makes the template under another name first: a name that is there
// means a template that is complete.
func (s server) migrate(ctx context.Context, conn *pgx.Conn, template string) error {
	draft := template + "_draft"
	for _, sql := range []string{"DROP DATABASE IF EXISTS " + draft, "CREATE DATABASE " + draft} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	if _, err := postgres.Migrate(ctx, s.url(draft, s.owner.User)); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, fmt.Sprintf("ALTER DATABASE %s RENAME TO %s", draft, template))
	return err
}

func (s server) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, s.owner.String())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

func (s server) url(database string, user *url.Userinfo) string {
	u := *s.owner
	u.User, u.Path = user, "/"+database
	q := u.Query()
	q.Set("connect_timeout", "20") // tests share two cores: a log-in may take its time
	u.RawQuery = q.Encode()
	return u.String()
}

// migrationsHash changes when a migration does.
func migrationsHash() (string, error) {
	hash := sha256.New()
	err := fs.WalkDir(migrations.FS, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(migrations.FS, path)
		hash.Write(text)
		return err
	})
	return hex.EncodeToString(hash.Sum(nil))[:16], err
}
