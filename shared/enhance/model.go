package enhance

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/note"
	"github.com/deskhand/deskhand/shared/prompt"
	"github.com/deskhand/deskhand/shared/receipts"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Between two tries of the same model. This package is the only place that tries a
// model again.
const (
	modelPause = time.Second
	maxPause   = 5 * time.Second // that an endpoint may ask for
)

// errOverBudget says that a call would pass the tenant's budget.
var errOverBudget = errors.New("the tenant's budget for the model is used up")

// conversation is what is asked about one ticket.
type conversation struct {
	*job
	bundle  evidence.Bundle
	hide    *hider
	request llm.Request
	draft   draft

	understood bool // an answer had the form that was asked for
}

// ask lets the model write from the evidence, and checks every claim of its
// answer. Without an answer that stands, the draft says why, and the note is
// written from the evidence alone; only a prompt with another tenant's canary
// is an error, and is not sent.
func (e *Enhancer) ask(ctx context.Context, j *job, b evidence.Bundle) (draft, error) {
	if missing := e.unasked(j); missing != note.Nothing {
		return draft{missing: missing}, nil
	}
	defer j.step("ask")("")
	ctx, cancel := context.WithTimeout(ctx, modelLimit)
	defer cancel()
	ctx, span := metric.Tracer.Start(ctx, metric.SpanLLMCall)
	defer span.End()

	c := &conversation{job: j, bundle: b, hide: newHider()}
	c.request = prompt.Build(prompt.Input{Ticket: c.hide.ticket(j.ticket), Bundle: c.hide.bundle(b), Settings: j.tenant.Settings, Schema: receipts.Schema(), Nonce: rand.Text()})
	c.request.User = c.hide.text(c.request.User) // once more: what only the whole shows
	if err := e.noForeign(ctx, j.event, "the prompt", c.request.System, c.request.User); err != nil {
		return draft{}, err
	}
	c.draft.missing = e.converse(ctx, c)
	return c.draft, nil
}

// unasked tells why no model is asked about the ticket; Nothing where one is.
func (e *Enhancer) unasked(j *job) note.Missing {
	switch {
	case e.Model == nil:
		return note.NoModel
	case j.suspect != "":
		return note.Suspected
	}
	return note.Nothing
}

// converse asks one model after the other until one answers, lets it repair an
// answer that cannot be used, once, and says what is missing in the end.
func (e *Enhancer) converse(ctx context.Context, c *conversation) note.Missing {
	var err error
	for try, model := range tries(c.request.Model, c.tenant.Settings) {
		if try > 0 && model == c.request.Model && !again(ctx, err) {
			break
		}
		c.request.Model = model
		var reply llm.Reply
		if reply, err = e.call(ctx, c, c.request); err == nil {
			return e.settled(ctx, c, reply)
		}
		if errors.Is(err, llm.ErrRefused) || ctx.Err() != nil {
			break // no other model would answer
		}
	}
	return unanswered(err)
}

// again waits until the same model may answer the same question; false where
// that is not worth it.
func again(ctx context.Context, err error) bool {
	pause := modelPause
	if asked, ok := errors.AsType[interface {
		error
		RetryAfter() time.Duration
	}](err); ok {
		pause = max(pause, asked.RetryAfter())
	}
	return errors.Is(err, llm.ErrUnavailable) && !errors.Is(err, llm.ErrOpen) && pause <= maxPause && wait(ctx, pause)
}

// tries gives the models in the order in which they are asked: without
// fallbacks, the one twice.
func tries(model string, s tenant.Settings) []string {
	if len(s.Fallbacks) == 0 {
		return []string{model, model}
	}
	return slices.Concat([]string{model}, s.Fallbacks)
}

// wait waits for d, or until ctx is done: then it gives false.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// settled takes an answer, or lets the model repair it.
func (e *Enhancer) settled(ctx context.Context, c *conversation, reply llm.Reply) note.Missing {
	problem := c.accept(reply)
	if problem == "" {
		return note.Nothing
	}
	e.Log.InfoContext(ctx, "the model's answer cannot be used", "operation", "llm_call", "problem", problem)
	if len(c.bundle.Items) == 0 && c.understood {
		return c.general()
	}
	reply, err := e.call(ctx, c, prompt.Repair(c.request, reply.Text, problem))
	switch {
	case err != nil:
		return unanswered(err)
	case c.accept(reply) == "":
		return note.Nothing
	case len(c.bundle.Items) == 0:
		return c.general()
	}
	return note.Unsupported
}

// general takes what the model can say where nothing was found: advice that
// nobody has verified.
func (c *conversation) general() note.Missing {
	if len(c.draft.checked.General) == 0 {
		return note.Unsupported
	}
	return note.Nothing
}

// accept checks an answer and keeps it; or says what is wrong with it.
func (c *conversation) accept(reply llm.Reply) (problem string) {
	given, err := receipts.Parse(c.hide.restore(reply.Text)) // no value needs escaping in JSON
	if err != nil {
		return err.Error()
	}
	c.draft.checked = receipts.Check(given, c.bundle, vouching(c.ticket), c.request.System+"\n"+strange(c.ticket))
	c.draft.model, c.understood = reply.Model, true
	if c.draft.checked.Sourced == 0 {
		return "no claim of it cites evidence that supports it"
	}
	return ""
}

// call asks once, within the tenant's budget, and keeps what was asked and
// answered for the run record.
func (e *Enhancer) call(ctx context.Context, c *conversation, r llm.Request) (llm.Reply, error) {
	settle, ok, err := e.reserve(ctx, c.client, r)
	if err != nil {
		e.Log.WarnContext(ctx, "the model is not asked", "operation", "llm_call", "error", err.Error())
		return llm.Reply{}, err
	}
	if !ok {
		return llm.Reply{}, errOverBudget
	}
	reply, err := e.Model.Complete(ctx, r)
	settle(ctx, reply.Usage, err)
	e.meter(ctx, c, reply, err)
	made := Call{Model: cmp.Or(r.Model, reply.Model), System: r.System, User: r.User, Answer: reply.Text, Hidden: c.hide.counts(), Usage: reply.Usage}
	if err != nil {
		made.Error = err.Error()
	}
	d := &c.draft
	d.calls = append(d.calls, made)
	d.usage.PromptTokens += reply.Usage.PromptTokens
	d.usage.OutputTokens += reply.Usage.OutputTokens
	d.usage.CostUSD += reply.Usage.CostUSD
	d.usage.Latency += reply.Usage.Latency
	return reply, err
}

// meter records what the call cost: counts and prices, never text.
func (e *Enhancer) meter(ctx context.Context, c *conversation, r llm.Reply, err error) {
	id := metric.Tenant(string(c.tenant.ID))
	metric.ModelTokens.Add(ctx, int64(r.Usage.PromptTokens), metric.With(id, metric.Direction("prompt")))
	metric.ModelTokens.Add(ctx, int64(r.Usage.OutputTokens), metric.With(id, metric.Direction("output")))
	metric.ModelCost.Add(ctx, r.Usage.CostUSD, metric.With(id))
	if err != nil {
		e.Log.WarnContext(ctx, "the model did not answer", "operation", "llm_call", "error", err.Error(), "redacted", c.hide.counts())
		return
	}
	e.Log.InfoContext(ctx, "the model answered", "operation", "llm_call", "model", r.Model, "redacted", c.hide.counts(),
		"prompt_tokens", r.Usage.PromptTokens, "output_tokens", r.Usage.OutputTokens, "cost_usd", r.Usage.CostUSD,
		"duration_ms", r.Usage.Latency.Milliseconds())
}

// unanswered is the reason for the technician; the operator finds the
// endpoint's words in the log.
func unanswered(err error) note.Missing {
	switch {
	case errors.Is(err, errOverBudget):
		return note.OverBudget
	case errors.Is(err, llm.ErrRejected):
		return note.Rejected
	case errors.Is(err, llm.ErrEmpty):
		return note.Empty
	default:
		return note.Unanswered
	}
}
