package valkey

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/deskhand/deskhand/shared/tenant"
)

// moving is a clock that a test moves.
type moving struct{ ns atomic.Int64 }

func clockAt(t time.Time) *moving {
	m := &moving{}
	m.ns.Store(t.UnixNano())
	return m
}

func (m *moving) now() time.Time          { return time.Unix(0, m.ns.Load()) }
func (m *moving) advance(d time.Duration) { m.ns.Add(int64(d)) }

var start = time.Unix(1767225600, 0)

func TestServerStoppedInTheMiddleIsDoneWithout(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := miniredis.RunT(t)
	c := open(t, "redis://"+server.Addr())
	clock := clockAt(start)
	c.Now = clock.now
	name := "stopped-" + unique()
	seen, limiter, tokens := c.Seen(), c.Limiter(2), c.Tokens(newBox())
	fetched := 0
	fetch := func(context.Context) (string, time.Duration, error) {
		fetched++
		return fmt.Sprint("token-", fetched), time.Hour, nil
	}
	seen.Mark(ctx, "acme", "before", "job before", 10*time.Minute)
	if got, _ := tokens.Token(ctx, "sdp", fetch); got != "token-1" || !pinged(ctx, c, name) || fallbacks(t, name) != 0 {
		t.Fatalf("token is %s, and %d fallbacks with the server up", got, fallbacks(t, name))
	}

	server.Close()

	seen.Mark(ctx, "acme", "during", "job during", 10*time.Minute)
	for delivery, want := range map[string]string{"before": "job before", "during": "job during", "never": ""} {
		if got, ok := seen.Job(ctx, "acme", delivery); got != want || ok != (want != "") {
			t.Errorf("delivery marked %s: job is %q, seen %v", delivery, got, ok)
		}
	}
	for i, want := range []bool{true, true, false} {
		if ok, after := limiter.Allow(ctx, "acme", 0); ok != want || (!ok && after != 30*time.Second) {
			t.Errorf("webhook %d: %v, next after %s", i+1, ok, after)
		}
	}
	if ok, _ := limiter.Allow(ctx, "globex", 0); !ok {
		t.Error("another tenant is refused")
	}
	tokens.Drop(ctx, "sdp", "token-1")
	if got, _ := tokens.Token(ctx, "sdp", fetch); got != "token-2" {
		t.Errorf("token is %s", got)
	}
	if err := c.Ping(ctx); err == nil {
		t.Error("a stopped server answers")
	}
	if pinged(ctx, c, name) || fallbacks(t, name) != 1 {
		t.Errorf("%d fallbacks are counted, want 1", fallbacks(t, name))
	}

	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if pinged(ctx, c, name) || fallbacks(t, name) != 2 {
		t.Errorf("%d fallbacks: the server is not left alone for a second", fallbacks(t, name))
	}
	clock.advance(pause)
	if !pinged(ctx, c, name) || fallbacks(t, name) != 2 {
		t.Errorf("%d fallbacks: the server is back, and is not asked", fallbacks(t, name))
	}
}

// pinged asks the server for the least, as an operation of this name.
func pinged(ctx context.Context, c *Client, name string) bool {
	return c.ask(ctx, name, func(ctx context.Context, server *redis.Client) error { return server.Ping(ctx).Err() })
}

func TestServerThatHangsCostsItsTimeoutOnce(t *testing.T) {
	t.Parallel()
	c := open(t, "redis://"+silent(t))
	clock := clockAt(start)
	c.Now, c.Timeout = clock.now, 50*time.Millisecond
	seen := c.Seen()
	began := time.Now()
	for i := range 1000 {
		seen.Mark(t.Context(), "acme", fmt.Sprint(i), "job", time.Minute)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("1,000 decisions took %s", took)
	}
	if _, ok := seen.Job(t.Context(), "acme", "999"); !ok {
		t.Error("what was marked is not seen")
	}
}

func TestCallerThatGaveUpIsNoFaultOfTheServer(t *testing.T) {
	t.Parallel()
	c := open(t, "redis://"+miniredis.RunT(t).Addr())
	name := "gave-up-" + unique()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if ok := pinged(ctx, c, name); !ok || fallbacks(t, name) != 0 {
		t.Errorf("answered %v, %d fallbacks", ok, fallbacks(t, name))
	}
}

func TestWithoutServerEverythingStaysInTheProcess(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := open(t, "")
	clock := clockAt(start)
	c.Now = clock.now
	name := "none-" + unique()
	seen, limiter := c.Seen(), c.Limiter(1)
	seen.Mark(ctx, "acme", "delivery", "job", 10*time.Minute)
	if ok, _ := limiter.Allow(ctx, "acme", 0); !ok {
		t.Error("the first is refused")
	}
	if _, ok := seen.Job(ctx, "globex", "delivery"); ok {
		t.Error("another tenant's delivery is seen")
	}
	if err := c.Ping(ctx); err != nil || pinged(ctx, c, name) || fallbacks(t, name) != 0 {
		t.Errorf("ping: %v, %d fallbacks", err, fallbacks(t, name))
	}

	clock.advance(time.Minute)

	if ok, _ := limiter.Allow(ctx, "acme", 0); !ok {
		t.Error("the next minute's is refused")
	}
	if _, ok := seen.Job(ctx, "acme", "delivery"); !ok {
		t.Error("the delivery is forgotten too soon")
	}
	clock.advance(9 * time.Minute)
	if _, ok := seen.Job(ctx, "acme", "delivery"); ok {
		t.Error("the delivery is remembered too long")
	}
}

func TestProcessKeepsABoundedAmount(t *testing.T) {
	t.Parallel()
	c := open(t, "")
	seen, limiter := c.Seen(), c.Limiter(5)
	for i := range 150_000 {
		seen.Mark(t.Context(), "acme", fmt.Sprint(i), "job", time.Hour)
	}
	for i := range 15_000 {
		limiter.Allow(t.Context(), tenant.ID(fmt.Sprint("t", i)), 0)
	}
	seen.own.CleanUp()
	limiter.own.CleanUp()
	if n, m := seen.own.EstimatedSize(), limiter.own.EstimatedSize(); n > 100_000 || m > 10_000 {
		t.Errorf("%d deliveries and %d tenants are kept", n, m)
	}
}

// TestProcessLimitsAsTheServerDoes sends the same webhooks at the same times
// to both rules: a fallback changes who counts, not what is allowed.
func TestProcessLimitsAsTheServerDoes(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	c := open(t, "redis://"+server.Addr())
	clock := clockAt(start)
	c.Now = clock.now
	limiter := c.Limiter(60)
	random := rand.New(rand.NewPCG(1, 2))
	allowed := 0
	for i := range 2000 {
		server.SetTime(clock.now())
		shared, wait := limiter.Allow(t.Context(), "acme", 0)
		own, ownWait := limiter.allow("deskhand:limit:acme", 60)
		if shared != own || (wait-ownWait).Abs() > 10*time.Millisecond {
			t.Fatalf("webhook %d: the server says %v, %s, the process %v, %s", i, shared, wait, own, ownWait)
		}
		if own {
			allowed++
		}
		clock.advance(time.Duration(random.IntN(8)) * 125 * time.Millisecond)
	}
	if allowed < 500 || allowed > 1900 {
		t.Errorf("%d of 2,000 were allowed: the test does not try both", allowed)
	}
}
