package valkey

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/redis/go-redis/v9"

	"github.com/deskhand/deskhand/shared/tenant"
)

// Seen remembers jobs for a while. Without the server a process remembers
// those that it marked itself, up to 100,000.
type Seen struct {
	client *Client
	window time.Duration
	own    *otter.Cache[string, kept[struct{}]]
}

// Seen gives a memory of this length.
func (c *Client) Seen(window time.Duration) *Seen {
	return &Seen{c, window, local(c, otter.Options[string, kept[struct{}]]{MaximumSize: 100_000})}
}

// Has tells whether the tenant's job was marked within the window.
func (s *Seen) Has(ctx context.Context, id tenant.ID, job string) bool {
	key := s.key(id, job)
	if _, ok := s.own.GetIfPresent(key); ok {
		return true
	}
	var found int64
	s.client.ask(ctx, "seen", func(ctx context.Context, server *redis.Client) (err error) {
		found, err = server.Exists(ctx, key).Result()
		return err
	})
	return found > 0
}

// Mark remembers the tenant's job, in the process and on the server.
func (s *Seen) Mark(ctx context.Context, id tenant.ID, job string) {
	key := s.key(id, job)
	s.own.Set(key, kept[struct{}]{Until: s.client.Now().Add(s.window)})
	s.client.ask(ctx, "seen", func(ctx context.Context, server *redis.Client) error {
		return server.Set(ctx, key, 1, s.window).Err()
	})
}

func (s *Seen) key(id tenant.ID, job string) string {
	return "deskhand:seen:" + string(id) + ":" + job
}
