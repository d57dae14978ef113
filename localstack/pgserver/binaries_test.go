package pgserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// localVersion is the major version of this machine's PostgreSQL.
func localVersion(t *testing.T) string {
	t.Helper()
	as, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	b, err := find(t.Context(), tempDir(t), as)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(b.major())
}

// fakeBinaries makes a folder whose postgres is a script.
func fakeBinaries(t *testing.T, dir, script string) string {
	t.Helper()
	for _, name := range []string{"postgres", "initdb"} {
		write(t, filepath.Join(dir, name), "#!/bin/sh\n"+script+"\n", 0o755)
	}
	return dir
}

func TestTheNewestPostgresThatWorksIsTaken(t *testing.T) {
	t.Parallel()
	as, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	says := func(version string) string {
		return fakeBinaries(t, tempDir(t), "echo 'postgres (PostgreSQL) "+version+" (Debian)'")
	}
	old, older, newest := says("15.18"), says("9.6.24"), says("17.5")
	broken := fakeBinaries(t, tempDir(t), "exit 1")
	alone := tempDir(t)
	write(t, filepath.Join(alone, "postgres"), "#!/bin/sh\necho 'postgres (PostgreSQL) 18.1'", 0o755)
	link := tempDir(t)
	if err := os.Symlink(filepath.Join(old, "postgres"), filepath.Join(link, "postgres")); err != nil {
		t.Fatal(err)
	}

	got := working(t.Context(), []string{"", broken, link, older, newest, alone, tempDir(t)}, as)
	want := []binaries{{newest, "17.5"}, {old, "15.18"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(binaries{})); diff != "" {
		t.Errorf("working() (-want +got):\n%s", diff)
	}
}

func TestMissingVersionIsInstalled(t *testing.T) {
	t.Parallel()
	as, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	dir := tempDir(t)
	write(t, filepath.Join(dir, "data", "PG_VERSION"), "77\n", 0o600)
	fails := func(context.Context) error { return errors.New("no network") }
	installs := func(context.Context) error {
		fakeBinaries(t, filepath.Join(downloads(dir), "bin"), "echo 'postgres (PostgreSQL) 77.1'")
		return nil
	}
	never := func(context.Context) error {
		t.Error("an installer ran though the version is there")
		return nil
	}

	_, err = find(t.Context(), dir, as, fails)
	if err == nil || !strings.Contains(err.Error(), "no network") || !strings.Contains(err.Error(), "are of PostgreSQL 77") {
		t.Errorf("without it: %v", err)
	}
	b, err := find(t.Context(), dir, as, fails, installs, never)
	if err != nil || b.version != "77.1" {
		t.Errorf("find() = %v, %v; want 77.1", b, err)
	}
}

func TestDebianPackageIsInstalledOrTheReasonTold(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	calls := filepath.Join(dir, "calls")
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
	write(t, good, fmt.Sprintf("#!/bin/sh\necho \"$DEBIAN_FRONTEND $*\" >> %s\n", calls), 0o755)
	write(t, bad, "#!/bin/sh\necho 'E: no such package'; exit 100\n", 0o755)
	var log []string
	note := func(line string) { log = append(log, line) }

	err := installDebian(t.Context(), good, note)
	if os.Geteuid() != 0 {
		if err == nil || !strings.Contains(err.Error(), "only root") {
			t.Errorf("not root: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(calls)
	want := "noninteractive update\nnoninteractive install -y --no-install-recommends postgresql\n"
	if string(text) != want || len(log) != 2 {
		t.Errorf("ran %q and told %q", text, log)
	}
	if err := installDebian(t.Context(), bad, note); err == nil || !strings.Contains(err.Error(), "no such package") {
		t.Errorf("err = %v, want apt-get's words", err)
	}
}

func TestFailedDownloadIsAnError(t *testing.T) {
	t.Parallel()
	missing := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(missing.Close)
	err := unpack(t.Context(), filepath.Join(tempDir(t), "postgresql"), missing.URL, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "download PostgreSQL") {
		t.Errorf("err = %v", err)
	}
}
