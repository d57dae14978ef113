package servicedeskplus

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
	fake "github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
)

const tokenRoute = "POST /oauth/v2/token"

func TestAccessTokenIsSharedAndRenewedOnce(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{Dialect: fake.Cloud})
	kept := i.env.Tokens.(*tokens)
	key := i.AddTicket(ticket.Ticket{Subject: "a"})
	for range 3 {
		if _, err := i.Ticket(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if kept.fetched != 1 || kept.life != 48*time.Minute {
		t.Errorf("%d tokens, kept for %s; want 1 for 80 %% of an hour", kept.fetched, kept.life)
	}
	i.Revoke()
	if _, err := i.Ticket(t.Context(), key); err != nil || kept.fetched != 2 {
		t.Errorf("after the token was revoked: %v and %d tokens, want 2", err, kept.fetched)
	}
}

func TestRefusedTokenIsRenewedAtMostOncePerCall(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{Dialect: fake.Cloud})
	i.Fail(fake.Fault{Route: "GET requests/{id}", Times: -1, Status: http.StatusUnauthorized, Body: envelope("4022", "x")})
	_, err := i.Ticket(t.Context(), "153000000001001")
	if !errors.Is(err, ticketing.ErrDenied) {
		t.Errorf("error is %v, want ErrDenied", err)
	}
	if calls := i.Count("GET requests/{id}"); calls != 2 {
		t.Errorf("%d calls, want 2", calls)
	}
}

func TestMissingScopeIsDeniedThoughItComesAsHTML(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{Dialect: fake.Cloud})
	if err := i.read(t.Context(), http.MethodGet, "nothing", nil, nil); !errors.Is(err, ticketing.ErrDenied) || i.Count("unknown") != 2 {
		t.Errorf("%v after %d calls, want ErrDenied after 2", err, i.Count("unknown"))
	}
}

func TestSignInErrorsBecomeThoseOfThePort(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault   fake.Fault
		want    error
		limited bool
		words   string
	}{
		"invalid code":  {fake.Fault{Status: 200, Body: `{"error":"invalid_code"}`}, ticketing.ErrDenied, false, "invalid_code"},
		"wrong client":  {fake.Fault{Status: 200, Body: `{"error":"invalid_client"}`}, ticketing.ErrDenied, false, "invalid_client"},
		"too many":      {fake.Fault{Status: 400, Body: `{"error":"Access Denied","error_description":"You have made too many requests continuously."}`}, nil, true, ""},
		"429":           {fake.Fault{Status: 429}, nil, true, ""},
		"HTML":          {fake.Fault{Times: -1, HTML: true}, ticketing.ErrUnavailable, false, ""},
		"down":          {fake.Fault{Times: -1, Status: 500, Body: `{"error":"general_error"}`}, ticketing.ErrUnavailable, false, ""},
		"dropped":       {fake.Fault{Times: -1, Drop: true}, ticketing.ErrUnavailable, false, ""},
		"neither":       {fake.Fault{Times: -1, Status: 200, Body: `{}`}, ticketing.ErrUnavailable, false, ""},
		"drops a while": {fake.Fault{Times: 2, Drop: true}, nil, false, ""},
	} {
		i := connect(t, fake.Options{Dialect: fake.Cloud})
		key := i.AddTicket(ticket.Ticket{})
		test.fault.Route = tokenRoute
		i.Fail(test.fault)
		_, err := i.Ticket(t.Context(), key)
		_, limited := errors.AsType[*ticketing.LimitedError](err)
		if limited != test.limited || !errors.Is(err, test.want) && !limited {
			t.Errorf("%s: error is %v, want %v", name, err, test.want)
		}
		if err != nil && !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: %v does not say %q", name, err, test.words)
		}
		_, err = i.PutNote(t.Context(), key, ticket.Note{Marker: "DH-1", Markdown: "x"})
		if errors.Is(err, ticketing.ErrIndeterminate) {
			t.Errorf("%s: %v, but nothing was sent", name, err)
		}
	}
}

func TestOtherCredentialsNeverMeetTheOldToken(t *testing.T) {
	t.Parallel()
	v := values("https://desk.example.test", fake.Cloud)
	if a, b := openTool(t, v), openTool(t, with(v, "refresh_token", "another")); a.tokenKey() == b.tokenKey() {
		t.Errorf("both use the token %s", a.tokenKey())
	} else if strings.Contains(a.tokenKey(), refreshToken) {
		t.Errorf("%s shows the credential", a.tokenKey())
	}
}

func TestToolWithoutSharedTokensSignsInItself(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{Dialect: fake.Cloud, RefreshQuota: 2})
	i.env.Tokens = unshared{}
	key := i.AddTicket(ticket.Ticket{})
	for range 2 {
		if _, err := i.Ticket(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	_, err := i.Ticket(t.Context(), key)
	if limited, ok := errors.AsType[*ticketing.LimitedError](err); !ok || limited.After < 5*time.Minute {
		t.Errorf("over the quota: %v, want *LimitedError of 5 min", err)
	}
}
