package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/deskhand/deskhand/localstack/demo"
	"github.com/deskhand/deskhand/localstack/lambdaruntime"
	"github.com/deskhand/deskhand/localstack/pgserver"
	"github.com/deskhand/deskhand/shared/app"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/telemetry"
)

// envFile is where a running stack leaves its configuration, in its folder;
// the deskhand command reads it, too.
const envFile = "env"

// stack is everything that stands in for the cloud, and the product on it.
type stack struct {
	options options
	cfg     config.Config
	keys    keys
	say     func(string)
	desks   []*desk
	app     *app.App
	log     *os.File
	stops   []func()

	deployed map[string]*lambdaruntime.Function // with options.Lambda
}

// keys are what the local stack makes once and keeps in its folder.
type keys struct {
	App, Admin, Queue, Sealing, Signing, API string
}

// start brings everything up; say gets a line for each choice.
func start(ctx context.Context, o options, say func(string)) (s *stack, err error) {
	s = &stack{options: o, say: say}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.cfg, err = config.Load(); err != nil {
		return s, err
	}
	if s.keys, err = loadKeys(o.Dir); err != nil {
		return s, err
	}
	for _, part := range []func(context.Context) error{s.postgres, s.sqs, s.redis, s.model, s.product, s.functions, s.tools, s.learn, s.leaveEnv} {
		if err = part(ctx); err != nil {
			return s, err
		}
	}
	return s, nil
}

// stop ends everything that start began, the last first.
func (s *stack) stop() {
	for i := len(s.stops) - 1; i >= 0; i-- {
		s.stops[i]()
	}
	s.stops = nil
}

// postgres takes the database of DATABASE_URL, as its owner, or a server of
// this machine.
func (s *stack) postgres(ctx context.Context) error {
	owner := s.cfg.DatabaseURL.Reveal()
	if owner != "" {
		s.say("Postgres   the database of DATABASE_URL")
	} else {
		server, err := s.server(ctx)
		if err != nil {
			return err
		}
		s.stops = append(s.stops, func() { _ = server.Stop() })
		if owner, err = server.CreateDatabase(ctx, "deskhand"); err != nil {
			return err
		}
	}
	as := func(user, password string) (secret.Text, error) {
		u, err := url.Parse(owner)
		if err != nil {
			return secret.Text{}, errors.New("DATABASE_URL: not a URL (postgres://user:password@host:5432/name)")
		}
		u.User = url.UserPassword(user, password)
		return secret.New(u.String()), nil
	}
	var err error
	s.cfg.DatabaseOwnerURL = secret.New(owner)
	if s.cfg.DatabaseURL, err = as("app_user", s.keys.App); err != nil {
		return err
	}
	if s.cfg.DatabaseAdminURL, err = as("admin_user", s.keys.Admin); err != nil {
		return err
	}
	if s.cfg.DatabaseQueueURL, err = as("queue_user", s.keys.Queue); err != nil {
		return err
	}
	s.cfg.SealingKey = secret.New(s.keys.Sealing)
	applied, err := app.Migrate(ctx, s.cfg)
	if err != nil {
		return err
	}
	s.say(fmt.Sprintf("Schema     up to date, %d migrations applied now", applied))
	return nil
}

// server starts Postgres in the stack's folder. Where the user as whom it runs
// cannot enter that (root's home), the data are in a folder of /var/tmp that
// the link .local/postgres leads to, so that make clean finds it.
func (s *stack) server(ctx context.Context) (*pgserver.Server, error) {
	o := pgserver.Options{Dir: filepath.Join(s.options.Dir, "postgres"), Log: func(line string) { s.say("Postgres   " + line) }}
	server, err := pgserver.Start(ctx, o)
	if !errors.Is(err, pgserver.ErrUnreachable) {
		return server, err
	}
	elsewhere, err := os.MkdirTemp("/var/tmp", "deskhand-")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Chmod(elsewhere, 0o755), os.RemoveAll(o.Dir), os.Symlink(elsewhere, o.Dir)); err != nil {
		return nil, err
	}
	return pgserver.Start(ctx, o)
}

func (s *stack) redis(context.Context) error {
	if !s.cfg.RedisURL.Empty() {
		s.say("Redis      the server of REDIS_URL")
		return nil
	}
	server, err := miniredis.Run()
	if err != nil {
		return fmt.Errorf("start the Redis stand-in: %w", err)
	}
	s.stops = append(s.stops, server.Close)
	s.cfg.RedisURL = secret.New("redis://" + server.Addr())
	s.say("Redis      stand-in in this process (miniredis), on " + server.Addr())
	return nil
}

func (s *stack) model(context.Context) error {
	switch {
	case s.options.Model == "scripted":
		listener, err := listen("127.0.0.1:0")
		if err != nil {
			return err
		}
		s.serveHTTP(listener, &llmtest.Server{})
		s.cfg.OpenAIBaseURL, s.cfg.OpenAIKey, s.cfg.OpenAIModel = "http://"+listener.Addr().String(), secret.New("scripted"), "scripted"
		s.say("Model      scripted: a program that answers from the evidence, no language model")
	case s.cfg.OpenAIKey.Empty():
		s.say("Model      none: notes are written from the evidence alone (OPENAI_API_KEY gives one; --model scripted pretends)")
	default:
		s.say("Model      " + s.cfg.OpenAIModel + " at " + s.cfg.OpenAIBaseURL)
	}
	return nil
}

// product makes the parts of the product. Its log goes to a file, so that the
// terminal shows where things are.
func (s *stack) product(ctx context.Context) (err error) {
	s.cfg.Addr, s.cfg.PublicURL = s.options.Addr, "http://"+s.options.Addr
	path := cmp.Or(s.options.Log, filepath.Join(s.options.Dir, "log.jsonl"))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if s.log, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	tel, err := telemetry.Setup(ctx, telemetry.Options{Service: "deskhand", Level: s.cfg.LogLevel, Format: "json", Out: s.log, Traces: s.cfg.Traces})
	if err != nil {
		return err
	}
	if s.app, err = app.New(ctx, s.cfg, tel); err != nil {
		return err
	}
	s.stops = append(s.stops, func() {
		last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.app.Close(last)
		_ = s.log.Close()
	})
	return nil
}

// serve runs the product until ctx is done.
func (s *stack) serve(ctx context.Context) error {
	if s.options.Lambda {
		return s.serveLambda(ctx)
	}
	return s.app.RunAll(ctx)
}

// ready waits until the product answers, or has ended.
func (s *stack) ready(ctx context.Context, served chan error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		if isReady(ctx, s.cfg.Addr) {
			return nil
		}
		select {
		case err := <-served:
			served <- err
			if err == nil {
				err = errors.New("the product was told to stop")
			}
			return err
		case <-ctx.Done():
			return fmt.Errorf("the product is not ready on %s; see %s", s.cfg.Addr, filepath.Join(s.options.Dir, "log.jsonl"))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// serveHTTP serves one stand-in until the stack stops.
func (s *stack) serveHTTP(l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(l) }() // ends with Close
	s.stops = append(s.stops, func() { _ = server.Close() })
}

func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr) //nolint:noctx // at once, or not at all
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w (is another one running? The flags choose other addresses: make run ARGS=--help)", addr, err)
	}
	return l, nil
}

// freeAddr gives an address that nobody listens on now.
func freeAddr() string {
	l, err := listen("127.0.0.1:0")
	if err != nil {
		return "127.0.0.1:8080"
	}
	defer l.Close()
	return l.Addr().String()
}

const adminURL = "DATABASE_ADMIN_URL"

// environment is the product's configuration, as its processes get it; adminURL
// is for those alone that administer.
func (s *stack) environment() map[string]string {
	c := s.cfg
	env := map[string]string{
		"DATABASE_URL": c.DatabaseURL.Reveal(), "DATABASE_QUEUE_URL": c.DatabaseQueueURL.Reveal(), "REDIS_URL": c.RedisURL.Reveal(),
		"SEALING_KEY": c.SealingKey.Reveal(), "HTTP_ADDR": c.Addr, "PUBLIC_URL": c.PublicURL,
		"OPENAI_BASE_URL": c.OpenAIBaseURL, "OPENAI_API_KEY": c.OpenAIKey.Reveal(), "OPENAI_MODEL": c.OpenAIModel,
		"EMBEDDING_MODEL": c.EmbeddingModel, "MODEL_PRICES": c.ModelPrices,
	}
	if c.QueueURL != "" {
		maps.Copy(env, map[string]string{
			"QUEUE_URL": c.QueueURL, "QUEUE_DEAD_URL": c.QueueDeadURL,
			"CATALOGUE_QUEUE_URL": c.CatalogueQueueURL, "CATALOGUE_QUEUE_DEAD_URL": c.CatalogueQueueDeadURL,
		})
		for _, name := range []string{endpoint, endpointSQS, "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
			if value := os.Getenv(name); value != "" {
				env[name] = value
			}
		}
	}
	return env
}

// leaveEnv writes the configuration for the deskhand command, which asks no
// model.
func (s *stack) leaveEnv(context.Context) error {
	env := s.environment()
	env[adminURL] = s.cfg.DatabaseAdminURL.Reveal()
	maps.DeleteFunc(env, func(name, _ string) bool { return strings.HasPrefix(name, "OPENAI_") })
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(&lines, "%s='%s'\n", name, env[name])
	}
	return os.WriteFile(filepath.Join(s.options.Dir, envFile), []byte(lines.String()), 0o600)
}

// running gives the configuration of a stack that serves.
func running(ctx context.Context, file string) (config.Config, bool) {
	cfg, err := config.Read(file)
	return cfg, err == nil && isReady(ctx, cfg.Addr)
}

func isReady(ctx context.Context, addr string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := (&http.Client{Timeout: 2 * time.Second}).Do(r)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// loadKeys reads the keys of the folder, or makes them.
func loadKeys(dir string) (k keys, err error) {
	path := filepath.Join(dir, "keys.json")
	content, err := os.ReadFile(path)
	if err == nil {
		if err := json.Unmarshal(content, &k); err != nil {
			return k, fmt.Errorf("%s: %w (make clean starts afresh)", path, err)
		}
	}
	if k.Sealing == "" {
		sealing, err := keyset.New()
		if err != nil {
			return k, err
		}
		k.Sealing = sealing.Reveal()
	}
	for _, key := range []*string{&k.App, &k.Admin, &k.Queue, &k.Signing, &k.API} { // those of an older checkout stay
		*key = cmp.Or(*key, "dhlocal"+rand.Text()) // tests/leaks looks for it in logs
	}
	if content, err = json.Marshal(k); err != nil {
		return k, err
	}
	// Postgres runs as another user and must reach its folder inside.
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return k, err
	}
	return k, os.WriteFile(path, content, 0o600)
}

// clients are the demo's, as they are today.
func clients() []demo.Client { return demo.Clients(time.Now()) }
