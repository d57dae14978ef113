package feedback

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Path is what the path of a link begins with, before the token.
const Path = "/feedback/"

// Days is how long a link is good.
const Days = 30

// Ballot is what a link allows, to whoever has it: to look at what may be said
// of a note, and to say it.
type Ballot struct {
	Tenant tenant.ID
	Job    string
	Vote   Vote // which of the two links it is: what the page has chosen already
	// Expires is the end of a day (UTC), so that a job that is tried again on the
	// same day writes the same link.
	Expires time.Time
}

// NewBallot makes a ballot of that time.
func NewBallot(id tenant.ID, job string, vote Vote, now time.Time) Ballot {
	return Ballot{id, job, vote, now.UTC().Truncate(day).Add((Days + 1) * day)}
}

const day = 24 * time.Hour

// Keys are 32 secret bytes each. The first signs, all of them verify: so links
// outlive the rotation of a key, until it is retired.
type Keys []secret.Text

// The form of a token: one byte of version and vote, two of the day on which it
// ends, the job, the tenant, and the first half of an HMAC-SHA256 of all that.
const (
	version  = 0x10
	headSize = 1 + 2 + len(uuid.UUID{})
	macSize  = 16
	maxToken = 200 // characters that are looked at; the longest is 132
)

var votes = map[byte]Vote{version: Useful, version + 1: Useless}

// Token signs a ballot: at most 132 characters that need no escaping in a URL. It
// is "" where there is no key, and for a job or tenant that is none.
func (k Keys) Token(b Ballot) string {
	job, err := uuid.Parse(b.Job)
	_, errTenant := tenant.ParseID(string(b.Tenant))
	ends := b.Expires.Unix() / int64(day/time.Second)
	if len(k) == 0 || err != nil || errTenant != nil || ends < 0 || ends > math.MaxUint16 {
		return ""
	}
	kind := byte(version)
	if b.Vote == Useless {
		kind++
	}
	body := binary.BigEndian.AppendUint16([]byte{kind}, uint16(ends))
	body = append(append(body, job[:]...), b.Tenant...)
	return base64.RawURLEncoding.EncodeToString(append(body, sign(k[0], body)...))
}

// Open gives the ballot of a token that is genuine and good at that time; all
// others are the same to the caller, and take the same time.
func (k Keys) Open(token string, now time.Time) (Ballot, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token[:min(len(token), maxToken)])
	genuine := err == nil && len(token) <= maxToken && len(raw) > headSize+macSize
	if !genuine {
		raw = make([]byte, headSize+macSize+1) // which no key signs
	}
	body, mac := raw[:len(raw)-macSize], raw[len(raw)-macSize:]
	signed := false
	for _, key := range k { // all of them, whichever it was
		signed = hmac.Equal(sign(key, body), mac) || signed
	}
	b := Ballot{
		Tenant:  tenant.ID(body[headSize:]),
		Job:     uuid.UUID(body[3:headSize]).String(),
		Vote:    votes[body[0]],
		Expires: time.Unix(int64(binary.BigEndian.Uint16(body[1:]))*int64(day/time.Second), 0).UTC(),
	}
	if !genuine || !signed || b.Vote == "" || !now.Before(b.Expires) {
		return Ballot{}, false
	}
	return b, true
}

// Links gives the links of a note for each vote; "" where base, the installation's
// own address, is empty.
func (k Keys) Links(base string, id tenant.ID, job string, now time.Time) (useful, useless string) {
	link := func(vote Vote) string {
		token := k.Token(NewBallot(id, job, vote, now))
		if base == "" || token == "" {
			return ""
		}
		return strings.TrimSuffix(base, "/") + Path + token
	}
	return link(Useful), link(Useless)
}

// sign gives 128 bits, which nobody guesses online.
func sign(key secret.Text, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(key.Reveal()))
	h.Write(body)
	return h.Sum(nil)[:macSize]
}
