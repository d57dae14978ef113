package valkey

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/redis/go-redis/v9"

	"github.com/deskhand/deskhand/shared/tenant"
)

// ownBytes is how much a Cache keeps in the process.
const ownBytes = 8 << 20

// Cache keeps bytes of a tenant for a while. They are stored as they are, so
// it is not for secrets. Without the server each process has what it set
// itself, up to 8 MiB.
type Cache struct {
	client *Client
	what   string
	own    *otter.Cache[string, kept[[]byte]]
}

// Cache gives the cache with this name ("articles"), which its keys carry.
func (c *Client) Cache(what string) *Cache {
	return &Cache{c, what, local(c, otter.Options[string, kept[[]byte]]{
		MaximumWeight: ownBytes,
		Weigher: func(key string, v kept[[]byte]) uint32 {
			return uint32(min(len(key)+len(v.Value), ownBytes+1)) // what is over ownBytes is not kept
		},
	})}
}

// Get gives what the tenant's key was last set to, unless that has expired.
// While the server answers, its word counts. The bytes must not be changed.
func (k *Cache) Get(ctx context.Context, id tenant.ID, key string) (value []byte, ok bool) {
	key = k.key(id, key)
	answered := k.client.ask(ctx, k.what, func(ctx context.Context, server *redis.Client) (err error) {
		value, err = server.Get(ctx, key).Bytes()
		ok = err == nil
		return err
	})
	if !answered {
		own, found := k.own.GetIfPresent(key)
		return own.Value, found
	}
	return value, ok
}

// Set keeps value, which must not be changed afterwards, for ttl, in the
// process and on the server. A ttl of 0 or less keeps nothing.
func (k *Cache) Set(ctx context.Context, id tenant.ID, key string, value []byte, ttl time.Duration) {
	if ttl <= 0 {
		return
	}
	key = k.key(id, key)
	k.own.Set(key, kept[[]byte]{value, k.client.Now().Add(ttl)})
	k.client.ask(ctx, k.what, func(ctx context.Context, server *redis.Client) error {
		return server.Set(ctx, key, value, ttl).Err()
	})
}

func (k *Cache) key(id tenant.ID, key string) string {
	return "deskhand:" + k.what + ":" + string(id) + ":" + key
}
