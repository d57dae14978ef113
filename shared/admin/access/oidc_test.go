package access_test

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/tenant"
)

// issuer is an OpenID Connect issuer with keys that the test rotates.
type issuer struct {
	server  *httptest.Server
	mu      sync.Mutex
	keys    map[string]*rsa.PrivateKey // published
	fetched int
	broken  bool
	hang    chan struct{} // where not nil: discovery waits for it
	asked   int           // how often discovery was
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{keys: map[string]*rsa.PrivateKey{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		i.asked++
		broken, hang := i.broken, i.hang
		i.mu.Unlock()
		if hang != nil {
			<-hang
		}
		if broken {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.server.URL, "jwks_uri": i.server.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.fetched++
		if i.broken {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		var keys []map[string]string
		for id, k := range i.keys {
			keys = append(keys, map[string]string{
				"kty": "RSA", "kid": id, "use": "sig", "alg": "RS256",
				"n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes()),
			})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": keys})
	})
	i.server = httptest.NewServer(mux)
	t.Cleanup(i.server.Close)
	return i
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// rotate makes key id the only one that is published.
func (i *issuer) rotate(t *testing.T, id string) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = map[string]*rsa.PrivateKey{id: key}
	return key
}

func (i *issuer) fetches() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetched
}

// sign makes a token: with RS256 and key, with HS256 and the modulus as the
// secret, or without a signature.
func sign(t *testing.T, alg, kid string, key *rsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	header, err := json.Marshal(map[string]string{"alg": alg, "kid": kid, "typ": "JWT"})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	text := b64(header) + "." + b64(payload)
	sum := sha256.Sum256([]byte(text))
	var signature []byte
	switch alg {
	case "RS256":
		if signature, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]); err != nil {
			t.Fatal(err)
		}
	case "HS256":
		mac := hmac.New(sha256.New, key.N.Bytes())
		mac.Write([]byte(text))
		signature = mac.Sum(nil)
	}
	return text + "." + b64(signature)
}

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func (i *issuer) claims(change func(map[string]any)) map[string]any {
	c := map[string]any{
		"iss": i.server.URL, "aud": []string{"other", "deskhand"}, "sub": "anna", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"roles": []any{"deskhand:viewer", "deskhand:admin:acme", "admin", "other:admin", "deskhand:root", "deskhand:admin:N O", 7},
	}
	if change != nil {
		change(c)
	}
	return c
}

func (i *issuer) open() *access.OIDC {
	return &access.OIDC{Issuer: i.server.URL, Audience: "deskhand", Claim: "roles", HTTP: i.server.Client(), Now: func() time.Time { return now }}
}

func TestATokenOfTheIssuerGivesItsRoles(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	key := i.rotate(t, "one")
	oidc := i.open()
	for name, c := range map[string]struct {
		roles any
		want  access.Principal
	}{
		"a list": {i.claims(nil)["roles"], access.Principal{Name: "oidc:anna", All: access.Viewer, Tenants: map[tenant.ID]access.Role{"acme": access.Admin}}},
		"a text": {"deskhand:operator openid", access.Principal{Name: "oidc:anna", All: access.Operator}},
		"none":   {nil, access.Principal{Name: "oidc:anna"}},
		"a map":  {map[string]any{"deskhand:admin": true}, access.Principal{Name: "oidc:anna"}},
	} {
		got, err := oidc.Principal(t.Context(), sign(t, "RS256", "one", key, i.claims(func(m map[string]any) { m["roles"] = c.roles })))
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	if n := i.fetches(); n != 1 {
		t.Errorf("the keys were fetched %d times for four tokens, want once", n)
	}
}

func TestATokenThatIsNotGoodIsRefused(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	key := i.rotate(t, "one")
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	with := func(name string, value any) map[string]any {
		return i.claims(func(m map[string]any) { m[name] = value })
	}
	oidc := i.open()
	good := sign(t, "RS256", "one", key, i.claims(nil))
	for name, token := range map[string]string{
		"wrong audience": sign(t, "RS256", "one", key, with("aud", "other")),
		"no audience":    sign(t, "RS256", "one", key, with("aud", nil)),
		"wrong issuer":   sign(t, "RS256", "one", key, with("iss", "https://evil.example")),
		"expired":        sign(t, "RS256", "one", key, with("exp", now.Add(-time.Second).Unix())),
		"no expiry":      sign(t, "RS256", "one", key, with("exp", nil)),
		"not yet":        sign(t, "RS256", "one", key, with("nbf", now.Add(time.Hour).Unix())),
		"no subject":     sign(t, "RS256", "one", key, with("sub", "")),
		"alg none":       sign(t, "none", "one", nil, i.claims(nil)),
		"alg None":       sign(t, "None", "one", nil, i.claims(nil)),
		"alg HS256":      sign(t, "HS256", "one", key, i.claims(nil)),
		"other key":      sign(t, "RS256", "one", stranger, i.claims(nil)),
		"unknown key":    sign(t, "RS256", "two", stranger, i.claims(nil)),
		"changed":        good[:len(good)-4] + "AAAA",
		"no token":       "x", "dots": "..", "empty": "",
	} {
		if p, err := oidc.Principal(t.Context(), token); !errors.Is(err, access.ErrUnauthorized) || p.Highest() != access.None {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
	if _, err := oidc.Principal(t.Context(), good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func TestKeysThatAreRotatedAreFetchedAgain(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	old := i.rotate(t, "one")
	oidc := i.open()
	first := sign(t, "RS256", "one", old, i.claims(nil))
	if _, err := oidc.Principal(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	key := i.rotate(t, "two")
	eventually(t, "a token with the new key", oidc, sign(t, "RS256", "two", key, i.claims(nil)), taken)
	eventually(t, "a token with the key that is gone", oidc, first, refused)
}

func taken(err error) bool         { return err == nil }
func refused(err error) bool       { return errors.Is(err, access.ErrUnauthorized) }
func notTheCallers(err error) bool { return err != nil && !refused(err) }

// eventually shows the token until the answer is the wanted one, for five seconds
// at most: go-oidc hands out the keys that it fetched a moment before it keeps
// them, and joins whoever comes in that moment to the fetch that is over.
func eventually(t *testing.T, what string, oidc *access.OIDC, token string, want func(error) bool) {
	t.Helper()
	var err error
	for range 500 {
		if _, err = oidc.Principal(t.Context(), token); want(err) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%s: %v", what, err)
}

func (i *issuer) set(broken bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.broken = broken
}

func TestAnIssuerThatDoesNotAnswerIsNobodysFaultAndAskedAgain(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	key := i.rotate(t, "one")
	i.set(true)
	clock := now
	oidc := i.open()
	oidc.Now = func() time.Time { return clock }
	token := sign(t, "RS256", "one", key, i.claims(nil))
	for range 3 {
		if _, err := oidc.Principal(t.Context(), token); err == nil || errors.Is(err, access.ErrUnauthorized) {
			t.Errorf("err = %v, want one that is not the caller's fault", err)
		}
	}
	i.mu.Lock()
	asked := i.asked
	i.mu.Unlock()
	if asked != 1 {
		t.Errorf("an issuer that is down is asked %d times at once", asked)
	}
	i.set(false)
	clock = clock.Add(5 * time.Second)
	// The keys must outlive the request that fetched them.
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := oidc.Principal(ctx, token); err != nil {
		t.Error(err)
	}
	cancel()
	key = i.rotate(t, "two")
	second := sign(t, "RS256", "two", key, i.claims(nil))
	eventually(t, "a new key", oidc, second, taken)
	// A key that is not known yet, while the keys do not answer.
	key = i.rotate(t, "three")
	i.set(true)
	third := sign(t, "RS256", "three", key, i.claims(nil))
	eventually(t, "a key that cannot be fetched", oidc, third, notTheCallers)
	eventually(t, "a key that is known", oidc, second, taken)
	i.set(false)
	eventually(t, "a key that can be fetched again", oidc, third, taken)
}

// TestAnIssuerThatHangsHoldsNobodyLongerThanTheyWait: who is not known yet must
// not be able to make a queue.
func TestAnIssuerThatHangsHoldsNobodyLongerThanTheyWait(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	key := i.rotate(t, "one")
	i.hang = make(chan struct{})
	oidc := i.open()
	token := sign(t, "RS256", "one", key, i.claims(nil))
	var wg sync.WaitGroup
	start := time.Now()
	for range 20 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := oidc.Principal(ctx, token); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, access.ErrUnauthorized) {
				t.Errorf("err = %v", err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("20 callers who wait 50 ms took %s", took)
	}
	close(i.hang)
	if _, err := oidc.Principal(t.Context(), token); err != nil {
		t.Error(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.asked != 1 {
		t.Errorf("it was asked %d times", i.asked)
	}
}
