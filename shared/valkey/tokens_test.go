package valkey

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/deskhand/deskhand/shared/secret"
)

func TestTokenIsFetchedOnceHoweverManyAsk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, "")
		tokens := c.Tokens(newBox())
		var fetched atomic.Int32
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				got, err := tokens.Token(t.Context(), "sdp", func(context.Context) (string, time.Duration, error) {
					fetched.Add(1)
					time.Sleep(time.Second)
					return "token", time.Hour, nil
				})
				if got != "token" || err != nil {
					t.Errorf("token is %q, %v", got, err)
				}
			})
		}
		wg.Wait()
		if n := fetched.Load(); n != 1 {
			t.Errorf("fetched %d times", n)
		}
	})
}

func TestFailedFetchIsToldToAllAndNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tokens := open(t, "").Tokens(newBox())
		refused := errors.New("invalid_code")
		var fetched atomic.Int32
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				_, err := tokens.Token(t.Context(), "sdp", func(context.Context) (string, time.Duration, error) {
					fetched.Add(1)
					time.Sleep(time.Second)
					return "", 0, refused
				})
				if !errors.Is(err, refused) {
					t.Errorf("error is %v", err)
				}
			})
		}
		wg.Wait()
		got, err := tokens.Token(t.Context(), "sdp", func(context.Context) (string, time.Duration, error) { return "token", time.Hour, nil })
		if n := fetched.Load(); n != 1 || got != "token" || err != nil {
			t.Errorf("fetched %d times, then token is %q, %v", n, got, err)
		}
	})
}

func TestOneThatGivesUpDoesNotFailTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tokens := open(t, "").Tokens(newBox())
		slow := func(ctx context.Context) (string, time.Duration, error) {
			select {
			case <-ctx.Done():
				return "", 0, ctx.Err()
			case <-time.After(2 * time.Second):
				return "token", time.Hour, nil
			}
		}
		ask := func(limit time.Duration) (string, error) {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			return tokens.Token(ctx, "sdp", slow)
		}
		var wg sync.WaitGroup
		wg.Go(func() { // asks first, and gives up before the token is there
			if _, err := ask(time.Second); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error is %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() { // waits for the first, and gives up itself
			began := time.Now()
			if _, err := ask(time.Second / 2); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second/2 {
				t.Errorf("error is %v, after %s", err, time.Since(began))
			}
		})
		wg.Go(func() { // waits for the first, and then fetches itself
			if got, err := ask(time.Minute); got != "token" || err != nil {
				t.Errorf("token is %q, %v", got, err)
			}
		})
		wg.Wait()
	})
}

func TestTokenIsKeptForItsTime(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	clock := clockAt(start)
	c := open(t, "redis://"+server.Addr())
	c.Now = clock.now
	tokens := c.Tokens(newBox())
	fetched := 0
	ask := func(ttl time.Duration) {
		t.Helper()
		if _, err := tokens.Token(t.Context(), "sdp", func(context.Context) (string, time.Duration, error) { fetched++; return "token", ttl, nil }); err != nil {
			t.Error(err)
		}
	}
	for _, step := range []struct {
		after, ttl time.Duration
		fetched    int
	}{
		{0, time.Hour, 1},
		{59 * time.Minute, time.Hour, 1},
		{time.Minute, 0, 2},                 // expired here, although the server's own clock has not moved
		{time.Nanosecond, -time.Second, 3},  // 0 keeps nothing
		{time.Nanosecond, time.Hour, 4},     // less than 0 neither
		{time.Hour - time.Nanosecond, 0, 4}, // kept again
	} {
		clock.advance(step.after)
		if ask(step.ttl); fetched != step.fetched {
			t.Errorf("after %s: fetched %d times, want %d", step.after, fetched, step.fetched)
		}
	}
}

func TestTokenThatCannotBeSealedOrOpenedIsFetched(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	url := "redis://" + server.Addr()
	fetch := func(token string) func(context.Context) (string, time.Duration, error) {
		return func(context.Context) (string, time.Duration, error) { return token, time.Hour, nil }
	}
	for name, tokens := range map[string]*Tokens{
		"sealed with another key": open(t, url).Tokens(newBox()),
		"damaged":                 open(t, url).Tokens(newBox()),
		"not to be sealed":        open(t, url).Tokens(secret.Box{AEAD: broken{}}),
	} {
		_, _ = open(t, url).Tokens(newBox()).Token(t.Context(), name, fetch("theirs"))
		if name == "damaged" {
			_ = server.Set("deskhand:token:"+name, "{}")
		}
		before, _ := server.Get("deskhand:token:" + name)
		got, err := tokens.Token(t.Context(), name, fetch("ours"))
		if got != "ours" || err != nil {
			t.Errorf("%s: token is %q, %v", name, got, err)
		}
		if after, _ := server.Get("deskhand:token:" + name); name == "not to be sealed" && after != before {
			t.Errorf("%s: the server has %q", name, after)
		}
		tokens.Drop(t.Context(), name, "ours")
	}
}

func TestPanicOfAFetchLeavesNobodyWaiting(t *testing.T) {
	t.Parallel()
	tokens := open(t, "").Tokens(newBox())
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is swallowed")
			}
		}()
		_, _ = tokens.Token(t.Context(), "sdp", func(context.Context) (string, time.Duration, error) { panic("hostile answer") })
	}()
	got, err := tokens.Token(t.Context(), "sdp", func(context.Context) (string, time.Duration, error) { return "token", time.Hour, nil })
	if got != "token" || err != nil {
		t.Errorf("after the panic the token is %q, %v", got, err)
	}
}

func TestRevokedTokenIsRefreshedOnceHoweverManyWereRefused(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"alone": "", "with a server": "redis://" + miniredis.RunT(t).Addr()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tokens := open(t, url).Tokens(newBox())
			var fetched atomic.Int32
			ask := func() string {
				got, _ := tokens.Token(t.Context(), "sdp", func(context.Context) (string, time.Duration, error) {
					return fmt.Sprint("token-", fetched.Add(1)), time.Hour, nil
				})
				return got
			}
			revoked := ask()
			retry := func() {
				tokens.Drop(t.Context(), "sdp", revoked)
				if got := ask(); got != "token-2" {
					t.Errorf("after the refusal the token is %s", got)
				}
			}
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(retry)
			}
			wg.Wait()
			wg.Go(retry) // was refused as the others were, and learns it last
			wg.Wait()
			if n := fetched.Load(); n != 2 {
				t.Errorf("fetched %d times, want once and one refresh", n)
			}
		})
	}
}

// TestDropReachesTheServerFromAProcessThatForgot drops by token, not by what
// the process has itself.
func TestDropReachesTheServerFromAProcessThatForgot(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	box := newBox()
	one, two := open(t, "redis://"+server.Addr()).Tokens(box), open(t, "redis://"+server.Addr()).Tokens(box)
	_, _ = one.Token(t.Context(), "sdp", func(context.Context) (string, time.Duration, error) { return "token", time.Hour, nil })
	two.Drop(t.Context(), "sdp", "another")
	if !server.Exists("deskhand:token:sdp") {
		t.Error("another token than the refused one is dropped")
	}
	two.Drop(t.Context(), "sdp", "token")
	if server.Exists("deskhand:token:sdp") {
		t.Error("the refused token stays on the server")
	}
}

// broken is a key that cannot be reached.
type broken struct{}

func (broken) Encrypt(_, _ []byte) ([]byte, error) { return nil, errors.New("no key") }
func (broken) Decrypt(_, _ []byte) ([]byte, error) { return nil, errors.New("no key") }
