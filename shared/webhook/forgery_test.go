package webhook_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"slices"
	"testing"

	"github.com/deskhand/deskhand/shared/tenant"
)

// forgeries is how many mutated requests TestNoMutatedRequestIsAccepted sends.
var forgeries = flag.Int("forgeries", 10_000, "mutated requests to send")

// captured is a genuine request as an attacker sees it.
type captured struct {
	from   sender
	path   string
	body   []byte
	header http.Header
}

// capture makes a genuine request of one connection for a ticket. Its text
// would be another webhook if it were read as a form.
func capture(s sender, ticket int) captured {
	d := told(now, fmt.Sprint("delivery-", ticket))
	d.body = fmt.Sprintf(`{"timestamp":%d,"id":"%d","account":"Acme Corp","description":"a&payload={\"id\":\"7\"}&b\n"}`, now.UnixMilli(), ticket)
	h := s.headers(d)
	h.Set("Content-Type", "application/json")
	canonical := http.Header{}
	for name, values := range h {
		canonical[textproto.CanonicalMIMEHeaderKey(name)] = values
	}
	return captured{s, "/webhook/servicedesk/" + s.conn, []byte(d.body), canonical}
}

func (c captured) request(t *testing.T) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(c.body))
	r.URL.Path, r.Header = c.path, c.header
	return r
}

// covered tells whether what proves the request is of its body.
func (c captured) covered() bool {
	return c.from.verify != tenant.VerifyHeader && c.from.verify != tenant.VerifyBasic
}

func (c captured) clone() captured {
	c.body, c.header = bytes.Clone(c.body), c.header.Clone()
	return c
}

// mutate changes one to three things about a genuine request. Others are
// genuine ones, too, of which it may take parts.
func mutate(random *rand.Rand, c captured, others []captured) captured {
	c = c.clone()
	for range 1 + random.IntN(3) {
		other := others[random.IntN(len(others))]
		names := slices.Sorted(maps.Keys(c.header))
		name := names[random.IntN(len(names))]
		switch op := random.IntN(13); {
		case op < 4 && c.covered():
			c.body = mutateBody(random, op, c.body, other.body)
		case op < 6 && c.header.Get(name) != "":
			c.header.Set(name, string(flip(random, []byte(c.header.Get(name)))))
		case op == 6:
			c.header.Del(name)
			c.header.Set("X-Other", "x")
		case op == 7:
			c.header.Add(name, c.header.Get(name))
		case op == 8: // of another's headers, one
			names := slices.Sorted(maps.Keys(other.header))
			name := names[random.IntN(len(names))]
			c.header[name] = other.header[name]
		case op == 9: // of another's, all
			c.header = other.header.Clone()
		case op == 10:
			c.header.Set("X-Tenant-ID", []string{"acme", "globex", "ghost", "", "acme,globex"}[random.IntN(5)])
		case op == 11:
			c.header.Set("Content-Type", []string{"application/x-www-form-urlencoded", "application/json; charset=utf-16", "text/plain"}[random.IntN(3)])
		default:
			c.path = []string{other.path, "/webhook/servicedesk", "/webhook/jira/helpdesk", "/webhook/servicedesk/globex"}[random.IntN(4)]
		}
	}
	return c
}

func mutateBody(random *rand.Rand, op int, body, other []byte) []byte {
	if len(body) == 0 {
		return other
	}
	switch op {
	case 0:
		return flip(random, body)
	case 1:
		return body[:random.IntN(len(body))]
	case 2:
		return bytes.Clone(other)
	}
	return slices.Insert(body, random.IntN(len(body)), other[:random.IntN(len(other))]...)
}

// flip changes one bit.
func flip(random *rand.Rand, text []byte) []byte {
	text[random.IntN(len(text))] ^= 1 << random.IntN(8)
	return text
}

// TestNoMutatedRequestIsAccepted changes requests that were all delivered
// before, of both tenants and in every profile. A copy may be accepted as the
// repetition that it is; whatever puts anything on a queue is a forgery. Whoever
// has seen a secret that is sent itself (static header, basic) can write what he
// likes, so no parts of those requests go into others. -forgeries=100000 sends
// more.
func TestNoMutatedRequestIsAccepted(t *testing.T) {
	t.Parallel()
	b := verified(t)
	routes := b.Routes()
	senders := []sender{{tenant.VerifyHMAC, "msp", mspKey}}
	for _, v := range tenant.Verifies {
		senders = append(senders, sender{v, connOf(v), keyOf(v, newest)}, sender{v, connOf(v), keyOf(v, former)}, sender{v, connOf(v) + "-globex", keyOf(v, foreign)})
	}
	deliver := func(c captured) int {
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, c.request(t))
		return w.Code
	}
	var genuine, covered []captured
	for i, s := range senders {
		c := capture(s, 1000+i)
		if code := deliver(c); code != http.StatusAccepted {
			t.Fatalf("the genuine request to %s is answered %d", c.path, code)
		}
		genuine = append(genuine, c)
		if c.covered() {
			covered = append(covered, c)
		}
	}
	known := len(b.enhance.messages())

	random := rand.New(rand.NewPCG(3, 5))
	repetitions, accepted := 0, 0
	for range *forgeries {
		from := genuine[random.IntN(len(genuine))]
		forged := mutate(random, from, covered)
		code := deliver(forged)
		if n := len(b.enhance.messages()) + len(b.catalogue.messages()); n != known {
			known = n
			accepted++
			t.Errorf("accepted: %s %v\n%s\nfrom %s %v", forged.path, forged.header, forged.body, from.path, from.header)
		} else if code == http.StatusAccepted {
			repetitions++
		}
	}
	t.Logf("%d mutated requests, %d accepted forgeries, %d repetitions", *forgeries, accepted, repetitions)
	for i, s := range senders { // the flood has locked nobody out
		if code := deliver(capture(s, 2000+i)); code != http.StatusAccepted {
			t.Errorf("a genuine request to %s is answered %d", s.conn, code)
		}
	}
}

// TestRightSecretInAnotherTenantsNameIsRefused has every sender try every
// connection, with and without the other's name.
func TestRightSecretInAnotherTenantsNameIsRefused(t *testing.T) {
	t.Parallel()
	b := verified(t)
	for _, v := range tenant.Verifies {
		for path, h := range map[string]string{
			connOf(v) + "-globex": "", connOf(v): "globex", connOf(tenant.VerifyHMAC) + "-globex": "globex",
		} {
			d := told(now, "delivery")
			headers := sender{v, connOf(v), keyOf(v, newest)}.headers(d)
			headers.Set("X-Tenant-ID", h)
			if got := b.bare(t, "/webhook/servicedesk/"+path, d.body, headers); got.status != http.StatusUnauthorized && got.status != http.StatusBadRequest {
				t.Errorf("%s at %s as %q: answered %d", v, path, h, got.status)
			}
		}
	}
	if n := len(b.enhance.messages()); n != 0 {
		t.Errorf("%d were queued", n)
	}
}
