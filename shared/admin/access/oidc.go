package access

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

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

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier
}

// algorithms are the asymmetric ones. HMAC is not among them: its key would be
// a secret that we share; "none" is never taken.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
}

// Principal checks signature, issuer, audience and times of the token and reads
// the roles. ErrUnauthorized says that the token is not good; another error,
// that the issuer does not answer.
func (o *OIDC) Principal(ctx context.Context, token string) (Principal, error) {
	verifier, err := o.open(ctx)
	if err != nil {
		return Principal{}, err
	}
	checked, err := verifier.Verify(oidc.ClientContext(ctx, o.HTTP), token)
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

// open asks the issuer where its keys are, until it answers once.
func (o *OIDC) open(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.verifier != nil {
		return o.verifier, nil
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, o.HTTP), 5*time.Second)
	defer cancel()
	provider, err := oidc.NewProvider(ctx, o.Issuer)
	if err != nil {
		return nil, fmt.Errorf("access: ask the issuer %s for its keys: %w", o.Issuer, err)
	}
	o.verifier = provider.Verifier(&oidc.Config{ClientID: o.Audience, SupportedSigningAlgs: algorithms, Now: o.Now})
	return o.verifier, nil
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
