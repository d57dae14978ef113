// Package config is the process's configuration: one struct, read from the
// environment and nowhere else. docs/configuration.md is generated from it.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/joho/godotenv"

	"github.com/deskhand/deskhand/shared/secret"
)

// Config is everything that is configured from outside. Each field's doc tag
// is its line in docs/configuration.md. A variable X that may hold a secret
// can be given as a file instead: X_FILE names it.
type Config struct {
	DatabaseURL      secret.Text `env:"DATABASE_URL" file:"yes" example:"postgres://app_user:…@db:5432/deskhand" doc:"Postgres, as role app_user, which cannot bypass row-level security. Required."`
	DatabaseQueueURL secret.Text `env:"DATABASE_QUEUE_URL" file:"yes" example:"postgres://queue_user:…@db:5432/deskhand" doc:"Postgres, as role queue_user, for the queue. Required unless QUEUE_URL is set."`
	DatabaseAdminURL secret.Text `env:"DATABASE_ADMIN_URL" file:"yes" example:"postgres://admin_user:…@db:5432/deskhand" doc:"Postgres, as role admin_user, which alone changes tenants and connections, makes tokens and erases. For the admin API and the deskhand command; keep it from all else."`
	DatabaseOwnerURL secret.Text `env:"DATABASE_OWNER_URL" file:"yes" example:"postgres://owner:…@db:5432/deskhand" doc:"Postgres, as the owner of the schema. Read by deskhand migrate alone."`
	DatabaseConns    int         `env:"DATABASE_CONNS" envDefault:"8" doc:"Connections of one process to Postgres, for each of its roles (1 to 100)."`

	QueueURL              string `env:"QUEUE_URL" example:"https://sqs.eu-west-1.amazonaws.com/…/enhancement" doc:"SQS queue of new tickets. Empty: the queue on Postgres. Set all four queue variables or none."`
	QueueDeadURL          string `env:"QUEUE_DEAD_URL" example:"https://sqs.eu-west-1.amazonaws.com/…/enhancement-dead" doc:"SQS queue of its dead letters."`
	CatalogueQueueURL     string `env:"CATALOGUE_QUEUE_URL" example:"https://sqs.eu-west-1.amazonaws.com/…/catalogue" doc:"SQS queue of resolved tickets and scheduled work."`
	CatalogueQueueDeadURL string `env:"CATALOGUE_QUEUE_DEAD_URL" example:"https://sqs.eu-west-1.amazonaws.com/…/catalogue-dead" doc:"SQS queue of its dead letters."`

	RedisURL secret.Text `env:"REDIS_URL" file:"yes" example:"rediss://user:…@cache:6379/0" doc:"Redis, Valkey or ElastiCache, for caches and limits that processes share. Empty: each process keeps its own."`

	SealingKey    secret.Text `env:"SEALING_KEY" file:"yes" doc:"Tink keyset (JSON) that seals tenant credentials and queue bodies; deskhand keygen makes one. Required."`
	SealingKMSKey string      `env:"SEALING_KMS_KEY" example:"arn:aws:kms:eu-west-1:…:key/…" doc:"ARN of the KMS key that encrypts SEALING_KEY: deskhand keygen --kms. Empty: the keyset is in the clear."`

	// The secrets of AWS Secrets Manager, by name or ARN. What is read from them is in the other fields then: see Fill and WithLogin.
	Secrets             string `env:"SECRETS" example:"deskhand/application,deskhand/model" doc:"Names or ARNs of secrets in AWS Secrets Manager, comma between. Each holds a JSON object of variables that are marked *file*; what the environment has already stays."`
	DatabaseSecret      string `env:"DATABASE_SECRET" example:"deskhand/app_user" doc:"Secret with username and password of app_user, as RDS rotates it. DATABASE_URL is then without both. It is read again when Postgres refuses the password."`
	DatabaseOwnerSecret string `env:"DATABASE_OWNER_SECRET" example:"deskhand/owner" doc:"The same for the owner and DATABASE_OWNER_URL. Read by deskhand migrate alone."`
	DatabaseAdminSecret string `env:"DATABASE_ADMIN_SECRET" example:"deskhand/admin_user" doc:"The same for DATABASE_ADMIN_URL."`
	RedisSecret         string `env:"REDIS_SECRET" example:"deskhand/redis" doc:"The same for REDIS_URL. Read at the start."`

	OpenAIBaseURL string      `env:"OPENAI_BASE_URL" envDefault:"https://openrouter.ai/api/v1" doc:"Any endpoint that speaks OpenAI's chat completions and, for EMBEDDING_MODEL, its embeddings."`
	OpenAIKey     secret.Text `env:"OPENAI_API_KEY" file:"yes" doc:"Key for that endpoint. Empty: notes are written from the evidence alone, and say so."`
	OpenAIModel   string      `env:"OPENAI_MODEL" envDefault:"openai/gpt-4o-mini" doc:"Model, where a tenant's settings name no other."`

	ModelPrices string `env:"MODEL_PRICES" envDefault:"openai/gpt-4o-mini=0.15/0.60" example:"openai/gpt-4o-mini=0.15/0.60,anthropic/claude*=3/15" doc:"What models cost, in US dollars for a million tokens in and out, comma between; * is any text, and the first that matches counts. It is reckoned with where the endpoint does not tell what a call cost, and before each call of a tenant that has a budget in dollars: a model that is not here is not asked for such a tenant."`

	EmbeddingModel string `env:"EMBEDDING_MODEL" example:"openai/text-embedding-3-small" doc:"Embedding model at the same endpoint, by which past tickets and articles that say it in other words rank higher: the texts of tickets and articles are sent there, without passwords and keys. Another model needs another name. Empty, or without OPENAI_API_KEY: none."`

	PublicURL string `env:"PUBLIC_URL" example:"https://deskhand.example.com" doc:"Where technicians' browsers reach this installation: the links at a note's foot, by which they vote, begin with it (docs/feedback.md). https, or http where the host is this machine. Empty: notes have no such links."`

	OIDCIssuer     string      `env:"OIDC_ISSUER" example:"https://login.example.com/realms/msp" doc:"OpenID Connect issuer whose bearer tokens the admin API takes. Empty: none."`
	OIDCAudience   string      `env:"OIDC_AUDIENCE" example:"deskhand" doc:"What a token's aud must contain. Required with OIDC_ISSUER."`
	OIDCRolesClaim string      `env:"OIDC_ROLES_CLAIM" envDefault:"roles" doc:"The claim that lists the caller's roles: deskhand:admin, or deskhand:viewer:acme for one tenant."`
	AdminBasic     secret.Text `env:"ADMIN_BASIC" file:"yes" example:"admin:…" doc:"User and password of an administrator, for laptops: only where HTTP_ADDR is on loopback."`

	Addr              string        `env:"HTTP_ADDR" envDefault:":8080" doc:"Address of this process's HTTP server: webhooks, /healthz, /readyz, /metrics."`
	TrustedProxies    int           `env:"TRUSTED_PROXIES" envDefault:"0" doc:"How many proxies stand before this process, each appending to X-Forwarded-For: failed sign-ins and refused webhooks count against the address that the outermost one saw. 0: against whoever connects. Not in Lambda, where API Gateway tells the address."`
	WorkerConcurrency int           `env:"WORKER_CONCURRENCY" envDefault:"4" doc:"Jobs that one worker process works on at once: 4 to 8 suit most installations (1 to 64)."`
	WebhooksPerMinute int           `env:"WEBHOOKS_PER_MINUTE" envDefault:"100" doc:"Authenticated webhooks a minute for each tenant; more get 429."`
	DrainTime         time.Duration `env:"DRAIN_TIME" envDefault:"25s" doc:"How long running requests and jobs may go on after SIGTERM."`

	LambdaAPI string `env:"AWS_LAMBDA_RUNTIME_API" doc:"Set by AWS Lambda, not by you: the process then takes its work from there, and opens no port."`

	LogLevel  string `env:"LOG_LEVEL" envDefault:"info" doc:"debug, info, warn or error."`
	LogFormat string `env:"LOG_FORMAT" envDefault:"json" doc:"json, or text for people."`
	Traces    string `env:"OTEL_TRACES_EXPORTER" envDefault:"none" doc:"otlp sends OpenTelemetry traces by HTTP (http/protobuf) to OTEL_EXPORTER_OTLP_ENDPOINT; OpenTelemetry's other OTEL_EXPORTER_OTLP_ variables are honoured, too."`
}

// Load reads the environment. Its error lists everything that is missing or
// malformed, by name, and no value of a secret.
func Load() (Config, error) {
	var c Config
	if err := readFiles(); err != nil {
		return c, err
	}
	err := env.Parse(&c)
	return c, named(err)
}

// Read reads a file of NAME=value lines instead of the environment.
func Read(file string) (Config, error) {
	var c Config
	vars, err := godotenv.Read(file)
	if err != nil {
		return c, fmt.Errorf("read %s: want lines of NAME=value", file)
	}
	err = env.ParseWithOptions(&c, env.Options{Environment: vars})
	return c, err
}

// LoadDotEnv adds the variables of those of the files that exist; what the
// environment or an earlier file has already stays. It is for laptops.
func LoadDotEnv(files ...string) error {
	for _, file := range files {
		if err := godotenv.Load(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("read %s: want lines of NAME=value", file)
		}
	}
	return nil
}

// InLambda tells whether AWS Lambda started this process.
func (c Config) InLambda() bool { return c.LambdaAPI != "" }

// Check lists what a serving process lacks; nil where it may start.
func (c Config) Check() error {
	var errs []error
	need := func(given bool, name, what string) {
		if !given {
			errs = append(errs, fmt.Errorf("%s: %s", name, what))
		}
	}
	between := func(n, low, high int, name string) {
		need(n >= low && n <= high, name, fmt.Sprintf("want %d to %d, not %d", low, high, n))
	}
	need(!c.DatabaseURL.Empty(), "DATABASE_URL", "required: the URL of Postgres as app_user")
	need(!c.SealingKey.Empty(), "SEALING_KEY", "required: make one with deskhand keygen, and put it there or into a secret of SECRETS")
	need(c.SealingKMSKey == "" || kmsARN.MatchString(c.SealingKMSKey), "SEALING_KMS_KEY", "want the ARN of a KMS key: arn:aws:kms:region:account:key/id")
	need(c.DatabaseAdminSecret == "" || !c.DatabaseAdminURL.Empty(), "DATABASE_ADMIN_URL", "required with DATABASE_ADMIN_SECRET: the URL without user and password")
	need(c.RedisSecret == "" || !c.RedisURL.Empty(), "REDIS_URL", "required with REDIS_SECRET: the URL without user and password")
	urls := strings.Fields(c.QueueURL + " " + c.QueueDeadURL + " " + c.CatalogueQueueURL + " " + c.CatalogueQueueDeadURL)
	need(len(urls) == 0 || len(urls) == 4, "QUEUE_URL, QUEUE_DEAD_URL, CATALOGUE_QUEUE_URL, CATALOGUE_QUEUE_DEAD_URL", "set all four or none")
	need(len(urls) > 0 || !c.DatabaseQueueURL.Empty(), "DATABASE_QUEUE_URL", "required without QUEUE_URL: the URL of Postgres as queue_user")
	need(c.OIDCIssuer == "" || (strings.HasPrefix(c.OIDCIssuer, "https://") && c.OIDCAudience != "" && c.OIDCRolesClaim != ""),
		"OIDC_ISSUER, OIDC_AUDIENCE, OIDC_ROLES_CLAIM", "want an https URL, the audience and the claim, or no issuer")
	user, password, _ := strings.Cut(c.AdminBasic.Reveal(), ":")
	need(c.AdminBasic.Empty() || (user != "" && len(password) >= 8), "ADMIN_BASIC", "want user:password, and 8 characters or more of the second")
	need(c.AdminBasic.Empty() || (onLoopback(c.Addr) && !c.InLambda()), "ADMIN_BASIC", "only where HTTP_ADDR is on loopback, 127.0.0.1:8080: make a token with deskhand token add")
	need(len(c.EmbeddingModel) <= 100, "EMBEDDING_MODEL", "want a name of 100 characters at most")
	need(c.PublicURL == "" || public(c.PublicURL), "PUBLIC_URL", "want an address like https://deskhand.example.com, without user, query or fragment")
	between(c.DatabaseConns, 1, 100, "DATABASE_CONNS")
	between(c.TrustedProxies, 0, 10, "TRUSTED_PROXIES")
	between(c.WorkerConcurrency, 1, 64, "WORKER_CONCURRENCY")
	between(c.WebhooksPerMinute, 1, 1_000_000, "WEBHOOKS_PER_MINUTE")
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("the configuration is not complete (docs/configuration.md):\n%w", err)
	}
	return nil
}

var kmsARN = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d+:(key|alias)/\S+$`)

// onLoopback tells whether only this machine reaches the address. A name is
// none, for it may come to mean another address.
func onLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip, bad := netip.ParseAddr(host)
	return err == nil && bad == nil && ip.IsLoopback()
}

// public tells whether browsers may be sent to the address: links carry
// capabilities, so only to this machine without encryption. What a link in Markdown
// cannot have is refused.
func public(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(address, "<>()[]\"'\\ ") {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || onLoopback(net.JoinHostPort(u.Hostname(), "80")))
}

// named says which variables could not be read: env's own error names Go
// fields, and may quote a value.
func named(err error) error {
	all, ok := errors.AsType[env.AggregateError](err)
	if !ok {
		return err
	}
	var errs []error
	for _, one := range all.Errors {
		if bad, ok := errors.AsType[env.ParseError](one); ok {
			if f, ok := reflect.TypeFor[Config]().FieldByName(bad.Name); ok {
				errs = append(errs, fmt.Errorf("%s: want a value like %q", f.Tag.Get("env"), f.Tag.Get("envDefault")))
				continue
			}
		}
		errs = append(errs, one)
	}
	return errors.Join(errs...)
}

// readFiles sets X from the file that X_FILE names, for every field that may
// be given as a file (mounted secrets).
func readFiles() error {
	for f := range reflect.TypeFor[Config]().Fields() {
		name := f.Tag.Get("env")
		file, ok := os.LookupEnv(name + "_FILE")
		if f.Tag.Get("file") == "" || file == "" || !ok {
			continue
		}
		content, err := os.ReadFile(filepath.Clean(file))
		if err != nil {
			return fmt.Errorf("%s_FILE: %w", name, err)
		}
		if err := os.Setenv(name, strings.TrimSpace(string(content))); err != nil {
			return fmt.Errorf("%s_FILE: %w", name, err)
		}
	}
	return nil
}

// Markdown is docs/configuration.md: every variable with its default.
func Markdown() string {
	var b strings.Builder
	b.WriteString("# Configuration\n\n" +
		"Every setting is an environment variable. On a laptop they may stand in `.env`. A variable marked *file* can be given as a file:\n" +
		"`DATABASE_URL_FILE=/run/secrets/database_url`.\n\n" +
		"<!-- Generated from shared/config by `make generate`. -->\n\n" +
		"| variable | default | file | what it is |\n| --- | --- | --- | --- |\n")
	for f := range reflect.TypeFor[Config]().Fields() {
		def := ""
		if v := f.Tag.Get("envDefault"); v != "" {
			def = "`" + v + "`"
		}
		doc := f.Tag.Get("doc")
		if example := f.Tag.Get("example"); example != "" {
			doc += " Example: `" + example + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Tag.Get("env"), def, f.Tag.Get("file"), doc)
	}
	return b.String()
}
