package config_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/secret"
)

// The tests that set environment variables do not run in parallel.

func TestLoadReadsVariablesDefaultsAndFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("from-the-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DATABASE_URL", "postgres://app_user:hunter2@db/deskhand")
	t.Setenv("SEALING_KEY_FILE", file)
	t.Setenv("SEALING_KEY", "") // restored after the test
	t.Setenv("WORKER_CONCURRENCY", "6")
	c, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	got := []string{c.DatabaseURL.Reveal(), c.SealingKey.Reveal(), c.OpenAIModel}
	want := []string{"postgres://app_user:hunter2@db/deskhand", "from-the-file", "openai/gpt-4o-mini"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if c.WorkerConcurrency != 6 {
		t.Errorf("WorkerConcurrency = %d", c.WorkerConcurrency)
	}
}

func TestLoadNamesWhatItCannotRead(t *testing.T) {
	t.Setenv("SEALING_KEY_FILE", "/does/not/exist")
	if _, err := config.Load(); err == nil || !strings.Contains(err.Error(), "SEALING_KEY_FILE") {
		t.Errorf("Load = %v", err)
	}
	os.Unsetenv("SEALING_KEY_FILE")
	t.Setenv("DRAIN_TIME", "soon")
	if _, err := config.Load(); err == nil || !strings.Contains(err.Error(), `DRAIN_TIME: want a value like "25s"`) {
		t.Errorf("Load = %v", err)
	}
}

func TestReadTakesTheFileAndNotTheEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte("OPENAI_MODEL=from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OPENAI_MODEL", "from-environment")
	c, err := config.Read(file)
	if err != nil || c.OpenAIModel != "from-file" || c.Addr != ":8080" {
		t.Errorf("%q, %q, %v", c.OpenAIModel, c.Addr, err)
	}
	if _, err := config.Read(file + "-missing"); err == nil {
		t.Error("a missing file was read")
	}
}

func TestCheckListsEverythingThatIsMissing(t *testing.T) {
	t.Parallel()
	for i, want := range [][]string{
		{"DATABASE_URL", "SEALING_KEY", "DATABASE_QUEUE_URL", "WORKER_CONCURRENCY"},
		{"CATALOGUE_QUEUE_DEAD_URL", "all four or none"},
	} {
		queueURL := []string{"", "https://sqs.example/q"}[i]
		err := config.Config{QueueURL: queueURL, DatabaseConns: 8, WorkerConcurrency: 99, WebhooksPerMinute: 100}.Check()
		if err == nil {
			t.Fatal("an incomplete configuration passed")
		}
		for _, name := range want {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("the error does not name %s:\n%v", name, err)
			}
		}
	}
}

func TestSignInIsConfiguredWholeAndBasicOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	good := config.Config{
		DatabaseURL: secret.New("x"), DatabaseQueueURL: secret.New("x"), SealingKey: secret.New("x"),
		DatabaseConns: 8, WorkerConcurrency: 4, WebhooksPerMinute: 100, Addr: "127.0.0.1:8080", AdminBasic: secret.New("anna:correct horse"),
		OIDCIssuer: "https://login.example.com", OIDCAudience: "deskhand", OIDCRolesClaim: "roles",
	}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	good.Addr = "[::1]:8080"
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*config.Config){
		"every address":  func(c *config.Config) { c.Addr = ":8080" },
		"any address":    func(c *config.Config) { c.Addr = "0.0.0.0:8080" },
		"a name":         func(c *config.Config) { c.Addr = "localhost:8080" },
		"Lambda":         func(c *config.Config) { c.LambdaAPI = "127.0.0.1:9001" },
		"no user":        func(c *config.Config) { c.AdminBasic = secret.New("correct horse") },
		"short password": func(c *config.Config) { c.AdminBasic = secret.New("anna:1234567") },
		"http issuer":    func(c *config.Config) { c.OIDCIssuer = "http://login.example.com" },
		"no audience":    func(c *config.Config) { c.OIDCAudience = "" },
		"no claim":       func(c *config.Config) { c.OIDCRolesClaim = "" },
	} {
		c := good
		change(&c)
		if err := c.Check(); err == nil || strings.Contains(err.Error(), "correct horse") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoadDotEnvTakesTheFilesAndKeepsTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, ".env")
	if err := os.WriteFile(file, []byte("OPENAI_MODEL=from-file\nLOG_LEVEL=debug\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OPENAI_MODEL", "from-environment")
	t.Setenv("LOG_LEVEL", "warn")
	os.Unsetenv("LOG_LEVEL")
	if err := config.LoadDotEnv(filepath.Join(dir, "missing"), file); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	if c.OpenAIModel != "from-environment" || c.LogLevel != "debug" {
		t.Errorf("model %q, level %q", c.OpenAIModel, c.LogLevel)
	}
	if err := os.WriteFile(file, []byte("A=\"hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := config.LoadDotEnv(file); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("LoadDotEnv = %v, want an error that does not quote the file", err)
	}
}

func TestFillKeepsWhatIsThereAndNamesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	c := config.Config{OpenAIKey: secret.New("mine")}
	unknown := c.Fill(map[string]secret.Text{
		"OPENAI_API_KEY": secret.New("theirs"), "SEALING_KEY": secret.New("key"), "LOG_LEVEL": secret.New("debug"), "": secret.New("x"), "SEALING_KYE": secret.New("x"),
	})
	if diff := cmp.Diff([]string{"", "LOG_LEVEL", "SEALING_KYE"}, unknown); diff != "" {
		t.Error(diff)
	}
	if c.OpenAIKey.Reveal() != "mine" || c.SealingKey.Reveal() != "key" || c.LogLevel != "" {
		t.Errorf("%q, %q, %q", c.OpenAIKey.Reveal(), c.SealingKey.Reveal(), c.LogLevel)
	}
}

func TestAnyLoginIsReadBackFromItsURL(t *testing.T) {
	t.Parallel()
	const base = "postgres://db:5432/deskhand?sslmode=verify-full"
	rapid.Check(t, func(t *rapid.T) {
		user, password := rapid.String().Draw(t, "user"), rapid.String().Draw(t, "password")
		got, err := config.WithLogin("DATABASE_URL", secret.New(base), user, secret.New(password))
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(got.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if p, _ := u.User.Password(); u.User.Username() != user || p != password || u.Host != "db:5432" || u.Path != "/deskhand" || u.RawQuery != "sslmode=verify-full" {
			t.Fatalf("%q", got.Reveal())
		}
	})
}

func TestAURLThatHasAPasswordIsRefused(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"postgres://u:hunter2@db/x", "host=db password=hunter2", "hunter2", "", "postgres://[hunter2"} {
		if _, err := config.WithLogin("DATABASE_URL", secret.New(raw), "u", secret.New("p")); err == nil || !strings.Contains(err.Error(), "DATABASE_URL: ") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestTheConfigurationPageIsFresh(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	// The settings of a tenant come behind it.
	variables, _, _ := strings.Cut(string(page), "\n## ")
	if diff := cmp.Diff(variables, config.Markdown()); diff != "" {
		t.Errorf("docs/configuration.md is stale: run make generate\n%s", diff)
	}
}

func TestLinksGoToAnAddressThatIsEncryptedOrThisMachine(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"": true, "https://desk.example.com": true, "https://desk.example.com:8443/v1/": true, "http://localhost:8080": true, "http://127.0.0.1:8080": true, "http://[::1]:8080": false,
		"http://desk.example.com": false, "desk.example.com": false, "https://": false, "https://u:p@desk.example.com": false, "https://d.example.com/?a": false,
		"https://d.example.com/#a": false, "https://d.example.com/a b": false, "https://d.example.com/)": false, "javascript:alert(1)": false, "%": false,
	} {
		err := config.Config{PublicURL: address}.Check()
		if bad := strings.Contains(err.Error(), "PUBLIC_URL"); bad == want {
			t.Errorf("%q: %v", address, err)
		}
	}
}
