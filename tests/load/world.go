package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/localstack/lambdaruntime"
	"github.com/deskhand/deskhand/localstack/pgserver"
	"github.com/deskhand/deskhand/shared/app"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/telemetry"
	"github.com/deskhand/deskhand/shared/tenant"
)

const (
	tenants = 50
	signing = "the-signing-secret-of-every-tenant"
)

func tenantName(n int) string { return fmt.Sprintf("t%02d", n) }

// world is an installation: built functions, a Postgres that waits for its
// disk, and tenants.
type world struct {
	dir   string
	cfg   config.Config
	sqs   string // address of the stand-in, as a URL
	desk  *desk
	stops []func()
}

func (w *world) close() {
	for i := len(w.stops) - 1; i >= 0; i-- {
		w.stops[i]()
	}
}

func build(ctx context.Context) (w *world, err error) {
	w = &world{}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.dir, err = os.MkdirTemp("/var/tmp", "deskhand-load-"); err != nil {
		return w, err
	}
	w.stops = append(w.stops, func() { _ = os.RemoveAll(w.dir) })
	// Postgres runs as another user and must reach its folder inside.
	if err := os.Chmod(w.dir, 0o755); err != nil {
		return w, err
	}
	for _, part := range []func(context.Context) error{w.compile, w.postgres, w.queues, w.desks, w.install} {
		if err = part(ctx); err != nil {
			return w, err
		}
	}
	return w, nil
}

// functionNames are the functions that are deployed as Lambdas.
var functionNames = []string{"webhook", "enhance", "catalogue"}

// bootstrap is a built function: for an architecture.
func (w *world) bootstrap(name, arch string) string {
	return filepath.Join(w.dir, arch, name, "bootstrap")
}

// compile builds the functions as they are deployed.
func (w *world) compile(ctx context.Context) error {
	for _, arch := range []string{runtime.GOARCH, "arm64"} {
		progress("building the functions (%s)", arch)
		for _, name := range functionNames {
			if err := lambdaruntime.Build(ctx, "", "github.com/deskhand/deskhand/functions/"+name, arch, w.bootstrap(name, arch)); err != nil {
				return err
			}
		}
	}
	return lambdaruntime.Build(ctx, "", "github.com/deskhand/deskhand/tests/load/bare", runtime.GOARCH, w.bootstrap("bare", runtime.GOARCH))
}

func (w *world) postgres(ctx context.Context) error {
	progress("starting Postgres, fsync on")
	server, err := pgserver.Start(ctx, pgserver.Options{Dir: filepath.Join(w.dir, "postgres")})
	if err != nil {
		return err
	}
	w.stops = append(w.stops, func() { _ = server.Stop() })
	owner, err := server.CreateDatabase(ctx, "deskhand")
	if err != nil {
		return err
	}
	password := rand.Text()
	as := func(user string) secret.Text {
		u, err := url.Parse(owner)
		if err != nil {
			panic(err) // pgserver made it
		}
		u.User = url.UserPassword(user, password)
		return secret.New(u.String())
	}
	key, err := keyset.New()
	if err != nil {
		return err
	}
	w.cfg = config.Config{
		DatabaseURL: as("app_user"), DatabaseAdminURL: as("admin_user"), DatabaseQueueURL: as("queue_user"), DatabaseOwnerURL: secret.New(owner), DatabaseConns: 8,
		SealingKey: key, WorkerConcurrency: 4, WebhooksPerMinute: 1_000_000, LogLevel: "error", LogFormat: "json",
	}
	_, err = app.Migrate(ctx, w.cfg)
	return err
}

func (w *world) queues(ctx context.Context) error {
	p, err := w.spawn(ctx, server{program: os.Args[0], role: "sqs-child", path: "/held/accept"})
	if err != nil {
		return err
	}
	w.sqs = p.url
	return nil
}

// install adds the tenants, each with a connection to the same desk.
func (w *world) install(ctx context.Context) error {
	tel, err := telemetry.Setup(ctx, telemetry.Options{Service: "load", Level: w.cfg.LogLevel, Format: w.cfg.LogFormat, Out: os.Stderr})
	if err != nil {
		return err
	}
	a, err := app.New(ctx, w.cfg, tel)
	if err != nil {
		return err
	}
	for n := range tenants {
		id := tenant.ID(tenantName(n))
		t := tenant.Tenant{ID: id, Name: string(id), Settings: tenant.Settings{AllowedNetworks: []string{"127.0.0.0/8", "::1/128"}}}
		err = errors.Join(err, a.Office().Install(ctx, a.AtTheDesk(), t, tenant.Connection{
			ID: string(id), Tool: "servicedesk_plus", Signing: []secret.Text{secret.New(signing)}, Routes: map[string]tenant.ID{"": id},
			Values: integration.Values{"base_url": w.desk.url, "api_key": deskKey},
		}))
	}
	return errors.Join(err, a.Close(ctx))
}

// env is the environment of a function, and nothing of this process's.
func (w *world) env(more ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir,
		"DATABASE_URL=" + w.cfg.DatabaseURL.Reveal(), "DATABASE_QUEUE_URL=" + w.cfg.DatabaseQueueURL.Reveal(),
		"SEALING_KEY=" + w.cfg.SealingKey.Reveal(), "WEBHOOKS_PER_MINUTE=" + strconv.Itoa(w.cfg.WebhooksPerMinute),
	}, more...)
}

// server is what spawn starts.
type server struct {
	program string
	role    string // of this program as a child; "" for a function
	path    string // answers 200 when it is ready
	env     []string
}

// product is a built function as a server.
func (w *world) product(name string, env ...string) server {
	return server{program: w.bootstrap(name, runtime.GOARCH), path: "/readyz", env: w.env(env...)}
}

// process is a server that runs.
type process struct {
	pid  int
	url  string
	addr string
}

// spawn starts a server on a free port, waits until it is ready, and stops it
// with the world. It never outlives this process.
func (w *world) spawn(ctx context.Context, s server) (process, error) {
	addr, name := freeAddr(), strings.TrimSpace(filepath.Base(filepath.Dir(s.program))+" "+s.role)
	var said bytes.Buffer
	cmd := exec.Command(s.program, strings.Fields(s.role)...) //nolint:noctx // stop ends it
	cmd.Env = append([]string{"HTTP_ADDR=" + addr}, s.env...)
	cmd.Stderr = &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		// The death signal is sent when the *thread* that started the process
		// ends, so this one lives as long as the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is killed in the end
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		return process{}, fmt.Errorf("start %s: %w", name, err)
	}
	w.stops = append(w.stops, func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	p := process{cmd.Process.Pid, "http://" + addr, addr}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		select {
		case <-ended:
			return p, fmt.Errorf("%s ended at once: %s", name, said.String())
		case <-ctx.Done():
			return p, ctx.Err()
		default:
		}
		if _, err := get(ctx, p.url+s.path); err == nil {
			return p, nil
		}
	}
	return p, fmt.Errorf("%s does not answer on %s", name, addr)
}

// get gives the body of an answer with status 200.
func get(ctx context.Context, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, resp.Status, body)
	}
	return body, err
}

// cpu is the processor time that a process has used, all its threads together.
func (p process) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(stat), ") ") // the name may hold anything
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", p.pid, len(fields))
	}
	user, errU := strconv.Atoi(fields[11])
	system, errS := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(errU, errS) // a tick is 10 ms
}

func freeAddr() string {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once, or not at all
	if err != nil {
		panic(err) // no port is free on this machine
	}
	defer l.Close()
	return l.Addr().String()
}

// stored counts what the queue on Postgres holds.
func (w *world) stored(ctx context.Context) (h held, err error) {
	conn, err := pgx.Connect(ctx, w.cfg.DatabaseOwnerURL.Reveal())
	if err != nil {
		return h, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, "SELECT count(*), count(DISTINCT args->>'id') FROM river.river_job").Scan(&h.Messages, &h.Different)
	return h, err
}

// empty takes the messages of the accept path away, so that nobody works on
// them.
func (w *world) empty(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, w.cfg.DatabaseOwnerURL.Reveal())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "TRUNCATE river.river_job")
	return err
}
