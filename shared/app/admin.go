package app

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"time"

	"github.com/deskhand/deskhand/shared/admin"
	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/feedback"
	"github.com/deskhand/deskhand/shared/feedback/page"
	"github.com/deskhand/deskhand/shared/host"
	"github.com/deskhand/deskhand/shared/postgres/console"
	votes "github.com/deskhand/deskhand/shared/postgres/feedback"
	"github.com/deskhand/deskhand/shared/postgres/tenants"
	"github.com/deskhand/deskhand/shared/postgres/unmapped"
	"github.com/deskhand/deskhand/shared/tenant"
)

// failedSignIns is how many failed sign-ins a source has a minute.
const failedSignIns = 10

// Admin is the admin API.
func (a *App) Admin() http.Handler {
	gate := &access.Gate{Token: console.Store{DB: a.adminDB}.SignIn, Basic: a.Config.AdminBasic}
	if a.Config.OIDCIssuer != "" {
		gate.OIDC = &access.OIDC{
			Issuer: a.Config.OIDCIssuer, Audience: a.Config.OIDCAudience, Claim: a.Config.OIDCRolesClaim, HTTP: a.client(), Now: time.Now,
		}
	}
	limiter := a.cache.Limiter(failedSignIns)
	gate.Failed = func(ctx context.Context, source string) (bool, time.Duration) {
		return limiter.Allow(ctx, tenant.ID("sign-in/"+source), failedSignIns) // no tenant has a slash
	}
	return (&admin.API{Office: a.Office(), SignIn: gate.SignIn, Feedback: a.feedback(), Log: a.Log}).Handler()
}

// votesPerMinute is how often a source may follow links of notes: an office of
// technicians is one.
const votesPerMinute = 60

// feedback is what the links at a note's foot lead to. It acts as app_user: who
// has a link administers nothing.
func (a *App) feedback() http.Handler {
	limiter := a.cache.Limiter(votesPerMinute)
	return &page.Page{
		Keys: a.ballots, Store: votes.Store{DB: a.db}, Directory: a.watch.Current, Now: time.Now, Log: a.Log,
		Limit: func(r *http.Request) (bool, time.Duration) {
			return limiter.Allow(r.Context(), tenant.ID("feedback/"+access.Source(r.RemoteAddr)), votesPerMinute)
		},
	}
}

// errNoAdmin says what a process that administers lacks.
var errNoAdmin = errors.New("DATABASE_ADMIN_URL: required here: the URL of Postgres as admin_user (docs/configuration.md)")

// administers is an error where this process cannot administer: it must not
// start then, or it would refuse every request.
func (a *App) administers() error {
	if a.adminDB == nil {
		return errNoAdmin
	}
	return nil
}

// Office is what the admin API and the operator's command do. It needs
// DATABASE_ADMIN_URL.
func (a *App) Office() *admin.Office {
	store := tenants.Office{Store: tenants.Store{DB: a.adminDB, Box: a.Tenants.Box}}
	var sources []string
	for _, s := range a.evidenceFrom(a.db, time.Now) {
		sources = append(sources, s.Name())
	}
	return &admin.Office{
		Tenants: store, Connections: store, Tokens: console.Store{DB: a.adminDB}, Unmapped: unmapped.Store{DB: a.adminDB}.List, Log: a.Changes,
		Tools: Tools, Sources: sources, Open: a.tools.open, Now: time.Now,
	}
}

// AtTheDesk is the caller of a command: whoever has the configuration of the
// installation may do everything.
func (a *App) AtTheDesk() admin.Caller {
	return admin.Caller{Principal: access.Principal{Name: a.Actor, All: access.Admin}, Need: access.Admin, Request: rand.Text()}
}

// RunAdmin serves the admin API, and in Lambda the operator's command too.
func (a *App) RunAdmin(ctx context.Context) error {
	if err := a.administers(); err != nil {
		return err
	}
	if a.Config.InLambda() {
		l := host.Lambda{HTTP: a.Admin()}
		if a.Answer != nil {
			l.Command = a.command
		}
		return a.function(ctx, l)
	}
	return a.run(ctx, a.Admin())
}

// everything is the webhooks and the admin API, for one process.
func (a *App) everything() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", a.Webhook())
	desk := a.Admin()
	mux.Handle(admin.Base+"/", desk)
	mux.Handle(feedback.Path, desk)
	return mux
}
