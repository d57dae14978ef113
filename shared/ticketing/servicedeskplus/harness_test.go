package servicedeskplus

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
	fake "github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
	"github.com/deskhand/deskhand/shared/ticketing/ticketingtest"
)

const (
	apiKey       = "test-api-key"
	refreshToken = "test-refresh-token"
)

// instance is a fake and a tool that is connected to it.
type instance struct {
	*fake.Server
	*tool
	url string
}

// connect starts a fake and opens a tool on it.
func connect(t *testing.T, o fake.Options) instance {
	t.Helper()
	o.APIKey, o.RefreshToken = apiKey, refreshToken
	s := fake.New(o)
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		server.Close()
		s.Close()
	})
	return instance{s, openTool(t, values(server.URL, o.Dialect)), server.URL}
}

// values fill the form for a fake at url.
func values(url string, dialect fake.Dialect) integration.Values {
	if dialect != fake.Cloud {
		return integration.Values{"base_url": url, "api_key": apiKey}
	}
	return integration.Values{
		"edition": "cloud", "base_url": url, "portal": "itdesk", "accounts_url": url,
		"client_id": "demo-client", "client_secret": "demo-client-secret", "refresh_token": refreshToken,
	}
}

// openTool opens a tool with short pauses, and a client that gives up after a second.
func openTool(t *testing.T, v integration.Values) *tool {
	t.Helper()
	filled, err := Kind.Fill(v)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := Kind.Open(filled, integration.Env{
		HTTP:   &http.Client{Timeout: time.Second, Transport: http.DefaultTransport.(*http.Transport).Clone()},
		Tokens: &tokens{kept: map[string]string{}},
		Key:    "acme-desk",
	})
	if err != nil {
		t.Fatal(err)
	}
	made := opened.(*tool)
	made.pauses = []time.Duration{time.Millisecond, 2 * time.Millisecond}
	return made
}

// with gives a copy of the values with one changed.
func with(v integration.Values, name, value string) integration.Values {
	v = maps.Clone(v)
	v[name] = value
	return v
}

// tokens keeps access tokens until they are dropped.
type tokens struct {
	mu      sync.Mutex
	kept    map[string]string
	fetched int
	life    time.Duration
}

func (k *tokens) Token(ctx context.Context, key string, fetch func(context.Context) (string, time.Duration, error)) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if token, ok := k.kept[key]; ok {
		return token, nil
	}
	token, life, err := fetch(ctx)
	if err != nil {
		return "", err
	}
	k.fetched++
	k.kept[key], k.life = token, life
	return token, nil
}

func (k *tokens) Drop(_ context.Context, key, token string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept[key] == token {
		delete(k.kept, key)
	}
}

var dialects = []fake.Dialect{fake.OnPrem, fake.OnPrem15100, fake.Cloud}

func TestToolKeepsThePromisesOfThePort(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			ticketingtest.Run(t, func(t *testing.T) ticketingtest.Harness { return harness(t, dialect) })
		})
	}
}

func harness(t *testing.T, dialect fake.Dialect) ticketingtest.Harness {
	t.Helper()
	i := connect(t, fake.Options{Dialect: dialect})
	bad := with(values(i.url, dialect), "api_key", "wrong")
	if dialect == fake.Cloud {
		bad = with(values(i.url, dialect), "refresh_token", "wrong")
	}
	return ticketingtest.Harness{
		Tool:       i.tool,
		Denied:     openTool(t, bad),
		AddTicket:  i.AddTicket,
		Notes:      i.Server.Notes,
		DeleteNote: i.DeleteNote,
		Trouble:    func(trouble ticketingtest.Trouble) { start(i.Server, trouble) },
		Heal:       i.Heal,
		Created: func(key string) ticketing.Delivery {
			return ticketing.Delivery{
				Kind: ticket.Created, Header: http.Header{"Content-Type": {"application/json"}},
				Body: fmt.Appendf(nil, `{"event":"request.created","request_id":%q}`, key),
			}
		},
		MissingKey: "424242",
	}
}

const postNote = "POST requests/{id}/notes"

// start maps the troubles of the suite to faults of the fake.
func start(s *fake.Server, trouble ticketingtest.Trouble) {
	switch trouble {
	case ticketingtest.Down:
		s.Fail(fake.Fault{Times: -1, Status: http.StatusServiceUnavailable, Body: `{"error":"down"}`})
	case ticketingtest.LoginPage:
		s.Fail(fake.Fault{Times: -1, HTML: true})
	case ticketingtest.Limited:
		s.Fail(fake.Fault{Times: -1, Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"30"}}})
	case ticketingtest.Silent:
		s.Fail(fake.Fault{Times: -1, Delay: 3 * time.Second})
	case ticketingtest.LostAnswer:
		s.Fail(fake.Fault{Route: postNote, DropAfter: true})
	case ticketingtest.LateAnswer:
		s.Fail(fake.Fault{Route: postNote, Delay: 1500 * time.Millisecond})
	case ticketingtest.LateStore:
		s.Fail(fake.Fault{Route: postNote, Status: http.StatusBadGateway, Later: 500 * time.Millisecond})
	case ticketingtest.LostCall:
		s.Fail(fake.Fault{Route: postNote, Drop: true})
	case ticketingtest.Leak:
		s.LeakNotes(true)
	}
}
