package servicedeskplus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/ticketing"
)

// oauth is the cloud's long-lived credential.
type oauth struct{ accounts, client, secret, refresh string }

// credential gives what a call is made with: the API key on-premises, in the
// cloud an access token, which all processes share.
func (t *tool) credential(ctx context.Context) (string, error) {
	if !t.cloud {
		return t.key, nil
	}
	return t.env.Tokens.Token(ctx, t.tokenKey(), t.signIn)
}

// tokenKey names the access token of these credentials: others, after a
// change, never meet the old token.
func (t *tool) tokenKey() string {
	sum := sha256.Sum256([]byte(t.oauth.accounts + "\n" + t.oauth.client + "\n" + t.oauth.refresh))
	return Kind.Name + "/" + t.env.Key + "/" + hex.EncodeToString(sum[:6])
}

// signIn asks for an access token, to be kept for 80 % of its life. A refusal
// comes with HTTP 200 and an error in the body.
func (t *tool) signIn(ctx context.Context) (string, time.Duration, error) {
	form := url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {t.oauth.refresh},
		"client_id": {t.oauth.client}, "client_secret": {t.oauth.secret},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.oauth.accounts+"/oauth/v2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, fmt.Errorf("sign in: %w: %w", ticketing.ErrRejected, err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, err := t.do(r)
	if err != nil {
		return "", 0, fmt.Errorf("sign in: %w", notWritten(err))
	}
	var grant struct {
		Token   string `json:"access_token"`
		Seconds text   `json:"expires_in"`
		Error   text   `json:"error"`
	}
	_ = json.Unmarshal(a.body, &grant)
	if grant.Token != "" {
		life := time.Duration(min(max(grant.Seconds.int(), 60), 86400)) * time.Second
		return grant.Token, life * 8 / 10, nil
	}
	if wait := a.limit(0, t.env.Now()); wait > 0 {
		return "", 0, fmt.Errorf("sign in: %w", &ticketing.LimitedError{After: wait})
	}
	if grant.Error == "" || a.status >= 500 {
		return "", 0, fmt.Errorf("sign in: %w: HTTP %d without a token: %q", ticketing.ErrUnavailable, a.status, cut(t.redact(string(a.body), ""), 200))
	}
	return "", 0, fmt.Errorf("sign in: %w: the accounts server answers %q; check client, secret, refresh token and data centre",
		ticketing.ErrDenied, cut(t.redact(line(string(grant.Error)), ""), 100))
}

// notWritten marks a failure as one that came before anything was written.
func notWritten(err error) error {
	if f, ok := errors.AsType[*failure](err); ok {
		before := *f
		before.unknown = false
		return &before
	}
	return err
}

// unshared stands in where the process shares no tokens: it signs in for every call.
type unshared struct{}

func (unshared) Token(ctx context.Context, _ string, fetch func(context.Context) (string, time.Duration, error)) (string, error) {
	token, _, err := fetch(ctx)
	return token, err
}

func (unshared) Drop(context.Context, string, string) {}
