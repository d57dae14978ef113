// Package valkey keeps what several processes share for a short time, on any
// server of the Redis protocol (ElastiCache, Valkey, Redis): the memory of
// webhooks (Seen), the rate of each tenant (Limiter), and access tokens
// (Tokens).
//
// None of it is worth waiting for. Where the server does not answer at once,
// each decides in the process instead, counted in cache_fallback_total, and
// the server is left alone for a second. What the process keeps is bounded.
package valkey

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/deskhand/deskhand/shared/metric"
)

// pause is how long the server is left alone after it failed to answer.
const pause = time.Second

// Client is the connection to the server. It is safe for concurrent use. The
// exported fields may be changed before it is used.
type Client struct {
	Now     func() time.Time
	Timeout time.Duration // for one answer of the server; Open sets 100 ms

	server *redis.Client // nil: everything stays in the process
	away   atomic.Int64  // until this time (Unix nanoseconds) the server is left alone
}

// Open gives a client of the server at a redis:// or rediss:// URL, without
// connecting to it. An empty url means that there is no server: everything
// stays in the process. The error never shows the URL, which may hold a
// password.
func Open(url string) (*Client, error) {
	c := &Client{Now: time.Now, Timeout: 100 * time.Millisecond}
	if url == "" {
		return c, nil
	}
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("valkey: the address is no URL like rediss://user:password@host:6379/0")
	}
	// Newer handshakes break Valkey and ElastiCache.
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	options.DisableIdentity = true
	// The deadline of each call rules; what it cuts off is not tried again.
	options.ContextTimeoutEnabled = true
	options.MaxRetries = -1
	options.DialerRetries = 1
	options.DialTimeout = time.Second // a slow connection is ready for the next call
	silence()
	c.server = redis.NewClient(options)
	return c, nil
}

// silence stops go-redis from writing plain lines to stderr, between the lines
// of our log. All that it says there comes back as errors, too.
var silence = sync.OnceFunc(func() { redis.SetLogger(mute{}) })

type mute struct{}

func (mute) Printf(context.Context, string, ...any) {}

// Ping tells whether the server answers now. Without a server it is nil.
func (c *Client) Ping(ctx context.Context) error {
	if c.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if err := c.server.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("valkey: ping %s: %w", c.server.Options().Addr, err)
	}
	return nil
}

// Close closes the connections.
func (c *Client) Close() error {
	if c.server == nil {
		return nil
	}
	return c.server.Close()
}

// ask has the server do something, and tells whether it did. If not, the
// caller decides in the process. A missing key is an answer. A caller that
// gives up meanwhile says nothing about the server, so its own deadline is not
// the server's; Timeout bounds both.
func (c *Client) ask(ctx context.Context, operation string, do func(context.Context, *redis.Client) error) bool {
	if c.server == nil {
		return false
	}
	if c.Now().UnixNano() >= c.away.Load() {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Timeout)
		defer cancel()
		err := do(within, c.server)
		if err == nil || errors.Is(err, redis.Nil) {
			return true
		}
		c.away.Store(c.Now().Add(pause).UnixNano())
	}
	metric.CacheFallbacks.Add(ctx, 1, metric.With(metric.Operation(operation)))
	return false
}

// kept is a value in the process, for as long as it is good for.
type kept[V any] struct {
	Value V // exported, so that a secret.Text in it hides itself wherever it is printed
	Until time.Time
}

// local gives the bounded memory of the process. It runs no goroutine: what
// has expired goes as others come.
func local[V any](c *Client, options otter.Options[string, kept[V]]) *otter.Cache[string, kept[V]] {
	options.Clock = clock{c}
	options.ExpiryCalculator = otter.ExpiryWritingFunc(func(e otter.Entry[string, kept[V]]) time.Duration {
		return max(e.Value.Until.Sub(c.Now()), 1)
	})
	return otter.Must(&options)
}

// clock gives the client's time to otter, and no ticks.
type clock struct{ c *Client }

func (k clock) NowNano() int64                      { return k.c.Now().UnixNano() }
func (k clock) Tick(time.Duration) <-chan time.Time { return nil }
