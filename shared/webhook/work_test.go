package webhook

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
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

// TestARefusalTakesAsLongWhoeverIsNamed takes the whole way of webhooks that
// name tenants, of a directory with 1,000 connections, by the clock: what looks
// through them all only for a tenant that is there, takes seven times as long.
func TestARefusalTakesAsLongWhoeverIsNamed(t *testing.T) { //nolint:paralleltest // it looks at the clock
	const many = 1000
	tenants, conns := map[tenant.ID]tenant.Tenant{}, map[string]tenant.Connection{}
	for i := range many {
		id := fmt.Sprintf("tenant-%d", i)
		tenants[tenant.ID(id)] = tenant.Tenant{ID: tenant.ID(id), Disabled: i == 1}
		conns[id] = tenant.Connection{ID: id, Tool: "servicedesk_plus", Signing: []secret.Text{secret.New(id)}, Routes: map[string]tenant.ID{"": tenant.ID(id)}}
	}
	dir := tenant.NewDirectory(tenants, conns, time.Unix(1, 0))
	rc := &Receiver{
		Directory: func() tenant.Directory { return dir },
		Tool:      func(string) (string, bool) { return "servicedesk_plus", true },
		Now:       time.Now, Log: slog.New(slog.DiscardHandler),
	}
	names := []string{"tenant-0", "tenant-1", "tenant-999", "tenant-1000", "somebody"}
	took := make([]time.Duration, len(names)) // of the quickest, as the machine may be busy
	for range 300 {
		for i, name := range names {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhook/servicedesk", strings.NewReader("{}"))
			r.Header = http.Header{"Content-Type": {"application/json"}, "X-Tenant-Id": {name}}
			w, began := httptest.NewRecorder(), time.Now()
			err := rc.accept(t.Context(), w, r, &delivery{kind: ticket.Created, path: "servicedesk"})
			if all := time.Since(began); took[i] == 0 || all < took[i] {
				took[i] = all
			}
			if refused, ok := errors.AsType[*refusal](err); !ok || refused.status != http.StatusUnauthorized {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	if quick, slow := slices.Min(took), slices.Max(took); slow > 2*quick {
		t.Errorf("refusals of %v take %v", names, took)
	}
	t.Logf("refusals of %v take %v", names, took)
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
