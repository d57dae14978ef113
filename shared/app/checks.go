package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/doctor"
	"github.com/deskhand/deskhand/shared/host"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/queue/sqs"
	"github.com/deskhand/deskhand/shared/telemetry"
)

// skewLimit is how far a clock may be off. Webhooks are refused beyond five
// minutes, and times are compared between systems long before.
const skewLimit = 30 * time.Second

// checks is the list of what a healthy installation passes. A part that is not
// connected yet is not asked before its check runs, so that an App which New
// could not make still has the whole list.
func (a *App) checks() []doctor.Check {
	list := []doctor.Check{
		{
			Name: "configuration", Run: doctor.One(a.configured),
			Means: "Nothing starts: a variable or a secret is missing, malformed or cannot be read.",
			Fix:   "Set the variables that are named, as `docs/configuration.md` describes them; `deskhand keygen` makes `SEALING_KEY`. Secrets in AWS: give the role the permission that is named (`docs/runbooks/secrets.md`).",
		},
		{
			Name: "secrets", After: "configuration", Run: a.secretsRead,
			Means: "A secret of `SECRETS` has a key that is no variable: misspelt, or what another version reads.",
			Fix:   "Correct the key: `aws secretsmanager put-secret-value`; `docs/configuration.md` has the names, those marked *file*.",
		},
	}
	list = append(list, a.storeChecks()...)
	return append(list, a.outsideChecks()...)
}

// storeChecks are about what belongs to the installation itself.
func (a *App) storeChecks() []doctor.Check {
	return []doctor.Check{
		{
			Name: "postgres", After: "configuration",
			Run:   doctor.One(func(ctx context.Context) (string, error) { return "answers", a.db.Ping(ctx) }),
			Ready: func(ctx context.Context) error { return errors.Join(a.db.Ping(ctx), a.loaded()) },
			Means: "No note is written, and without SQS no webhook is taken.",
			Fix:   "Start Postgres, or correct `DATABASE_URL`; `psql \"$DATABASE_URL\" -c 'SELECT 1'` has to answer. At `/readyz` also: the directory of tenants is not loaded yet.",
		},
		{
			Name: "role", After: "postgres",
			Run:   doctor.One(a.roles),
			Means: "A role may do more than it should, or less: row-level security does not hold the one of `DATABASE_URL`, or it administers; or that of `DATABASE_ADMIN_URL` does not. No process starts as it.",
			Fix:   "Put the URL of `app_user` into `DATABASE_URL`, that of `admin_user` into `DATABASE_ADMIN_URL`, leave the owner's to `DATABASE_OWNER_URL`, then `deskhand migrate`.",
		},
		{
			Name: "schema", After: "role", Ready: func(ctx context.Context) error { return a.db.CheckSchema(ctx) },
			Run:   doctor.One(func(ctx context.Context) (string, error) { return "has all migrations", a.db.CheckSchema(ctx) }),
			Means: "The database is older than the program.",
			Fix:   "`deskhand migrate`, with `DATABASE_OWNER_URL`.",
		},
		{
			Name: "directory", After: "schema", Run: doctor.One(a.directoryRead),
			Means: "A tenant or connection is left out, or has a signing secret that its profile cannot use: its webhooks get 401.",
			Fix:   "Another key sealed it: bring back the `SEALING_KEY` that has it (`docs/runbooks/secrets.md`), or set the credentials of the connection again, for each of its accounts as before: `deskhand tenant add --help`. A secret that is of no use: `deskhand tenant rotate-secret TENANT`, then `--retire`.",
		},
		{
			Name: "queue", After: "configuration", Run: a.queuesAnswer,
			Ready: func(ctx context.Context) error { _, err := a.enhancing.Stats(ctx); return err },
			Means: "Webhooks get 503, and no job runs; or SQS loses messages that it should keep.",
			Fix:   "On Postgres: `deskhand migrate`, and the URL of `queue_user` in `DATABASE_QUEUE_URL`. On SQS: give the queues the attributes that are named: `aws sqs set-queue-attributes`.",
		},
		{
			Name: "redis", After: "configuration", Optional: true, Run: doctor.One(a.redisAnswers),
			Ready: func(ctx context.Context) error { return a.cache.Ping(ctx) },
			Means: "Limits, replay memory and tokens are each process's own.",
			Fix:   "Start Redis, or correct `REDIS_URL`; `redis-cli -u \"$REDIS_URL\" ping` has to answer.",
		},
		{
			Name: "clock", After: "postgres", Run: a.clockOfPostgres,
			Means: "This machine's clock is wrong, or the database's: genuine webhooks are refused as too old.",
			Fix:   "Turn on time synchronisation on both machines: `timedatectl set-ntp true`; `timedatectl timesync-status` shows it.",
		},
	}
}

// outsideChecks are about what others run.
func (a *App) outsideChecks() []doctor.Check {
	v := &visits{app: a}
	return []doctor.Check{
		{
			Name: "model", After: "configuration", Optional: true, Run: a.modelAnswers,
			Means: "Notes are written from the evidence alone, and say so; or the evidence is found without embeddings.",
			Fix:   "Correct `OPENAI_API_KEY`, `OPENAI_BASE_URL`, `OPENAI_MODEL` or `EMBEDDING_MODEL`, and look at the account's balance with the provider.",
		},
		{
			Name: "prices", After: "directory", Optional: true, Run: a.pricesKnown,
			Means: "A tenant has a budget in dollars, and a model that it may ask has no price: that model is not asked, and those notes are written from the evidence alone.",
			Fix:   "Add the model to `MODEL_PRICES`, or name another in the tenant's `model`, `model_rules` or `fallback_models`.",
		},
		{
			Name: "permissions", After: "schema", Run: v.permissions,
			Means: "The connection's credential lacks the permission that is named: tickets are not read, or notes not written.",
			Fix:   "Give it to the credential's user in the tool, then `deskhand tenant test TENANT`.",
		},
		{
			Name: "tool clocks", After: "schema", Optional: true, Run: v.clocks,
			Means: "The tool signs its webhooks with a time that is off: they are refused as too old.",
			Fix:   "Turn on time synchronisation on the tool's machine: `timedatectl set-ntp true` there, or `w32tm /resync` on Windows.",
		},
		{
			Name: "egress", After: "configuration", Optional: true, Run: doctor.One(localAddress),
			Means: "No network leads out, so no tool is reached. Where it is well, it shows this machine's own address: what a tool sees behind NAT, and has to allow, cannot be known from here.",
			Fix:   "`ip route` shows the way out. For the address that tools see, ask who runs the network; on AWS it is the NAT gateway's: `aws ec2 describe-nat-gateways`.",
		},
	}
}

// Checks is what must answer for the process to be ready: those of the list
// that have something to ask so often.
func (a *App) Checks() []host.Check {
	var ready []host.Check
	for _, c := range a.checks() {
		if c.Ready != nil {
			ready = append(ready, host.Check{Name: c.Name, Ping: c.Ready, Optional: c.Optional})
		}
	}
	return ready
}

// examine runs the whole list on the configuration that load gives. It
// connects the parts itself, so that a configuration that lacks something is a
// finding like others.
func examine(ctx context.Context, load func() (config.Config, error)) []doctor.Result {
	a, err := connect(ctx, load)
	list := a.checks()
	if err != nil {
		list[0].Run = doctor.One(func(context.Context) (string, error) { return "", err })
		return doctor.Examine(ctx, list)
	}
	results := doctor.Examine(ctx, list)
	_ = a.Close(ctx) // what was found out stands
	return results
}

// connect gives an App whose log goes nowhere: what is wrong is in the findings.
// It is never nil.
func connect(ctx context.Context, load func() (config.Config, error)) (*App, error) {
	cfg, err := load()
	if err != nil {
		return &App{}, err
	}
	tel, err := telemetry.Setup(ctx, telemetry.Options{Service: "doctor", Level: "error", Format: "json", Out: io.Discard})
	if err != nil {
		return &App{}, err
	}
	a, err := New(ctx, cfg, tel)
	if err != nil {
		return &App{}, errors.Join(err, tel.Close(ctx))
	}
	return a, nil
}

func (a *App) configured(context.Context) (string, error) {
	_, err := keyset.Open(a.Config.SealingKey)
	return "complete", errors.Join(a.Config.Check(), err)
}

func (a *App) roles(ctx context.Context) (string, error) {
	err := a.db.CheckRole(ctx)
	if a.adminDB == nil {
		return "row-level security holds it; without DATABASE_ADMIN_URL nothing can be administered here", err
	}
	return "row-level security holds them", errors.Join(err, a.adminDB.CheckAdmin(ctx))
}

func (a *App) directoryRead(ctx context.Context) (string, error) {
	err := a.Load(ctx)
	d := a.watch.Current()
	for _, id := range slices.Sorted(maps.Keys(d.Connections)) {
		c := d.Connections[id]
		for _, s := range c.Signing {
			if _, bad := c.Verify.Key(s); bad != nil {
				err = errors.Join(err, fmt.Errorf("connection %s takes webhooks by %s: %w", id, c.Verify, bad))
			}
		}
	}
	return fmt.Sprintf("%d tenants, %d connections, every credential opens", len(d.Tenants), len(d.Connections)), err
}

func (a *App) redisAnswers(ctx context.Context) (string, error) {
	if a.Config.RedisURL.Empty() {
		return "none: each process keeps its own", nil
	}
	return "answers", a.cache.Ping(ctx)
}

func (a *App) queuesAnswer(ctx context.Context) []doctor.Finding {
	var findings []doctor.Finding
	for _, q := range []jobs{a.enhancing, a.library} {
		s, err := q.Stats(ctx)
		f := doctor.Finding{Subject: q.name, Said: fmt.Sprintf("%d wait, %d run, %d dead", s.Depth, s.Running, s.Dead), Err: err}
		if onSQS, ok := q.Sender.(*sqs.Queue); ok && err == nil {
			f.Err = onSQS.CheckSettings(ctx)
		}
		if f.Err == nil && s.Dead > 0 {
			f.Warn, f.Said = true, f.Said+": deskhand queue peek --dead --queue "+q.name+" says why"
		}
		findings = append(findings, f)
	}
	return findings
}

func (a *App) clockOfPostgres(ctx context.Context) []doctor.Finding {
	asked := time.Now()
	now, err := a.db.Now(ctx)
	if err != nil {
		return []doctor.Finding{{Err: err}}
	}
	return []doctor.Finding{doctor.Skew(now, asked, time.Now(), 0, skewLimit)}
}

// modelAnswers asks the smallest question. An answer without text will do: key
// and model were good.
func (a *App) modelAnswers(ctx context.Context) []doctor.Finding {
	if a.model == nil {
		return []doctor.Finding{{Warn: true, Said: "no OPENAI_API_KEY"}}
	}
	reply, err := a.model.Complete(ctx, llm.Request{System: "Answer with one word.", User: "Ready?", MaxTokens: 16})
	if errors.Is(err, llm.ErrEmpty) {
		err = nil
	}
	findings := []doctor.Finding{{Said: fmt.Sprintf("%s answers in %s", a.Config.OpenAIModel, reply.Usage.Latency.Round(time.Millisecond)), Err: err}}
	if e := a.embeddings; e != nil {
		_, err := e.Embedder.Embed(ctx, e.Model, []string{"Ready?"})
		findings = append(findings, doctor.Finding{Said: e.Model + " gives vectors", Err: err})
	}
	return findings
}

// pricesKnown looks at the models of every tenant that has a budget in dollars.
func (a *App) pricesKnown(context.Context) []doctor.Finding {
	var findings []doctor.Finding
	all := a.watch.Current().Tenants
	for _, id := range slices.Sorted(maps.Keys(all)) {
		t := all[id]
		if t.Disabled || t.Settings.DailyUSD+t.Settings.MonthlyUSD == 0 {
			continue
		}
		for _, model := range t.Settings.Models() {
			if _, known := a.prices.Of(model); !known {
				findings = append(findings, doctor.Finding{Subject: string(id), Err: fmt.Errorf("no price for the model %s", cmp.Or(model, a.prices.Default))})
			}
		}
	}
	if findings == nil {
		findings = []doctor.Finding{{Said: "every model that a budget in dollars pays for has one"}}
	}
	return findings
}

// outside is an address that nobody has (RFC 5737). A UDP socket is bound to
// the way there without sending anything.
const outside = "192.0.2.1:443"

func localAddress(ctx context.Context) (string, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", outside)
	if err != nil {
		return "", err
	}
	ip, _, err := net.SplitHostPort(conn.LocalAddr().String())
	return "outgoing calls leave this machine as " + ip + "; behind NAT, tools see another address, which cannot be known from here", errors.Join(err, conn.Close())
}

// inOrder gives the ids of the connections that are in use.
func (a *App) inOrder() (ids []string) {
	d := a.watch.Current()
	for _, id := range slices.Sorted(maps.Keys(d.Connections)) {
		if !d.Connections[id].Disabled {
			ids = append(ids, id)
		}
	}
	return ids
}
