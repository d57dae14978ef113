package enhance

import (
	"context"
	"errors"
	"fmt"

	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/metric"
)

// Amount is what calls of the model take.
type Amount struct {
	Tokens int
	USD    float64
}

// Limits are what calls of the model may take of a tenant's budget; 0 is no
// limit. Days and months are those of UTC.
type Limits struct {
	DailyTokens          int
	DailyUSD, MonthlyUSD float64
}

// NoPrice is the reason of a refusal where the budget is in dollars, and nobody
// knows what the model costs.
const NoPrice = "no_price"

// reserve takes what the request may take at most from the tenant's budget,
// where it has one: before the call, so that workers at the same time know of
// each other. ok is false where the call could pass a limit: it must not be
// made. settle puts what was used in the place of what was reserved, and is
// called once, after the call. Where the endpoint does not tell what was used,
// all that was reserved counts as used, also of a call that did not end in time;
// where the process dies, nothing does.
func (e *Enhancer) reserve(ctx context.Context, c client, r llm.Request) (settle func(context.Context, llm.Usage, error), ok bool, err error) {
	s := c.tenant.Settings
	limits := Limits{s.DailyTokens, s.DailyUSD, s.MonthlyUSD}
	if limits == (Limits{}) {
		return func(context.Context, llm.Usage, error) {}, true, nil
	}
	worst := llm.Usage{PromptTokens: (len(r.System) + len(r.User)) / bytesPerToken, OutputTokens: r.MaxTokens}
	most := Amount{Tokens: worst.PromptTokens + worst.OutputTokens}
	var priced bool
	if most.USD, priced = e.Prices.Cost(r.Model, worst); !priced && limits.DailyUSD+limits.MonthlyUSD > 0 {
		e.refuse(ctx, c, r, NoPrice)
		return nil, false, nil
	}
	put, refused, err := e.Reserve(ctx, c.tenant.ID, most, limits)
	if err != nil {
		return nil, false, fmt.Errorf("reserve the cost of the model: %w", err)
	}
	if refused != "" {
		e.refuse(ctx, c, r, refused)
		return nil, false, nil
	}
	return func(ctx context.Context, u llm.Usage, failed error) {
		used := Amount{Tokens: u.PromptTokens + u.OutputTokens}
		used.USD, _ = e.Prices.Cost(r.Model, u)
		if used.Tokens == 0 && mayBeBilled(failed) {
			used = most
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveLimit)
		defer cancel()
		if err := put(ctx, used); err != nil {
			e.Log.WarnContext(ctx, "what the model took is not counted", "operation", "llm_call", "error", err.Error())
		}
	}, true, nil
}

// mayBeBilled tells whether a call that did not tell what it used may cost: the
// endpoint answered, or worked on the answer when nobody waited any more.
func mayBeBilled(failed error) bool {
	return failed == nil || errors.Is(failed, llm.ErrUnfinished) || errors.Is(failed, llm.ErrEmpty) ||
		errors.Is(failed, context.Canceled) || errors.Is(failed, context.DeadlineExceeded)
}

// refuse tells of a call that is not made.
func (e *Enhancer) refuse(ctx context.Context, c client, r llm.Request, reason string) {
	e.Log.WarnContext(ctx, "the model is not asked", "operation", "llm_call", "reason", reason, "model", r.Model)
	metric.BudgetRefusals.Add(ctx, 1, metric.With(metric.Tenant(string(c.tenant.ID)), metric.Reason(reason)))
}

// bytesPerToken is fewer than nearly every text has, in any script, so that more
// is reserved than used.
const bytesPerToken = 2
