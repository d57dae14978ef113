package webhook_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/deskhand/deskhand/shared/tenant"
)

func TestTenantHasARateOfItsOwn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.limit.most = 5
	dir := directory()
	dir.Tenants["acme"] = tenant.Tenant{ID: "acme", Settings: tenant.Settings{WebhooksPerMinute: 2}}
	b.Directory = func() tenant.Directory { return dir }
	for i := range 8 {
		for id, c := range map[string]struct {
			request
			most int
		}{
			"acme":   {request{path: "/webhook/servicedesk/acme", key: acmeKey}, 2},
			"globex": {request{path: "/webhook/servicedesk/globex", key: globexKey}, 5},
		} {
			want := http.StatusAccepted
			if i >= c.most {
				want = http.StatusTooManyRequests
			}
			c.body = fmt.Sprintf(`{"id":"%d"}`, i+1)
			if got := b.send(t, c.request); got.status != want || (want == 429) != (got.header.Get("Retry-After") != "") {
				t.Errorf("webhook %d of %s is answered %d, Retry-After %q", i+1, id, got.status, got.header.Get("Retry-After"))
			}
		}
	}
}

// TestAFloodOfUnmappedAccountsIsCountedWithinBounds has a genuine sender name
// accounts that nobody has, ever new ones.
func TestAFloodOfUnmappedAccountsIsCountedWithinBounds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	clock, noted := now, map[string]int{}
	b.Now = func() time.Time { return clock }
	b.Unmapped = func(_ context.Context, connection, _ string) error {
		noted[connection]++
		return nil
	}
	const flood = 300
	for minute := 1; minute <= 2; minute++ {
		for i := range flood {
			got := b.send(t, request{path: "/webhook/servicedesk/msp", body: fmt.Sprintf(`{"id":"1","account":"Nobody %d"}`, i), key: mspKey})
			if got.status != http.StatusBadRequest {
				t.Fatalf("answered %d", got.status)
			}
		}
		if want := minute * 30; noted["msp"] != want {
			t.Errorf("after %d webhooks %d were counted in the database, want %d", minute*flood, noted["msp"], want)
		}
		clock = clock.Add(time.Minute)
	}
	b.send(t, request{path: "/webhook/servicedesk/msp", body: `{"id":"1","account":"Acme Corp"}`, key: mspKey, at: clock}).job(t)
}

// TestReplaysUseUpNothingOfTheRate sends one captured delivery of every profile
// far more often than the rate of its tenant, whose own sender notices nothing.
func TestReplaysUseUpNothingOfTheRate(t *testing.T) {
	t.Parallel()
	for _, v := range tenant.Verifies {
		b := verified(t)
		b.limit.most = 5
		s := sender{v, connOf(v), keyOf(v, newest)}
		deliver := func(second int) reply {
			d := told(now.Add(time.Duration(second)*time.Second), fmt.Sprintf("delivery-%d", second))
			return b.bare(t, "/webhook/servicedesk/"+s.conn, d.body, s.headers(d))
		}
		first := deliver(0).job(t)
		for range 50 {
			deliver(0)
		}
		for second := 1; second < 5; second++ {
			deliver(second).job(t)
		}
		if got := deliver(5); got.status != http.StatusTooManyRequests {
			t.Errorf("%s: the sixth is answered %d", v, got.status)
		}
		if again := deliver(0).job(t); again != first { // it is queued, whatever came since
			t.Errorf("%s: the first is another job after the share is used up", v)
		}
	}
}

func TestHeadersAreLimited(t *testing.T) {
	t.Parallel()
	b := setup(t)
	many, large := http.Header{}, header("X-Large", strings.Repeat("x", 16<<10))
	for i := range 101 {
		many.Add("X-Many", fmt.Sprint(i))
	}
	for name, h := range map[string]http.Header{"many": many, "large": large} {
		got := b.send(t, request{path: "/webhook/servicedesk/acme", body: `{"id":"1"}`, key: acmeKey, header: h})
		if got.status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: answered %d", name, got.status)
		}
	}
	b.send(t, request{path: "/webhook/servicedesk/acme", body: `{"id":"1"}`, key: acmeKey, header: header("X-Large", strings.Repeat("x", 8<<10))}).job(t)
}

func TestDepthAndFieldsAreLimited(t *testing.T) {
	t.Parallel()
	form := header("Content-Type", "application/x-www-form-urlencoded")
	nested := func(depth int) string {
		return `{"id":"1","x":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + `}`
	}
	wide := func(values int) string { return `{"id":"1","x":[` + strings.Repeat("0,", values) + `0]}` }
	for name, c := range map[string]struct {
		body   string
		header http.Header
		status int
		says   string
	}{
		"as deep as may be":         {nested(64), nil, 202, "job_id"},
		"one deeper":                {nested(65), nil, 400, "deeper than 64"},
		"very deep":                 {nested(200_000), nil, 400, "not JSON"}, // no decoder takes it for JSON
		"many values":               {wide(9_000), nil, 202, "job_id"},
		"too many values":           {wide(10_001), nil, 400, "10000 values"},
		"brackets in text":          {`{"id":"1","description":"` + strings.Repeat(`[{\"`, 9_000) + `,,,,"}`, nil, 202, "job_id"},
		"deep, but broken":          {nested(100) + "x", nil, 400, "not JSON"}, // the tool says so
		"form with too many fields": {strings.Repeat("x=1&", 256) + "payload=%7B%22id%22%3A%221%22%7D", form, 400, "256 fields"},
		"form with deep payload":    {"payload=" + strings.ReplaceAll(nested(70), `"`, "%22"), form, 400, "deeper than 64"},
		"form as wide as may be":    {strings.Repeat("x=1&", 255) + "payload=%7B%22id%22%3A%221%22%7D", form, 202, "job_id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := setup(t).send(t, request{path: "/webhook/servicedesk/acme", body: c.body, key: acmeKey, header: c.header})
			if got.status != c.status || !strings.Contains(got.body, c.says) {
				t.Errorf("answered %d %s, want %d with %q", got.status, got.body, c.status, c.says)
			}
			forged := setup(t).send(t, request{path: "/webhook/servicedesk/acme", body: c.body, key: globexKey, header: c.header})
			if forged.status != http.StatusUnauthorized {
				t.Errorf("whoever has no secret learns %d of the limits", forged.status)
			}
		})
	}
}

// from has a request of an address, which httptest's server would overwrite.
func (b *bundle) from(t *testing.T, remote, path, signature string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(`{"id":"1"}`))
	r.RemoteAddr = remote
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-ServiceDesk-Timestamp", "1767225600")
	r.Header.Set("X-ServiceDesk-Signature", signature)
	w := httptest.NewRecorder()
	b.Routes().ServeHTTP(w, r)
	return w
}

func TestFloodIsAnsweredApartFromGenuineSenders(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const acme = "/webhook/servicedesk/acme"
	good := "sha256=" + fmt.Sprintf("%x", sum([]byte(acmeKey.Reveal()), `1767225600.{"id":"1"}`))
	fail := func(remote, path string) int { return b.from(t, remote, path, "sha256=00").Code }
	for i := range 30 {
		if code := fail(fmt.Sprintf("192.0.2.1:%d", 1000+i), acme); code != 401 {
			t.Fatalf("failure %d is answered %d", i+1, code)
		}
	}
	for range 200 {
		if w := b.from(t, "192.0.2.1:5", acme, "sha256=00"); w.Code != 429 || w.Header().Get("Retry-After") != "60" {
			t.Fatalf("the flood is answered %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
	}
	log := b.log.String()
	if n := strings.Count(log, `"webhook_refused"`); n != 30 {
		t.Errorf("%d refusals in the log, want 30", n)
	}
	if n := strings.Count(log, `"webhook_flood"`); n != 1 || strings.Count(log, "\n") != 31 {
		t.Errorf("%d lines say that there is a flood, of %d; want 1 of 31", n, strings.Count(log, "\n"))
	}
	if w := b.from(t, "192.0.2.1:5", acme, good); w.Code != 202 {
		t.Errorf("the genuine sender behind the same proxy is answered %d", w.Code)
	}
	if n := b.limit.used["acme"]; n != 1 {
		t.Errorf("%d of the tenant's share are used, want 1", n)
	}
	for name, c := range map[string]struct {
		remote, path string
		want         int
	}{
		"another source":                 {"192.0.2.2:5", acme, 401},
		"the same for another":           {"192.0.2.1:5", "/webhook/servicedesk/globex", 401},
		"the same, by IPv6":              {"[::ffff:192.0.2.1]:5", acme, 429},
		"without a port, as on Lambda":   {"192.0.2.1", acme, 429},
		"an address that is none":        {"unix", acme, 401},
		"the same for one that is not":   {"192.0.2.1:5", "/webhook/servicedesk/initech", 401},
		"the same, for a disabled one":   {"192.0.2.1:5", "/webhook/servicedesk/off", 401},
		"the same, in another's network": {"[2001:db8::1]:5", acme, 401},
	} {
		if code := fail(c.remote, c.path); code != c.want {
			t.Errorf("%s: answered %d, want %d", name, code, c.want)
		}
	}
	for range 31 {
		fail("[2001:db8::1]:5", acme)
	}
	if code := fail("[2001:db8::ffff]:5", acme); code != 429 {
		t.Errorf("another address of the same network is answered %d", code)
	}
	b.Now = func() time.Time { return now.Add(time.Minute) }
	if code := fail("192.0.2.1:5", acme); code != 401 {
		t.Errorf("a minute later it is answered %d", code)
	}
}

// refusal is a delivery that is refused to somebody who has no secret. Each %d
// is the number of the delivery.
type refusal struct {
	method, path, body string
	header             http.Header
	status             int
}

func refusals() map[string]refusal {
	many := make(http.Header)
	for i := range 101 {
		many.Add("X-Many", fmt.Sprint(i))
	}
	return map[string]refusal{
		"other names":       {"POST", "/webhook/servicedesk", "{}", header("X-Tenant-ID", "name-%d"), 401},
		"other connections": {"POST", "/webhook/servicedesk/name-%d", "{}", nil, 401},
		"no such path":      {"POST", "/%d", "{}", nil, 404},
		"no such tool":      {"POST", "/webhook/tool-%d", "{}", nil, 404},
		"another method":    {"PUT", "/webhook/servicedesk/name-%d", "{}", nil, 405},
		"too large":         {"POST", "/webhook/servicedesk/name-%d", strings.Repeat("x", 1<<20+1), nil, 413},
		"empty":             {"POST", "/webhook/servicedesk/name-%d", "", nil, 400},
		"nobody is named":   {"POST", "/webhook/servicedesk", `{"id":"%d"}`, nil, 400},
		"another type":      {"POST", "/webhook/servicedesk/name-%d", "{}", header("Content-Type", "text/plain"), 415},
		"not a form":        {"POST", "/webhook/servicedesk/name-%d", "{}", header("Content-Type", "application/x-www-form-urlencoded"), 400},
		"large headers":     {"POST", "/webhook/servicedesk/name-%d", "{}", many, 431},
	}
}

func (b *bundle) refuse(t *testing.T, remote string, c refusal, i int) {
	t.Helper()
	numbered := func(text string) string { return strings.ReplaceAll(text, "%d", fmt.Sprint(i)) }
	r := httptest.NewRequestWithContext(t.Context(), c.method, numbered(c.path), strings.NewReader(numbered(c.body)))
	r.RemoteAddr = remote
	r.Header.Set("Content-Type", "application/json")
	for key, values := range c.header {
		r.Header[key] = nil
		for _, v := range values {
			r.Header.Add(key, numbered(v))
		}
	}
	w := httptest.NewRecorder()
	b.Routes().ServeHTTP(w, r)
	if w.Code != c.status && w.Code != http.StatusTooManyRequests { // 429 where there are too many names to count
		t.Fatalf("%s %s, number %d: answered %d %s, want %d", c.method, c.path, i, w.Code, w.Body, c.status)
	}
}

// TestNoFloodOfRefusalsFillsTheLog sends, from one address, everything that can
// be refused to somebody who has no secret, each time in another name.
func TestNoFloodOfRefusalsFillsTheLog(t *testing.T) {
	t.Parallel()
	b := setup(t)
	seen := 0
	lines := func() (n int) { // since the last time
		n = strings.Count(b.log.String(), "\n") - seen
		seen += n
		return n
	}
	host := 0
	for name, c := range refusals() {
		host++
		for i := range 50 {
			b.refuse(t, fmt.Sprintf("192.0.2.%d:%d", host, i+1), c, i)
		}
		if n, floods := lines(), strings.Count(b.log.String(), `"webhook_flood"`); n != 31 || floods != host {
			t.Errorf("%s: 50 refusals have %d lines, and of %d sources %d are a flood; want 31 and all", name, n, host, floods)
		}
	}
	// Of all sorts together, and with more names than are remembered.
	for i := range 5 {
		for _, c := range refusals() {
			b.refuse(t, "192.0.2.200:1", c, i)
		}
	}
	for i := range 11_000 {
		b.refuse(t, "192.0.2.200:1", refusal{"POST", "/webhook/servicedesk/name-%d", "{}", nil, 401}, i)
	}
	if n := lines(); n != 31 {
		t.Errorf("over 11,000 refusals of one source have %d lines, want 31", n)
	}
	// Whoever else is refused is still told of, and so is who is genuine.
	b.from(t, "192.0.2.201:1", "/webhook/servicedesk/acme", "sha256=00")
	b.from(t, "192.0.2.200:1", "/webhook/servicedesk/acme", "sha256="+fmt.Sprintf("%x", sum([]byte(acmeKey.Reveal()), `1767225600.{"id":"1"}`)))
	if n := lines(); n != 2 || !strings.Contains(b.log.String(), `"status":202`) {
		t.Errorf("a refusal of another source, and a genuine webhook of the same one: %d lines, want 2", n)
	}
}

// TestADisabledTenantFillsNoLog has a tool that nobody told that its tenant is
// disabled, and a genuine one whose webhooks lack a ticket: only the first are
// told to wait.
func TestADisabledTenantFillsNoLog(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 40 {
		want := http.StatusUnauthorized
		if i >= 30 {
			want = http.StatusTooManyRequests
		}
		if got := b.send(t, request{path: "/webhook/servicedesk/msp", body: `{"id":"1","account":"Ghost"}`, key: mspKey}); got.status != want {
			t.Fatalf("number %d of a disabled tenant is answered %d", i, got.status)
		}
		if got := b.send(t, request{path: "/webhook/servicedesk/acme", body: `{}`, key: acmeKey}); got.status != http.StatusBadRequest {
			t.Fatalf("number %d without a ticket is answered %d", i, got.status)
		}
	}
	if n := strings.Count(b.log.String(), "\n"); n != 31+40 {
		t.Errorf("%d lines, want 31 of the disabled tenant and 40 of the genuine sender", n)
	}
}

// TestWhileStartingIsNoFlood has genuine senders who cannot be served yet.
func TestWhileStartingIsNoFlood(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Directory = func() tenant.Directory { return tenant.Directory{} }
	for range 40 {
		if w := b.from(t, "192.0.2.1:5", "/webhook/servicedesk/acme", "sha256=00"); w.Code != http.StatusServiceUnavailable {
			t.Fatalf("answered %d", w.Code)
		}
	}
	if n := strings.Count(b.log.String(), "\n"); n != 40 || strings.Contains(b.log.String(), "webhook_flood") {
		t.Errorf("%d of 40 are in the log", n)
	}
}

func TestFloodDoesNotTellWhoIsThere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var answers []string
	for _, name := range []string{"acme", "initech", "off", "helpdesk", "keyless", strings.Repeat("x", 5000)} {
		var all strings.Builder
		for range 40 {
			w := b.from(t, "192.0.2.1:5", "/webhook/servicedesk/"+name, "sha256=00")
			fmt.Fprintln(&all, w.Code, w.Header(), w.Body)
		}
		answers = append(answers, all.String())
	}
	for i, a := range answers {
		if a != answers[0] {
			t.Errorf("connection %d is answered otherwise:\n%s\n%s", i, a, answers[0])
		}
	}
}

// TestNamesOfAFloodTakeLittleMemory sends webhooks whose tenant's name is
// as long as a body may be, wherever a name may stand, and looks at what is
// still there when all of them were refused.
func TestNamesOfAFloodTakeLittleMemory(t *testing.T) { //nolint:paralleltest // it looks at the memory of the process
	b := setup(t)
	long := func(i int) string { return fmt.Sprintf("%07d", i) + strings.Repeat("x", 1<<20-100) }
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for i := range 20 {
		for name, c := range map[string]struct{ path, tenant, media, body string }{
			"in JSON":    {"/webhook/servicedesk", "", "application/json", `{"tenant":"` + long(i) + `"}`},
			"in a form":  {"/webhook/servicedesk", "", "application/x-www-form-urlencoded", "tenant=" + long(i)},
			"in headers": {"/webhook/servicedesk", long(i)[:15<<10], "application/json", "{}"},
			"in the URL": {"/webhook/servicedesk/" + long(i), "", "application/json", "{}"},
		} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, c.path, strings.NewReader(c.body))
			r.Header.Set("Content-Type", c.media)
			if c.tenant != "" {
				r.Header.Set("X-Tenant-ID", c.tenant)
			}
			w := httptest.NewRecorder()
			b.Routes().ServeHTTP(w, r)
			if w.Code != http.StatusUnauthorized {
				t.Fatalf("%s: answered %d %s", name, w.Code, w.Body)
			}
		}
	}
	if grown := heap() - before; grown > 8<<20 {
		t.Errorf("80 refused webhooks keep %d MiB", grown>>20)
	}
	runtime.KeepAlive(b)
}

func TestRecoveredWebhooksAreCounted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dir := directory()
	own := tenant.ID("hooli-" + strings.ToLower(rand.Text()))
	dir.Tenants[own] = tenant.Tenant{ID: own}
	conn := dir.Connections["acme"]
	conn.ID, conn.Routes = "hooli", map[string]tenant.ID{"": own}
	dir.Connections["hooli"] = conn
	b.Directory = func() tenant.Directory { return dir }
	for i, body := range []string{`{"id":"1"}`, `{"id":"2","recovered":true}`, `{"id":"3","recovered":true}`} {
		if got := b.send(t, request{path: "/webhook/servicedesk/hooli", body: body, key: acmeKey}); got.status != 202 {
			t.Fatalf("webhook %d: %d %s", i, got.status, got.body)
		}
	}
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	var counted int64
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != "webhook_recovered_total" {
				continue
			}
			for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
				if owner, _ := p.Attributes.Value("tenant_id"); owner.AsString() == string(own) {
					counted = p.Value
				}
			}
		}
	}
	if counted != 2 {
		t.Errorf("%d are counted, want 2", counted)
	}
}
