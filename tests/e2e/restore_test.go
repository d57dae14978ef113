package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/localstack/pgserver"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

// TestARestoreLosesNothing rehearses the worst day with the commands that
// docs/deployment.md gives an operator: an installation with two tenants, one
// accepted webhook that nobody has worked on, a dump, a server that is gone
// with its disk, an empty one.
func TestARestoreLosesNothing(t *testing.T) {
	t.Parallel()
	lost := startServer(t)
	if _, err := lost.CreateDatabase(t.Context(), database); err != nil {
		t.Fatal(err)
	}
	w := buildOn(t, lost.db())
	w.phase(t, "it works", func() {
		w.run()
		for id := range w.desks {
			w.knows(id)
			w.smoke(id)
		}
	})
	var waiting string
	w.phase(t, "a webhook is accepted, and not worked on", func() {
		w.serve()
		waiting = w.desks["acme"].AddTicket(printing)
		w.created("acme", waiting)
	})

	before := contents(t, w.owner)
	for _, table := range []string{"public.ticket_history", "public.articles", "public.enhancement_history", "public.tenant_configs", "river.river_job"} {
		if strings.HasPrefix(before[table], "0 rows") || before[table] == "" {
			t.Errorf("%s is empty: its loss would not be seen", table)
		}
	}
	dir := t.TempDir()
	if said, err := w.documented("Back up", dir, "BACKUP_URL="+w.db.AppURL); err == nil {
		t.Errorf("a dump by a role that sees one tenant is taken for a whole one:\n%s", said)
	}
	said, err := w.documented("Back up", dir, "BACKUP_URL="+w.db.OwnerURL)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	lost.destroy()

	fresh := startServer(t)
	w.moveTo(fresh.db())
	if said, err = w.documented("Restore", dir, "SERVER_URL="+fresh.OwnerURL("postgres")); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if diff := cmp.Diff(before, contents(t, w.owner)); diff != "" {
		t.Fatalf("what was restored is not what was there (-before +after):\n%s\n%s", diff, said)
	}
	for _, table := range slices.Sorted(maps.Keys(before)) {
		t.Logf("%-32s %s", table, before[table])
	}

	w.phase(t, "it works again", func() {
		w.run()
		for id := range w.desks {
			w.smoke(id)
		}
		w.note("acme", waiting)
	})
	w.noticesLosses()
}

// phase runs the product until do has ended.
func (w *world) phase(t *testing.T, name string, do func()) {
	t.Helper()
	if !t.Run(name, func(t *testing.T) {
		whole := w.t
		w.t = t
		defer func() { w.t = whole }()
		do()
	}) {
		t.FailNow()
	}
}

// noticesLosses proves the rehearsal by what is lost on purpose: a row, a word
// in one, the key.
func (w *world) noticesLosses() {
	w.t.Helper()
	whole := contents(w.t, w.owner)
	for _, loss := range []string{
		"DELETE FROM articles WHERE id = (SELECT min(id) FROM articles)",
		"UPDATE tenant_configs SET name = name || '.' WHERE tenant_id = 'globex'",
	} {
		tx, err := w.owner.Begin(w.t.Context())
		if err == nil {
			_, err = tx.Exec(w.t.Context(), loss)
		}
		if err != nil {
			w.t.Fatalf("%s: %v", loss, err)
		}
		if cmp.Equal(whole, contents(w.t, tx)) {
			w.t.Errorf("not noticed: %s", loss)
		}
		_ = tx.Rollback(w.t.Context())
	}
	other, err := keyset.New()
	if err != nil {
		w.t.Fatal(err)
	}
	if said, err := w.shell(w.t.TempDir(), "deskhand doctor", "SEALING_KEY="+other.Reveal()); err == nil || !strings.Contains(said, "FAIL  directory") {
		w.t.Errorf("credentials seem to open with another key (%v):\n%s", err, said)
	}
}

// smoke is the operator's own test.
func (w *world) smoke(id tenant.ID) {
	w.t.Helper()
	w.cli("smoke", "--url", w.url, "--tenant", string(id))
}

// moveTo points the installation to another database.
func (w *world) moveTo(db pgtest.DB) {
	w.t.Helper()
	w.db, w.owner = db, db.Owner(w.t)
	w.cfg.DatabaseURL, w.cfg.DatabaseAdminURL = secret.New(db.AppURL), secret.New(db.AdminURL)
	w.cfg.DatabaseQueueURL, w.cfg.DatabaseOwnerURL = secret.New(db.QueueURL), secret.New(db.OwnerURL)
}

const database = "deskhand" // as in docs/deployment.md

// postgresServer is a server of its own, with its disk.
type postgresServer struct {
	*pgserver.Server
	t   *testing.T
	dir string
}

func startServer(t *testing.T) postgresServer {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "deskhand-restore-")
	if err == nil {
		err = os.Chmod(dir, 0o711) // the server's user enters
	}
	if err != nil {
		t.Fatal(err)
	}
	server, err := pgserver.Start(t.Context(), pgserver.Options{Dir: dir, Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	s := postgresServer{server, t, dir}
	t.Cleanup(s.destroy)
	return s
}

// destroy ends the server and removes its disk.
func (s postgresServer) destroy() {
	if err := s.Stop(); err != nil {
		s.t.Error(err)
	}
	if err := os.RemoveAll(s.dir); err != nil {
		s.t.Error(err)
	}
}

// db is the product's database, whether it is there or not.
func (s postgresServer) db() pgtest.DB {
	as := func(user string) string {
		u, err := url.Parse(s.OwnerURL(database))
		if err != nil {
			s.t.Fatal(err)
		}
		u.User = url.UserPassword(user, "password-of-"+user)
		return u.String()
	}
	return pgtest.DB{OwnerURL: s.OwnerURL(database), AppURL: as("app_user"), AdminURL: as("admin_user"), QueueURL: as("queue_user")}
}

// documented runs the first block of commands under a heading of
// docs/deployment.md.
func (w *world) documented(heading, dir string, env ...string) (said string, err error) {
	w.t.Helper()
	text, err := os.ReadFile("../../docs/deployment.md")
	if err != nil {
		w.t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)\n#+ " + heading + "\n[^#]*?\n```sh\n(.*?)```").FindSubmatch(text)
	if block == nil {
		w.t.Fatalf("docs/deployment.md has no commands under %q", heading)
	}
	return w.shell(dir, string(block[1]), env...)
}

// operator builds the command.
var operator = sync.OnceValues(func() (string, error) {
	path := filepath.Join(builds, "bin")
	out, err := exec.Command("go", "build", "-o", path+"/", "../../cmd/deskhand").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// shell runs commands as an operator does: in dir, with the installation's
// configuration, until one fails.
func (w *world) shell(dir, commands string, env ...string) (said string, err error) {
	w.t.Helper()
	bin, err := operator()
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", commands)
	c.Dir = dir
	c.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "OPENAI_API_KEY="+w.cfg.OpenAIKey.Reveal(), "OPENAI_BASE_URL="+w.cfg.OpenAIBaseURL,
		"OPENAI_MODEL="+w.cfg.OpenAIModel, "DATABASE_OWNER_URL="+w.cfg.DatabaseOwnerURL.Reveal(), "DATABASE_URL="+w.cfg.DatabaseURL.Reveal(),
		"DATABASE_ADMIN_URL="+w.cfg.DatabaseAdminURL.Reveal(), "DATABASE_QUEUE_URL="+w.cfg.DatabaseQueueURL.Reveal(), "REDIS_URL="+w.cfg.RedisURL.Reveal(), "SEALING_KEY="+w.cfg.SealingKey.Reveal())
	c.Env = append(c.Env, env...)
	out, err := c.CombinedOutput()
	if strings.Contains(string(out), "command not found") {
		err = fmt.Errorf("%w (as root: apt-get install postgresql-client)", err)
	}
	return string(out), err
}

// queries is a pool or a transaction.
type queries interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

const tablesSQL = `
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`

// contents gives for every table how many rows it has, and a digest of them.
func contents(t *testing.T, db queries) map[string]string {
	t.Helper()
	one := func(sql string) []string {
		rows, err := db.Query(t.Context(), sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		list, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return list
	}
	found := map[string]string{}
	for _, table := range one(tablesSQL) {
		found[table] = one("SELECT count(*) || ' rows ' || coalesce(md5(string_agg(r::text, '\n' ORDER BY r::text)), '') FROM " + table + " r")[0]
	}
	return found
}
