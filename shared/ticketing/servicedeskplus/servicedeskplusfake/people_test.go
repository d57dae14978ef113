package servicedeskplusfake

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

func (c *client) page(path string) *httptest.ResponseRecorder {
	c.t.Helper()
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestTicketPageShowsTheTicketAndItsNotes(t *testing.T) {
	t.Parallel()
	for dialect, path := range map[Dialect]string{OnPrem: "/WorkOrder.do?woMode=viewWO&woID=", Cloud: "/app/itdesk/ui/requests/"} {
		c := open(t, Options{Dialect: dialect})
		key := c.AddTicket(ticket.Ticket{
			Subject: "<script>alert(1)</script>", Description: "line\n<img src=x>", Requester: "Ana & Co", Account: "acme", Site: "Lisbon",
			Closed: true, Resolution: "MTU <b>",
		})
		for text, public := range map[string]bool{"<h3>Similar tickets</h3>": false, "<p>Dear Ana</p>": true} {
			if _, err := c.AddNote(key, text, public); err != nil {
				t.Fatal(err)
			}
		}
		if dialect == Cloud {
			key += "/details"
		}
		w := c.page(path + key)
		if w.Code != 200 || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: HTTP %d, policy %q", dialect, w.Code, w.Header().Get("Content-Security-Policy"))
		}
		for text, want := range map[string]bool{
			"<h3>Similar tickets</h3>": true, "<p>Dear Ana</p>": true, "Internal note": true, "Shown to the requester": true, "Ana &amp; Co": true,
			"&lt;script&gt;": true, "MTU &lt;b&gt;": true, "<script": false, "<img": false, "style=": false,
		} {
			if got := strings.Contains(w.Body.String(), text); got != want {
				t.Errorf("%s: contains %q: %t, want %t", dialect, text, got, want)
			}
		}
	}
}

func TestListOfTicketsLeadsToThem(t *testing.T) {
	t.Parallel()
	c := open(t, Options{})
	if w := c.page("/"); !strings.Contains(w.Body.String(), "There are no requests yet") {
		t.Errorf("empty: %s", w.Body)
	}
	key := c.AddTicket(ticket.Ticket{Subject: "VPN <drops>"})
	if w := c.page("/"); !strings.Contains(w.Body.String(), `<a href="/WorkOrder.do?woMode=viewWO&amp;woID=`+key+`">VPN &lt;drops&gt;</a>`) {
		t.Errorf("list: %s", w.Body)
	}
	if w := c.page("/style.css"); w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/css") {
		t.Errorf("style: HTTP %d, %s", w.Code, w.Header())
	}
}

func TestArticlePageShowsTheArticle(t *testing.T) {
	t.Parallel()
	c := open(t, Options{})
	key := c.AddArticle(ticketing.Article{Title: "Lower the MTU", Text: "step <one>"})
	for _, path := range []string{"/AddSolution.do?submitaction=viewsolution&solutionID=" + key, "/app/itdesk/ui/solutions/" + key + "/details"} {
		if w := c.page(path); w.Code != 200 || !strings.Contains(w.Body.String(), "step &lt;one&gt;") {
			t.Errorf("%s: HTTP %d, %s", path, w.Code, w.Body)
		}
	}
	for _, path := range []string{"/AddSolution.do", "/WorkOrder.do?woID=7", "/app/itdesk/ui/requests/7/details", "/nothing"} {
		if w := c.page(path); w.Code != 404 {
			t.Errorf("%s: HTTP %d, want 404", path, w.Code)
		}
	}
}

func TestSignatureIsThatOfTheContract(t *testing.T) {
	t.Parallel()
	got := Sign(secret.New("sdp-demo-secret"), "1767225600", []byte(`{"event":"request.created","request_id":"1001"}`))
	if want := "sha256=f51f4d1d8e801ae8db18067cdd4462c141ee1975212257c6dbfd7ffe9c7e55c5"; got != want {
		t.Errorf("signature is %s, want %s", got, want)
	}
}

// receiver collects what is posted to it.
type receiver struct {
	mu     sync.Mutex
	bodies []string
	header http.Header
	url    string
}

func receive(t *testing.T, status int) *receiver {
	t.Helper()
	got := &receiver{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got.mu.Lock()
		defer got.mu.Unlock()
		got.bodies = append(got.bodies, string(body))
		got.header = r.Header
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	got.url = server.URL
	return got
}

func TestWebhookIsSentForNewAndClosedTickets(t *testing.T) {
	t.Parallel()
	created, resolved := receive(t, 202), receive(t, 202)
	c := open(t, Options{})
	key := secret.New("signing-secret")
	c.SetWebhook(Webhook{
		URL: created.url, ResolvedURL: resolved.url, Secret: key,
		Header: http.Header{"X-Servicedesk-Token": {"static"}}, Tenants: map[string]string{"Acme Ltd": "acme", "": "globex"},
	})
	c.get(201, "POST", "/api/v3/requests", `{"request":{"subject":"a \"quote\"","description":"x<br />y","priority":{"name":"High"},"account":{"name":"Acme Ltd"}}}`)
	c.get(200, "PUT", "/api/v3/requests/1001/close", "")
	c.AddTicket(ticket.Ticket{}) // seeded: no webhook
	c.Close()
	want := `{"ticket_id":"1001","tenant_id":"acme","event":"request.created","priority":"High","client":"Acme Ltd","subject":"a \"quote\"","description":"x\ny"}`
	if diff := cmp.Diff([]string{want}, created.bodies); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	h := created.header
	if h.Get("X-ServiceDesk-Token") != "static" || h.Get("X-ServiceDesk-Timestamp") != "1767225600" || h.Get("X-ServiceDesk-Signature") != Sign(key, "1767225600", []byte(want)) {
		t.Errorf("header %v", h)
	}
	if len(resolved.bodies) != 1 || !strings.Contains(resolved.bodies[0], `"event":"request.closed"`) || !strings.Contains(resolved.bodies[0], `"resolved_date":"2026-01-01T00:00:00Z"`) {
		t.Errorf("resolved %q", resolved.bodies)
	}
	if err := c.Fire("1001", "request.created"); err != nil || len(c.Deliveries()) != 2 {
		t.Errorf("after Close: %v, %+v", err, c.Deliveries())
	}
}

func TestWebhookHasTheModesOfTheProduct(t *testing.T) {
	t.Parallel()
	k := ticket.Ticket{Subject: `a "b"`, Description: "x"}
	for name, test := range map[string]struct {
		hook Webhook
		want []string
	}{
		"thin":      {Webhook{Thin: true}, []string{`{"event":"request.created","tenant":"","request_id":"1001","status":"Open"}`}},
		"unescaped": {Webhook{Unescaped: true}, []string{`{"ticket_id":"1001","tenant_id":"","event":"request.created","priority":"","client":"","subject":"a "b"","description":"x"}`}},
		"duplicate": {Webhook{Thin: true, Duplicate: true}, []string{`{"event":"request.created","tenant":"","request_id":"1001","status":"Open"}`, `{"event":"request.created","tenant":"","request_id":"1001","status":"Open"}`}},
	} {
		got := receive(t, 202)
		c := open(t, Options{})
		test.hook.URL = got.url
		c.SetWebhook(test.hook)
		if err := c.Fire(c.AddTicket(k), "request.created"); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if diff := cmp.Diff(test.want, got.bodies); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got.header.Get("X-ServiceDesk-Signature") != "" {
			t.Errorf("%s: signed without a secret", name)
		}
	}
}

func TestWebhookNeverHoldsUpTheCall(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(slow.Close)
	c := open(t, Options{})
	c.SetWebhook(Webhook{URL: slow.URL})
	begin := time.Now()
	c.get(201, "POST", "/api/v3/requests", `{"request":{"subject":"a"}}`)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the call took %s", took)
	}
	close(release)
	c.Close()
	c2 := open(t, Options{})
	for _, address := range []string{"http://127.0.0.1:1", "http://%zz"} {
		c2.SetWebhook(Webhook{URL: address})
		c2.get(201, "POST", "/api/v3/requests", `{"request":{"subject":"a"}}`)
	}
	c2.Close()
	for _, d := range append(c.Deliveries(), c2.Deliveries()...) {
		if (d.Status == 200) == (d.Error != "") {
			t.Errorf("delivery %+v", d)
		}
	}
}
