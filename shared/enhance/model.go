package enhance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/prompt"
	"github.com/deskhand/deskhand/shared/receipts"
	"github.com/deskhand/deskhand/shared/redact"
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
		return draft{missing: "no language model is configured"}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, modelLimit)
	defer cancel()
	ctx, span := metric.Tracer.Start(ctx, metric.SpanLLMCall)
	defer span.End()

	hide := &hider{found: map[string]int{}}
	request := prompt.Build(prompt.Input{Ticket: hide.ticket(t), Bundle: hide.bundle(b), Settings: c.tenant.Settings, Nonce: rand.Text()})
	request.User = hide.text(request.User) // once more: what only the whole shows
	hidden := hide.found
	if err := e.noForeign(ctx, ev, "the prompt", request.System, request.User); err != nil {
		return draft{}, err
	}
	settle, ok, err := e.reserve(ctx, c, request)
	if err != nil || !ok {
		return draft{missing: "the language model's tokens for today are used up"}, err
	}
	reply, err := e.complete(ctx, request)
	d := draft{model: reply.Model, usage: reply.Usage}
	e.meter(ctx, c, reply, hidden, err)
	settle(ctx, reply.Usage, err)
	if err != nil {
		d.missing = unanswered(err)
		return d, nil
	}
	d.checked = receipts.Check(reply.Text, b, t)
	if d.checked.Sourced == 0 {
		d.missing = "the language model's answer had no claim that the evidence supports"
	}
	return d, nil
}

// reserve takes the tokens of the request from the tenant's budget of the day,
// where it has one: before the call, so that workers at the same time know of
// each other. settle takes what was used instead; where the endpoint does not
// tell, and where the process dies, what was reserved stays taken.
func (e *Enhancer) reserve(ctx context.Context, c client, r llm.Request) (settle func(context.Context, llm.Usage, error), ok bool, err error) {
	limit := c.tenant.Settings.DailyTokens
	if limit == 0 {
		return func(context.Context, llm.Usage, error) {}, true, nil
	}
	put, ok, err := e.Reserve(ctx, c.tenant.ID, (len(r.System)+len(r.User))/bytesPerToken+r.MaxTokens, limit)
	if err != nil {
		return nil, false, fmt.Errorf("reserve tokens of the model: %w", err)
	}
	if !ok {
		e.Log.WarnContext(ctx, "the model is not asked", "operation", "llm_call", "reason", "daily_tokens", "limit", limit)
		return nil, false, nil
	}
	return func(ctx context.Context, u llm.Usage, failed error) {
		used := u.PromptTokens + u.OutputTokens
		if failed == nil && used == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveLimit)
		defer cancel()
		if err := put(ctx, used); err != nil {
			e.Log.WarnContext(ctx, "the reserved tokens stay taken", "operation", "llm_call", "error", err.Error())
		}
	}, true, nil
}

// bytesPerToken is fewer than most texts have, so that more is reserved than used.
const bytesPerToken = 3

// hider takes out what must not leave the tenant, before anything is cut: half
// a key is not recognised.
type hider struct{ found map[string]int }

func (h *hider) text(s string) string {
	clean, counts := redact.Text(s)
	for what, n := range counts {
		h.found[what] += n
	}
	return clean
}

// maxHidden is how much of a description is looked through: far more than a
// prompt takes.
const maxHidden = 64 << 10

func (h *hider) ticket(t ticket.Ticket) ticket.Ticket {
	t.Subject, t.Description = h.text(t.Subject), h.text(t.Description[:min(len(t.Description), maxHidden)])
	return t
}

func (h *hider) bundle(b evidence.Bundle) evidence.Bundle {
	items := make([]evidence.Item, len(b.Items))
	for i, it := range b.Items {
		it.Title, it.Text = h.text(it.Title), h.text(it.Text)
		items[i] = it
	}
	b.Items = items
	return b
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
func unanswered(err error) string {
	switch {
	case errors.Is(err, llm.ErrRejected):
		return "the language model's endpoint rejects our requests"
	case errors.Is(err, llm.ErrEmpty):
		return "the language model gave no answer"
	default:
		return fmt.Sprintf("the language model did not answer in %d tries", modelTries)
	}
}
