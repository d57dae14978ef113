package feedback_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/feedback"
	"github.com/deskhand/deskhand/shared/secret"
)

const job = "eaa78a6a-ad7b-8c8a-979a-1d8609752b89"

var (
	now  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	keys = feedback.Keys{secret.New(strings.Repeat("k", 32))}
)

func TestATokenOpensToItsBallot(t *testing.T) {
	t.Parallel()
	for _, vote := range []feedback.Vote{feedback.Useful, feedback.Useless} {
		want := feedback.NewBallot("acme", job, vote, now)
		token := keys.Token(want)
		got, ok := keys.Open(token, now)
		if !ok || got != want {
			t.Errorf("%s: %+v, %v; want %+v", token, got, ok, want)
		}
		if len(token) > 60 || strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("%s is long, or has to be escaped", token)
		}
		if later := keys.Token(feedback.NewBallot("acme", job, vote, now.Add(11*time.Hour))); later != token {
			t.Error("another try of the same day has another link")
		}
	}
}

func TestATokenEndsAfterThirtyDays(t *testing.T) {
	t.Parallel()
	token := keys.Token(feedback.NewBallot("acme", job, feedback.Useful, now))
	for at, want := range map[time.Time]bool{
		now.AddDate(0, 0, 30):                           true,
		time.Date(2026, 3, 31, 23, 59, 59, 0, time.UTC): true,
		time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC):     false,
		now.AddDate(20, 0, 0):                           false,
	} {
		if _, ok := keys.Open(token, at); ok != want {
			t.Errorf("at %s: %v, want %v", at, ok, want)
		}
	}
}

// TestNoChangeOfATokenIsTaken changes every bit, cuts and extends.
func TestNoChangeOfATokenIsTaken(t *testing.T) {
	t.Parallel()
	token := keys.Token(feedback.NewBallot("acme", job, feedback.Useful, now))
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	forged := []string{"", "A", token + "A", token + "/", token[1:], token[:len(token)-1], strings.Repeat("A", 10_000), token + strings.Repeat("=", 4), "../" + token}
	for bit := range len(raw) * 8 {
		changed := append([]byte{}, raw...)
		changed[bit/8] ^= 1 << (bit % 8)
		forged = append(forged, base64.RawURLEncoding.EncodeToString(changed))
	}
	for cut := range raw {
		forged = append(forged, base64.RawURLEncoding.EncodeToString(raw[:cut]))
	}
	for _, f := range forged {
		if b, ok := keys.Open(f, now); ok || b != (feedback.Ballot{}) {
			t.Errorf("%.80s opens to %+v", f, b)
		}
	}
	if _, ok := (feedback.Keys{secret.New(strings.Repeat("x", 32))}).Open(token, now); ok {
		t.Error("another key opens it")
	}
	if _, ok := (feedback.Keys{}).Open(token, now); ok {
		t.Error("no key opens it")
	}
}

func TestLinksOutliveARotation(t *testing.T) {
	t.Parallel()
	token := keys.Token(feedback.NewBallot("acme", job, feedback.Useful, now))
	fresh := secret.New(strings.Repeat("n", 32))
	if _, ok := (feedback.Keys{fresh, keys[0]}).Open(token, now); !ok {
		t.Error("after the rotation it does not open")
	}
	if _, ok := (feedback.Keys{fresh}).Open(token, now); ok {
		t.Error("after the old key was retired it opens")
	}
}

func TestWhatIsNoJobHasNoLink(t *testing.T) {
	t.Parallel()
	for name, links := range map[string]func() (string, string){
		"no address": func() (string, string) { return keys.Links("", "acme", job, now) },
		"no key":     func() (string, string) { return feedback.Keys{}.Links("https://d.example", "acme", job, now) },
		"no job":     func() (string, string) { return keys.Links("https://d.example", "acme", "7", now) },
		"no tenant":  func() (string, string) { return keys.Links("https://d.example", "../x", job, now) },
		"no time":    func() (string, string) { return keys.Links("https://d.example", "acme", job, time.Time{}) },
	} {
		if up, down := links(); up != "" || down != "" {
			t.Errorf("%s: %q, %q", name, up, down)
		}
	}
	up, down := keys.Links("https://d.example/v1/", "acme", job, now)
	if !strings.HasPrefix(up, "https://d.example/v1/feedback/") || up == down || strings.Contains(up, "acme") {
		t.Errorf("links %s, %s", up, down)
	}
}

func FuzzOpen(f *testing.F) {
	good := keys.Token(feedback.NewBallot("acme", job, feedback.Useful, now))
	f.Add(good)
	f.Add(good[:20])
	f.Fuzz(func(t *testing.T, token string) {
		if b, ok := keys.Open(token, now); ok && keys.Token(b) != strings.NewReplacer("\r", "", "\n", "").Replace(token) {
			t.Errorf("%q opens to %+v", token, b)
		}
	})
}
