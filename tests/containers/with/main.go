// Command with runs a command beside containers that testcontainers starts, and
// ends them afterwards:
//
//	go run ./with postgres valkey localstack -- COMMAND...
//
// The command finds them by TEST_DATABASE_URL (the owner's), VALKEY_TEST_URL
// and SQS_TEST_URL, and the engine's own address, where containers reach this
// machine, by DOCKER_GATEWAY. The images are those of POSTGRES_IMAGE,
// VALKEY_IMAGE and LOCALSTACK_IMAGE: .ci/with-docker sees to it that they are
// there. LOCALSTACK_AUTH_TOKEN is passed on to LocalStack, where it is set.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/modules/localstack"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
	"github.com/testcontainers/testcontainers-go/modules/redis"
	"github.com/testcontainers/testcontainers-go/wait"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "with:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

// run gives the exit code of the command.
func run(args []string) (code int, err error) {
	i := slices.Index(args, "--")
	if i < 1 || i == len(args)-1 {
		return 0, errors.New("want SERVICE... -- COMMAND..., with postgres, valkey or localstack as services")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log.SetDefault(quiet{}) // what it does is not what the command says
	var containers group
	defer func() { containers.end() }()                       // those that are there by then
	cmd := exec.CommandContext(ctx, args[i+1], args[i+2:]...) //nolint:gosec // the command is the caller's
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = os.Stdin, os.Stdout, os.Stderr, os.Environ()
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, 20*time.Second
	for _, name := range args[:i] {
		start, known := services[name]
		if !known {
			return 0, fmt.Errorf("no service is called %s", name)
		}
		env, err := start(ctx, &containers)
		if err != nil {
			return 0, fmt.Errorf("start %s: %w%s", name, err, containers.last())
		}
		cmd.Env = append(cmd.Env, env...)
	}
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}

const (
	startLimit = 3 * time.Minute // of a container, on a busy machine
	stopLimit  = 3 * time.Second
)

// quiet is a log of testcontainers that goes nowhere.
type quiet struct{}

// Printf implements log.Logger.
func (quiet) Printf(string, ...any) {}

// group is the containers that have been started.
type group []testcontainers.Container

// last gives the last lines that the newest container has printed.
func (g group) last() string {
	if len(g) == 0 {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	log, err := g[len(g)-1].Logs(ctx)
	if err != nil {
		return fmt.Sprintf("\n(and its log cannot be read: %v)", err)
	}
	defer func() { _ = log.Close() }()
	text, _ := io.ReadAll(log) // what there is
	lines := strings.Split(cmp.Or(strings.TrimSpace(string(text)), "nothing"), "\n")
	return "\nThe container printed:\n" + strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// end ends them. What they hold is worth nothing: they get little time.
func (g group) end() {
	for _, c := range g {
		if err := testcontainers.TerminateContainer(c, testcontainers.StopTimeout(stopLimit)); err != nil {
			fmt.Fprintln(os.Stderr, "with: end a container:", err)
		}
	}
}

// services start a container each, and give the variables to find it by.
var services = map[string]func(context.Context, *group) ([]string, error){
	"postgres": startPostgres, "valkey": startValkey, "localstack": startLocalStack,
}

// ready says when a container is, in place of the module's own seconds: on a
// busy machine a start may take long.
func ready(when ...wait.Strategy) testcontainers.CustomizeRequestOption {
	return testcontainers.WithWaitStrategyAndDeadline(startLimit, when...)
}

// startPostgres starts a server for many tests at a time.
func startPostgres(ctx context.Context, g *group) ([]string, error) {
	c, err := postgres.Run(ctx, cmp.Or(os.Getenv("POSTGRES_IMAGE"), "postgres:17.6"),
		ready(wait.ForLog("database system is ready to accept connections").WithOccurrence(2).WithStartupTimeout(startLimit), // it restarts once
			wait.ForListeningPort("5432/tcp").WithStartupTimeout(startLimit)),
		testcontainers.WithCmdArgs("-c", "max_connections=500", "-c", "shared_buffers=128MB"))
	if c != nil {
		*g = append(*g, c)
	}
	if err != nil {
		return nil, err
	}
	ip, err := c.ContainerIP(ctx)
	return []string{"TEST_DATABASE_URL=postgres://postgres:postgres@" + ip + ":5432/postgres?sslmode=disable"}, err
}

func startValkey(ctx context.Context, g *group) ([]string, error) {
	c, err := redis.Run(ctx, cmp.Or(os.Getenv("VALKEY_IMAGE"), "valkey/valkey:8.1.3"),
		ready(wait.ForListeningPort("6379/tcp").WithStartupTimeout(startLimit)))
	if c != nil {
		*g = append(*g, c)
	}
	if err != nil {
		return nil, err
	}
	ip, err := c.ContainerIP(ctx)
	return []string{"VALKEY_TEST_URL=redis://" + ip + ":6379/0"}, err
}

// startLocalStack starts a LocalStack that answers what it has, at once, and
// calls nobody.
func startLocalStack(ctx context.Context, g *group) ([]string, error) {
	env := map[string]string{"DISABLE_EVENTS": "1", "SKIP_SSL_CERT_DOWNLOAD": "1"}
	if token := os.Getenv("LOCALSTACK_AUTH_TOKEN"); token != "" {
		env["LOCALSTACK_AUTH_TOKEN"] = token
	}
	c, err := localstack.Run(ctx, cmp.Or(os.Getenv("LOCALSTACK_IMAGE"), "localstack/localstack:4.14.0"), testcontainers.WithEnv(env),
		ready(wait.ForHTTP("/_localstack/health").WithPort("4566/tcp").WithStartupTimeout(startLimit)))
	if c != nil {
		*g = append(*g, c)
	}
	if err != nil {
		return nil, err
	}
	inspected, err := c.Inspect(ctx)
	if err != nil {
		return nil, err
	}
	for _, network := range inspected.NetworkSettings.Networks {
		return []string{
			fmt.Sprintf("SQS_TEST_URL=http://%s:4566", network.IPAddress), fmt.Sprintf("DOCKER_GATEWAY=%s", network.Gateway),
			"LOCALSTACK_IS=" + strings.TrimSpace(inspected.Config.Image+" "+made(inspected.Config.Labels)),
		}, nil
	}
	return nil, errors.New("its container has no network")
}

// made says what a locally made image is made of.
func made(labels map[string]string) string {
	if of := labels["deskhand.made-of"]; of != "" {
		return "(made here, of " + of + ")"
	}
	return ""
}
