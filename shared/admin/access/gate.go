package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/secret"
)

// Gate signs callers in, by whichever of its ways are set. Of a source that fails
// again and again a credential that is not good is answered in another way, and
// a good one as ever: behind a proxy or NAT one source is many people.
type Gate struct {
	// Token gives the principal of an API token that is good, else ErrUnauthorized.
	Token func(context.Context, Hash) (Principal, error)
	OIDC  *OIDC // nil: no bearer tokens of an issuer
	// Basic is user:password of an administrator; empty: none. It is for a
	// listener on loopback, which the configuration makes sure of.
	Basic secret.Text
	// Failed counts a failed sign-in of a source, and tells after what time the
	// source may try again where there were too many. Nil: no limit.
	Failed func(ctx context.Context, source string) (ok bool, after time.Duration)
}

// LimitedError says that a source failed to sign in too often.
type LimitedError struct{ After time.Duration }

// Error implements error.
func (e *LimitedError) Error() string {
	return fmt.Sprintf("too many failed sign-ins; try again in %s", e.After.Round(time.Second))
}

// SignIn gives who calls. ErrUnauthorized and *LimitedError are the caller's
// fault; other errors are not. A request without any credential guesses nothing,
// and is not counted.
func (g *Gate) SignIn(r *http.Request) (Principal, error) {
	p, err := g.principal(r)
	if !errors.Is(err, ErrUnauthorized) || g.Failed == nil || len(r.Header.Values("Authorization")) == 0 {
		return p, err
	}
	if ok, after := g.Failed(r.Context(), Source(r.RemoteAddr)); !ok {
		return Principal{}, &LimitedError{after}
	}
	return Principal{}, err
}

func (g *Gate) principal(r *http.Request) (Principal, error) {
	header := r.Header.Values("Authorization")
	if len(header) != 1 || len(header[0]) > 8<<10 {
		return Principal{}, ErrUnauthorized
	}
	if user, password, ok := r.BasicAuth(); ok {
		return g.basic(user, password)
	}
	scheme, token, _ := strings.Cut(header[0], " ")
	switch {
	case !strings.EqualFold(scheme, "Bearer") || token == "":
		return Principal{}, ErrUnauthorized
	case strings.HasPrefix(token, prefix):
		return g.Token(r.Context(), sha256.Sum256([]byte(token)))
	case g.OIDC != nil:
		return g.OIDC.Principal(r.Context(), token)
	}
	return Principal{}, ErrUnauthorized
}

// basic compares hashes, so that the time tells neither length nor prefix.
func (g *Gate) basic(user, password string) (Principal, error) {
	given, want := sha256.Sum256([]byte(user+":"+password)), sha256.Sum256([]byte(g.Basic.Reveal()))
	if g.Basic.Empty() || subtle.ConstantTimeCompare(given[:], want[:]) != 1 {
		return Principal{}, ErrUnauthorized
	}
	return Principal{Name: "basic:" + user, All: Admin}, nil
}

// Source names where a request comes from: the address without its port; of
// IPv6 the first 64 bits, for one host has all of them.
func Source(remote string) string {
	host := remote
	if h, _, err := net.SplitHostPort(remote); err == nil {
		host = h
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return "unknown"
	}
	if address = address.Unmap().WithZone(""); address.Is4() {
		return address.String()
	}
	network, _ := address.Prefix(64) // 64 is never out of range here
	return network.String()
}
