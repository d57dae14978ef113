package valkey

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

var _ integration.Tokens = (*Tokens)(nil)

var reader = sdkmetric.NewManualReader()

func TestMain(m *testing.M) {
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	os.Exit(m.Run())
}

// TestServer runs the suite against miniredis, and against the server at
// VALKEY_TEST_URL where that is set.
func TestServer(t *testing.T) {
	t.Parallel()
	urls := map[string]string{"miniredis": "redis://" + miniredis.RunT(t).Addr()}
	if url := os.Getenv("VALKEY_TEST_URL"); url != "" {
		urls["server"] = url
	}
	for name, url := range urls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			suite(t, url)
		})
	}
}

// suite holds two processes on one server to what they share. It leaves the
// server's other keys alone.
func suite(t *testing.T, url string) {
	t.Helper()
	p := pair{open(t, url), open(t, url), tenant.ID("acme-" + unique()), tenant.ID("globex-" + unique())}
	for name, hold := range map[string]func(*testing.T, pair){
		"a delivery seen by one is seen by the other":     seenByBoth,
		"a tenant's share is one for both":                shareIsOne,
		"a token is fetched once for both, and is sealed": tokenFetchedOnce,
		"ping": answers,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hold(t, p)
		})
	}
}

// pair is two processes on one server, and two tenants.
type pair struct {
	one, two     *Client
	acme, globex tenant.ID
}

func seenByBoth(t *testing.T, p pair) {
	t.Helper()
	a, b := p.one.Seen(), p.two.Seen()
	check := func(s *Seen, id tenant.ID, delivery, want string) {
		t.Helper()
		if job, seen := s.Job(t.Context(), id, delivery); job != want || seen != (want != "") {
			t.Errorf("%s of %s has job %q, seen %v; want %q", delivery, id, job, seen, want)
		}
	}
	check(a, p.acme, "delivery", "")
	a.Mark(t.Context(), p.acme, "delivery", "job", 10*time.Minute)
	check(a, p.acme, "delivery", "job")
	check(b, p.acme, "delivery", "job")
	check(b, p.globex, "delivery", "")
	check(b, p.acme, "other", "")
	expires(t, p.one, "deskhand:seen:"+string(p.acme)+":delivery", 10*time.Minute)
}

func shareIsOne(t *testing.T, p pair) {
	t.Helper()
	a, b := p.one.Limiter(4), p.two.Limiter(4)
	for i := range 4 {
		if ok, _ := []*Limiter{a, b}[i%2].Allow(t.Context(), p.acme, 0); !ok {
			t.Fatalf("webhook %d of 4 is refused", i+1)
		}
	}
	ok, after := b.Allow(t.Context(), p.acme, 0)
	if ok || after <= 0 || after > 15*time.Second {
		t.Errorf("the fifth: %v, next after %s; want false, and at most 15s", ok, after)
	}
	if ok, _ := b.Allow(t.Context(), p.globex, 0); !ok {
		t.Error("another tenant is refused")
	}
	expires(t, p.one, "deskhand:limit:"+string(p.acme), time.Minute)
}

func tokenFetchedOnce(t *testing.T, p pair) {
	t.Helper()
	box, key := newBox(), unique()
	a, b := p.one.Tokens(box), p.two.Tokens(box)
	fetched := 0
	fetch := func(context.Context) (string, time.Duration, error) {
		fetched++
		return fmt.Sprintf("token-%d", fetched), time.Hour, nil
	}
	for _, tokens := range []*Tokens{a, b, a, b} {
		if got, err := tokens.Token(t.Context(), key, fetch); got != "token-1" || err != nil {
			t.Errorf("token is %s, %v", got, err)
		}
	}
	stored, err := p.one.server.Get(t.Context(), "deskhand:token:"+key).Result()
	if err != nil || strings.Contains(stored, "token-1") {
		t.Errorf("the server has %q, %v", stored, err)
	}
	expires(t, p.one, "deskhand:token:"+key, time.Hour)

	a.Drop(t.Context(), key, "token-1") // refused: a fetches another
	if got, _ := a.Token(t.Context(), key, fetch); got != "token-2" {
		t.Errorf("after a drop the token is %s", got)
	}
	b.Drop(t.Context(), key, "token-1") // still means the first: the second stays
	if got, _ := b.Token(t.Context(), key, fetch); got != "token-2" || fetched != 2 {
		t.Errorf("the other process has %s after %d fetches", got, fetched)
	}
	b.Drop(t.Context(), "unknown", "token-1")
}

func answers(t *testing.T, p pair) {
	t.Helper()
	if err := p.one.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestEveryKeyBeginsWithDeskhand(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	c := open(t, "redis://"+server.Addr())
	c.Seen().Mark(t.Context(), "acme", "d", "j", time.Minute)
	c.Limiter(10).Allow(t.Context(), "acme", 0)
	_, _ = c.Tokens(newBox()).Token(t.Context(), "sdp", func(context.Context) (string, time.Duration, error) { return "t", time.Minute, nil })
	want := []string{"deskhand:limit:acme", "deskhand:seen:acme:d", "deskhand:token:sdp"}
	if diff := cmp.Diff(want, server.Keys()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestNothingShowsASecret(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	server.RequireUserAuth("deskhand", "s3cret-pw")
	c := open(t, "redis://deskhand:s3cret-pw@"+server.Addr())
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	tokens := c.Tokens(newBox())
	got, err := tokens.Token(t.Context(), "sdp", func(context.Context) (string, time.Duration, error) { return "s3cret-token", time.Hour, nil })
	if got != "s3cret-token" || err != nil {
		t.Fatal(got, err)
	}
	server.Close()
	entry, _ := tokens.own.GetIfPresent("sdp")
	shown := fmt.Sprintf("%v %+v %#v %v %+v %#v %s", tokens, tokens, tokens, entry, entry, entry, c.Ping(t.Context()))
	for _, bad := range []string{"redis://u:s3cret-pw@host:port", "http://u:s3cret-pw@h", "redis://u:s3cret-pw@h/x?y=1", "s3cret-pw", "redis://%zz:s3cret-pw@h"} {
		_, err := Open(bad)
		if err == nil {
			t.Errorf("%s is taken for an address", bad)
		}
		shown += fmt.Sprint(err)
	}
	if strings.Contains(shown, "s3cret") {
		t.Errorf("a secret is shown: %s", shown)
	}
	if len(server.Keys()) != 1 || strings.Contains(server.Dump(), "s3cret") {
		t.Errorf("the server has %s", server.Dump())
	}
}

func TestHandshakeIsPlain(t *testing.T) {
	t.Parallel()
	c := open(t, "rediss://h:1")
	o := c.server.Options()
	if o.MaintNotificationsConfig.Mode != "disabled" || !o.DisableIdentity || o.MaxRetries != 0 || o.TLSConfig == nil {
		t.Errorf("options are %+v", o)
	}
}

// open gives a client that a busy test machine does not make fall back.
func open(t *testing.T, url string) *Client {
	t.Helper()
	c, err := Open(url)
	if err != nil {
		t.Fatal(err)
	}
	if url != "" && c.Timeout != 100*time.Millisecond {
		t.Errorf("timeout is %s", c.Timeout)
	}
	c.Timeout = 10 * time.Second
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// expires fails unless the server forgets key within ttl, but not at once.
func expires(t *testing.T, c *Client, key string, ttl time.Duration) {
	t.Helper()
	left, err := c.server.PTTL(t.Context(), key).Result()
	if err != nil || left <= 0 || left > ttl {
		t.Errorf("%s expires in %s, %v; want within %s", key, left, err, ttl)
	}
}

func unique() string { return strings.ToLower(rand.Text()) }

// gcm is an AEAD with a random key.
type gcm struct{ cipher.AEAD }

func newBox() secret.Box {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	block, _ := aes.NewCipher(key)
	aead, _ := cipher.NewGCMWithRandomNonce(block)
	return secret.Box{AEAD: gcm{aead}}
}

func (g gcm) Encrypt(plain, ad []byte) ([]byte, error)  { return g.Seal(nil, nil, plain, ad), nil }
func (g gcm) Decrypt(sealed, ad []byte) ([]byte, error) { return g.Open(nil, nil, sealed, ad) }

// fallbacks gives cache_fallback_total of an operation.
func fallbacks(t *testing.T, operation string) int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	var n int64
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != "cache_fallback_total" {
				continue
			}
			for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
				if v, _ := p.Attributes.Value("operation_type"); v.AsString() == operation {
					n += p.Value
				}
			}
		}
	}
	return n
}

// silent is the address of a server that accepts connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}
