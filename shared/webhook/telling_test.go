package webhook_test

import (
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/deskhand/deskhand/shared/tenant"
)

func TestOneLogLineTellsOfEachWebhook(t *testing.T) {
	t.Parallel()
	b := setup(t)
	job := b.send(t, request{path: "/webhook/servicedesk/acme", body: `{"id":"1042","description":"confidential"}`, key: acmeKey}).job(t)
	b.send(t, request{path: "/webhook/servicedesk/acme", body: `{"description":"confidential"}`, key: acmeKey})
	b.send(t, request{path: "/webhook/servicedesk/acme", body: `{"id":"1042","description":"confidential"}`, key: globexKey})

	log := b.log.String()
	for _, secret := range []string{"confidential", "sha256=", acmeKey.Reveal(), globexKey.Reveal()} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q:\n%s", secret, log)
		}
	}
	var got []map[string]any
	for line := range strings.Lines(log) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		got = append(got, fields)
	}
	line := func(level string, status, bytes float64, more map[string]any) map[string]any {
		fields := map[string]any{
			"level": level, "msg": "webhook received", "operation": "webhook_received", "duration_ms": 0.0,
			"status": status, "bytes": bytes, "tenant": "acme", "ticket": "", "correlation_id": "",
		}
		for k, v := range more {
			fields[k] = v
		}
		return fields
	}
	want := []map[string]any{
		line("INFO", 202, 42, map[string]any{"ticket": "1042", "correlation_id": job}),
		line("INFO", 400, 30, map[string]any{"reason": "the webhook cannot be used: id"}),
		line("WARN", 401, 42, map[string]any{
			"tenant": "", "connection": "acme", "security_event": "webhook_refused",
			"reason": "the webhook is not authenticated: missing or wrong signature",
		}),
	}
	unstable := cmpopts.IgnoreMapEntries(func(key string, _ any) bool { return key == "time" || key == "remote" })
	if diff := cmp.Diff(want, got, unstable); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if remote, _ := got[2]["remote"].(string); !strings.HasPrefix(remote, "127.0.0.1:") {
		t.Errorf("the security event is from %q", remote)
	}
}

// TestWebhooksAreCountedAndTraced has a tenant of its own, as instruments and
// spans are those of the whole process.
func TestWebhooksAreCountedAndTraced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dir := directory()
	own := tenant.ID("initech-" + strings.ToLower(rand.Text()))
	dir.Tenants[own] = tenant.Tenant{ID: own}
	conn := dir.Connections["acme"]
	conn.ID, conn.Routes = "initech", map[string]tenant.ID{"": own}
	dir.Connections["initech"] = conn
	b.Directory = func() tenant.Directory { return dir }

	const path = "/webhook/servicedesk/initech"
	b.send(t, request{path: path, body: `{"id":"1"}`, key: acmeKey}).job(t)
	b.send(t, request{path: path, body: `{"id":"2"}`, key: acmeKey}).job(t)
	b.send(t, request{path: path, body: `{}`, key: acmeKey})
	b.send(t, request{path: path, body: `{"id":"3"}`, key: globexKey}) // forged: not the tenant's

	if diff := cmp.Diff(map[string]int64{"202": 2, "400": 1}, counted(t, string(own))); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
	trace := b.enhance.messages()[0].Trace["traceparent"]
	var names []string
	for _, s := range spans.Ended() {
		if strings.Contains(trace, s.SpanContext().TraceID().String()) {
			names = append(names, s.Name())
		}
	}
	if diff := cmp.Diff([]string{"job_queued", "webhook_received"}, names); diff != "" {
		t.Errorf("spans of the trace (-want +got):\n%s", diff)
	}
}

// counted gives webhook_requests_total of a tenant by status.
func counted(t *testing.T, id string) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != "webhook_requests_total" {
				continue
			}
			for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
				if owner, _ := p.Attributes.Value("tenant_id"); owner.AsString() == id {
					status, _ := p.Attributes.Value("status")
					got[status.AsString()] += p.Value
				}
			}
		}
	}
	return got
}
