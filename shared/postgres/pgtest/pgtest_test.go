package pgtest_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/localstack/pgserver"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
)

func TestEveryDatabaseIsFreshAndMigrated(t *testing.T) {
	t.Parallel()
	one, two := pgtest.New(t), pgtest.New(t)
	one.AddTenants(t, "acme", "globex")
	count := func(db pgtest.DB) (n int) {
		t.Helper()
		if err := db.Owner(t).QueryRow(t.Context(), "SELECT count(*) FROM tenant_configs").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(one); n != 2 {
		t.Errorf("the first database has %d tenants, want 2", n)
	}
	if n := count(two); n != 0 {
		t.Errorf("the second database has %d tenants, want 0", n)
	}
}

func TestRolesReachTheirDatabase(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	if err := errors.Join(db.App(t).Ping(t.Context()), db.App(t).CheckRole(t.Context())); err != nil {
		t.Error(err)
	}
	conn, err := pgx.Connect(t.Context(), db.QueueURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var role string
	if err := conn.QueryRow(t.Context(), "SELECT current_user").Scan(&role); err != nil || role != "queue_user" {
		t.Errorf("QueueURL is of %s, %v", role, err)
	}
}

func TestDatabaseIsDroppedWithItsTest(t *testing.T) {
	t.Parallel()
	var former pgtest.DB
	t.Cleanup(func() { // after the test within
		conn, err := pgx.Connect(context.Background(), former.OwnerURL)
		if err == nil {
			_ = conn.Close(context.Background())
			t.Error("the database is still there")
		}
	})
	t.Run("within", func(t *testing.T) {
		t.Parallel()
		former = pgtest.New(t)
		former.AddTenants(t, "acme")
	})
}

// TestProcessesShareAServer has several test processes make the template of
// one new server at the same time.
func TestProcessesShareAServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil { // for the server's user
		t.Fatal(err)
	}
	s, err := pgserver.Start(t.Context(), pgserver.Options{Dir: dir, Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if out, err := child(s.OwnerURL("postgres")).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	conn, err := pgx.Connect(t.Context(), s.OwnerURL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var names []string
	if err := conn.QueryRow(t.Context(), "SELECT array_agg(datname::text) FROM pg_database WHERE datname ~ '^te(st|mplate)_'").Scan(&names); err != nil {
		t.Fatal(err)
	}
	if len(names) != 1 || strings.HasSuffix(names[0], "_draft") {
		t.Errorf("left on the server: %v, want one template", names)
	}
}

func TestServerAndItsFolderGoWithTheProcess(t *testing.T) {
	t.Parallel()
	out, err := child("").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	dir := regexp.MustCompile(`/tmp/deskhand-pgtest-\d+`).Find(out)
	if dir == nil {
		t.Fatalf("no folder is named: %s", out)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, err := os.Stat(string(dir))
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there (%v)", dir, err)
		}
	}
}

func TestUnusableServerIsAnError(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://owner:hunter2@127.0.0.1:1/postgres", "postgres://owner:hunter2@host:port/x"} {
		out, err := child(url).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "pgtest: ") || strings.Contains(string(out), "hunter2") {
			t.Errorf("%s: %v: %s", url, err, out)
		}
	}
}

// child is this test program as another process, on the server of ownerURL.
func child(ownerURL string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), "TEST_DATABASE_URL="+ownerURL)
	return cmd
}

// TestChild is what child runs. It names the server's folder.
func TestChild(t *testing.T) {
	t.Parallel()
	var dir string
	if err := pgtest.New(t).Owner(t).QueryRow(t.Context(), "SHOW data_directory").Scan(&dir); err != nil {
		t.Fatal(err)
	}
	t.Log(dir)
}

func BenchmarkNew(b *testing.B) {
	pgtest.New(b)
	for b.Loop() {
		pgtest.New(b)
	}
}
