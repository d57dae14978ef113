package valkey

import (
	"bytes"
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

// Drop forgets the token that this process last gave for key. A newer one,
// which another process has fetched meanwhile, is kept.
func (t *Tokens) Drop(ctx context.Context, key string) {
	old, ok := t.own.Invalidate(key)
	if !ok {
		return
	}
	t.client.ask(ctx, "token", func(ctx context.Context, server *redis.Client) error {
		now, err := server.Get(ctx, name(key)).Bytes()
		if err == nil && bytes.Equal(now, old.Value.Sealed) {
			err = server.Del(ctx, name(key)).Err()
		}
		return err
	})
}

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
