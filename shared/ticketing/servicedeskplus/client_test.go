package servicedeskplus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
	fake "github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
)

// canned starts a server that gives the answers by method and path, and 404/4007
// for the rest.
func canned(t *testing.T, answers map[string]string) *tool {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := answers[r.Method+" "+strings.TrimPrefix(r.URL.Path, "/api/v3/")]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			body = `{"response_status":{"status_code":4000,"status":"failed","messages":[{"status_code":"4007","type":"failed"}]}}`
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return openTool(t, values(server.URL, fake.OnPrem))
}

// errLimited stands for *ticketing.LimitedError in tables.
var errLimited = errors.New("limited")

// envelope is an error as the product answers it: a generic code outside, the
// specific one inside.
func envelope(code, message string) string {
	return fmt.Sprintf(`{"response_status":{"status_code":4000,"status":"failed","messages":[{"status_code":%s,"type":"failed","message":%q,"fields":["x"]}]}}`, code, message)
}

func TestAnswersBecomeTheErrorsOfThePort(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		want   error // nil for a success, errLimited for *LimitedError
	}{
		"success":               {200, `{"response_status":{"status_code":2000,"status":"success"}}`, nil},
		"created":               {201, `{"response_status":{"status_code":"2000","status":"success"}}`, nil},
		"list":                  {200, `{"response_status":[{"status_code":2000,"status":"success"}]}`, nil},
		"no envelope":           {200, `{"requests":[]}`, nil},
		"null envelope":         {200, `{"response_status":null}`, nil},
		"quotes a limit":        {200, `{"request":{"description":"URL blocked as maximum access limit exceeded"},"response_status":{"status_code":2000}}`, nil},
		"failure inside 200":    {200, envelope("4001", "no"), ticketing.ErrRejected},
		"failed with 2000":      {200, `{"response_status":{"status_code":2000,"status":"failed"}}`, ticketing.ErrRejected},
		"list of failures":      {400, `{"response_status":[{"status_code":4000,"status":"failed","messages":[{"status_code":4007}]}]}`, ticketing.ErrNotFound},
		"outer code only":       {400, `{"response_status":{"status_code":4007,"status":"failed"}}`, ticketing.ErrNotFound},
		"fields only":           {400, `{"response_status":{"status_code":4000,"status":"failed","messages":[{"status_code":4012,"type":"failed","fields":["subcategory","requester"]}]}}`, ticketing.ErrRejected},
		"forbidden":             {403, envelope("4002", "Cannot give value for priority"), ticketing.ErrDenied},
		"internal":              {500, envelope("4004", "x"), ticketing.ErrUnavailable},
		"internal inside 200":   {200, envelope("4004", "x"), ticketing.ErrUnavailable},
		"referenced":            {400, envelope("4005", "x"), ticketing.ErrRejected},
		"not found":             {404, envelope("4007", "x"), ticketing.ErrNotFound},
		"not unique":            {400, envelope("4008", "x"), ticketing.ErrRejected},
		"limit by code":         {400, envelope("4015", "x"), errLimited},
		"limit by status":       {429, ``, errLimited},
		"limit by text":         {400, envelope("4000", "URL blocked as maximum access limit exceeded"), errLimited},
		"limit by text in HTML": {200, `<h1>URL_ROLLING_THROTTLES_LIMIT_EXCEEDED</h1>`, errLimited},
		"bad key":               {401, envelope("4022", "x"), ticketing.ErrDenied},
		"unlicensed":            {400, envelope("7001", "x"), ticketing.ErrDenied},
		"401 without code":      {401, `{}`, ticketing.ErrDenied},
		"404 without code":      {404, `{}`, ticketing.ErrNotFound},
		"login page":            {200, `<html>`, ticketing.ErrUnavailable},
		"login page with 401":   {401, `<html>`, ticketing.ErrUnavailable},
		"redirect":              {302, ``, ticketing.ErrUnavailable},
		"empty":                 {200, ``, ticketing.ErrUnavailable},
		"cut off":               {200, `{"request":{"id":`, ticketing.ErrUnavailable},
		"array":                 {200, `[]`, ticketing.ErrUnavailable},
		"gateway":               {502, `{}`, ticketing.ErrUnavailable},
	} {
		f := answer{test.status, http.Header{}, []byte(test.body)}.failure(time.Now())
		if f == nil || test.want == nil {
			if (f == nil) != (test.want == nil) {
				t.Errorf("%s: %v, want %v", name, f, test.want)
			}
			continue
		}
		_, isLimited := errors.AsType[*ticketing.LimitedError](f)
		if isLimited != errors.Is(test.want, errLimited) || !isLimited && !errors.Is(f, test.want) {
			t.Errorf("%s: %v, want %v", name, f, test.want)
		}
	}
}

func TestErrorSaysWhatTheProductSaid(t *testing.T) {
	t.Parallel()
	f := answer{403, http.Header{}, []byte(envelope("4002", "Cannot give  value"))}.failure(time.Now())
	if want := "(HTTP 403, code 4002): Cannot give value [x]"; !strings.HasSuffix(f.Error(), want) {
		t.Errorf("error is %q, want it to end with %q", f, want)
	}
	f = answer{200, http.Header{}, []byte("<html>" + strings.Repeat("x", 500))}.failure(time.Now())
	if len(f.Error()) > 350 || !strings.Contains(f.Error(), `"<html>xxx`) {
		t.Errorf("error is %q", f)
	}
}

func TestRetryAfterIsReadWithinBounds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": time.Minute, "7": 7 * time.Second, "-3": time.Minute, "999999999999": time.Hour, "86400": time.Hour,
		"Thu, 01 Jan 2026 00:00:30 GMT": 30 * time.Second, "Wed, 31 Dec 2025 00:00:00 GMT": time.Minute, "soon": time.Minute,
	} {
		f := answer{429, http.Header{"Retry-After": {header}}, nil}.failure(now)
		if limited, _ := errors.AsType[*ticketing.LimitedError](f); limited == nil || limited.After != want {
			t.Errorf("%q: %v, want %s", header, f, want)
		}
	}
	long := answer{400, http.Header{"Retry-After": {"10"}}, []byte("URL_ROLLING_THROTTLES_LIMIT_EXCEEDED")}.failure(now)
	if limited, _ := errors.AsType[*ticketing.LimitedError](long); limited == nil || limited.After < 5*time.Minute {
		t.Errorf("rolling throttle: %v, want at least 5 min", long)
	}
}

func TestReadsAreTriedThreeTimes(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{})
	key := i.AddTicket(ticket.Ticket{Subject: "a"})
	const route = "GET requests/{id}"
	for name, test := range map[string]struct {
		fault fake.Fault
		calls int
		fails bool
	}{
		"twice down":    {fake.Fault{Times: 2, Status: 503}, 3, false},
		"dropped":       {fake.Fault{Times: 1, Drop: true}, 2, false},
		"cut off":       {fake.Fault{Times: 1, Truncate: true}, 2, false},
		"three times":   {fake.Fault{Times: 3, Status: 503}, 3, true},
		"short limit":   {fake.Fault{Times: 1, Status: 429, Header: http.Header{"Retry-After": {"1"}}}, 2, false},
		"long limit":    {fake.Fault{Times: 1, Status: 429, Header: http.Header{"Retry-After": {"6"}}}, 1, true},
		"refused":       {fake.Fault{Times: 1, Status: 400, Body: envelope("4001", "no")}, 1, true},
		"without words": {fake.Fault{Times: 1, Empty: true}, 2, false},
	} {
		before := i.Count(route)
		test.fault.Route = route
		i.Fail(test.fault)
		_, err := i.Ticket(t.Context(), key)
		if got := i.Count(route) - before; got != test.calls || (err != nil) != test.fails {
			t.Errorf("%s: %d calls and %v, want %d calls", name, got, err, test.calls)
		}
		i.Heal()
	}
}

func TestPauseThatOutlivesTheContextIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{})
	i.pauses = []time.Duration{time.Hour}
	i.Fail(fake.Fault{Times: -1, Status: 503})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	start := time.Now()
	_, err := i.Ticket(ctx, "1001")
	if !errors.Is(err, ticketing.ErrUnavailable) || time.Since(start) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}

func TestEveryCallWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{Dialect: fake.Cloud})
	var turns atomic.Int32
	i.env.Wait = func(context.Context) error { turns.Add(1); return nil }
	if _, err := i.Ticket(t.Context(), i.AddTicket(ticket.Ticket{})); err != nil || turns.Load() != 2 {
		t.Errorf("%d turns and %v, want 2: sign in and read", turns.Load(), err)
	}
	closed := errors.New("no more turns")
	i.env.Wait = func(context.Context) error { return closed }
	if _, err := i.PutNote(t.Context(), "153000000001001", ticket.Note{Marker: "m"}); !errors.Is(err, closed) || errors.Is(err, ticketing.ErrIndeterminate) {
		t.Errorf("error is %v, want that of the turn", err)
	}
}

func TestHugeAnswerIsRefused(t *testing.T) {
	t.Parallel()
	desk := canned(t, map[string]string{"GET requests/1": `{"request":{"id":"1","description":"` + strings.Repeat("x", maxAnswer) + `"}}`})
	if _, err := desk.Ticket(t.Context(), "1"); !errors.Is(err, ticketing.ErrUnavailable) || len(err.Error()) > 500 {
		t.Errorf("error is %.600v", err)
	}
}

func TestRefusedConnectionIsNoDoubtfulWrite(t *testing.T) {
	t.Parallel()
	desk := openTool(t, values("http://127.0.0.1:1", fake.OnPrem))
	_, err := desk.PutNote(t.Context(), "1", ticket.Note{Marker: "DH-1", Markdown: "x"})
	if !errors.Is(err, ticketing.ErrUnavailable) || errors.Is(err, ticketing.ErrIndeterminate) {
		t.Errorf("error is %v, want ErrUnavailable: nothing was sent", err)
	}
	desk.env.HTTP.Transport = &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:1"})}
	desk.api = "https://desk.example/api/v3/"
	_, err = desk.PutNote(t.Context(), "1", ticket.Note{Marker: "DH-1", Markdown: "x"})
	if !errors.Is(err, ticketing.ErrUnavailable) || errors.Is(err, ticketing.ErrIndeterminate) {
		t.Errorf("through a proxy that is down: %v, want ErrUnavailable", err)
	}
}

func TestErrorsNeverShowCredentials(t *testing.T) {
	t.Parallel()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		_, _ = fmt.Fprintf(w, "<html>%s %s %s %s", r.Header.Get("authtoken"), r.Header.Get("Authorization"), r.Form.Get("client_secret"), r.Form.Get("refresh_token"))
	}))
	t.Cleanup(echo.Close)
	for _, dialect := range []fake.Dialect{fake.OnPrem, fake.Cloud} {
		_, err := openTool(t, values(echo.URL, dialect)).Ticket(t.Context(), "1")
		if !errors.Is(err, ticketing.ErrUnavailable) || !strings.Contains(err.Error(), "[secret]") {
			t.Errorf("%s: error is %v", dialect, err)
		}
		for _, s := range []string{apiKey, refreshToken, "demo-client-secret"} {
			if strings.Contains(err.Error(), s) {
				t.Errorf("%s: %v shows %s", dialect, err, s)
			}
		}
	}
}

func TestPortalIsSentOnPremisesOnlyWhereItIsSet(t *testing.T) {
	t.Parallel()
	var portal atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		portal.Store(strings.Join(r.Header.Values("PORTALID"), ","))
		_, _ = w.Write([]byte(`{"request":{"id":1}}`))
	}))
	t.Cleanup(server.Close)
	for _, want := range []string{"", "2"} {
		desk := openTool(t, with(values(server.URL, fake.OnPrem), "portal", want))
		if _, err := desk.Ticket(t.Context(), "1"); err != nil || portal.Load() != want {
			t.Errorf("PORTALID is %q and %v, want %q", portal.Load(), err, want)
		}
	}
}
