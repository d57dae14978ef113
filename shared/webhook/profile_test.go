package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/webhook"
)

// sender is the other side of a profile: it makes a delivery's headers as the
// vendor's documents say, in code of its own.
type sender struct {
	verify tenant.Verify
	conn   string // as the user of basic authentication
	key    secret.Text
}

// sent is one delivery of a sender.
type sent struct {
	at   time.Time
	id   string
	body string
}

func sum(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

func (s sender) headers(d sent) http.Header {
	unix, key := strconv.FormatInt(d.at.Unix(), 10), []byte(s.key.Reveal())
	b64 := base64.StdEncoding.EncodeToString
	switch s.verify {
	case tenant.VerifyHMAC:
		return header("X-ServiceDesk-Timestamp", unix, "X-ServiceDesk-Signature", "sha256="+hex.EncodeToString(sum(key, unix+"."+d.body)))
	case tenant.VerifyPlain:
		return header("X-ServiceDesk-Signature", "sha256="+hex.EncodeToString(sum(key, d.body)))
	case tenant.VerifyHeader:
		return header("X-ServiceDesk-Token", string(key))
	case tenant.VerifyBasic:
		return header("Authorization", "Basic "+b64([]byte(s.conn+":"+string(key))))
	case tenant.VerifyStandard:
		raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(key), "whsec_"))
		return header("webhook-id", d.id, "webhook-timestamp", unix, "webhook-signature", "v1a,AAAA v1,"+b64(sum(raw, d.id+"."+unix+"."+d.body)))
	case tenant.VerifyJira:
		return header("X-Hub-Signature", "sha256="+hex.EncodeToString(sum(key, d.body)), "X-Atlassian-Webhook-Identifier", d.id)
	case tenant.VerifyZendesk:
		iso := d.at.UTC().Format(time.RFC3339)
		return header("X-Zendesk-Webhook-Signature-Timestamp", iso, "X-Zendesk-Webhook-Signature", b64(sum(key, iso+d.body)))
	}
	panic("no sender for " + s.verify)
}

// The secrets of the profiles' connections: the newest and the one before of
// acme, and globex's.
const (
	newest = iota
	former
	foreign
)

func keyOf(v tenant.Verify, which int) secret.Text {
	text := fmt.Sprintf("a secret of %s, number %d", v, which)
	if v == tenant.VerifyStandard {
		text = "whsec_" + base64.StdEncoding.EncodeToString([]byte(text))
	}
	return secret.New(text)
}

func connOf(v tenant.Verify) string { return "by-" + strings.ReplaceAll(v.String(), "_", "-") }

// verified has a connection of acme for every profile, and one of globex.
func verified(t testing.TB) *bundle {
	t.Helper()
	b := setup(t)
	dir := directory()
	for _, v := range tenant.Verifies {
		dir.Connections[connOf(v)] = tenant.Connection{
			ID: connOf(v), Tool: "servicedesk_plus", Verify: v, Routes: map[string]tenant.ID{"": "acme"},
			Signing: []secret.Text{keyOf(v, newest), keyOf(v, former)},
		}
		dir.Connections[connOf(v)+"-globex"] = tenant.Connection{
			ID: connOf(v) + "-globex", Tool: "servicedesk_plus", Verify: v, Routes: map[string]tenant.ID{"": "globex"},
			Signing: []secret.Text{keyOf(v, foreign)},
		}
	}
	b.Directory = func() tenant.Directory { return dir }
	return b
}

// told is a delivery of ticket 1042 at that time.
func told(at time.Time, id string) sent {
	return sent{at: at, id: id, body: fmt.Sprintf(`{"timestamp":%d,"id":"1042","description":"printer"}`, at.UnixMilli())}
}

// bare sends the delivery with these headers and no signature but theirs.
func (b *bundle) bare(t testing.TB, path, body string, h http.Header) reply {
	t.Helper()
	all := http.Header{webhook.TimestampHeader: nil, webhook.SignatureHeader: nil}
	for name, values := range h {
		all[http.CanonicalHeaderKey(name)] = values
	}
	for name, values := range all { // request removes what is empty, in its own spelling
		if canonical := http.CanonicalHeaderKey(name); canonical != name {
			delete(all, name)
			all[canonical] = append(all[canonical], values...)
		}
	}
	return b.send(t, request{path: path, body: body, header: all})
}

// TestVectorsOfTheContractsAreAccepted has the vectors that the vendors, or
// others who read them, have published.
func TestVectorsOfTheContractsAreAccepted(t *testing.T) {
	t.Parallel()
	zendesk := time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		verify tenant.Verify
		key    string
		at     time.Time
		body   string
		header http.Header
		status int // 400 where the body is no webhook of ours: it was authenticated
	}{
		"ours":                 {tenant.VerifyHMAC, "sdp-demo-secret", now, vectorBody, header(webhook.TimestampHeader, "1767225600", webhook.SignatureHeader, "sha256="+vectorHex), 400},
		"ours, without prefix": {tenant.VerifyHMAC, "sdp-demo-secret", now, vectorBody, header(webhook.TimestampHeader, "1767225600", webhook.SignatureHeader, vectorHex), 400},
		"Standard Webhooks": {
			tenant.VerifyStandard, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", time.Unix(1614265330, 0), `{"test": 2432232314}`,
			header("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp", "1614265330", "webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="), 400,
		},
		"Zendesk's, whose secret everybody knows": {
			tenant.VerifyZendesk, "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==", zendesk, `{"ticket_id":"42","subject":"Printer on fire"}`,
			header("X-Zendesk-Webhook-Signature-Timestamp", "2026-01-15T10:00:00Z", "X-Zendesk-Webhook-Signature", "bZASSE+z7Z8BoAEwAjCe97wxtpUgdG5+UWGvVCxkVWk="), 401,
		},
		"Jira's, which has no timestamp": {
			tenant.VerifyJira, "It's a Secret to Everybody", now, "Hello World!",
			header("X-Hub-Signature", "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9", "X-Atlassian-Webhook-Identifier", "1"), 401,
		},
		"Jira's, by the body alone": {
			tenant.VerifyPlain, "It's a Secret to Everybody", now, "Hello World!",
			header(webhook.SignatureHeader, "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"), 400,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			dir := directory()
			dir.Connections["vector"] = tenant.Connection{
				ID: "vector", Tool: "servicedesk_plus", Verify: c.verify, Signing: []secret.Text{secret.New(c.key)}, Routes: map[string]tenant.ID{"": "acme"},
			}
			b.Directory, b.Now = func() tenant.Directory { return dir }, func() time.Time { return c.at }
			if got := b.bare(t, "/webhook/servicedesk/vector", c.body, c.header); got.status != c.status {
				t.Errorf("answered %d %s, want %d", got.status, got.body, c.status)
			}
		})
	}
}

func TestEveryProfileAcceptsItsSenderWithEitherSecret(t *testing.T) {
	t.Parallel()
	for _, v := range tenant.Verifies {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			b := verified(t)
			path := "/webhook/servicedesk/" + connOf(v)
			for i, which := range []int{newest, former} {
				d := told(now, fmt.Sprint("delivery-", i))
				d.body = strings.Replace(d.body, "1042", fmt.Sprint(1042+i), 1)
				b.bare(t, path, d.body, sender{v, connOf(v), keyOf(v, which)}.headers(d)).job(t)
			}
			covered := v != tenant.VerifyHeader && v != tenant.VerifyBasic
			for _, m := range b.enhance.messages() {
				var ev ticket.Event
				if err := json.Unmarshal(m.Body, &ev); err != nil {
					t.Fatal(err)
				}
				if ev.Signed != covered || (ev.Told.Description != "") != covered {
					t.Errorf("signed is %v and the text %q; the body is covered: %v", ev.Signed, ev.Told.Description, covered)
				}
			}
			if n := len(b.enhance.messages()); n != 2 {
				t.Errorf("%d were queued, want 2", n)
			}
		})
	}
}

func TestNoProfileAcceptsTheSenderOfAnother(t *testing.T) {
	t.Parallel()
	b := verified(t)
	for _, v := range tenant.Verifies {
		for _, other := range tenant.Verifies {
			d := told(now, "delivery")
			// With the right secret, in the wrong way.
			h := sender{other, connOf(v), keyOf(v, newest)}.headers(d)
			want := http.StatusUnauthorized
			if v == other || (v == tenant.VerifyPlain && other == tenant.VerifyHMAC) { // a sender with a clock is no worse
				want = http.StatusAccepted
			}
			if got := b.bare(t, "/webhook/servicedesk/"+connOf(v), d.body, h); got.status != want {
				t.Errorf("%s, sent as %s: %d", v, other, got.status)
			}
		}
	}
}

func TestEveryProfileRefusesWhatIsNotGenuine(t *testing.T) {
	t.Parallel()
	for _, v := range tenant.Verifies {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			b := verified(t)
			path, good := "/webhook/servicedesk/"+connOf(v), told(now, "delivery")
			acme := sender{v, connOf(v), keyOf(v, newest)}
			tried := 0
			refused := func(what string, body string, h http.Header) {
				t.Helper()
				tried++
				b.Now = func() time.Time { return now.Add(time.Duration(tried) * time.Nanosecond) }
				if got := b.bare(t, path, body, h); got.status != http.StatusUnauthorized || !strings.Contains(got.body, `"error":"the webhook is not authenticated"`) {
					t.Errorf("%s: answered %d %s", what, got.status, got.body)
				}
			}
			refused("nothing", good.body, nil)
			refused("the tenant's neighbour's secret", good.body, sender{v, connOf(v), keyOf(v, foreign)}.headers(good))
			refused("an empty secret", good.body, sender{v, connOf(v), secret.New("")}.headers(good))
			refused("the name of the profile", good.body, sender{v, connOf(v), secret.New(v.String())}.headers(good))
			for name, values := range acme.headers(good) {
				without := acme.headers(good)
				delete(without, name)
				if name != http.CanonicalHeaderKey("X-Atlassian-Webhook-Identifier") { // a name, not a proof
					refused("without "+name, good.body, without)
				}
				twice := acme.headers(good)
				twice[name] = append(twice[name], values...)
				if name != http.CanonicalHeaderKey("X-Atlassian-Webhook-Identifier") {
					refused("twice "+name, good.body, twice)
				}
			}
			if v != tenant.VerifyHeader && v != tenant.VerifyBasic {
				refused("another body", strings.Replace(good.body, "1042", "1043", 1), acme.headers(good))
				refused("a longer body", good.body+" ", acme.headers(good))
				refused("a shorter body", good.body[:len(good.body)-1], acme.headers(good))
			}
			if v == tenant.VerifyBasic {
				refused("another user", good.body, sender{v, "admin", keyOf(v, newest)}.headers(good))
			}
			if v == tenant.VerifyStandard {
				dotted := told(now, "delivery.1767225600")
				refused("an id with a dot", dotted.body, acme.headers(dotted))
				long := told(now, strings.Repeat("d", 300))
				refused("an endless id", long.body, acme.headers(long))
			}
			if n := len(b.enhance.messages()); n != 0 {
				t.Errorf("%d of them were queued", n)
			}
		})
	}
}

func TestEveryProfileHasItsWindow(t *testing.T) {
	t.Parallel()
	type window struct{ past, future time.Duration } // 0 for none
	const second = time.Second
	for v, w := range map[tenant.Verify]window{
		tenant.VerifyHMAC:     {5 * time.Minute, 5 * time.Minute},
		tenant.VerifyPlain:    {}, // sent without a timestamp
		tenant.VerifyHeader:   {},
		tenant.VerifyBasic:    {},
		tenant.VerifyStandard: {5 * time.Minute, 5 * time.Minute},
		tenant.VerifyJira:     {24 * time.Hour, 5 * time.Minute},
		tenant.VerifyZendesk:  {5 * time.Minute, 5 * time.Minute},
	} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			b := verified(t)
			offsets := map[time.Duration]int{-w.past: 202, w.future: 202, -w.past - second: 401, w.future + second: 401}
			if w.past == 0 {
				offsets = map[time.Duration]int{-10_000 * time.Hour: 202, 10_000 * time.Hour: 202}
			}
			for offset, want := range offsets {
				d := told(now.Add(offset), fmt.Sprint("delivery", offset))
				got := b.bare(t, "/webhook/servicedesk/"+connOf(v), d.body, sender{v, connOf(v), keyOf(v, newest)}.headers(d))
				if got.status != want {
					t.Errorf("%s from now: answered %d, want %d", offset, got.status, want)
				}
			}
		})
	}
}
