package servicedeskplus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/ticketing"
)

const (
	accept = "application/vnd.manageengine.sdp.v3+json"
	// maxAnswer is the largest answer that is read.
	maxAnswer = 8 << 20
)

// read makes a call that changes nothing, or that may be made twice, and tries
// again where the error is transient.
func (t *tool) read(ctx context.Context, method, path string, input, into any) error {
	return t.retry(ctx, func() error { return t.call(ctx, method, path, input, into) })
}

// retry repeats try while its error is transient, the tries last and the pause
// ends before the context does. A limit that is longer than t.patience is
// returned at once: the queue comes back later.
func (t *tool) retry(ctx context.Context, try func() error) error {
	for _, pause := range t.pauses {
		err := try()
		if limited, ok := errors.AsType[*ticketing.LimitedError](err); ok && limited.After <= t.patience {
			pause = max(pause, limited.After)
		} else if !errors.Is(err, ticketing.ErrUnavailable) {
			return err
		}
		if !sleep(ctx, pause) {
			return err
		}
	}
	return try()
}

// sleep waits for pause and up to a third more, so that many waiters spread.
// It returns false, at once, where the context ends before.
func sleep(ctx context.Context, pause time.Duration) bool {
	pause += time.Duration(rand.Float64() * float64(pause) / 3)
	if end, ok := ctx.Deadline(); ok && time.Until(end) < pause {
		return false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// call makes one call. The input travels as input_data, the one parameter of
// this API; into takes the answer, and where it is nil a success needs none. What fails after the request may have
// reached the product is a *failure.
func (t *tool) call(ctx context.Context, method, path string, input, into any) error {
	form := url.Values{}
	if input != nil {
		data, err := json.Marshal(input)
		if err != nil {
			return fmt.Errorf("encode input of %s %s: %w", method, path, err)
		}
		form.Set("input_data", string(data))
	}
	for again := true; ; again = false {
		credential, err := t.credential(ctx)
		if err != nil {
			return err
		}
		a, err := t.send(ctx, method, path, form, credential)
		if err != nil {
			return err
		}
		if t.cloud && again && a.status == http.StatusUnauthorized {
			t.env.Tokens.Drop(ctx, t.tokenKey(), credential)
			continue
		}
		if into == nil && a.status/100 == 2 && len(bytes.TrimSpace(a.body)) == 0 {
			return nil // done, without a word
		}
		if f := a.failure(t.env.Now()); f != nil {
			f.words = t.redact(f.words, credential)
			if t.cloud && a.status == http.StatusUnauthorized { // with a fresh token: a scope is missing, even if it says so in HTML
				f.class, f.unknown = ticketing.ErrDenied, false
			}
			return f
		}
		return decode(a, into)
	}
}

// send makes the HTTP request of one call with this credential.
func (t *tool) send(ctx context.Context, method, path string, form url.Values, credential string) (answer, error) {
	address, body := t.api+path, io.Reader(nil)
	switch {
	case len(form) == 0:
	case method == http.MethodGet:
		address += "?" + form.Encode()
	default:
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", ticketing.ErrRejected, err)
	}
	r.Header.Set("Accept", accept)
	if body != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if t.cloud {
		r.Header.Set("Authorization", "Zoho-oauthtoken "+credential)
	} else {
		r.Header.Set("authtoken", credential)
		if t.portal != "" {
			r.Header.Set("PORTALID", t.portal)
		}
	}
	return t.do(r)
}

// do waits for its turn, sends r and reads the answer whole.
func (t *tool) do(r *http.Request) (answer, error) {
	if t.env.Wait != nil {
		if err := t.env.Wait(r.Context()); err != nil {
			return answer{}, fmt.Errorf("wait for a turn: %w", err)
		}
	}
	response, err := t.env.HTTP.Do(r)
	if err != nil {
		return answer{}, noAnswer(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return answer{}, noAnswer(err)
	}
	if len(body) > maxAnswer {
		return answer{}, noAnswer(fmt.Errorf("the answer has more than %d bytes", maxAnswer))
	}
	return answer{response.StatusCode, response.Header, body}, nil
}

func decode(a answer, into any) error {
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(bytes.NewReader(a.body)).Decode(into); err != nil {
		return &failure{class: ticketing.ErrUnavailable, status: a.status, words: err.Error(), unknown: true}
	}
	return nil
}

// redact takes our credentials out of what the other side wrote.
func (t *tool) redact(words string, credential string) string {
	for _, s := range []string{credential, t.key, t.oauth.secret, t.oauth.refresh} {
		if s != "" {
			words = strings.ReplaceAll(words, s, "[secret]")
		}
	}
	return words
}
