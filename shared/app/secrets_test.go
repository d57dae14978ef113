package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/doctor"
	"github.com/deskhand/deskhand/shared/host"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/kms/kmsfake"
	"github.com/deskhand/deskhand/shared/kms/kmstest"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/secretsmanager/secretsmanagerfake"
	"github.com/deskhand/deskhand/shared/secretsmanager/secretsmanagertest"
	"github.com/deskhand/deskhand/shared/telemetry"
)

// useAWS leads the AWS SDK to stand-ins of this process. Secrets whose name
// begins with "denied" may not be read, and "silent" ones never answer.
var useAWS = sync.OnceValue(func() *secretsmanagerfake.Server {
	secrets := &secretsmanagerfake.Server{Fault: func(_, name string) *secretsmanagerfake.Error {
		switch {
		case strings.HasPrefix(name, "denied"):
			return &secretsmanagerfake.Error{Code: "AccessDeniedException", Message: "hunter2"}
		case strings.HasPrefix(name, "silent"):
			select {}
		}
		return nil
	}}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": httptest.NewServer(secrets).URL, "AWS_ENDPOINT_URL_KMS": httptest.NewServer(&kmsfake.Server{}).URL,
		"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	return secrets
})

// onAWS is the configuration of an installation whose secrets are in AWS, and
// that was never migrated.
func onAWS(t *testing.T) config.Config {
	t.Helper()
	useAWS()
	_, api := secretsmanagertest.Connect(t)
	application, _ := secretsmanagertest.Create(t, api, `{"ADMIN_BASIC":"anna:correct horse","LOG_LEVEL":"debug"}`)
	_, key := kmstest.Create(t)
	db := pgtest.New(t)
	app, appSecret := bare(t, db.AppURL)
	owner, ownerSecret := bare(t, db.OwnerURL)
	return config.Config{
		Secrets: application, DatabaseSecret: appSecret, DatabaseOwnerSecret: ownerSecret, SealingKMSKey: key,
		DatabaseURL: app, DatabaseOwnerURL: owner, DatabaseQueueURL: secret.New(db.QueueURL),
		DatabaseConns: 2, WorkerConcurrency: 1, WebhooksPerMinute: 10, Addr: "127.0.0.1:0", LogLevel: "error", LogFormat: "json",
	}
}

// bare takes the login out of a URL and puts it into a secret.
func bare(t *testing.T, raw string) (without secret.Text, name string) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	login, err := json.Marshal(map[string]any{"username": u.User.Username(), "password": password, "port": 5432})
	if err != nil {
		t.Fatal(err)
	}
	_, api := secretsmanagertest.Connect(t)
	name, _ = secretsmanagertest.Create(t, api, string(login))
	u.User = nil
	return secret.New(u.String()), name
}

func start(t *testing.T, cfg config.Config) (*App, error) {
	t.Helper()
	tel, err := telemetry.Setup(t.Context(), telemetry.Options{Service: "test", Level: "error", Format: "json", Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), cfg, tel)
	if err == nil {
		t.Cleanup(func() { _ = a.Close(context.Background()) })
	}
	return a, err
}

// TestAnInstallationOnAWSMakesItsOwnKey deploys twice: the first time makes a
// sealing key, with which the product starts, and the second changes nothing.
func TestAnInstallationOnAWSMakesItsOwnKey(t *testing.T) {
	t.Parallel()
	cfg := onAWS(t)
	if _, err := start(t, cfg); err == nil || !strings.Contains(err.Error(), "SEALING_KEY: required") {
		t.Fatalf("it starts without a key: %v", err)
	}
	var before map[string]secret.Text
	for range 2 {
		l := host.Lambda{Any: migration(cfg)}
		answer, err := l.Invoke(t.Context(), []byte(`"whatever"`))
		if err != nil || string(answer) != `{"applied":0}` { // pgtest has applied them
			t.Fatalf("%s, %v", answer, err)
		}
		client, _ := secretsmanagertest.Connect(t)
		now, err := client.Object(t.Context(), cfg.Secrets)
		if err != nil || !strings.Contains(now["SEALING_KEY"].Reveal(), "encryptedKeyset") || now["ADMIN_BASIC"].Reveal() != "anna:correct horse" {
			t.Fatalf("%d keys, %v", len(now), err)
		}
		if before != nil && before["SEALING_KEY"].Reveal() != now["SEALING_KEY"].Reveal() {
			t.Error("the second run made another key")
		}
		before = now
	}
	a, err := start(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Load(t.Context()); err != nil || a.Config.AdminBasic.Reveal() != "anna:correct horse" {
		t.Errorf("it does not work: %v", err)
	}
	results := examine(t.Context(), func() (config.Config, error) { return cfg, nil })
	wantVerdict(t, results, "secrets", doctor.Warn, cfg.Secrets+": no variable that may be secret, so nobody reads them: LOG_LEVEL")
	wantVerdict(t, results, "secrets", doctor.OK, "opens SEALING_KEY")
	wantVerdict(t, results, "directory", doctor.OK, "every credential opens")
}

func TestAStartNamesAllThatIsMissingAtOnce(t *testing.T) {
	t.Parallel()
	useAWS()
	_, api := secretsmanagertest.Connect(t)
	text, _ := secretsmanagertest.Create(t, api, "hunter2")
	_, err := start(t, config.Config{
		Secrets: "denied/application, " + text, DatabaseSecret: "missing/app_user", RedisSecret: "denied/redis", RedisURL: secret.New("rediss://cache:6379"),
		SealingKey: secret.New("hunter2"), SealingKMSKey: "arn:aws:kms:eu-west-1:000000000000:key/1",
		WorkerConcurrency: 1, WebhooksPerMinute: 10, DatabaseConns: 2,
	})
	if err == nil {
		t.Fatal("it starts")
	}
	for _, want := range []string{
		"secret denied/application: access denied: the role of this process lacks secretsmanager:GetSecretValue", "secret " + text + ": it is not what is expected",
		"secret missing/app_user: there is no such secret", "secret denied/redis", "DATABASE_URL: required", "DATABASE_QUEUE_URL: required", "keygen --kms",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret is in:\n%v", err)
	}
}

func TestSecretsThatDoNotAnswerEndTheStartInTime(t *testing.T) {
	t.Parallel()
	useAWS()
	begun := time.Now()
	_, err := start(t, config.Config{Secrets: "silent/one,silent/two", DatabaseSecret: "silent/three"})
	if took := time.Since(begun); err == nil || strings.Count(err.Error(), "did not answer in time") != 3 || took > 2*secretsLimit {
		t.Errorf("after %s: %v", took, err)
	}
}

func TestWithoutSecretsThereIsNoClient(t *testing.T) {
	t.Setenv("AWS_PROFILE", "nobody") // no client can be made with that
	t.Setenv("AWS_CONFIG_FILE", "/does/not/exist")
	cfg := config.Config{DatabaseURL: secret.New("postgres://u:p@db/x")}
	same := cfg
	if v, err := fill(t.Context(), &cfg, appLogin(&cfg), redisLogin(&cfg)); err != nil || v.secrets != nil || cmp.Diff(same.DatabaseURL.Reveal(), cfg.DatabaseURL.Reveal()) != "" {
		t.Errorf("%v", err)
	}
	cfg.Secrets = "deskhand/application"
	if _, err := fill(t.Context(), &cfg); err == nil || !strings.Contains(err.Error(), "AWS configuration") {
		t.Errorf("with a secret there is one: %v", err)
	}
}

// TestAPasswordThatWasRotatedIsReadAgain has a process start with a password
// that Postgres refuses by the time it connects.
func TestAPasswordThatWasRotatedIsReadAgain(t *testing.T) {
	t.Parallel()
	cfg := onAWS(t)
	cfg.SealingKMSKey = ""
	var err error
	if cfg.SealingKey, err = keyset.New(); err != nil {
		t.Fatal(err)
	}
	client, api := secretsmanagertest.Connect(t)
	user, password, err := client.Login(t.Context(), cfg.DatabaseSecret)
	if err != nil {
		t.Fatal(err)
	}
	put := func(password string) {
		secretsmanagertest.Put(t, api, cfg.DatabaseSecret, fmt.Sprintf(`{"username":%q,"password":%q}`, user, password))
	}
	put("hunter2")
	a, err := start(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	put(password.Reveal())
	if err := a.db.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "28P01") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("with the old password: %v", err)
	}
	if err := a.db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	reads := useAWS().Reads(cfg.DatabaseSecret)
	if reads != 3 { // of this test, of the start, and after the refusal
		t.Errorf("%d reads", reads)
	}
}

// TestAKeysetMovesToKMSAndRotatesThere goes from a keyset in the clear to one
// that a KMS key encrypts, and to another KMS key.
func TestAKeysetMovesToKMSAndRotatesThere(t *testing.T) {
	t.Parallel()
	useAWS()
	_, first := kmstest.Create(t)
	_, second := kmstest.Create(t)
	plain, err := freshKey(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	box, err := keyset.Open(plain)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := box.Seal([]byte("hunter2"), "connection/acme")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Config{SealingKey: plain}
	load := func() (config.Config, error) { return cfg, nil }
	for _, step := range []struct {
		how       operator.Rotation
		arn, then string
		opens     bool
	}{{operator.AddKey, first, first, true}, {operator.UseKey, "", first, true}, {operator.UseKey, second, second, true}, {operator.RetireKey, "", second, false}} {
		if cfg.SealingKey, err = rotate(t.Context(), load, step.how, step.arn); err != nil {
			t.Fatal(err)
		}
		cfg.SealingKMSKey = step.then
		opened := cfg
		if _, err := fill(t.Context(), &opened); err != nil || !strings.Contains(cfg.SealingKey.Reveal(), "encryptedKeyset") {
			t.Fatalf("after %s: %v", step.how, err)
		}
		if box, err = keyset.Open(opened.SealingKey); err != nil {
			t.Fatal(err)
		}
		if _, err := box.Open(sealed, "connection/acme"); (err == nil) != step.opens {
			t.Errorf("after %s: %v", step.how, err)
		}
	}
	cfg.SealingKMSKey = first
	if _, err := rotate(t.Context(), load, operator.AddKey, ""); err == nil || !strings.Contains(err.Error(), "another KMS key") {
		t.Errorf("another KMS key opens it: %v", err)
	}
}
