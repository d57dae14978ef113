package enhance

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/note"
	"github.com/deskhand/deskhand/shared/prompt"
	"github.com/deskhand/deskhand/shared/receipts"
	"github.com/deskhand/deskhand/shared/ticket"
)

// The limits of the model, within JobLimit. This is the only place that tries
// a model again.
const (
	modelTries = 2
	modelPause = time.Second
)

// ask lets the model write from the evidence, and checks every claim of its
// answer. Without an answer that stands, the draft says why, and the note is
// written from the evidence alone; only a prompt with another tenant's canary
// is an error, and is not sent.
func (e *Enhancer) ask(ctx context.Context, c client, ev ticket.Event, t ticket.Ticket, b evidence.Bundle) (draft, error) {
	if e.Model == nil {
		return draft{missing: note.NoModel}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, modelLimit)
	defer cancel()
	ctx, span := metric.Tracer.Start(ctx, metric.SpanLLMCall)
	defer span.End()

	hide := newHider()
	request := prompt.Build(prompt.Input{Ticket: hide.ticket(t), Bundle: hide.bundle(b), Settings: c.tenant.Settings, Schema: receipts.Schema(), Nonce: rand.Text()})
	request.User = hide.text(request.User) // once more: what only the whole shows
	hidden := hide.counts()
	if err := e.noForeign(ctx, ev, "the prompt", request.System, request.User); err != nil {
		return draft{}, err
	}
	settle, ok, err := e.reserve(ctx, c, request)
	if err != nil || !ok {
		return draft{missing: note.OverBudget}, err
	}
	reply, err := e.complete(ctx, request)
	d := draft{model: reply.Model, usage: reply.Usage}
	e.meter(ctx, c, reply, hidden, err)
	settle(ctx, reply.Usage, err)
	if err != nil {
		d.missing = unanswered(err)
		return d, nil
	}
	parsed, err := receipts.Parse(hide.restore(reply.Text)) // no value needs escaping in JSON
	if err != nil {
		d.missing = note.Unsupported
		return d, nil
	}
	d.checked = receipts.Check(unechoed(parsed, request.System), b, vouching(t))
	if d.checked.Sourced == 0 {
		d.missing = note.Unsupported
	}
	return d, nil
}

// complete asks, and once more where that may help.
func (e *Enhancer) complete(ctx context.Context, r llm.Request) (reply llm.Reply, err error) {
	for try := range modelTries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return reply, ctx.Err()
			case <-time.After(modelPause):
			}
		}
		reply, err = e.Model.Complete(ctx, r)
		if !errors.Is(err, llm.ErrUnavailable) || ctx.Err() != nil {
			return reply, err
		}
	}
	return reply, err
}

// meter records what the call cost: counts and prices, never text.
func (e *Enhancer) meter(ctx context.Context, c client, r llm.Reply, hidden map[string]int, err error) {
	id := metric.Tenant(string(c.tenant.ID))
	metric.ModelTokens.Add(ctx, int64(r.Usage.PromptTokens), metric.With(id, metric.Direction("prompt")))
	metric.ModelTokens.Add(ctx, int64(r.Usage.OutputTokens), metric.With(id, metric.Direction("output")))
	metric.ModelCost.Add(ctx, r.Usage.CostUSD, metric.With(id))
	if err != nil {
		e.Log.WarnContext(ctx, "the model did not answer", "operation", "llm_call", "error", err.Error(), "redacted", hidden)
		return
	}
	e.Log.InfoContext(ctx, "the model answered", "operation", "llm_call", "model", r.Model, "redacted", hidden,
		"prompt_tokens", r.Usage.PromptTokens, "output_tokens", r.Usage.OutputTokens, "cost_usd", r.Usage.CostUSD,
		"duration_ms", r.Usage.Latency.Milliseconds())
}

// unanswered is the reason for the technician; the operator finds the
// endpoint's words in the log.
func unanswered(err error) note.Missing {
	switch {
	case errors.Is(err, llm.ErrRejected):
		return note.Rejected
	case errors.Is(err, llm.ErrEmpty):
		return note.Empty
	default:
		return note.Unanswered
	}
}
