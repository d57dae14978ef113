package valkey

import (
	"context"
	"strings"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/maypok86/otter/v2"
	"github.com/redis/go-redis/v9"

	"github.com/deskhand/deskhand/shared/tenant"
)

// Limiter allows each tenant so many a minute, all at once or spread out
// (GCRA). Without the server each process counts for itself, by the same rule.
type Limiter struct {
	client    *Client
	perMinute int
	// own holds, for each tenant, the time at which its share is whole again.
	own *otter.Cache[string, kept[time.Time]]
}

// Limiter gives a limiter of this rate, at least 1, for tenants without one of
// their own.
func (c *Client) Limiter(perMinute int) *Limiter {
	return &Limiter{c, max(perMinute, 1), local(c, otter.Options[string, kept[time.Time]]{MaximumSize: 10_000})}
}

// Allow takes one of the tenant's share, or tells after what time there is one.
// perMinute is the tenant's own rate; 0 for the limiter's.
func (l *Limiter) Allow(ctx context.Context, id tenant.ID, perMinute int) (ok bool, after time.Duration) {
	if perMinute <= 0 {
		perMinute = l.perMinute
	}
	key := "deskhand:limit:" + string(id)
	var result *redis_rate.Result
	answered := l.client.ask(ctx, "limit", func(ctx context.Context, server *redis.Client) (err error) {
		result, err = redis_rate.NewLimiter(unprefixed{server}).Allow(ctx, key, redis_rate.PerMinute(perMinute))
		return err
	})
	if !answered {
		return l.allow(key, perMinute)
	}
	return result.Allowed > 0, max(result.RetryAfter, 0)
}

// allow is the same decision in the process.
func (l *Limiter) allow(key string, perMinute int) (ok bool, after time.Duration) {
	now := l.client.Now()
	share := time.Minute / time.Duration(perMinute)
	l.own.Compute(key, func(old kept[time.Time], _ bool) (kept[time.Time], otter.ComputeOp) {
		whole := old.Value
		if whole.Before(now) {
			whole = now
		}
		whole = whole.Add(share)
		if after = whole.Sub(now) - time.Minute; after > 0 {
			return old, otter.CancelOp
		}
		ok, after = true, 0
		return kept[time.Time]{whole, whole}, otter.WriteOp
	})
	return ok, after
}

// unprefixed takes the "rate:" away that redis_rate puts before each key, so
// that all our keys begin with "deskhand:" and one access rule covers them.
type unprefixed struct{ *redis.Client }

func (u unprefixed) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return u.Client.Eval(ctx, script, []string{strings.TrimPrefix(keys[0], "rate:")}, args...)
}

func (u unprefixed) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	return u.Client.EvalSha(ctx, sha, []string{strings.TrimPrefix(keys[0], "rate:")}, args...)
}
