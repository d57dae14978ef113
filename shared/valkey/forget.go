package valkey

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/deskhand/deskhand/shared/tenant"
)

// Forget deletes what the server keeps of a tenant, and the access tokens of
// the connections, and gives the number of keys. Other than all else here it
// does not hide that the server is away: the caller has to know. What processes
// keep of their own is not reached; it ends with its time, within 25 hours.
func (c *Client) Forget(ctx context.Context, id tenant.ID, connections ...string) (int, error) {
	if c.server == nil {
		return 0, nil
	}
	// Ids have no character that a pattern gives a meaning.
	patterns := []string{"deskhand:limit:" + string(id), "deskhand:seen:" + string(id) + ":*"}
	for _, conn := range connections {
		patterns = append(patterns, name("*/"+conn+"/*"))
	}
	gone := 0
	for _, pattern := range patterns {
		n, err := forget(ctx, c.server, pattern)
		gone += n
		if err != nil {
			return gone, fmt.Errorf("valkey: forget tenant %s: %w", id, err)
		}
	}
	return gone, nil
}

// forget deletes the keys that match, page by page.
func forget(ctx context.Context, server *redis.Client, pattern string) (gone int, err error) {
	for cursor := uint64(0); ; {
		var keys []string
		if keys, cursor, err = server.Scan(ctx, cursor, pattern, 1000).Result(); err != nil {
			return gone, err
		}
		if len(keys) > 0 {
			n, err := server.Unlink(ctx, keys...).Result()
			if gone += int(n); err != nil {
				return gone, err
			}
		}
		if cursor == 0 {
			return gone, nil
		}
	}
}
