// Package app is the composition root: it says what exists and connects it,
// and is the only package that knows all others. The mains call Main with one
// of the Run methods; host says where it runs.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/metric"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/catalogue"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/egress"
	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/feedback"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/llm/openai"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/outcome"
	"github.com/deskhand/deskhand/shared/ownership"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/postgres/budget"
	"github.com/deskhand/deskhand/shared/postgres/canaries"
	votes "github.com/deskhand/deskhand/shared/postgres/feedback"
	"github.com/deskhand/deskhand/shared/postgres/inventory"
	"github.com/deskhand/deskhand/shared/postgres/ledger"
	"github.com/deskhand/deskhand/shared/postgres/search"
	"github.com/deskhand/deskhand/shared/postgres/slots"
	"github.com/deskhand/deskhand/shared/postgres/tenants"
	"github.com/deskhand/deskhand/shared/postgres/unmapped"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/telemetry"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus"
	"github.com/deskhand/deskhand/shared/valkey"
	"github.com/deskhand/deskhand/shared/webhook"
)

// Tools is every ticketing tool that can be connected.
var Tools = integration.Set[ticketing.Tool]{servicedeskplus.Kind}

// The queues, by name.
const (
	EnhancementQueue = "enhancement"
	CatalogueQueue   = "catalogue"
)

// refreshEvery keeps the directory fresh enough that a change of settings is
// effective everywhere within 10 s.
const refreshEvery = 8 * time.Second

// App is one process's parts, connected. Make it with New.
type App struct {
	Config    config.Config
	Telemetry telemetry.Telemetry
	Log       *slog.Logger
	Tenants   tenants.Store
	Ledger    ledger.Ledger
	Actor     string // who administers, for the audit trail: "cli:anna"
	// Answer runs an operator's command line in the function admin: cli.Answer,
	// which the others do not link.
	Answer  func(context.Context, operator.Program, []string) operator.Answer
	Changes *slog.Logger // has a line for each change; Log, where New made it

	vault      vault
	db         *postgres.DB
	adminDB    *postgres.DB  // as admin_user; nil without DATABASE_ADMIN_URL
	pool       *pgxpool.Pool // of the queue on Postgres; nil on SQS
	cache      *valkey.Client
	ballots    feedback.Keys
	watch      *tenants.Watch
	enhancing  jobs
	library    jobs
	tools      *opened
	model      llm.Model
	prices     llm.Prices
	embeddings *search.Embeddings // nil for none
	outcomes   *enhance.Outcomes
	gauges     metric.Registration
}

// New connects the parts. It reads the secrets that the configuration names,
// and does no other I/O: Postgres and Redis may be down, and the process says
// so at /readyz until they are up.
func New(ctx context.Context, cfg config.Config, tel telemetry.Telemetry) (*App, error) {
	kept, err := fill(ctx, &cfg, appLogin(&cfg), adminLogin(&cfg), redisLogin(&cfg))
	prices, errPrices := pricesOf(cfg)
	if err := errors.Join(err, cfg.Check(), errPrices, Tools.Check()); err != nil {
		return nil, err
	}
	box, errBox := keyset.Open(cfg.SealingKey)
	ballots, errBallots := keyset.Derive(cfg.SealingKey, "feedback links")
	if err := cmp.Or(errBox, errBallots); err != nil {
		return nil, err
	}
	a := &App{Config: cfg, Telemetry: tel, Log: tel.Log, vault: kept, prices: prices, ballots: ballots, outcomes: &enhance.Outcomes{}, Actor: audit.System, Changes: tel.Log}
	if a.db, err = postgres.OpenRotating(ctx, cfg.DatabaseURL.Reveal(), cfg.DatabaseConns, kept.credentials(cfg.DatabaseSecret)); err != nil {
		return nil, err
	}
	if !cfg.DatabaseAdminURL.Empty() {
		if a.adminDB, err = postgres.OpenRotating(ctx, cfg.DatabaseAdminURL.Reveal(), cfg.DatabaseConns, kept.credentials(cfg.DatabaseAdminSecret)); err != nil {
			return nil, fmt.Errorf("DATABASE_ADMIN_URL: %w", err)
		}
	}
	if a.cache, err = valkey.Open(cfg.RedisURL.Reveal()); err != nil {
		return nil, err
	}
	if err := a.openModel(); err != nil {
		return nil, err
	}
	a.Tenants = tenants.Store{DB: a.db, Box: box}
	a.Ledger = ledger.Ledger{DB: a.db}
	a.watch = &tenants.Watch{Load: a.directory, Every: refreshEvery, Log: a.Log}
	if err := a.openQueues(ctx, box); err != nil {
		return nil, err
	}
	a.tools = &opened{env: a.env(box), log: a.Log, directory: a.watch.Current}
	err = a.observe()
	return a, err
}

// Webhook is the HTTP side of the product.
func (a *App) Webhook() http.Handler {
	r := &webhook.Receiver{
		Directory: a.watch.Current,
		Open:      a.tools.open,
		Tool: func(path string) (string, bool) {
			kind, err := Tools.Find(path)
			return kind.Name, err == nil && kind.Path == path
		},
		Enhance:   a.enhancing,
		Catalogue: a.library,
		Seen:      a.cache.Seen(),
		Limit:     a.cache.Limiter(a.Config.WebhooksPerMinute),
		Unmapped:  unmapped.Store{DB: a.db}.Note,
		Now:       time.Now,
		Log:       a.Log,
	}
	return r.Routes()
}

// Enhance is the handler of the enhancement queue.
func (a *App) Enhance() queue.Handler { return a.discards(a.enhancer().Handle) }

func (a *App) enhancer() *enhance.Enhancer {
	return &enhance.Enhancer{
		Directory: a.watch.Current,
		Open:      a.tools.open,
		Ledger:    a.Ledger,
		Sources:   a.evidenceFrom(a.db, time.Now),
		Model:     a.model,
		Policy:    queue.DefaultPolicy,
		Now:       time.Now,
		Log:       a.Log,
		Outcomes:  a.outcomes,
		Queue:     a.enhancing,
		Version:   release(),
		Prices:    a.prices,
		Reserve:   budget.Store{DB: a.db}.Reserve,
		Whose:     canaries.Store{DB: a.db}.Whose,
		Guard:     a.guard(),
		Links:     a.links,
	}
}

// release names the program in run records: its version where it was built as a
// module's, else the commit.
func release() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	name := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (name == "" || name == "(devel)") {
			name = s.Value
		}
	}
	return name
}

// links are those at the foot of a note.
func (a *App) links(id tenant.ID, job string) (useful, useless string) {
	return a.ballots.Links(a.Config.PublicURL, id, job, time.Now())
}

// guard holds tickets to the tenant of their event, for every story.
func (a *App) guard() ownership.Guard {
	return ownership.Guard{Unmapped: unmapped.Store{DB: a.db}.Note, Audit: a.incident, Log: a.Log}
}

// evidenceFrom gives the sources that notes are written from, as of now.
func (a *App) evidenceFrom(db *postgres.DB, now func() time.Time) []evidence.Source {
	known := a.search()
	known.DB = db
	return []evidence.Source{
		search.History{Store: known, Now: now},
		search.Articles{Store: known, Now: now},
		inventory.Source{Store: inventory.Store{DB: db}},
	}
}

// Catalogue is what keeps the tenants' knowledge up to date.
func (a *App) Catalogue() *catalogue.Catalogue {
	systems := inventory.Store{DB: a.db}
	return &catalogue.Catalogue{
		Directory: a.watch.Current,
		Open:      a.tools.open,
		Guard:     a.guard(),
		Library:   a.search(),
		Articles:  a.search(),
		Systems:   systems,
		Memories:  []catalogue.Memory{a.search(), systems},
		Queue:     a.library,
		Sweep:     a.sweep,
		Claim:     slots.Slots{DB: a.db}.Claim,
		Canary:    canaries.Store{DB: a.db}.Of,
		Probe:     a.enhancer().Probe,
		Learn:     a.search().Learn,
		Compare:   outcome.Judge{Notes: votes.Store{DB: a.db}}.Resolved,
		Policy:    queue.DefaultPolicy,
		Now:       time.Now,
		Log:       a.Log,
	}
}

// Close gives back connections and flushes telemetry.
func (a *App) Close(ctx context.Context) error {
	err := errors.Join(a.Telemetry.Close(ctx), a.cache.Close())
	a.tools.close()
	if a.gauges != nil {
		err = errors.Join(a.gauges.Unregister(), err)
	}
	a.db.Close()
	if a.adminDB != nil {
		a.adminDB.Close()
	}
	if a.pool != nil {
		a.pool.Close()
	}
	return err
}

func (a *App) loaded() error {
	if a.watch.Current().Loaded.IsZero() {
		return errors.New("the directory of tenants is not loaded yet")
	}
	return nil
}

func (a *App) search() search.Store { return search.Store{DB: a.db, Embeddings: a.embeddings} }

// client is for the model, whose address is the operator's own: bounded in time,
// logged, no redirects. Those of the tools are guarded besides.
func (a *App) client() *http.Client { return egress.Client(telemetry.Transport{Log: a.Log}) }

func (a *App) env(box secret.Box) integration.Env {
	return integration.Env{Tokens: a.cache.Tokens(box), Now: time.Now}
}

// pricesOf gives what models cost, or an error that names the variable.
func pricesOf(cfg config.Config) (llm.Prices, error) {
	list, err := llm.ParsePrices(cfg.ModelPrices)
	if err != nil {
		err = fmt.Errorf("MODEL_PRICES: %w", err)
	}
	return llm.Prices{Default: cfg.OpenAIModel, List: list}, err
}

// openModel opens the model's endpoint. Without a key there is none: notes are
// written from the evidence alone, which is found without embeddings.
func (a *App) openModel() error {
	cfg := a.Config
	if cfg.OpenAIKey.Empty() {
		return nil
	}
	endpoint, err := openai.New(openai.Options{BaseURL: cfg.OpenAIBaseURL, APIKey: cfg.OpenAIKey, Model: cfg.OpenAIModel, HTTP: a.client(), Timeout: 30 * time.Second})
	if err != nil {
		return err
	}
	a.model, a.embeddings = &llm.Breaker{Model: llm.Metered{Model: endpoint, Prices: a.prices}}, embeddingsOf(endpoint, cfg.EmbeddingModel, a.Log)
	return nil
}
