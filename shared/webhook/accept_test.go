package webhook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/webhook"
)

func TestGenuineWebhookIsQueuedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := request{path: "/webhook/servicedesk/acme", body: `{"id":"1042","description":"printer"}`, key: acmeKey}

	first, second := b.send(t, r), b.send(t, r)

	job := first.job(t)
	if got := second.job(t); got != job {
		t.Errorf("a repetition has job %s, the first had %s", got, job)
	}
	sent := b.enhance.messages()
	if len(sent) != 1 || len(b.catalogue.messages()) != 0 {
		t.Fatalf("queued %d for enhance and %d for catalogue, want 1 and 0", len(sent), len(b.catalogue.messages()))
	}
	m := sent[0]
	if m.ID != job || m.Tenant != "acme" || m.Kind != "created" || !m.Sent.Equal(now) {
		t.Errorf("message is %s of %s, %s, sent %s", m.ID, m.Tenant, m.Kind, m.Sent)
	}
	if !strings.HasPrefix(m.Trace["traceparent"], "00-") {
		t.Errorf("trace is %v, want a W3C traceparent", m.Trace)
	}
	want := ticket.Event{
		Job:  job,
		Ref:  ticket.Ref{Tenant: "acme", Tool: "servicedesk_plus", Connection: "acme", Key: "1042"},
		Kind: ticket.Created, Told: ticket.Told{Description: "printer"}, Signed: true, Received: now,
	}
	var got ticket.Event
	if err := json.Unmarshal(m.Body, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if got := first.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type is %s", got)
	}
}

func TestEveryRouteReachesItsQueue(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]ticket.Kind{
		"/webhook/servicedesk":                 ticket.Created,
		"/webhook/servicedesk/updated":         ticket.Updated,
		"/webhook/servicedesk/replied":         ticket.Replied,
		"/webhook/servicedesk/resolved":        ticket.Resolved,
		"/webhook/servicedesk/closed":          ticket.Closed,
		"/webhook/servicedesk/globex":          ticket.Created,
		"/webhook/servicedesk/globex/updated":  ticket.Updated,
		"/webhook/servicedesk/globex/replied":  ticket.Replied,
		"/webhook/servicedesk/globex/resolved": ticket.Resolved,
		"/webhook/servicedesk/globex/closed":   ticket.Closed,
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.send(t, request{path: path, body: `{"id":"7","tenant":"globex"}`, key: globexKey}).job(t)
			created, stored := b.enhance.messages(), b.catalogue.messages()
			if want == ticket.Resolved || want == ticket.Closed {
				created, stored = stored, created
			}
			if len(created) != 1 || len(stored) != 0 || created[0].Kind != string(want) || created[0].Delay != want.Delay() {
				t.Errorf("queued %v and, for the other worker, %v", created, stored)
			}
		})
	}
}

// TestADeliveryMaySayItselfWhatHappened has the tool read it from the body: that
// is signed, and the URL is not.
func TestADeliveryMaySayItselfWhatHappened(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"created": "created", "updated": "updated", "replied": "replied", "closed": "closed", "": "resolved",
		"improve": "resolved", "moved": "resolved", // no tool may say that
	} {
		b := setup(t)
		r := request{path: "/webhook/servicedesk/acme/resolved", body: fmt.Sprintf(`{"id":"7","kind":%q}`, said), key: acmeKey}
		job := b.send(t, r).job(t)
		sent := slices.Concat(b.enhance.messages(), b.catalogue.messages())
		if len(sent) != 1 || sent[0].Kind != want || sent[0].Delay != ticket.Kind(want).Delay() {
			t.Errorf("%s: queued %v, want %s", said, sent, want)
		}
		if said == "" || want == "resolved" {
			continue
		}
		r.path = "/webhook/servicedesk/acme"
		if again := b.send(t, r).job(t); again != job {
			t.Errorf("%s: a copy to another URL has the job %s, the first %s", said, again, job)
		}
	}
}

func TestTenantIsFound(t *testing.T) {
	t.Parallel()
	form := header("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	payload := "payload=" + url.QueryEscape(`{"id":"1","tenant":"globex"}`)
	const base = "/webhook/servicedesk"
	for name, r := range map[string]request{
		"by the header":                 {path: base, key: globexKey, body: `{"id":"1"}`, header: header("X-Tenant-ID", "globex")},
		"by header and body":            {path: base, key: globexKey, body: `{"id":"1","tenant":"globex"}`, header: header("X-Tenant-ID", "globex")},
		"by tenant in JSON":             {path: base, key: globexKey, body: `{"id":"1","tenant":"globex"}`},
		"by tenant_id in JSON":          {path: base, key: globexKey, body: `{"nested":{"tenant":"acme"},"list":[1,[]],"tenant_id":"globex","id":"1"}`},
		"by both, the same":             {path: base, key: globexKey, body: `{"id":"1","tenant":"globex","tenant_id":"globex"}`},
		"with a charset":                {path: base, key: globexKey, body: `{"id":"1","tenant":"globex"}`, header: header("Content-Type", "application/json; charset=utf-8")},
		"in a form's payload":           {path: base, key: globexKey, body: payload, header: form},
		"in a form's field":             {path: base, key: globexKey, body: "tenant_id=globex&payload=" + url.QueryEscape(`{"id":"1"}`), header: form},
		"by the connection":             {path: base + "/globex", key: globexKey, body: `{"id":"1"}`},
		"by the account":                {path: base + "/msp", key: mspKey, body: `{"id":"1","account":"Globex"}`},
		"by account and body":           {path: base + "/msp", key: mspKey, body: `{"id":"1","account":"Globex","tenant":"globex"}`},
		"by the body, served by msp":    {path: base + "/msp", key: mspKey, body: `{"id":"1","tenant":"globex"}`},
		"by header and account":         {path: base + "/msp", key: mspKey, body: `{"id":"1","account":"Globex"}`, header: header("X-Tenant-ID", "globex")},
		"with an empty header, by body": {path: base, key: globexKey, body: `{"id":"1","tenant":"globex"}`, header: header("X-Tenant-ID", "")},
		"signed without a timestamp": {path: base + "/plain", body: `{"id":"1"}`, header: http.Header{
			webhook.TimestampHeader: nil, webhook.SignatureHeader: {webhook.Sign(plainKey, "", []byte(`{"id":"1"}`))},
		}},
		"signed with one where none is needed": {path: base + "/plain", key: plainKey, body: `{"id":"1"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.send(t, r).job(t)
			if sent := b.enhance.messages(); len(sent) != 1 || sent[0].Tenant != "globex" {
				t.Errorf("queued %v, want one message of globex", sent)
			}
		})
	}
}

func TestUnusableWebhookIsRefusedWithReasons(t *testing.T) {
	t.Parallel()
	const base = "/webhook/servicedesk"
	long := fmt.Sprintf(`{"tenant":"acme","description":%q}`, strings.Repeat("x", 10_001))
	for name, c := range map[string]struct {
		request
		status int
		says   []string // all of them
	}{
		"no tenant at all":                   {request{path: base, body: `{"id":"1"}`}, 400, []string{"X-Tenant-ID", "tenant_id", "/webhook/{tool}/{connection}"}},
		"tenant is a number":                 {request{path: base, body: `{"tenant":5}`}, 400, []string{"X-Tenant-ID"}},
		"body is no object":                  {request{path: base, body: `["tenant","acme"]`}, 400, []string{"X-Tenant-ID"}},
		"header against body":                {request{path: base, key: acmeKey, body: `{"id":"1","tenant":"globex"}`, header: header("X-Tenant-ID", "acme")}, 400, []string{"different tenants"}},
		"path against header":                {request{path: base + "/acme", key: acmeKey, body: `{"id":"1"}`, header: header("X-Tenant-ID", "globex")}, 400, []string{"does not serve"}},
		"path against body":                  {request{path: base + "/acme", key: acmeKey, body: `{"id":"1","tenant":"globex"}`}, 400, []string{"does not serve"}},
		"path against nonsense":              {request{path: base + "/acme", key: acmeKey, body: `{"id":"1","tenant":"../x"}`}, 400, []string{"does not serve"}},
		"account against body":               {request{path: base + "/msp", key: mspKey, body: `{"id":"1","tenant":"acme","account":"Globex"}`}, 400, []string{"another tenant"}},
		"account against header":             {request{path: base + "/msp", key: mspKey, body: `{"id":"1","account":"Globex"}`, header: header("X-Tenant-ID", "acme")}, 400, []string{"another tenant"}},
		"account of nobody":                  {request{path: base + "/msp", key: mspKey, body: `{"id":"1","account":"Initech"}`}, 400, []string{"routes"}},
		"account of nobody, claimed":         {request{path: base + "/msp", key: mspKey, body: `{"id":"1","account":"Initech","tenant":"acme"}`}, 400, []string{"routes"}},
		"several tenants, one in the header": {request{path: base + "/msp", key: mspKey, body: `{"id":"1"}`, header: header("X-Tenant-ID", "globex")}, 400, []string{"name one in the body"}},
		"JSON called a form":                 {request{path: base + "/acme", key: acmeKey, body: ` {"id":"1","x":"&id=2&"}`, header: header("Content-Type", "application/x-www-form-urlencoded")}, 400, []string{"is a form"}},
		"several tenants, none named":        {request{path: base + "/msp", key: mspKey, body: `{"id":"1"}`}, 400, []string{"serves several"}},
		"two things wrong":                   {request{path: base, key: acmeKey, body: long}, 400, []string{`"field":"id"`, `"field":"description"`, "10,000 characters"}},
		"broken JSON":                        {request{path: base + "/acme", key: acmeKey, body: `{"id":`}, 400, []string{"not JSON"}},
		"no body":                            {request{path: base + "/acme", key: acmeKey}, 400, []string{"empty"}},
		"too large":                          {request{path: base + "/acme", key: acmeKey, body: strings.Repeat("x", 1<<20+1)}, 413, []string{"too large"}},
		"other content type":                 {request{path: base + "/acme", key: acmeKey, body: "x", header: header("Content-Type", "text/plain")}, 415, []string{"application/json"}},
		"no content type":                    {request{path: base + "/acme", key: acmeKey, body: "x", header: http.Header{"Content-Type": nil}}, 415, []string{"application/json"}},
		"content type is nonsense":           {request{path: base + "/acme", key: acmeKey, body: "x", header: header("Content-Type", "application/json; =")}, 415, []string{"application/json"}},
		"unknown tool":                       {request{path: "/webhook/freshdesk", body: `{"tenant":"acme"}`}, 404, []string{"no such webhook"}},
		"unknown tool's connection":          {request{path: "/webhook/freshdesk/acme", body: `{}`}, 404, []string{"no such webhook"}},
		"no tool":                            {request{path: "/webhook/", body: `{}`}, 404, []string{"no such webhook"}},
		"somewhere else":                     {request{path: "/admin", body: `{}`}, 404, []string{"no such webhook"}},
		"deeper":                             {request{path: base + "/acme/resolved/x", body: `{}`}, 404, []string{"no such webhook"}},
		"tool cannot be opened":              {request{path: base + "/broken", key: acmeKey, body: `{"id":"1"}`}, 500, []string{"internal error"}},
		"tool fails":                         {request{path: base + "/acme", key: acmeKey, body: `{"id":"1","panic":"error"}`}, 500, []string{"internal error"}},
		"tool panics":                        {request{path: base + "/acme", key: acmeKey, body: `{"id":"1","panic":"text","description":"confidential"}`}, 500, []string{"internal error"}},
		"tool panics by a bug":               {request{path: base + "/acme", key: acmeKey, body: `{"id":"1","panic":"index","description":"confidential"}`}, 500, []string{"internal error"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			got := b.send(t, c.request)
			if got.status != c.status || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("answer is %d of %s, want %d of JSON", got.status, got.header.Get("Content-Type"), c.status)
			}
			for _, says := range c.says {
				if !strings.Contains(got.body, says) {
					t.Errorf("answer %s does not say %q", got.body, says)
				}
			}
			if !json.Valid([]byte(got.body)) || strings.Contains(got.body+b.log.String(), "confidential") {
				t.Errorf("answer %s or log %s: want JSON, and none of the ticket's text", got.body, b.log)
			}
			if n := len(b.enhance.messages()) + len(b.catalogue.messages()); n != 0 {
				t.Errorf("%d messages were queued", n)
			}
		})
	}
}

func TestLongDescriptionPassesAtTheToolsOwnWebhook(t *testing.T) {
	t.Parallel()
	b := setup(t)
	long := fmt.Sprintf(`{"id":"1","tenant":"acme","description":%q}`, strings.Repeat("x", 10_001))
	if got := b.send(t, request{path: "/webhook/servicedesk", body: long, key: acmeKey}); got.status != 400 {
		t.Errorf("the strict route answers %d to 10,001 characters", got.status)
	}
	b.send(t, request{path: "/webhook/servicedesk/acme", body: long, key: acmeKey}).job(t)
}

func TestOtherMethodsAreNotAllowed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "HACK"} {
		got := b.send(t, request{method: method, path: "/webhook/servicedesk/acme/resolved", body: "{}"})
		if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, got.status, got.header.Get("Allow"))
		}
	}
}

func TestDirectoryNotYetLoadedIsNotAnUnknownTenant(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Directory = func() tenant.Directory { return tenant.Directory{} }
	got := b.send(t, request{path: "/webhook/servicedesk/acme", body: `{"id":"1"}`, key: acmeKey})
	if got.status != 503 || got.header.Get("Retry-After") != "5" {
		t.Errorf("answer is %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
}

func TestTenantOverItsRateIsToldToWait(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.limit.most = 3
	deliver := func(i int, path string, key secret.Text) reply {
		return b.send(t, request{path: path, body: fmt.Sprintf(`{"id":"%d"}`, i), key: key})
	}
	for i := range 20 {
		if got := deliver(i, "/webhook/servicedesk/acme", globexKey); got.status != 401 {
			t.Fatalf("a forged webhook is answered %d", got.status)
		}
	}
	for i := range 3 {
		deliver(i, "/webhook/servicedesk/acme", acmeKey).job(t)
	}
	got := deliver(4, "/webhook/servicedesk/acme", acmeKey)
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "1" {
		t.Errorf("the fourth is answered %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
	deliver(5, "/webhook/servicedesk/globex", globexKey).job(t) // has a share of its own
	if n := len(b.enhance.messages()); n != 4 {
		t.Errorf("%d messages were queued, want 4", n)
	}
}

func TestQueueFailureIsToldAtOnceAndForgotten(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fail   func(*recorder)
		status int
		retry  string
	}{
		"down":      {func(q *recorder) { q.err = queue.ErrUnavailable }, 503, "5"},
		"hangs":     {func(q *recorder) { q.hang = true }, 503, "5"},
		"too large": {func(q *recorder) { q.err = fmt.Errorf("sqs: %w", queue.ErrTooLarge) }, 413, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			r := request{path: "/webhook/servicedesk/acme", body: `{"id":"1"}`, key: acmeKey}
			c.fail(b.enhance)
			took := time.Hour // of the quickest of three, as the machine may be busy
			var got reply
			for range 3 {
				start := time.Now()
				got = b.send(t, r)
				took = min(took, time.Since(start))
			}
			if took > 2*time.Second {
				t.Errorf("the answer took %s", took)
			}
			if got.status != c.status || got.header.Get("Retry-After") != c.retry {
				t.Errorf("answer is %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
			}
			b.enhance.err, b.enhance.hang = nil, false
			b.send(t, r).job(t)
			if len(b.enhance.messages()) != 1 {
				t.Error("what was not accepted counts as a repetition")
			}
		})
	}
}

func TestJobIsOfTheDeliveryWhereTheToolNamesIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	deliver := func(body string) string {
		return b.send(t, request{path: "/webhook/servicedesk/acme", body: body, key: acmeKey}).job(t)
	}
	first := deliver(`{"id":"1","delivery":"d-1"}`)
	if got := deliver(`{"id":"1","delivery":"d-1","description":"told again"}`); got != first {
		t.Error("the same delivery with another body is another job")
	}
	if got := deliver(`{"id":"1","delivery":"d-2"}`); got == first {
		t.Error("another delivery is the same job")
	}
	resolved := b.send(t, request{path: "/webhook/servicedesk/acme/resolved", body: `{"id":"1","delivery":"d-1"}`, key: acmeKey})
	if resolved.job(t) == first {
		t.Error("created and resolved are the same job")
	}
	other := b.send(t, request{path: "/webhook/servicedesk/globex", body: `{"id":"1","delivery":"d-1"}`, key: globexKey})
	if other.job(t) == first {
		t.Error("two tenants share a job")
	}
}

func TestManyAtOnceAreAllQueued(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			path, key := "/webhook/servicedesk/acme", acmeKey
			if i%2 == 1 {
				path, key = "/webhook/servicedesk/globex", globexKey
			}
			if got := b.send(t, request{path: path, body: fmt.Sprintf(`{"id":"%d"}`, i), key: key}); got.status != 202 {
				t.Errorf("webhook %d is answered %d", i, got.status)
			}
		})
	}
	wg.Wait()
	jobs := map[string]bool{}
	perTenant := map[tenant.ID]int{}
	for _, m := range b.enhance.messages() {
		jobs[m.ID] = true
		perTenant[m.Tenant]++
	}
	if diff := cmp.Diff(map[tenant.ID]int{"acme": 50, "globex": 50}, perTenant); diff != "" || len(jobs) != 100 {
		t.Errorf("%d jobs, by tenant (-want +got):\n%s", len(jobs), diff)
	}
}

func TestHostilePathsAndHeadersAreHarmless(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{
		"/webhook/servicedesk/acme%2Fresolved", "/webhook/servicedesk/..%2f..%2fetc", "/webhook//acme",
		"/webhook/servicedesk/%00", "/webhook/servicedesk/%0aINFO", "/webhook/servicedesk/" + strings.Repeat("a", 8000),
		"/webhook/servicedesk/acme'--", "/webhook/servicedesk/ACME", "/webhook/servicedesk/acme%20",
	} {
		if got := b.send(t, request{path: path, body: `{"id":"1"}`, key: acmeKey}); got.status < 300 || got.status >= 500 {
			t.Errorf("%.60s: answered %d", path, got.status)
		}
	}
	for _, name := range []string{"acme, globex", "acme\x80", "ACME", strings.Repeat("a", 9000), "' OR 1=1", "${jndi:ldap://x}"} {
		got := b.send(t, request{path: "/webhook/servicedesk", body: `{"id":"1"}`, key: acmeKey, header: header("X-Tenant-ID", name)})
		if got.status != 401 {
			t.Errorf("tenant %.20q: answered %d", name, got.status)
		}
	}
	for _, line := range bytes.Split(bytes.TrimSpace([]byte(b.log.String())), []byte("\n")) {
		if !json.Valid(line) || len(line) > 1000 {
			t.Errorf("log line of %d bytes: %.200s", len(line), line)
		}
	}
}
