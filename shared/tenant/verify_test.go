package tenant_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

func TestProfilesAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for _, v := range tenant.Verifies {
		got, err := tenant.ParseVerify(v.String())
		if err != nil || got != v || v.String() == "" {
			t.Errorf("%q is read as %q, %v", v.String(), got, err)
		}
		var back struct{ V tenant.Verify }
		text, err := json.Marshal(struct{ V tenant.Verify }{v})
		if err != nil || json.Unmarshal(text, &back) != nil || back.V != v {
			t.Errorf("%s comes back as %q, %v", text, back.V, err)
		}
	}
	if v, err := tenant.ParseVerify(""); v != tenant.VerifyHMAC || err != nil {
		t.Errorf("nothing is %q, %v", v, err)
	}
	for _, s := range []string{"HMAC", "none", " jira", strings.Repeat("x", 1000)} {
		if v, err := tenant.ParseVerify(s); err == nil || !strings.Contains(err.Error(), "want one of hmac, standard_webhooks, jira") || len(err.Error()) > 300 {
			t.Errorf("%.20q is %q, %v", s, v, err)
		}
	}
}

func TestEveryProfileTakesTheSecretThatItMakes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, v := range tenant.Verifies {
		s := v.NewSecret()
		key, err := v.Key(s)
		if err != nil || len(key) < 16 || seen[s.Reveal()] {
			t.Errorf("%s: a key of %d bytes, %v", v, len(key), err)
		}
		seen[s.Reveal()] = true
	}
}

func TestUnusableSecretsAreRefusedUnquoted(t *testing.T) {
	t.Parallel()
	short := "whsec_" + base64.StdEncoding.EncodeToString([]byte("short"))
	for name, c := range map[string]struct {
		verify tenant.Verify
		secret string
		want   string
	}{
		"empty":                 {tenant.VerifyHMAC, "", "is empty"},
		"empty token":           {tenant.VerifyHeader, "", "is empty"},
		"Zendesk's test secret": {tenant.VerifyZendesk, "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==", "everybody knows"},
		"the same elsewhere":    {tenant.VerifyHMAC, "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==", "everybody knows"},
		"no prefix":             {tenant.VerifyStandard, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_"},
		"no base64":             {tenant.VerifyStandard, "whsec_not base64", "whsec_"},
		"too short":             {tenant.VerifyStandard, short, "24 to 64 bytes"},
	} {
		_, err := c.verify.Key(secret.New(c.secret))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		} else if c.secret != "" && strings.Contains(err.Error(), c.secret) {
			t.Errorf("%s: the error quotes the secret", name)
		}
	}
}

func TestSecretsThatCanBeGuessedAreNotSet(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "is empty", "x": "fewer than 15", "14 characters.": "fewer than 15", "sdp-demo-secret": "",
		"dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==": "everybody knows",
	} {
		for _, v := range tenant.Verifies {
			err := v.CheckNew(secret.New(text))
			switch {
			case v == tenant.VerifyStandard: // has rules of its own, and they are stricter
				if err == nil {
					t.Errorf("%s: %q is taken", v, text)
				}
			case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("%s: %q: %v, want %q", v, text, err, want)
			case err != nil && text != "" && strings.Contains(err.Error(), " "+text+" "):
				t.Errorf("%s: the error quotes the secret: %v", v, err)
			}
		}
	}
	for _, v := range tenant.Verifies {
		if err := v.CheckNew(v.NewSecret()); err != nil {
			t.Errorf("%s: %v", v, err)
		}
	}
}
