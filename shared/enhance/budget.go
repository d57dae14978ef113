package enhance

import (
	"context"
	"fmt"

	"github.com/deskhand/deskhand/shared/llm"
)

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
