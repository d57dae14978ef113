package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/postgres/ledger"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

// explain finds a job for who asks why its note says what it says. The trail
// tells of it.
func (a *App) explain(ctx context.Context, id tenant.ID, job string) (enhance.Record, error) {
	r, err := a.job(ctx, id, job)
	if err != nil {
		return r, err
	}
	return r, a.record(ctx, a.about(r, audit.JobExplained, audit.Success))
}

// about is an event of the trail on a job.
func (a *App) about(r enhance.Record, o audit.Operation, s audit.Status) audit.Event {
	return audit.Event{Tenant: r.Ref.Tenant, Ticket: r.Ref.Key, Operation: o, Status: s, Correlation: r.Job}
}

// job finds it: with the tenant, by its id or by its ticket; without, by its id
// with whichever tenant has it.
func (a *App) job(ctx context.Context, id tenant.ID, job string) (enhance.Record, error) {
	all := a.watch.Current().Tenants
	if _, ok := all[id]; id != "" && !ok {
		return enhance.Record{}, fmt.Errorf("tenant %s: %w", id, tenant.ErrUnknown)
	}
	if id != "" {
		r, err := a.Ledger.Run(ctx, id, job)
		if !errors.Is(err, ledger.ErrUnknown) {
			return r, err
		}
		last, err := a.Ledger.Last(ctx, id, job)
		if err != nil {
			return r, fmt.Errorf("tenant %s has neither a job nor a ticket %.40q in the ledger: %w", id, job, err)
		}
		return a.Ledger.Run(ctx, id, last)
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		r, err := a.Ledger.Run(ctx, id, job)
		if !errors.Is(err, ledger.ErrUnknown) {
			return r, err
		}
	}
	return enhance.Record{}, fmt.Errorf("no tenant has a job %.40q: %w. Its id is in the webhook's answer and in the log (correlation_id); "+
		"with --tenant, the ticket's key will do", job, ledger.ErrUnknown)
}

// errNoModel keeps a rehearsal from saying that there is no model, where the
// workers have one.
var errNoModel = errors.New("the note was written with a language model, and this process has no OPENAI_API_KEY: " +
	"run it where the workers' configuration is, or have them do it: --post")

// rehearse does a job again, now, and writes nothing but the trail.
func (a *App) rehearse(ctx context.Context, r enhance.Record) (enhance.Enhancement, error) {
	if a.model == nil && r.Model != "" {
		return enhance.Enhancement{}, errNoModel
	}
	if err := a.record(ctx, a.about(r, audit.JobReplayed, audit.Started)); err != nil {
		return enhance.Enhancement{}, err
	}
	return a.enhancer().Rehearse(ctx, again(r, time.Now()))
}

// replay queues the work of a job again, under an id of its own.
func (a *App) replay(ctx context.Context, r enhance.Record) (job string, err error) {
	ev := again(r, time.Now())
	body, err := json.Marshal(ev)
	if err != nil {
		return "", err
	}
	if err := a.record(ctx, a.about(r, audit.JobReplayed, audit.Accepted)); err != nil {
		return "", err
	}
	err = a.enhancing.Send(ctx, queue.Message{ID: ev.Job, Tenant: ev.Ref.Tenant, Kind: string(ev.Kind), Body: body, Sent: ev.Received})
	return ev.Job, err
}

// again is the event that has the work of a job done once more.
func again(r enhance.Record, now time.Time) ticket.Event {
	return ticket.Event{
		Job: ticket.JobID(r.Ref, ticket.Replayed, r.Job+"/"+now.UTC().Format(time.RFC3339Nano)), Ref: r.Ref, Kind: ticket.Replayed, Received: now,
	}
}
