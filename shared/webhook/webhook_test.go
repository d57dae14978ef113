package webhook_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
	"github.com/deskhand/deskhand/shared/webhook"
)

var (
	spans  = tracetest.NewSpanRecorder()
	reader = sdkmetric.NewManualReader()
)

func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() != "" {
		os.Exit(m.Run()) // a recorder of a million spans would be measured, too
	}
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	os.Exit(m.Run())
}

// now is the time of every test's clock, and the timestamp of the contract's vector.
var now = time.Unix(1767225600, 0)

// The secrets of the connections.
var (
	acmeKey   = secret.New("sdp-demo-secret")
	acmeOld   = secret.New("sdp-demo-secret-before")
	globexKey = secret.New("globex-secret")
	mspKey    = secret.New("msp-secret")
	plainKey  = secret.New("plain-secret")
)

// directory has acme and globex with a connection each, and "msp", which
// serves both by account.
func directory() tenant.Directory {
	conn := func(id string, routes map[string]tenant.ID, keys ...secret.Text) tenant.Connection {
		return tenant.Connection{ID: id, Tool: "servicedesk_plus", Signing: keys, Routes: routes}
	}
	all := map[string]tenant.Connection{}
	for _, c := range []tenant.Connection{
		conn("acme", map[string]tenant.ID{"": "acme"}, acmeKey, acmeOld),
		conn("globex", map[string]tenant.ID{"": "globex"}, globexKey),
		conn("msp", map[string]tenant.ID{"Acme Corp": "acme", "Globex": "globex", "Ghost": "ghost"}, mspKey),
		conn("keyless", map[string]tenant.ID{"": "acme"}, secret.New("")),
		conn("resolved", map[string]tenant.ID{"": "acme"}, acmeKey),
		conn("updated", map[string]tenant.ID{"": "acme"}, acmeKey),
		{ID: "plain", Tool: "servicedesk_plus", Signing: []secret.Text{plainKey}, Verify: tenant.VerifyPlain, Routes: map[string]tenant.ID{"": "globex"}},
		{ID: "off", Tool: "servicedesk_plus", Signing: []secret.Text{acmeKey}, Disabled: true, Routes: map[string]tenant.ID{"": "acme"}},
		{ID: "helpdesk", Tool: "jira", Signing: []secret.Text{acmeKey}, Routes: map[string]tenant.ID{"": "acme"}},
		{ID: "broken", Tool: "servicedesk_plus", Signing: []secret.Text{acmeKey}, Routes: map[string]tenant.ID{"": "acme"}},
	} {
		all[c.ID] = c
	}
	return tenant.NewDirectory(map[tenant.ID]tenant.Tenant{
		"acme": {ID: "acme"}, "globex": {ID: "globex"}, "ghost": {ID: "ghost", Disabled: true},
	}, all, now)
}

// standIn is a ticketing tool that reads a JSON body, also in the form field
// payload, and does nothing else.
type standIn struct{ ticketing.Tool }

func (standIn) Event(d ticketing.Delivery) (ticketing.Announcement, error) {
	body := d.Body
	form := strings.HasPrefix(d.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	if fields, err := url.ParseQuery(string(body)); form && err == nil && fields.Has("payload") {
		body = []byte(fields.Get("payload"))
	}
	var in struct {
		ID, Tenant, Account, Description, Delivery, Panic string
		Kind                                              ticket.Kind
		Recovered                                         bool
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return ticketing.Announcement{}, &ticketing.InvalidError{Reasons: []ticketing.Reason{{Field: "body", Problem: "not JSON"}}}
	}
	var reasons []ticketing.Reason
	if in.ID == "" {
		reasons = append(reasons, ticketing.Reason{Field: "id", Problem: "is missing"})
	}
	if d.Strict && len(in.Description) > 10_000 {
		reasons = append(reasons, ticketing.Reason{Field: "description", Problem: "has more than 10,000 characters"})
	}
	switch {
	case in.Panic == "text":
		panic("cannot read " + in.Description)
	case in.Panic == "index":
		_ = reasons[len(in.Panic)]
	case in.Panic == "error":
		return ticketing.Announcement{}, errors.New("the tool's own error")
	case len(reasons) > 0:
		return ticketing.Announcement{}, &ticketing.InvalidError{Reasons: reasons}
	}
	return ticketing.Announcement{
		Key: in.ID, Tenant: in.Tenant, Account: in.Account, Delivery: in.Delivery,
		Told: ticket.Told{Description: in.Description}, Kind: in.Kind, Recovered: in.Recovered,
	}, nil
}

// recorder is a queue that keeps what it is sent, or fails with err.
type recorder struct {
	mu   sync.Mutex
	sent []queue.Message
	err  error
	hang bool // answer only when the sender gives up
}

func (q *recorder) Send(ctx context.Context, messages ...queue.Message) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.hang {
		<-ctx.Done()
		return errors.Join(queue.ErrUnavailable, ctx.Err())
	}
	if err := errors.Join(q.err, ctx.Err()); err != nil {
		return err
	}
	q.sent = append(q.sent, messages...)
	return nil
}

func (q *recorder) messages() []queue.Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sent
}

// memory remembers for its receiver's time.
type memory struct {
	jobs sync.Map
	rc   *webhook.Receiver
}

// marked is a job, and until when it is remembered.
type marked struct {
	job   string
	until time.Time
}

func (m *memory) Job(_ context.Context, id tenant.ID, delivery string) (string, bool) {
	v, _ := m.jobs.Load(string(id) + "/" + delivery)
	was, ok := v.(marked)
	return was.job, ok && m.rc.Now().Before(was.until)
}

func (m *memory) Mark(_ context.Context, id tenant.ID, delivery, job string, keep time.Duration) {
	m.jobs.Store(string(id)+"/"+delivery, marked{job, m.rc.Now().Add(keep)})
}

// limit allows each tenant this many webhooks, 0 for any number, where it has
// no rate of its own.
type limit struct {
	mu   sync.Mutex
	most int
	used map[tenant.ID]int
}

func (l *limit) Allow(_ context.Context, id tenant.ID, perMinute int) (bool, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used[id]++
	most := cmp.Or(perMinute, l.most)
	return most == 0 || l.used[id] <= most, 600 * time.Millisecond
}

// bundle is a receiver behind a real HTTP server, and all that it touches.
type bundle struct {
	*webhook.Receiver
	enhance, catalogue *recorder
	limit              *limit
	log                *lines
	url                string
}

// lines is a log that may be written and read at the same time.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func setup(t testing.TB) *bundle {
	t.Helper()
	b := &bundle{enhance: &recorder{}, catalogue: &recorder{}, limit: &limit{used: map[tenant.ID]int{}}, log: &lines{}}
	dir := directory()
	b.Receiver = &webhook.Receiver{
		Directory: func() tenant.Directory { return dir },
		Tool: func(path string) (string, bool) {
			name, ok := map[string]string{"servicedesk": "servicedesk_plus", "jira": "jira"}[path]
			return name, ok
		},
		Open: func(c tenant.Connection) (ticketing.Tool, error) {
			if c.ID == "broken" {
				return nil, errors.New("no base URL")
			}
			return standIn{}, nil
		},
		Enhance: b.enhance, Catalogue: b.catalogue,
		Limit: b.limit,
		Now:   func() time.Time { return now },
		Log:   slog.New(slog.NewJSONHandler(b.log, nil)),
	}
	b.Seen = &memory{rc: b.Receiver}
	server := httptest.NewServer(b.Routes())
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// request is one delivery. Its zero values are filled in: a POST of JSON,
// signed now.
type request struct {
	method, path, body string
	key                secret.Text
	at                 time.Time
	header             http.Header // added last; an empty value removes a header
}

// reply is what came back.
type reply struct {
	status int
	body   string
	header http.Header
}

func (r reply) job(t *testing.T) string {
	t.Helper()
	var got struct {
		Job    string `json:"job_id"`
		Status string `json:"status"`
	}
	if err := json.Unmarshal([]byte(r.body), &got); err != nil || r.status != http.StatusAccepted || got.Status != "queued" {
		t.Fatalf("answer is %d %s, want 202 and a queued job", r.status, r.body)
	}
	return got.Job
}

func (b *bundle) send(t testing.TB, r request) reply {
	t.Helper()
	if r.method == "" {
		r.method = http.MethodPost
	}
	if r.at.IsZero() {
		r.at = now
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, b.url+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	stamp := strconv.FormatInt(r.at.Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(webhook.TimestampHeader, stamp)
	req.Header.Set(webhook.SignatureHeader, webhook.Sign(r.key, stamp, []byte(r.body)))
	for name, values := range r.header {
		req.Header[http.CanonicalHeaderKey(name)] = values
		if len(values) == 0 {
			req.Header.Del(name)
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(req) // a redirect is an answer, too
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, string(body), resp.Header}
}

// header makes a header of names and values in turns.
func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}
