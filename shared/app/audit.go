package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/user"
	"time"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/catalogue"
	"github.com/deskhand/deskhand/shared/operator"
	trail "github.com/deskhand/deskhand/shared/postgres/audit"
	"github.com/deskhand/deskhand/shared/postgres/rights"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

func (a *App) trail() trail.Trail { return trail.Trail{DB: a.db} }

// discards has the trail tell of what a handler drops. The message is done
// whether or not that succeeds: an unknown tenant has no trail.
func (a *App) discards(handle queue.Handler) queue.Handler {
	return func(ctx context.Context, m queue.Message) error {
		err := handle(ctx, m)
		if err == nil || queue.DefaultPolicy.Decide(m, err, time.Now()).Action != queue.Done {
			return err
		}
		var ev ticket.Event
		_ = json.Unmarshal(m.Body, &ev) // what is no event has no ticket
		told := a.trail().Record(ctx, audit.Event{
			Tenant: m.Tenant, Ticket: ev.Ref.Key, Operation: audit.EventDiscarded, Status: audit.Dropped, Correlation: m.ID,
		})
		if told != nil {
			a.Log.WarnContext(ctx, "a discarded event is not in the audit trail", "operation", string(audit.EventDiscarded), "error", told.Error())
		}
		return err
	}
}

// incident records a security event.
func (a *App) incident(ctx context.Context, ev ticket.Event, kind string) error {
	return a.trail().Record(ctx, audit.Event{
		Tenant: ev.Ref.Tenant, Ticket: ev.Ref.Key, Operation: audit.Operation(kind), Status: audit.Blocked, Correlation: ev.Job,
	})
}

// sweep ends jobs whose worker died, and lets old run records and audit events go.
func (a *App) sweep(ctx context.Context, id tenant.ID, idle time.Duration) (int, error) {
	n, err := a.Ledger.Sweep(ctx, id, idle)
	_, errRuns := a.Ledger.Prune(ctx, id)
	_, errTrail := a.trail().Prune(ctx, id)
	return n, errors.Join(err, errRuns, errTrail)
}

// record appends what a command did to the trail, and logs it.
func (a *App) record(ctx context.Context, e audit.Event) error {
	e.Actor = a.Actor
	a.Changes.InfoContext(ctx, "command", "operation", string(e.Operation), "tenant", string(e.Tenant), "actor", e.Actor, "status", string(e.Status))
	return a.trail().Record(ctx, e)
}

// export gives the rows of a tenant, each under the name of its table.
func (a *App) export(ctx context.Context, id tenant.ID, put func(table, row string) error) ([]string, error) {
	a.Changes.InfoContext(ctx, "command", "operation", string(audit.TenantExported), "tenant", string(id), "actor", a.Actor, "status", string(audit.Started))
	return rights.Rights{DB: a.adminDB}.Export(ctx, id, a.Actor, put)
}

// exportTrail gives the events of a tenant. The trail tells of it first: who
// stops reading in the middle has read.
func (a *App) exportTrail(ctx context.Context, id tenant.ID, q audit.Query, do func(audit.Event) error) error {
	if _, ok := a.watch.Current().Tenants[id]; !ok {
		return fmt.Errorf("tenant %s: %w", id, tenant.ErrUnknown)
	}
	if err := a.record(ctx, audit.Event{Tenant: id, Operation: audit.TrailExported, Status: audit.Success}); err != nil {
		return err
	}
	return a.trail().Each(ctx, id, q, do)
}

// erase deletes a tenant from the database, then from Redis.
func (a *App) erase(ctx context.Context, id tenant.ID) (audit.Erasure, int, error) {
	done, err := rights.Rights{DB: a.adminDB}.Erase(ctx, id, a.Actor)
	if err != nil {
		return done, 0, err
	}
	a.Log.WarnContext(ctx, "a tenant was erased", "operation", string(audit.TenantErased), "tenant", string(id), "actor", a.Actor,
		"status", string(audit.Success))
	keys, err := a.cache.Forget(ctx, id, done.Connections...)
	if err != nil {
		err = fmt.Errorf("%w: %w", operator.ErrKeys, err)
	}
	return done, keys, err
}

// imported has the trail tell of an import.
func (a *App) imported(ctx context.Context, id tenant.ID, span catalogue.Span, progress func(catalogue.Progress, []error)) (catalogue.Progress, error) {
	sum, err := a.Catalogue().Import(ctx, id, span, progress)
	e := audit.Event{Tenant: id, Operation: audit.HistoryImported, Status: audit.Success}
	if err != nil {
		e.Status = audit.Failure
	}
	if errors.Is(err, tenant.ErrUnknown) {
		return sum, err // it has no trail
	}
	return sum, errors.Join(err, a.record(ctx, e))
}

// whoami names who runs a command, for the audit trail.
func whoami() string {
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return u.Username
}
