package valkey

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/redis/go-redis/v9"

	"github.com/deskhand/deskhand/shared/tenant"
)

// Seen remembers deliveries and their jobs for a while. It implements
// webhook.Memory. Without the server a process remembers those that it marked
// itself, up to 100,000.
type Seen struct {
	client *Client
	own    *otter.Cache[string, kept[string]]
}

// Seen gives the memory.
func (c *Client) Seen() *Seen {
	return &Seen{c, local(c, otter.Options[string, kept[string]]{MaximumSize: 100_000})}
}

// Job gives the job of the tenant's delivery, if that is still remembered.
func (s *Seen) Job(ctx context.Context, id tenant.ID, delivery string) (job string, seen bool) {
	key := s.key(id, delivery)
	if own, ok := s.own.GetIfPresent(key); ok {
		return own.Value, true
	}
	s.client.ask(ctx, "seen", func(ctx context.Context, server *redis.Client) (err error) {
		job, err = server.Get(ctx, key).Result()
		return err
	})
	return job, job != ""
}

// Mark remembers the tenant's delivery and its job for so long, in the process
// and on the server.
func (s *Seen) Mark(ctx context.Context, id tenant.ID, delivery, job string, keep time.Duration) {
	key := s.key(id, delivery)
	s.own.Set(key, kept[string]{job, s.client.Now().Add(keep)})
	s.client.ask(ctx, "seen", func(ctx context.Context, server *redis.Client) error {
		return server.Set(ctx, key, job, keep).Err()
	})
}

func (s *Seen) key(id tenant.ID, delivery string) string {
	return "deskhand:seen:" + string(id) + ":" + delivery
}
