// Package pgserver runs a real PostgreSQL for one machine, as a child of this
// process: for `make run` and for tests. It takes the machine's binaries, else
// installs Debian's, else downloads some. The server listens on a free port of
// 127.0.0.1, wants a password, and never outlives the process that started it,
// however that one ends. It needs Linux.
package pgserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Options say where and how the server runs.
type Options struct {
	// Dir keeps the data, the owner's password, the log and a lock. It is made
	// where it is missing. One server at a time uses it.
	Dir string
	// Fast trades durability for speed: a power cut loses the data. For tests.
	Fast bool
	// Log takes one line of progress at a time; nil drops them.
	Log func(string)
}

// Server is a running PostgreSQL.
type Server struct {
	dir      string
	fast     bool
	lock     *os.File // of dir, while the server starts
	bin      binaries
	as       account
	port     uint16
	password string
	process  *os.Process
	done     chan struct{} // closed when the server has ended
}

const (
	owner     = "deskhand"       // the superuser
	readyIn   = 2 * time.Minute  // crash recovery of a large database takes a while
	stopIn    = 30 * time.Second // until a fast shutdown becomes an immediate one
	lockedFor = 30 * time.Second // until a server that is shutting down must be gone
)

// Start runs a server on the data in o.Dir, which it makes the first time, and
// returns when it accepts connections. ctx ends the starting, not the server.
// After a crash the data are recovered; a former server on the same data that
// still shuts down is waited for.
func Start(ctx context.Context, o Options) (*Server, error) {
	s, err := start(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("pgserver: start PostgreSQL in %s: %w", o.Dir, err)
	}
	return s, nil
}

func start(ctx context.Context, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = func(string) {}
	}
	as, err := serverAccount()
	if err != nil {
		return nil, err
	}
	s := &Server{fast: o.Fast, as: as}
	if s.dir, err = folder(o.Dir, as); err != nil {
		return nil, err
	}
	if s.lock, err = lockFolder(ctx, s.dir); err != nil {
		return nil, err
	}
	defer s.lock.Close() // the server has inherited it
	debian := func(ctx context.Context) error { return installDebian(ctx, "apt-get", o.Log) }
	download := func(ctx context.Context) error { return unpack(ctx, downloads(s.dir), "", o.Log) }
	if s.bin, err = find(ctx, s.dir, as, debian, download); err != nil {
		return nil, err
	}
	if err := s.initialise(ctx, o.Log); err != nil {
		return nil, err
	}
	if err := s.launch(ctx, freePort); err != nil {
		return nil, err
	}
	o.Log(s.Describe())
	return s, nil
}

// Describe tells in one line what was chosen.
func (s *Server) Describe() string {
	return fmt.Sprintf("PostgreSQL %s from %s, as user %s, on 127.0.0.1:%d, data in %s", s.bin.version, s.bin.dir, s.as.name, s.port, s.data())
}

// OwnerURL is the URL of a database for the server's superuser. It contains
// the password.
func (s *Server) OwnerURL(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(owner, s.password), Path: "/" + database, RawQuery: "sslmode=disable",
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(int(s.port))),
	}
	return u.String()
}

// CreateDatabase makes the database where it does not exist, and gives its
// OwnerURL.
func (s *Server) CreateDatabase(ctx context.Context, name string) (string, error) {
	conn, err := pgx.Connect(ctx, s.OwnerURL("postgres"))
	if err != nil {
		return "", fmt.Errorf("pgserver: create database %s: %w", name, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&exists)
	if err == nil && !exists {
		_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	}
	if err != nil {
		return "", fmt.Errorf("pgserver: create database %s: %w", name, err)
	}
	return s.OwnerURL(name), nil
}

// Stop shuts the server down: it ends open connections and writes everything
// to disk. To stop a stopped server does nothing.
func (s *Server) Stop() error {
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		_ = s.process.Signal(signal) // fails when it has ended, which done tells
		select {
		case <-s.done:
			return nil
		case <-time.After(stopIn):
		}
	}
	return fmt.Errorf("pgserver: PostgreSQL (process %d) does not end", s.process.Pid)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// launch starts the server and waits until it answers. A port that somebody
// else took in between is given up for another.
func (s *Server) launch(ctx context.Context, port func(context.Context) (uint16, error)) (err error) {
	for range 3 {
		if s.port, err = port(ctx); err != nil {
			return err
		}
		if err = s.run(); err != nil {
			return err
		}
		if err = s.ready(ctx); err == nil {
			return nil
		}
		err = errors.Join(err, s.Stop())
		if !bytes.Contains(s.logTail(), []byte("Address already in use")) {
			return err
		}
	}
	return err
}

// run starts the server process.
func (s *Server) run() error {
	log, err := os.Create(s.logFile())
	if err != nil {
		return err
	}
	defer log.Close() // the server has inherited it
	// The folder is locked, so a pid in here is of a dead server, or of a
	// stranger that has the number now and would make the server refuse.
	if err := os.Remove(filepath.Join(s.data(), "postmaster.pid")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	cmd := s.command(context.Background(), "postgres", s.arguments()...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr.Pdeathsig = syscall.SIGINT
	if s.fast {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	}
	started, done := make(chan error), make(chan struct{})
	go func() {
		// The death signal is sent when the *thread* that started the process
		// ends, so this one lives as long as the server.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // why it ended is in the log
			close(done)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("run %s as user %s: %w", cmd.Path, s.as.name, err)
	}
	s.process, s.done = cmd.Process, done
	return nil
}

func (s *Server) arguments() []string {
	args := []string{"-D", s.data(), "-p", strconv.Itoa(int(s.port))}
	settings := []string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200", "timezone=UTC", "log_timezone=UTC",
	}
	if s.fast {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0")
	}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	return args
}

// ready waits until the server answers.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			return fmt.Errorf("the server ended at once; its log %s says: %s", s.logFile(), s.logTail())
		case <-ctx.Done():
			return fmt.Errorf("the server is not ready (see %s): %w", s.logFile(), errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

// answers tries once to connect. What has the port may be a stranger that never
// answers, so it does not wait long.
func (s *Server) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.OwnerURL("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// command is a command of the server's own programs: as its account, in a
// folder it can read, and with nothing of our environment, which has secrets.
// It inherits the lock, so that whoever gets the lock later knows that no
// process of this server is left.
func (s *Server) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin.dir, program), args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	cmd.ExtraFiles = []*os.File{s.lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as.credential, Setpgid: true}
	return cmd
}

func (s *Server) logFile() string { return filepath.Join(s.dir, "postgres.log") }

// logTail gives the end of the server's log.
func (s *Server) logTail() []byte {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(text[max(0, len(text)-2000):])
}

func freePort(ctx context.Context) (uint16, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort().Port(), nil
}
