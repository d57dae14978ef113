package webhook_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/webhook"
)

// The vector of the contract: what a sender in any language has to compute.
const (
	vectorBody = `{"event":"request.created","request_id":"1001"}`
	vectorHex  = "f51f4d1d8e801ae8db18067cdd4462c141ee1975212257c6dbfd7ffe9c7e55c5"
)

func TestSignGivesTheVectorOfTheContract(t *testing.T) {
	t.Parallel()
	if got := webhook.Sign(secret.New("sdp-demo-secret"), "1767225600", []byte(vectorBody)); got != "sha256="+vectorHex {
		t.Errorf("signature is %s", got)
	}
}

func TestSignatureIsAccepted(t *testing.T) {
	t.Parallel()
	const body = `{"id":"1"}`
	for name, r := range map[string]request{
		"with the newest secret":     {key: acmeKey},
		"with the one before":        {key: acmeOld},
		"without prefix":             {header: header(webhook.SignatureHeader, strings.TrimPrefix(webhook.Sign(acmeKey, "1767225600", []byte(body)), "sha256="))},
		"in capitals":                {header: header(webhook.SignatureHeader, strings.ToUpper(strings.TrimPrefix(webhook.Sign(acmeKey, "1767225600", []byte(body)), "sha256=")))},
		"five minutes ago":           {key: acmeKey, at: now.Add(-5 * time.Minute)},
		"five minutes ahead":         {key: acmeKey, at: now.Add(5 * time.Minute)},
		"with header names in lower": {key: acmeKey, header: http.Header{"x-tenant-id": {"acme"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r.path, r.body = "/webhook/servicedesk/acme", body
			setup(t).send(t, r).job(t)
		})
	}
}

func TestEveryFailedAuthenticationLooksTheSame(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const acme, msp, base = "/webhook/servicedesk/acme", "/webhook/servicedesk/msp", "/webhook/servicedesk"
	stamped := func(stamp string) request {
		return request{path: acme, header: header(webhook.TimestampHeader, stamp, webhook.SignatureHeader, webhook.Sign(acmeKey, stamp, []byte(`{"id":"1"}`)))}
	}
	plain := func(path string, key secret.Text) request {
		return request{path: path, header: http.Header{
			webhook.TimestampHeader: nil, webhook.SignatureHeader: {webhook.Sign(key, "", []byte(`{"id":"1"}`))},
		}}
	}
	var first reply
	for name, r := range map[string]request{
		"unknown connection":           {path: base + "/initech", key: acmeKey},
		"unknown tenant in the header": {path: base, key: acmeKey, header: header("X-Tenant-ID", "initech")},
		"unknown tenant in the body":   {path: base, key: acmeKey, body: `{"id":"1","tenant":"initech"}`},
		"two tenants in the body":      {path: base, key: acmeKey, body: `{"id":"1","tenant":"acme","tenant_id":"globex"}`},
		"one key twice":                {path: base, key: acmeKey, body: `{"id":"1","tenant":"acme","tenant":"globex"}`},
		"two tenants in the header":    {path: base, key: acmeKey, header: header("X-Tenant-ID", "acme", "X-Tenant-ID", "globex")},
		"disabled tenant":              {path: base, key: mspKey, header: header("X-Tenant-ID", "ghost")},
		"disabled tenant, by account":  {path: msp, key: mspKey, body: `{"id":"1","account":"Ghost"}`},
		"disabled connection":          {path: base + "/off", key: acmeKey},
		"connection of another tool":   {path: base + "/helpdesk", key: acmeKey},
		"tool without the tenant":      {path: "/webhook/jira", key: globexKey, header: header("X-Tenant-ID", "globex")},
		"reserved name":                {path: base + "/resolved/resolved", key: acmeKey},
		"another reserved name":        {path: base + "/updated/closed", key: acmeKey},
		"connection without secret":    {path: base + "/keyless", key: secret.New("")},
		"another tenant's secret":      {path: acme, key: globexKey},
		"the connection's dummy":       {path: base + "/initech", key: secret.New("no connection has this secret")},
		"another tenant in the header": {path: base, key: globexKey, header: header("X-Tenant-ID", "acme")},
		"another tenant in the body":   {path: base, key: globexKey, body: `{"id":"1","tenant":"acme"}`},
		"no signature":                 {path: acme, key: acmeKey, header: http.Header{webhook.SignatureHeader: nil}},
		"empty signature":              {path: acme, key: acmeKey, header: header(webhook.SignatureHeader, "sha256=")},
		"signature not hexadecimal":    {path: acme, key: acmeKey, header: header(webhook.SignatureHeader, "sha256=zz")},
		"signature cut short":          {path: acme, key: acmeKey, header: header(webhook.SignatureHeader, webhook.Sign(acmeKey, "1767225600", []byte(`{"id":"1"}`))[:60])},
		"two signatures":               {path: acme, header: header(webhook.SignatureHeader, "00", webhook.SignatureHeader, webhook.Sign(acmeKey, "1767225600", []byte(`{"id":"1"}`)))},
		"signature of another body":    {path: acme, header: header(webhook.SignatureHeader, webhook.Sign(acmeKey, "1767225600", []byte(`{"id":"2"}`)))},
		"signature of another time":    {path: acme, key: acmeKey, header: header(webhook.TimestampHeader, "1767225601")},
		"too old by a second":          {path: acme, key: acmeKey, at: now.Add(-5*time.Minute - time.Second)},
		"too early by a second":        {path: acme, key: acmeKey, at: now.Add(5*time.Minute + time.Second)},
		"timestamp with a sign":        stamped("+1767225600"),
		"timestamp in milliseconds":    stamped("1767225600000"),
		"timestamp beyond all numbers": stamped("99999999999999999999999999"),
		"timestamp of the year minus":  stamped("-9223372036854775808"),
		"timestamp is text":            stamped("now"),
		"no timestamp":                 plain(acme, acmeKey),
		"no timestamp, wrong secret":   plain(base+"/plain", acmeKey),
	} {
		if r.body == "" {
			r.body = `{"id":"1"}`
		}
		got := b.send(t, r)
		if got.status != http.StatusUnauthorized {
			t.Errorf("%s: answered %d %s", name, got.status, got.body)
		}
		got.header.Del("Date")
		if first.header == nil {
			first = got
		}
		if got.body != first.body || len(got.header) != len(first.header) {
			t.Errorf("%s: answered %q %v, others %q %v", name, got.body, got.header, first.body, first.header)
		}
	}
	if n := len(b.enhance.messages()) + len(b.limit.used); n != 0 {
		t.Errorf("%d of them were queued or counted", n)
	}
}
