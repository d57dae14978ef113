package pgserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestDataSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	var log []string
	s := mustStart(t, Options{Dir: dir, Log: func(line string) { log = append(log, line) }})
	db, err := s.CreateDatabase(t.Context(), "deskhand")
	if err != nil {
		t.Fatal(err)
	}
	execute(t, db, "CREATE TABLE kept AS SELECT 42 AS n")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Errorf("the second Stop: %v", err)
	}

	s = mustStart(t, Options{Dir: dir})
	if db, err = s.CreateDatabase(t.Context(), "deskhand"); err != nil {
		t.Fatalf("a database that exists: %v", err)
	}
	if got := query(t, db, "SELECT n::text FROM kept"); got != "42" {
		t.Errorf("after the restart: %q, want 42", got)
	}
	if len(log) != 2 || log[1] == "" {
		t.Errorf("progress = %q, want the making of the data and the description", log)
	}
}

func TestServerIsPrivateToTheMachine(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s := mustStart(t, Options{Dir: dir, Fast: true})
	url := s.OwnerURL("postgres")
	if got := query(t, url, "SHOW listen_addresses"); got != "127.0.0.1" {
		t.Errorf("listens on %q", got)
	}
	if got := query(t, url, "SHOW unix_socket_directories"); got != "" {
		t.Errorf("has sockets in %q", got)
	}
	for _, wrong := range []string{strings.Replace(url, s.password, "wrong", 1), strings.Replace(url, ":"+s.password, "", 1)} {
		if conn, err := pgx.Connect(t.Context(), wrong); err == nil {
			_ = conn.Close(t.Context())
			t.Errorf("%s: was let in", wrong)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "password"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("password file: mode %v, %v; want 0600", info.Mode(), err)
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", s.process.Pid))
	if err != nil || strings.Contains(string(environ), "HOME=") {
		t.Errorf("the server has our environment: %q, %v", environ, err)
	}
	if d := s.Describe(); !strings.Contains(d, "PostgreSQL 1") || strings.Contains(d, s.password) {
		t.Errorf("Describe() = %q", d)
	}
}

func TestServerRecoversFromKill9(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s := mustStart(t, Options{Dir: dir})
	execute(t, s.OwnerURL("postgres"), "CREATE TABLE kept AS SELECT 42 AS n")
	if err := s.process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.done
	// Its number is taken by a stranger, this test, when it starts again.
	pid := filepath.Join(dir, "data", "postmaster.pid")
	text, err := os.ReadFile(pid)
	if err != nil {
		t.Fatalf("kill -9 left no pid file: %v", err)
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(pid, []byte(strconv.Itoa(os.Getpid())+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}

	s = mustStart(t, Options{Dir: dir})
	if got := query(t, s.OwnerURL("postgres"), "SELECT n::text FROM kept"); got != "42" {
		t.Errorf("after kill -9: %q, want 42", got)
	}
}

// TestServerDoesNotOutliveItsParent kills a process that started a server, and
// starts one on the same data at once.
func TestServerDoesNotOutliveItsParent(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	parent := exec.Command(os.Args[0], "-test.run=^TestParentProcess$")
	parent.Env = append(os.Environ(), "PGSERVER_TEST_DIR="+dir)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	former, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(former, "postgres://") {
		t.Fatalf("the parent printed %q, %v", former, err)
	}
	former = strings.TrimSpace(former)
	execute(t, former, "CREATE TABLE kept AS SELECT 42 AS n")
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()

	s := mustStart(t, Options{Dir: dir})
	if conn, err := pgx.Connect(t.Context(), former); err == nil && !strings.Contains(former, strconv.Itoa(int(s.port))) {
		_ = conn.Close(t.Context())
		t.Error("the former server still runs")
	}
	if got := query(t, s.OwnerURL("postgres"), "SELECT n::text FROM kept"); got != "42" {
		t.Errorf("after the parent's end: %q, want 42", got)
	}
}

// TestParentProcess is no test: it is the parent of the test above.
func TestParentProcess(t *testing.T) { //nolint:paralleltest // it waits to be killed
	dir := os.Getenv("PGSERVER_TEST_DIR")
	if dir == "" {
		return
	}
	s, err := Start(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(s.OwnerURL("postgres"))
	time.Sleep(time.Minute)
}

func TestOneServerAtATimeUsesAFolder(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	mustStart(t, Options{Dir: dir, Fast: true})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	wantError(t, ctx, Options{Dir: dir}, "another server runs in this folder")
}

func TestPortThatIsTakenIsGivenUpForAnother(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Dir: tempDir(t), Fast: true})
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.lock, err = lockFolder(t.Context(), s.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.lock.Close() })
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	tries := 0
	err = s.launch(t.Context(), func(ctx context.Context) (uint16, error) {
		if tries++; tries > 1 {
			return freePort(ctx)
		}
		return taken.Addr().(*net.TCPAddr).AddrPort().Port(), nil
	})
	if err != nil || query(t, s.OwnerURL("postgres"), "SELECT 'up'") != "up" {
		t.Errorf("launch() = %v", err)
	}
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	private := tempDir(t)
	if err := os.Chmod(private, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(tempDir(t), "file")
	write(t, file, "", 0o600)
	lost := tempDir(t)
	write(t, filepath.Join(lost, "data", "PG_VERSION"), localVersion(t), 0o600)
	broken := tempDir(t)
	write(t, filepath.Join(broken, "data", "PG_VERSION"), localVersion(t), 0o600)
	write(t, filepath.Join(broken, "password"), "x", 0o600)
	odd := tempDir(t)
	write(t, filepath.Join(odd, "data", "PG_VERSION"), "fifteen", 0o600)

	for name, tc := range map[string]struct{ dir, want string }{
		"no folder":          {"", "Options.Dir is empty"},
		"a file":             {file, "not a directory"},
		"unreachable":        {filepath.Join(private, "pg"), "run `chmod o+x " + private + "`"},
		"password lost":      {lost, "to begin anew"},
		"damaged data":       {broken, "the server ended at once"},
		"unreadable version": {odd, "read the version of the data"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "unreachable" && os.Geteuid() != 0 {
				return // only root runs the server as somebody else
			}
			wantError(t, t.Context(), Options{Dir: tc.dir}, tc.want)
		})
	}
}

func TestCancelledStartLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Start(ctx, Options{Dir: dir, Fast: true, Log: func(string) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("err = %v, want the context's", err)
	}
	mustStart(t, Options{Dir: dir, Fast: true})
}

func TestCreateDatabaseNamesTheDatabaseThatItCannotMake(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Dir: tempDir(t), Fast: true})
	if _, err := s.CreateDatabase(t.Context(), ""); err == nil || strings.Contains(err.Error(), s.password) {
		t.Errorf("an empty name: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateDatabase(t.Context(), "gone"); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("a stopped server: %v", err)
	}
}

// tempDir is a folder that the server's user can enter.
func tempDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func mustStart(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func wantError(t *testing.T, ctx context.Context, o Options, want string) {
	t.Helper()
	s, err := Start(ctx, o)
	if err == nil {
		_ = s.Stop()
	}
	if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "pgserver: ") {
		t.Errorf("Start(%q) = %v, want an error with %q", o.Dir, err, want)
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), mode)); err != nil {
		t.Fatal(err)
	}
}

func execute(t *testing.T, db, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func query(t *testing.T, db, sql string) (value string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}
