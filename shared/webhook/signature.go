package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/http"
	"time"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Sign gives the value of X-ServiceDesk-Signature: "sha256=" and the
// hexadecimal HMAC-SHA256 of timestamp + "." + body. The timestamp is the
// value of X-ServiceDesk-Timestamp, in Unix seconds; an empty one signs the
// body alone, which only connections of the profile hmac_plain accept.
func Sign(key secret.Text, timestamp string, body []byte) string {
	if timestamp != "" {
		timestamp += "."
	}
	return signedBy + hex.EncodeToString(mac(sha256.New, []byte(key.Reveal()), timestamp, body))
}

func mac(sha func() hash.Hash, key []byte, head string, body []byte) []byte {
	m := hmac.New(sha, key)
	m.Write([]byte(head))
	m.Write(body)
	return m.Sum(nil)
}

// check is one look at whether a delivery is genuine.
type check struct {
	conn tenant.Connection
	head http.Header
	body []byte
	now  time.Time
	sha  func() hash.Hash // sha256.New; a test counts what it is given
}

// authenticate checks that the delivery is what one of the connection's secrets
// signed, or came with the secret, and that this was lately. Whatever is wrong,
// the sender learns only that something is, and the work is the same.
func (c check) authenticate() (profile, proof, error) {
	rules, known := profiles[c.conn.Verify]
	if !known {
		rules = profiles[tenant.VerifyHMAC]
	}
	shown := rules.read(c.conn, c.head, c.body)
	if len(shown.head) > maxHead {
		shown.head, shown.macs = "", nil
	}
	genuine := c.genuine(rules, shown)
	switch {
	case c.conn.ID == "":
		return rules, shown, unauthorised("unknown or disabled tenant or connection")
	case !known:
		return rules, shown, unauthorised("unknown verification profile")
	case !genuine:
		return rules, shown, unauthorised("missing or wrong signature")
	case rules.timeless(shown):
		return rules, shown, nil
	}
	switch at, told := rules.at(shown, c.body); {
	case !told:
		return rules, shown, unauthorised("no timestamp")
	case c.now.Sub(at) > rules.past, at.Sub(c.now) > rules.future:
		return rules, shown, unauthorised("timestamp outside of the window")
	}
	return rules, shown, nil
}

// nobody is the secret of connections that do not exist.
var nobody = []byte("no connection has this secret")

// genuine tells whether one of the secrets made one of the MACs that are shown.
// A refusal costs the same with no secret, with one, and with two, and in every
// profile: the body is signed even where the profile does not look at that.
func (c check) genuine(rules profile, shown proof) bool {
	for i := range max(2, len(c.conn.Signing)) {
		key, known := nobody, false
		if i < len(c.conn.Signing) {
			if k, err := c.conn.Verify.Key(c.conn.Signing[i]); err == nil { // anyone can sign with an empty secret
				key, known = k, true
			}
		}
		want := mac(c.sha, key, shown.head, c.body)
		if !rules.covers {
			sum := sha256.Sum256(key)
			want = sum[:]
		}
		right := false
		for _, one := range shown.macs {
			right = hmac.Equal(one, want) || right
		}
		if right && known {
			return true
		}
	}
	return false
}
