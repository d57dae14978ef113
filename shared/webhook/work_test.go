package webhook

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

// counter counts what an authentication hashes.
type counter struct{ hashes, bytes int }

func (c *counter) sha() hash.Hash {
	c.hashes++
	return &counted{sha256.New(), c}
}

type counted struct {
	hash.Hash
	all *counter
}

func (h *counted) Write(p []byte) (int, error) {
	h.all.bytes += len(p)
	return h.Hash.Write(p)
}

// TestEveryRefusalTakesTheSameWork counts hashes and bytes instead of looking
// at a clock: whether the connection is there, whatever its profile and however
// many secrets it has, and whatever the sender shows, a refusal signs the body
// twice. Only the signed headers differ, which the sender chooses himself.
func TestEveryRefusalTakesTheSameWork(t *testing.T) {
	t.Parallel()
	body := []byte(strings.Repeat("x", 100_000))
	now := time.Unix(1767225600, 0)
	shown := map[string]http.Header{
		"nothing": {}, "ours": {SignatureHeader: {strings.Repeat("0", 64)}, TimestampHeader: {"1767225600"}},
		"endless": {TimestampHeader: {strings.Repeat("1", 10_000)}, standardID: {strings.Repeat("1", 10_000)}, zendeskTimestamp: {strings.Repeat("1", 10_000)}},
		"token":   {TokenHeader: {"x"}}, "basic": {"Authorization": {"Basic eDp5"}},
		"list": {standardID: {"x"}, standardTimestamp: {"1"}, standardSignature: {strings.Repeat("v1,"+base64.StdEncoding.EncodeToString(make([]byte, 32))+" ", 100)}},
	}
	canonical := func(h http.Header) http.Header {
		c := http.Header{}
		for name, values := range h {
			c[http.CanonicalHeaderKey(name)] = values
		}
		return c
	}
	var conns []tenant.Connection
	for _, v := range append(slices.Clone(tenant.Verifies), "of a later version") {
		conns = append(
			conns, tenant.Connection{ID: "none", Verify: v},
			tenant.Connection{ID: "one", Verify: v, Signing: []secret.Text{v.NewSecret()}},
			tenant.Connection{ID: "two", Verify: v, Signing: []secret.Text{v.NewSecret(), v.NewSecret()}},
			tenant.Connection{ID: "unusable", Verify: v, Signing: []secret.Text{secret.New(""), secret.New("dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==")}},
		)
	}
	refused := func(conn tenant.Connection, h http.Header) (counter, string) {
		var c counter
		_, _, err := check{conn, canonical(h), body, now, c.sha}.authenticate()
		if err == nil {
			t.Fatalf("%s of %s is accepted", conn.ID, conn.Verify)
		}
		r, _ := errors.AsType[*refusal](err)
		return c, r.text
	}
	want, said := refused(tenant.Connection{}, nil) // an unknown connection
	for name, h := range shown {
		for _, conn := range conns {
			got, text := refused(conn, h)
			if got.hashes != want.hashes || got.bytes-want.bytes > 4*maxHead || want.bytes-got.bytes > 4*maxHead || text != said {
				t.Errorf("%s with %d secrets (%s), shown %s: %d hashes of %d bytes, %q; for an unknown connection %d of %d, %q",
					conn.Verify, len(conn.Signing), conn.ID, name, got.hashes, got.bytes, text, want.hashes, want.bytes, said)
			}
		}
	}
	if want.bytes < 2*len(body) {
		t.Errorf("a refusal hashes %d bytes: the test does not see the body", want.bytes)
	}
}

func TestEveryProfileIsInTheTable(t *testing.T) {
	t.Parallel()
	for _, v := range tenant.Verifies {
		p, ok := profiles[v]
		if !ok || p.read == nil || p.keep < Window || p.keep < p.past+p.future || (p.at == nil) == p.covers {
			t.Errorf("%s: %+v", v, p)
		}
	}
	if len(profiles) != len(tenant.Verifies) {
		t.Errorf("%d profiles for the names %v", len(profiles), slices.Collect(maps.Keys(profiles)))
	}
}

// FuzzProfiles gives hostile headers and bodies to the verifier of each
// profile. Nobody who does not know a secret is genuine.
func FuzzProfiles(f *testing.F) {
	token := base64.StdEncoding.EncodeToString([]byte("acme:x"))
	for i := range tenant.Verifies {
		f.Add(i, "sha256=00", "1767225600", []byte(`{"timestamp":1767225600000}`))
		f.Add(i, "v1,AAAA v1,"+base64.StdEncoding.EncodeToString(make([]byte, 32)), "2026-01-01T00:00:00Z", []byte(`1767225600.{}`))
		f.Add(i, "Basic "+token, "", []byte{})
	}
	sign := secret.New("a secret that the fuzzer does not know")
	standard := tenant.VerifyStandard.NewSecret()
	f.Fuzz(func(t *testing.T, which int, proof, at string, body []byte) {
		v := tenant.Verifies[uint(which)%uint(len(tenant.Verifies))]
		h := http.Header{}
		for _, name := range []string{SignatureHeader, TokenHeader, "Authorization", standardSignature, jiraSignature, zendeskSignature} {
			h.Set(name, proof)
		}
		for _, name := range []string{TimestampHeader, standardTimestamp, zendeskTimestamp} {
			h.Set(name, at)
		}
		h.Set(standardID, at)
		h.Set(jiraID, at)
		conn := tenant.Connection{ID: "acme", Verify: v, Signing: []secret.Text{sign, standard, secret.New("")}}
		now := time.Unix(1767225600, 0)
		if _, _, err := (check{conn, h, body, now, sha256.New}).authenticate(); err == nil {
			t.Errorf("%s is taken for genuine", v)
		}
		// What is read has its bounds.
		if shown := profiles[v].read(conn, h, body); len(shown.macs) > maxSignatures {
			t.Errorf("%s: %d signatures are looked at", v, len(shown.macs))
		}
		// Its MAC, known, proves it at the time that it tells, and only then.
		if p := profiles[v]; p.covers {
			shown := p.read(conn, h, body)
			key, _ := v.Key(conn.Signing[map[bool]int{true: 1}[v == tenant.VerifyStandard]])
			shown.macs = [][]byte{mac(sha256.New, key, shown.head, body)}
			if !(check{conn, h, body, now, sha256.New}).genuine(p, shown) {
				t.Errorf("%s: its own MAC is refused", v)
			}
			shown.macs[0][0] ^= 1
			if (check{conn, h, body, now, sha256.New}).genuine(p, shown) {
				t.Errorf("%s: a changed MAC is accepted", v)
			}
		}
	})
}
