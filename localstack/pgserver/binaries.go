package pgserver

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	embedded "github.com/fergusstrange/embedded-postgres"
)

// binaries is a folder with a working postgres and initdb.
type binaries struct {
	dir     string
	version string // "15.18"
}

const oldest = 14 // the first PostgreSQL the migrations run on

// major gives 15 for "15.18".
func (b binaries) major() int {
	digits, _, _ := strings.Cut(b.version, ".")
	n, _ := strconv.Atoi(digits)
	return n
}

// installer puts a PostgreSQL on the machine, or says why it cannot.
type installer func(context.Context) error

// find gives the newest PostgreSQL of the machine that works, or the one that
// made the data in dir. Where there is none it lets the installers try, one
// after the other.
func find(ctx context.Context, dir string, as account, installers ...installer) (binaries, error) {
	data, err := dataVersion(dir)
	if err != nil {
		return binaries{}, err
	}
	fits := func(b binaries) bool { return data == 0 || b.major() == data }
	look := func() []binaries {
		return working(ctx, append(folders(ctx), filepath.Join(downloads(dir), "bin")), as)
	}
	found := look()
	var errs []error
	for _, install := range installers {
		if slices.ContainsFunc(found, fits) {
			break
		}
		errs = append(errs, install(ctx))
		found = look()
	}
	if i := slices.IndexFunc(found, fits); i >= 0 {
		return found[i], nil
	}
	if data != 0 {
		errs = append(errs, fmt.Errorf("the data in %s are of PostgreSQL %d, which is not on this machine: install it, or remove the folder to begin anew", dir, data))
	} else {
		errs = append(errs, fmt.Errorf("PostgreSQL %d or later is not on this machine: install it (Debian: apt-get install postgresql)", oldest))
	}
	return binaries{}, errors.Join(errs...)
}

// dataVersion is the major version that made the data in dir; 0 where there
// are none.
func dataVersion(dir string) (int, error) {
	text, err := os.ReadFile(filepath.Join(dir, "data", "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	version, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("read the version of the data: %w", err)
	}
	return version, nil
}

// folders lists where PostgreSQL may be.
func folders(ctx context.Context) []string {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin"} {
		found, _ := filepath.Glob(pattern) // the patterns are well-formed
		dirs = append(dirs, found...)
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	return dirs
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+[^\s]*)`)

// working gives those of the folders that have an initdb and a postgres that
// the account can run, newest first.
func working(ctx context.Context, dirs []string, as account) []binaries {
	var found []binaries
	for _, dir := range dirs {
		program, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
		if err != nil {
			continue
		}
		dir = filepath.Dir(program)
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
			continue
		}
		cmd := exec.CommandContext(ctx, program, "--version")
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as.credential}
		out, _ := cmd.Output()
		if m := versionPattern.FindSubmatch(out); m != nil {
			found = append(found, binaries{dir: dir, version: string(m[1])})
		}
	}
	found = slices.DeleteFunc(found, func(b binaries) bool { return b.major() < oldest })
	slices.SortStableFunc(found, func(a, b binaries) int { return cmp.Compare(b.major(), a.major()) })
	return found
}

// installDebian installs Debian's package with the program apt-get, where this
// is root.
func installDebian(ctx context.Context, aptGet string, log func(string)) error {
	if os.Geteuid() != 0 {
		return errors.New("apt-get install postgresql: only root can")
	}
	for _, args := range [][]string{{"update"}, {"install", "-y", "--no-install-recommends", "postgresql"}} {
		log("apt-get " + strings.Join(args, " "))
		cmd := exec.CommandContext(ctx, aptGet, args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w: %s", args[0], err, bytes.TrimSpace(out[max(0, len(out)-500):]))
		}
	}
	return nil
}

// downloads is the folder for programs that unpack brings.
func downloads(dir string) string { return filepath.Join(dir, "postgresql") }

// unpack downloads PostgreSQL's programs into dir, from the library's own
// place where mirror is empty. The library can only start
// a server of its own, which it cannot do as root; so it is let try on
// throwaway data, and what counts is what it unpacked on the way.
func unpack(ctx context.Context, dir, mirror string, log func(string)) error {
	log("downloading PostgreSQL " + string(embedded.V17))
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "deskhand-pgserver-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	config := embedded.DefaultConfig().Version(embedded.V17).Port(uint32(port)).Logger(nil).
		BinariesPath(dir).RuntimePath(filepath.Join(scratch, "run")).CachePath(filepath.Join(scratch, "cache"))
	if mirror != "" {
		config = config.BinaryRepositoryURL(mirror)
	}
	server := embedded.NewDatabase(config)
	started := server.Start()
	if started == nil {
		started = server.Stop()
	}
	if _, err := os.Stat(filepath.Join(dir, "bin", "postgres")); err != nil {
		return fmt.Errorf("download PostgreSQL: %w", started)
	}
	return nil
}
