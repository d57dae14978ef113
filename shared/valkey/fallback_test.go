package valkey

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

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
	seen, limiter, cache, tokens := c.Seen(10*time.Minute), c.Limiter(2), c.Cache(name), c.Tokens(newBox())
	fetched := 0
	fetch := func(context.Context) (string, time.Duration, error) {
		fetched++
		return fmt.Sprint("token-", fetched), time.Hour, nil
	}
	seen.Mark(ctx, "acme", "before")
	cache.Set(ctx, "acme", "k", []byte("before"), time.Hour)
	if got, _ := tokens.Token(ctx, "sdp", fetch); got != "token-1" || fallbacks(t, name) != 0 {
		t.Fatalf("token is %s, and %d fallbacks with the server up", got, fallbacks(t, name))
	}

	server.Close()

	seen.Mark(ctx, "acme", "during")
	for job, want := range map[string]bool{"before": true, "during": true, "never": false} {
		if got := seen.Has(ctx, "acme", job); got != want {
			t.Errorf("job marked %s: seen is %v", job, got)
		}
	}
	if v, ok := cache.Get(ctx, "acme", "k"); !ok || string(v) != "before" {
		t.Errorf("cache has %q, %v", v, ok)
	}
	cache.Set(ctx, "acme", "k", []byte("during"), time.Hour)
	if v, ok := cache.Get(ctx, "acme", "k"); !ok || string(v) != "during" {
		t.Errorf("cache has %q, %v", v, ok)
	}
	for i, want := range []bool{true, true, false} {
		if ok, after := limiter.Allow(ctx, "acme"); ok != want || (!ok && after != 30*time.Second) {
			t.Errorf("webhook %d: %v, next after %s", i+1, ok, after)
		}
	}
	if ok, _ := limiter.Allow(ctx, "globex"); !ok {
		t.Error("another tenant is refused")
	}
	tokens.Drop(ctx, "sdp")
	if got, _ := tokens.Token(ctx, "sdp", fetch); got != "token-2" {
		t.Errorf("token is %s", got)
	}
	if err := c.Ping(ctx); err == nil {
		t.Error("a stopped server answers")
	}
	if n := fallbacks(t, name); n != 3 {
		t.Errorf("%d fallbacks are counted, want 3", n)
	}

	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	cache.Get(ctx, "acme", "k")
	if n := fallbacks(t, name); n != 4 {
		t.Errorf("%d fallbacks: the server is not left alone for a second", n)
	}
	clock.advance(pause)
	if v, ok := cache.Get(ctx, "acme", "k"); !ok || string(v) != "before" || fallbacks(t, name) != 4 {
		t.Errorf("back again, the cache has %q, %v: want the server's word", v, ok)
	}
}

func TestServerThatHangsCostsItsTimeoutOnce(t *testing.T) {
	t.Parallel()
	c := open(t, "redis://"+silent(t))
	clock := clockAt(start)
	c.Now, c.Timeout = clock.now, 50*time.Millisecond
	seen := c.Seen(time.Minute)
	began := time.Now()
	for i := range 1000 {
		seen.Mark(t.Context(), "acme", fmt.Sprint(i))
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("1,000 decisions took %s", took)
	}
	if !seen.Has(t.Context(), "acme", "999") {
		t.Error("what was marked is not seen")
	}
}

func TestCallerThatGaveUpIsNoFaultOfTheServer(t *testing.T) {
	t.Parallel()
	c := open(t, "redis://"+miniredis.RunT(t).Addr())
	name := "gave-up-" + unique()
	cache := c.Cache(name)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cache.Set(ctx, "acme", "k", []byte("v"), time.Hour)
	if _, ok := cache.Get(ctx, "acme", "k"); !ok || fallbacks(t, name) != 0 {
		t.Errorf("found %v, %d fallbacks", ok, fallbacks(t, name))
	}
}

func TestWithoutServerEverythingStaysInTheProcess(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := open(t, "")
	clock := clockAt(start)
	c.Now = clock.now
	name := "none-" + unique()
	seen, limiter, cache := c.Seen(10*time.Minute), c.Limiter(1), c.Cache(name)
	seen.Mark(ctx, "acme", "job")
	cache.Set(ctx, "acme", "k", []byte("v"), time.Minute)
	cache.Set(ctx, "acme", "never", []byte("v"), -time.Minute)
	if ok, _ := limiter.Allow(ctx, "acme"); !ok {
		t.Error("the first is refused")
	}
	if _, ok := cache.Get(ctx, "acme", "never"); ok || seen.Has(ctx, "globex", "job") {
		t.Error("there is what was never set")
	}
	if err := c.Ping(ctx); err != nil || fallbacks(t, name) != 0 {
		t.Errorf("ping: %v, %d fallbacks", err, fallbacks(t, name))
	}

	clock.advance(time.Minute)

	if _, ok := cache.Get(ctx, "acme", "k"); ok {
		t.Error("the cached value outlives its time")
	}
	if ok, _ := limiter.Allow(ctx, "acme"); !ok {
		t.Error("the next minute's is refused")
	}
	if !seen.Has(ctx, "acme", "job") {
		t.Error("the job is forgotten too soon")
	}
	clock.advance(9 * time.Minute)
	if seen.Has(ctx, "acme", "job") {
		t.Error("the job is remembered too long")
	}
}

func TestProcessKeepsABoundedAmount(t *testing.T) {
	t.Parallel()
	c := open(t, "")
	cache, limiter := c.Cache("big"), c.Limiter(5)
	value := make([]byte, 1<<20)
	for i := range 100 {
		cache.Set(t.Context(), "acme", fmt.Sprint(i), value, time.Hour)
	}
	for i := range 15_000 {
		limiter.Allow(t.Context(), tenant.ID(fmt.Sprint("t", i)))
	}
	cache.own.CleanUp()
	limiter.own.CleanUp()
	if n, m := cache.own.WeightedSize(), limiter.own.EstimatedSize(); n > ownBytes || m > 10_000 {
		t.Errorf("%d bytes and %d tenants are kept", n, m)
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
		shared, wait := limiter.Allow(t.Context(), "acme")
		own, ownWait := limiter.allow("deskhand:limit:acme")
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
