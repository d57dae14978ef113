package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/sync/singleflight"

	"github.com/deskhand/deskhand/shared/tenant"
)

// OIDC takes bearer tokens (JWT) of an OpenID Connect issuer. The issuer's keys
// are fetched at the first token, kept, and fetched again where a token names
// one that is not there yet. Make one with exported fields; safe for concurrent use.
type OIDC struct {
	Issuer   string       // as the issuer writes itself, https://login.example.com
	Audience string       // what a token's aud must contain
	Claim    string       // the claim that lists the roles
	HTTP     *http.Client // for discovery and keys
	Now      func() time.Time

	asking singleflight.Group
	mu     sync.Mutex
	keys   oidc.KeySet // nil: not known yet
	failed error       // of the last time that the issuer was asked
	again  time.Time   // when it may be asked again after that
}

// algorithms are the asymmetric ones. HMAC is not among them: its key would be
// a secret that we share; "none" is never taken.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
}

// The patience with an issuer: how long it may take to answer, and for how long
// nobody asks one that did not. Callers are not known yet, so they must not be
// able to queue up here.
const (
	askFor   = 5 * time.Second
	askAgain = 5 * time.Second
)

// Principal checks signature, issuer, audience and times of the token and reads
// the roles. ErrUnauthorized says that the token is not good; another error,
// that the issuer does not answer.
func (o *OIDC) Principal(ctx context.Context, token string) (Principal, error) {
	keys, err := o.open(ctx)
	if err != nil {
		return Principal{}, err
	}
	watched := &watchedKeys{KeySet: keys}
	verifier := oidc.NewVerifier(o.Issuer, watched, &oidc.Config{ClientID: o.Audience, SupportedSigningAlgs: algorithms, Now: o.Now})
	checked, err := verifier.Verify(ctx, token)
	if watched.failed != nil {
		return Principal{}, fmt.Errorf("access: ask the issuer %s for its keys: %w", o.Issuer, watched.failed)
	}
	if err != nil {
		return Principal{}, fmt.Errorf("%w: %w", ErrUnauthorized, err)
	}
	var claims map[string]any
	if err := checked.Claims(&claims); err != nil || checked.Subject == "" {
		return Principal{}, ErrUnauthorized
	}
	p := Principal{Name: "oidc:" + checked.Subject}
	for _, role := range list(claims[o.Claim]) {
		p.grant(role)
	}
	return p, nil
}

// watchedKeys remembers, for one token, that the keys could not be fetched: the
// verifier's own error does not tell that from a signature that is not good.
type watchedKeys struct {
	oidc.KeySet
	failed error
}

// VerifySignature implements oidc.KeySet. A remote set wraps the error of a fetch,
// and no other.
func (w *watchedKeys) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := w.KeySet.VerifySignature(ctx, jwt)
	if errors.Unwrap(err) != nil {
		w.failed = err
	}
	return payload, err
}

// open asks the issuer where its keys are, until it answers once. All who come
// meanwhile wait for the same answer, each no longer than its own context.
func (o *OIDC) open(ctx context.Context) (oidc.KeySet, error) {
	if keys, err := o.known(); keys != nil || err != nil {
		return keys, err
	}
	answer := o.asking.DoChan("", func() (any, error) {
		if keys, err := o.known(); keys != nil || err != nil { // somebody else asked, a moment ago
			return keys, err
		}
		keys, err := o.ask()
		o.mu.Lock()
		defer o.mu.Unlock()
		o.keys, o.failed, o.again = keys, err, o.Now().Add(askAgain)
		return keys, err
	})
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("access: wait for the issuer %s: %w", o.Issuer, ctx.Err())
	case got := <-answer:
		keys, _ := got.Val.(oidc.KeySet)
		return keys, got.Err
	}
}

// known gives the keys, or the error of a moment ago; neither where the issuer
// has to be asked.
func (o *OIDC) known() (oidc.KeySet, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failed != nil && o.Now().Before(o.again) {
		return nil, o.failed
	}
	return o.keys, nil
}

// ask is nobody's request: it must not end with that of whoever came first.
func (o *OIDC) ask() (oidc.KeySet, error) {
	own := oidc.ClientContext(context.Background(), o.HTTP)
	ctx, cancel := context.WithTimeout(own, askFor)
	defer cancel()
	var found struct {
		Keys string `json:"jwks_uri"`
	}
	provider, err := oidc.NewProvider(ctx, o.Issuer)
	if err == nil {
		err = provider.Claims(&found)
	}
	if err == nil && found.Keys == "" {
		err = errors.New("it names no jwks_uri")
	}
	if err != nil {
		return nil, fmt.Errorf("access: ask the issuer %s for its keys: %w", o.Issuer, err)
	}
	return oidc.NewRemoteKeySet(own, found.Keys), nil
}

// list reads a claim that is one text or many.
func list(claim any) []string {
	if one, ok := claim.(string); ok {
		return strings.Fields(one)
	}
	many, _ := claim.([]any)
	var texts []string
	for _, m := range many {
		if text, ok := m.(string); ok {
			texts = append(texts, text)
		}
	}
	return texts
}

// grant reads "deskhand:<role>" or "deskhand:<role>:<tenant>". The first part
// keeps roles of other products, which may have the same names, from counting.
func (p *Principal) grant(text string) {
	ours, rest, _ := strings.Cut(text, ":")
	name, limit, limited := strings.Cut(rest, ":")
	role, err := ParseRole(name)
	if ours != "deskhand" || err != nil {
		return
	}
	if !limited {
		p.Grant(role)
	} else if id, err := tenant.ParseID(limit); err == nil {
		p.Grant(role, id)
	}
}
