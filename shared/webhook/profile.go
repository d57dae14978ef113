package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/tenant"
)

// The headers by which webhooks prove that they are genuine.
const (
	SignatureHeader = "X-ServiceDesk-Signature"
	TimestampHeader = "X-ServiceDesk-Timestamp"
	TokenHeader     = "X-ServiceDesk-Token"

	standardID        = "Webhook-Id"
	standardTimestamp = "Webhook-Timestamp"
	standardSignature = "Webhook-Signature"

	jiraSignature = "X-Hub-Signature"
	jiraID        = "X-Atlassian-Webhook-Identifier"

	zendeskSignature = "X-Zendesk-Webhook-Signature"
	zendeskTimestamp = "X-Zendesk-Webhook-Signature-Timestamp"
)

const (
	// Window is for how long a delivery that comes again is a repetition, where
	// its profile does not say otherwise: as long as one signature is good for.
	Window = 2 * skew
	// skew is how far a timestamp may be from our clock, either way.
	skew = 5 * time.Minute
	day  = 24 * time.Hour
)

// profile is how one kind of sender proves that a webhook is genuine.
type profile struct {
	// read takes the proof out of a delivery. It need not say what is wrong:
	// a proof without MACs proves nothing.
	read func(conn tenant.Connection, h http.Header, body []byte) proof
	// covers tells whether what is proved is the body: an HMAC-SHA256 by the
	// secret, of the proof's head and the body. If not, the secret itself is
	// sent, and whoever sees one delivery can write another.
	covers bool
	// at gives the time of a genuine delivery; nil where none is told. past and
	// future are how far it may be from our clock. clockless allows a sender to
	// leave the time out.
	at           func(proof, []byte) (time.Time, bool)
	past, future time.Duration
	clockless    bool
	// keep is for how long a delivery is remembered. It is past and future
	// together or longer, so that nothing is good for longer than it is known.
	keep time.Duration
}

// timeless tells whether nothing in the delivery says when it was sent.
func (p profile) timeless(shown proof) bool { return p.at == nil || p.clockless && shown.time == "" }

// proof is what the sender shows.
type proof struct {
	head string   // signed before the body
	time string   // as it was written; "" for none
	macs [][]byte // one of them has to be right; where not even the body is covered, SHA-256 of the secret
	// id is the delivery's, "" where no header has it. open tells that it is
	// not signed, so that a copy may come under another id.
	id   string
	open bool
}

// profiles has the rules of every profile, from the contracts of the vendors.
// An id in the body is the tool's business (ticketing.Announcement.Delivery).
var profiles = map[tenant.Verify]profile{
	tenant.VerifyHMAC:   {read: readOurs, covers: true, at: unixTime, past: skew, future: skew, keep: Window},
	tenant.VerifyPlain:  {read: readPlain, covers: true, at: unixTime, past: skew, future: skew, clockless: true, keep: Window},
	tenant.VerifyHeader: {read: readToken, keep: Window},
	tenant.VerifyBasic:  {read: readBasic, keep: Window},
	// Retried for days under one id, each time with a new timestamp.
	tenant.VerifyStandard: {read: readStandard, covers: true, at: unixTime, past: skew, future: skew, keep: day},
	// Retried up to half an hour later, as it was first sent. The time is that
	// of the event, in the body.
	tenant.VerifyJira:    {read: readJira, covers: true, at: bodyTime, past: day, future: skew, keep: day + skew},
	tenant.VerifyZendesk: {read: readZendesk, covers: true, at: isoTime, past: skew, future: skew, keep: Window},
}

// signedBy is the prefix of hexadecimal signatures.
const signedBy = "sha256="

// maxHead bounds what of the headers is signed, and so the work of a refusal.
const maxHead = 256

func readOurs(_ tenant.Connection, h http.Header, _ []byte) proof {
	p := proof{time: single(h, TimestampHeader), macs: hexMAC(single(h, SignatureHeader))}
	if p.time != "" {
		p.head = p.time + "."
	}
	return p
}

// stamped is how the text begins that is signed with a timestamp. In plain mode
// such a body proves nothing: a signature with a timestamp, once captured, would
// otherwise be a plain one of timestamp, dot and body, and good for ever.
var stamped = regexp.MustCompile(`^[0-9]{9,12}\.`)

func readPlain(conn tenant.Connection, h http.Header, body []byte) proof {
	p := readOurs(conn, h, body)
	if p.time == "" && stamped.Match(body) {
		p.macs = nil
	}
	return p
}

func readToken(_ tenant.Connection, h http.Header, _ []byte) proof {
	sum := sha256.Sum256([]byte(single(h, TokenHeader)))
	return proof{macs: [][]byte{sum[:]}}
}

// readBasic wants the connection's id as the name of the user.
func readBasic(conn tenant.Connection, h http.Header, _ []byte) proof {
	scheme, encoded, _ := strings.Cut(single(h, "Authorization"), " ")
	plain, err := base64.StdEncoding.Strict().DecodeString(encoded)
	user, password, ok := strings.Cut(string(plain), ":")
	if !ok || err != nil || !strings.EqualFold(scheme, "Basic") || user != conn.ID {
		return proof{}
	}
	sum := sha256.Sum256([]byte(password))
	return proof{macs: [][]byte{sum[:]}}
}

// maxSignatures is how many of the signatures of one delivery are looked at:
// a sender that rotates its secret sends two.
const maxSignatures = 8

func readStandard(_ tenant.Connection, h http.Header, _ []byte) proof {
	p := proof{id: single(h, standardID), time: single(h, standardTimestamp)}
	p.head = p.id + "." + p.time + "."
	// A dot in the id would let parts of the text pass for one another.
	if p.id == "" || strings.Contains(p.id, ".") || len(h.Values(standardSignature)) > 1 {
		return p
	}
	for one := range strings.SplitSeq(single(h, standardSignature), " ") {
		if encoded, ok := strings.CutPrefix(one, "v1,"); ok && len(p.macs) < maxSignatures {
			p.macs = append(p.macs, base64MAC(encoded)...)
		}
	}
	return p
}

func readJira(_ tenant.Connection, h http.Header, _ []byte) proof {
	p := proof{id: single(h, jiraID), open: true}
	if signature := single(h, jiraSignature); strings.HasPrefix(signature, signedBy) {
		p.macs = hexMAC(signature)
	}
	return p
}

func readZendesk(_ tenant.Connection, h http.Header, _ []byte) proof {
	at := single(h, zendeskTimestamp)
	return proof{head: at, time: at, macs: base64MAC(single(h, zendeskSignature))}
}

// hexMAC reads a hexadecimal signature, with its prefix or without.
func hexMAC(signature string) [][]byte {
	mac, err := hex.DecodeString(strings.TrimPrefix(signature, signedBy))
	if err != nil {
		return nil
	}
	return [][]byte{mac}
}

func base64MAC(signature string) [][]byte {
	mac, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil {
		return nil
	}
	return [][]byte{mac}
}

// unixTime is the header's time, in seconds since 1970.
func unixTime(p proof, _ []byte) (time.Time, bool) {
	seconds, err := strconv.ParseUint(p.time, 10, 40) // 40 bits: no overflow later
	return time.Unix(int64(seconds), 0), err == nil
}

// isoTime is the header's time, in ISO 8601.
func isoTime(p proof, _ []byte) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339, p.time)
	return at, err == nil
}

// bodyTime is the field timestamp at the top of the body, in milliseconds.
func bodyTime(_ proof, body []byte) (at time.Time, ok bool) {
	members(body, func(key string, value []byte) bool {
		if key != "timestamp" {
			return true
		}
		ms, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 50)
		at, ok = time.UnixMilli(int64(ms)), err == nil
		return false
	})
	return at, ok
}

// members calls visit with the first maxKeys members of a JSON object, as far
// as it is sound, until that returns false, which it then returns, too. The
// value is good only during the call.
func members(object []byte, visit func(key string, value []byte) (more bool)) (more bool) {
	dec := json.NewDecoder(bytes.NewReader(object))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return true
	}
	var value json.RawMessage // reused: most values are only skipped
	for range maxKeys {
		if !dec.More() {
			return true
		}
		key, err := dec.Token()
		if err != nil || dec.Decode(&value) != nil {
			return true
		}
		if name, _ := key.(string); !visit(name, value) {
			return false
		}
	}
	return true
}
