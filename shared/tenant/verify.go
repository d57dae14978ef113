package tenant

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/deskhand/deskhand/shared/secret"
)

// Verify says how the webhooks of a connection prove that they are genuine.
// The webhook package has the rules of each; the zero value is ours.
type Verify string

// How webhooks may be verified.
const (
	VerifyHMAC     Verify = ""                  // ours: HMAC-SHA256 of timestamp, dot and body
	VerifyPlain    Verify = "hmac_plain"        // the same, where a sender without a clock may sign the body alone
	VerifyHeader   Verify = "static_header"     // the secret itself in a header
	VerifyBasic    Verify = "basic"             // basic authentication: the connection's id, and the secret
	VerifyStandard Verify = "standard_webhooks" // standardwebhooks.com
	VerifyJira     Verify = "jira"              // Jira's admin webhooks
	VerifyZendesk  Verify = "zendesk"           // Zendesk's webhooks
)

// Verifies are all of them, the one to be preferred first.
var Verifies = []Verify{VerifyHMAC, VerifyStandard, VerifyJira, VerifyZendesk, VerifyPlain, VerifyHeader, VerifyBasic}

// hmac is what people call the zero value.
const hmac = "hmac"

// String gives the name for people: that of the zero value is "hmac".
func (v Verify) String() string {
	if v == VerifyHMAC {
		return hmac
	}
	return string(v)
}

// ParseVerify reads what String gives; nothing at all is ours, too.
func ParseVerify(s string) (Verify, error) {
	if s == hmac {
		return VerifyHMAC, nil
	}
	if v := Verify(s); slices.Contains(Verifies, v) {
		return v, nil
	}
	names := make([]string, len(Verifies))
	for i, v := range Verifies {
		names[i] = v.String()
	}
	return "", fmt.Errorf("verification profile %.40q: want one of %s", s, strings.Join(names, ", "))
}

// MarshalText gives the name for people.
func (v Verify) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads it.
func (v *Verify) UnmarshalText(b []byte) (err error) {
	*v, err = ParseVerify(string(b))
	return err
}

// standardPrefix begins the secrets of Standard Webhooks.
const standardPrefix = "whsec_"

// zendeskTest is the secret with which Zendesk signs what it sends before a
// webhook is saved. Everybody knows it.
const zendeskTest = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="

// NewSecret makes a secret of the form that the profile needs, of 128 random
// bits or more.
func (v Verify) NewSecret() secret.Text {
	if v != VerifyStandard {
		return secret.New(rand.Text())
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return secret.New(standardPrefix + base64.StdEncoding.EncodeToString(key))
}

// Key gives the bytes that the secret stands for under the profile, or what is
// wrong with the secret: it is empty, known to everybody, or of another form.
// No error quotes it.
func (v Verify) Key(s secret.Text) ([]byte, error) {
	switch text := s.Reveal(); {
	case text == "":
		return nil, errors.New("the webhook secret is empty")
	case text == zendeskTest:
		return nil, errors.New("the webhook secret is the one of Zendesk's test calls, which everybody knows: read the webhook's own (Admin Center, Reveal secret)")
	case v == VerifyStandard:
		encoded, ok := strings.CutPrefix(text, standardPrefix)
		key, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil || len(key) < 24 || len(key) > 64 {
			return nil, errors.New("the webhook secret is not one of Standard Webhooks: want whsec_ and the base64 of 24 to 64 bytes")
		}
		return key, nil
	default:
		return []byte(text), nil
	}
}

// minSecret is how many characters a secret has at least that somebody chooses.
// A shorter one can be guessed from one captured delivery, on the guesser's own
// machine.
const minSecret = 15

// CheckNew says what is wrong with a secret that is to be set, without quoting
// it: what Key says, or that it is too short. It is not asked of secrets that
// are in use.
func (v Verify) CheckNew(s secret.Text) error {
	if _, err := v.Key(s); err != nil {
		return err
	}
	if len(s.Reveal()) < minSecret {
		return fmt.Errorf("the webhook secret has fewer than %d characters, so it can be guessed: leave it out, and one is made", minSecret)
	}
	return nil
}
