package access_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

func signIn(t *testing.T, g *access.Gate, from string, headers ...string) (access.Principal, error) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	r.RemoteAddr = from
	for _, h := range headers {
		r.Header.Add("Authorization", h)
	}
	return g.SignIn(r)
}

func TestOnlyAGoodCredentialSignsIn(t *testing.T) {
	t.Parallel()
	text, hash := access.NewToken()
	if sha256.Sum256([]byte(text.Reveal())) != hash {
		t.Fatal("the hash is not the token's")
	}
	down := errors.New("the database does not answer")
	lost := sha256.Sum256([]byte("deskhand_down"))
	g := &access.Gate{
		Basic: secret.New("anna:correct horse"),
		Token: func(_ context.Context, h access.Hash) (access.Principal, error) {
			if h == hash {
				return access.Principal{Name: "token:1", All: access.Viewer}, nil
			}
			if h == lost {
				return access.Principal{}, down
			}
			return access.Principal{}, access.ErrUnauthorized
		},
	}
	for header, want := range map[string]string{
		"Bearer " + text.Reveal():             "token:1",
		"bearer " + text.Reveal():             "token:1",
		"Basic YW5uYTpjb3JyZWN0IGhvcnNl":      "basic:anna",
		"Basic YW5uYTpjb3JyZWN0":              "",
		"Basic Og==":                          "",
		"Basic !":                             "",
		"Bearer deskhand_":                    "",
		"Bearer " + text.Reveal() + "x":       "",
		"Bearer  " + text.Reveal():            "",
		"Bearer":                              "",
		"Bearer eyJhbGciOiJub25lIn0.e30.":     "", // no issuer is set
		text.Reveal():                         "",
		"":                                    "",
		"Bearer " + fmt.Sprintf("%09000d", 1): "",
	} {
		p, err := signIn(t, g, "192.0.2.1:1", header)
		if p.Name != want || (want == "") != errors.Is(err, access.ErrUnauthorized) {
			t.Errorf("%.40q: %q, %v", header, p.Name, err)
		}
	}
	if _, err := signIn(t, g, "192.0.2.1:1", "Bearer "+text.Reveal(), "Bearer "+text.Reveal()); !errors.Is(err, access.ErrUnauthorized) {
		t.Errorf("two headers: %v", err)
	}
	if _, err := signIn(t, g, "192.0.2.1:1", "Bearer deskhand_down"); !errors.Is(err, down) || errors.Is(err, access.ErrUnauthorized) {
		t.Errorf("a database that is down: %v", err)
	}
	g.Basic = secret.Text{}
	for _, header := range []string{"Basic YW5uYTpjb3JyZWN0IGhvcnNl", "Basic Og==", "Basic "} {
		if _, err := signIn(t, g, "192.0.2.1:1", header); !errors.Is(err, access.ErrUnauthorized) {
			t.Errorf("%q without basic: %v", header, err)
		}
	}
}

// TestASourceThatFailsTooOftenIsRefusedForAWhile: its guesses are. Whoever has a
// good credential is let in, for behind a proxy all have the same address.
func TestASourceThatFailsTooOftenIsRefusedForAWhile(t *testing.T) {
	t.Parallel()
	failed := map[string]int{}
	good, hash := access.NewToken()
	g := &access.Gate{
		Token: func(_ context.Context, h access.Hash) (access.Principal, error) {
			if h == hash {
				return access.Principal{All: access.Viewer}, nil
			}
			return access.Principal{}, access.ErrUnauthorized
		},
		Failed: func(_ context.Context, source string) (bool, time.Duration) {
			failed[source]++
			return failed[source] <= 3, time.Minute
		},
	}
	limited := func(from string, headers ...string) bool {
		_, err := signIn(t, g, from, headers...)
		l, ok := errors.AsType[*access.LimitedError](err)
		return ok && l.After == time.Minute
	}
	for range 20 { // nothing is guessed
		if limited("192.0.2.1:1") {
			t.Fatal("requests without any credential are counted")
		}
	}
	for i := range 3 {
		if limited(fmt.Sprintf("192.0.2.1:%d", i), "Bearer deskhand_guess") {
			t.Fatalf("limited at failure %d", i+1)
		}
	}
	if !limited("192.0.2.1:9", "Bearer deskhand_guess") || !limited("192.0.2.1:9", "Basic Og==") || !limited("192.0.2.1:9", "") {
		t.Error("not limited at the fourth failure")
	}
	if p, err := signIn(t, g, "192.0.2.1:9", "Bearer "+good.Reveal()); err != nil || p.All != access.Viewer {
		t.Errorf("a good credential from there: %v", err)
	}
	if limited("192.0.2.2:9", "Bearer deskhand_guess") {
		t.Error("another source is limited")
	}
}

func TestSourceIsTheAddressOrTheNetwork(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1", "192.0.2.1": "192.0.2.1", "[::ffff:192.0.2.1]:80": "192.0.2.1",
		"[2001:db8:1:2:3::4]:80": "2001:db8:1:2::/64", "2001:db8:1:2::5": "2001:db8:1:2::/64", "[fe80::1%eth0]:80": "fe80::/64",
		"": "unknown", "nonsense": "unknown",
	} {
		if got := access.Source(remote); got != want {
			t.Errorf("Source(%q) = %q, want %q", remote, got, want)
		}
	}
}

func TestAPrincipalMayWhatItWasGrantedAndNothingElse(t *testing.T) {
	t.Parallel()
	var nobody, some, all access.Principal
	some.Grant(access.Admin, "acme")
	some.Grant(access.Viewer, "acme", "globex")
	all.Grant(access.Operator)
	for name, c := range map[string]struct {
		p             access.Principal
		acme, initech access.Role
		highest       access.Role
		coversAll     bool
	}{
		"nobody": {nobody, access.None, access.None, access.None, false},
		"some":   {some, access.Admin, access.None, access.Admin, false},
		"all":    {all, access.Operator, access.Operator, access.Operator, true},
	} {
		if c.p.On("acme") != c.acme || c.p.On("initech") != c.initech || c.p.Highest() != c.highest || c.p.Covers(access.Viewer) != c.coversAll {
			t.Errorf("%s: %+v", name, c.p)
		}
	}
	if !some.Covers(access.Viewer, "acme", "globex") || some.Covers(access.Admin, "acme", "globex") || some.Covers(access.Viewer, tenant.ID("initech")) {
		t.Error("Covers counts one tenant for another")
	}
}
