package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

// The headers of a signed webhook.
const (
	SignatureHeader = "X-ServiceDesk-Signature"
	TimestampHeader = "X-ServiceDesk-Timestamp"
)

// skew is how far the timestamp may be from our clock, either way.
const skew = 5 * time.Minute

const prefix = "sha256="

// Sign gives the value of X-ServiceDesk-Signature: "sha256=" and the
// hexadecimal HMAC-SHA256 of timestamp + "." + body. The timestamp is the
// value of X-ServiceDesk-Timestamp, in Unix seconds; an empty one signs the
// body alone, which only connections with AllowPlain accept.
func Sign(key secret.Text, timestamp string, body []byte) string {
	return prefix + hex.EncodeToString(mac(key, timestamp, body))
}

func mac(key secret.Text, timestamp string, body []byte) []byte {
	m := hmac.New(sha256.New, []byte(key.Reveal()))
	if timestamp != "" {
		m.Write([]byte(timestamp + "."))
	}
	m.Write(body)
	return m.Sum(nil)
}

// authenticate checks that one of the connection's secrets signed the body,
// and that this was lately. Whatever is wrong, the sender learns only that
// something is.
func authenticate(conn tenant.Connection, h http.Header, body []byte, now time.Time) error {
	timestamp := single(h, TimestampHeader)
	genuine := signed(conn.Signing, timestamp, single(h, SignatureHeader), body)
	switch {
	case conn.ID == "":
		return unauthorised("unknown or disabled tenant or connection")
	case !genuine:
		return unauthorised("missing or wrong signature")
	case timestamp == "" && !conn.AllowPlain:
		return unauthorised("no timestamp")
	case timestamp == "" && stamped.Match(body):
		return unauthorised("no timestamp header, but a timestamp before the body")
	case timestamp != "" && !recent(timestamp, now):
		return unauthorised("timestamp outside of the window")
	}
	return nil
}

// stamped is how the text begins that is signed with a timestamp. In plain mode
// such a body is refused: a signature with a timestamp, once captured, would
// otherwise be a plain one of timestamp, dot and body, and good for ever.
var stamped = regexp.MustCompile(`^[0-9]{9,12}\.`)

// nobody is the secret of connections that do not exist.
var nobody = secret.New("no connection has this secret")

// signed tells whether one of the secrets made the signature. A refusal costs
// the same work with no secret, with one, and with two.
func signed(secrets []secret.Text, timestamp, signature string, body []byte) bool {
	presented, _ := hex.DecodeString(strings.TrimPrefix(signature, prefix)) // never equal if malformed
	for i := range max(2, len(secrets)) {
		key := nobody
		known := i < len(secrets) && !secrets[i].Empty() // anyone can sign with an empty secret
		if known {
			key = secrets[i]
		}
		if hmac.Equal(presented, mac(key, timestamp, body)) && known {
			return true
		}
	}
	return false
}

// recent tells whether timestamp, in Unix seconds, is within the window.
func recent(timestamp string, now time.Time) bool {
	seconds, err := strconv.ParseUint(timestamp, 10, 40) // 40 bits: no overflow below
	if err != nil {
		return false
	}
	return now.Sub(time.Unix(int64(seconds), 0)).Abs() <= skew
}
