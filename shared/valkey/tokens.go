package valkey

import (
	"context"
	"encoding/json"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/redis/go-redis/v9"

	"github.com/deskhand/deskhand/shared/secret"
)

// Tokens keeps access tokens for all processes, sealed wherever they leave
// this one. It implements integration.Tokens. Without the server each process
// fetches its own.
type Tokens struct {
	client *Client
	box    secret.Box
	own    *otter.Cache[string, kept[token]]
}

// token is an access token, and the bytes by which the server has it.
type token struct {
	Text   secret.Text
	Sealed []byte
}

// Tokens gives the store, which seals with box.
func (c *Client) Tokens(box secret.Box) *Tokens {
	return &Tokens{c, box, local(c, otter.Options[string, kept[token]]{MaximumSize: 10_000})}
}

// Token gives the token that this process or any other keeps for key, or calls
// fetch, once in this process however many ask, and keeps its answer for the
// time that it returns. A fetch that fails because its own caller gave up is
// tried again for the others. The errors are those of fetch and ctx.
func (t *Tokens) Token(ctx context.Context, key string, fetch func(context.Context) (string, time.Duration, error)) (string, error) {
	got, err := t.own.Get(ctx, key, otter.LoaderFunc[string, kept[token]](func(ctx context.Context, key string) (kept[token], error) {
		if shared, ok := t.shared(ctx, key); ok {
			return shared, nil
		}
		text, ttl, err := fetch(ctx)
		if err != nil {
			return kept[token]{}, err
		}
		return t.share(ctx, key, text, ttl), nil
	}))
	return got.Value.Text.Reveal(), err
}

// Drop forgets this token, here and on the server, if it is still the one that
// is kept for key: of several callers that were refused with one token, the
// later ones leave the newer token alone that the first has fetched. The
// server is first, else another caller could have the old token from there.
func (t *Tokens) Drop(ctx context.Context, key, text string) {
	if shared, ok := t.shared(ctx, key); ok && shared.Value.Text.Reveal() == text {
		t.client.ask(ctx, "token", func(ctx context.Context, server *redis.Client) error {
			return unless.Run(ctx, server, []string{name(key)}, shared.Value.Sealed).Err()
		})
	}
	t.own.ComputeIfPresent(key, func(old kept[token]) (kept[token], otter.ComputeOp) {
		if old.Value.Text.Reveal() != text {
			return old, otter.CancelOp
		}
		return old, otter.InvalidateOp
	})
}

// unless deletes a key, unless it has got another value meanwhile.
var unless = redis.NewScript(`if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0`)

// wire is what is sealed: a token, and until when it is good.
type wire struct {
	Text  string
	Until time.Time
}

// shared gives the token that the server has, if it can be opened: one sealed
// with a key of before is as good as none.
func (t *Tokens) shared(ctx context.Context, key string) (kept[token], bool) {
	var sealed []byte
	t.client.ask(ctx, "token", func(ctx context.Context, server *redis.Client) (err error) {
		sealed, err = server.Get(ctx, name(key)).Bytes()
		return err
	})
	if len(sealed) == 0 {
		return kept[token]{}, false
	}
	plain, err := t.box.Open(sealed, name(key))
	var w wire
	if err != nil || json.Unmarshal(plain, &w) != nil || !w.Until.After(t.client.Now()) {
		return kept[token]{}, false
	}
	return kept[token]{token{secret.New(w.Text), sealed}, w.Until}, true
}

// share gives the token to the server. One that cannot be sealed stays in this
// process.
func (t *Tokens) share(ctx context.Context, key, text string, ttl time.Duration) kept[token] {
	fresh := kept[token]{token{Text: secret.New(text)}, t.client.Now().Add(ttl)}
	plain, err := json.Marshal(wire{text, fresh.Until})
	if err != nil || ttl <= 0 {
		return fresh
	}
	if fresh.Value.Sealed, err = t.box.Seal(plain, name(key)); err != nil {
		return fresh
	}
	t.client.ask(ctx, "token", func(ctx context.Context, server *redis.Client) error {
		return server.Set(ctx, name(key), fresh.Value.Sealed, ttl).Err()
	})
	return fresh
}

func name(key string) string { return "deskhand:token:" + key }
