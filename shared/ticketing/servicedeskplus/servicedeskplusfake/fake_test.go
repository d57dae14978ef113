package servicedeskplusfake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// start is the time of the tests' clock.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// client calls a fake as a script of the vendor's customers would.
type client struct {
	*Server
	t    *testing.T
	auth string // of the cloud
}

func open(t *testing.T, o Options) *client {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return start }
	}
	return &client{New(o), t, ""}
}

// do makes one call and gives status and body.
func (c *client) do(method, path, input string) (int, string) {
	c.t.Helper()
	target, body := path, ""
	if input != "" {
		form := url.Values{"input_data": {input}}.Encode()
		if method == http.MethodGet {
			target += "?" + form
		} else {
			body = form
		}
	}
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authtoken", "demo-api-key")
	if c.auth != "" {
		r.Header.Set("Authorization", c.auth)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// get makes a call that has to answer with status, and reads it.
func (c *client) get(status int, method, path, input string) object {
	c.t.Helper()
	got, body := c.do(method, path, input)
	var o object
	if err := json.Unmarshal([]byte(body), &o); err != nil || got != status {
		c.t.Errorf("%s %s: HTTP %d, %s (%v), want HTTP %d", method, path, got, body, err, status)
	}
	return o
}

// code gives the specific code of an error.
func code(o object) int {
	messages, _ := o.inner("response_status")["messages"].([]any)
	if len(messages) == 0 {
		return 0
	}
	m, _ := messages[0].(map[string]any)
	n, _ := m["status_code"].(float64)
	return int(n)
}

// ids gives the ids of the rows of a list of requests, joined.
func ids(o object) string {
	var all []string
	rows, _ := o["requests"].([]any)
	for _, row := range rows {
		all = append(all, object(row.(map[string]any)).str("id"))
	}
	return strings.Join(all, " ")
}

func TestCallNeedsTheKeyOfTheEdition(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		dialect Dialect
		header  map[string]string
		want    int
	}{
		"authtoken":        {OnPrem, map[string]string{"authtoken": "demo-api-key"}, 200},
		"older name":       {OnPrem, map[string]string{"TECHNICIAN_KEY": "demo-api-key"}, 200},
		"wrong":            {OnPrem, map[string]string{"authtoken": "x"}, 401},
		"none":             {OnPrem15100, nil, 401},
		"key in the cloud": {Cloud, map[string]string{"authtoken": "demo-api-key"}, 401},
		"unknown token":    {Cloud, map[string]string{"Authorization": "Zoho-oauthtoken 1000.x"}, 401},
	} {
		s := New(Options{Dialect: test.dialect})
		r := httptest.NewRequest(http.MethodGet, "/api/v3/requests", nil)
		for k, v := range test.header {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		var o object
		if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil || w.Code != test.want || (test.want == 401 && code(o) != 4022) {
			t.Errorf("%s: HTTP %d, %s", name, w.Code, w.Body)
		}
	}
}

func TestTokenEndpointRefusesWithHTTP200(t *testing.T) {
	t.Parallel()
	now := start
	c := open(t, Options{Dialect: Cloud, Now: func() time.Time { return now }})
	grant := func(secret, refresh string) object {
		form := url.Values{"grant_type": {"refresh_token"}, "client_id": {"demo-client"}, "client_secret": {secret}, "refresh_token": {refresh}}
		r := httptest.NewRequest(http.MethodPost, "/oauth/v2/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		var o object
		if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil {
			t.Fatal(err)
		}
		o["http"] = w.Code
		return o
	}
	if o := grant("demo-client-secret", "x"); o["http"] != 200 || o["error"] != "invalid_code" {
		t.Errorf("wrong refresh token: %v", o)
	}
	if o := grant("x", "demo-refresh-token"); o["http"] != 200 || o["error"] != "invalid_client" {
		t.Errorf("wrong secret: %v", o)
	}
	o := grant("demo-client-secret", "demo-refresh-token")
	if o["token_type"] != "Bearer" || o["expires_in"] != 3600.0 || o["refresh_token"] != nil {
		t.Errorf("grant: %v", o)
	}
	for _, word := range []string{"Zoho-oauthtoken ", "Bearer "} {
		c.auth = word + o.str("access_token")
		c.get(200, "GET", "/app/itdesk/api/v3/requests", "")
	}
	now = now.Add(time.Hour)
	c.get(401, "GET", "/api/v3/requests", "")
	for range 5 {
		grant("demo-client-secret", "demo-refresh-token")
	}
	if o = grant("demo-client-secret", "demo-refresh-token"); !strings.Contains(o.str("error_description"), "too many requests continuously") {
		t.Errorf("over the quota: %v", o)
	}
}

func TestUnknownRoutesAnswerAsTheEditionDoes(t *testing.T) {
	t.Parallel()
	if o := open(t, Options{}).get(404, "GET", "/api/v3/nothing", ""); code(o) != 4007 {
		t.Errorf("on-premises: %v", o)
	}
	if status, body := open(t, Options{Dialect: Cloud}).do("GET", "/app/itdesk/api/v3/nothing", ""); status != 401 || !strings.HasPrefix(body, "<!DOCTYPE html>") {
		t.Errorf("cloud: HTTP %d, %s", status, body)
	}
}

func TestInputHasToBeWhatIsDocumented(t *testing.T) {
	t.Parallel()
	c := open(t, Options{})
	key := c.AddTicket(ticket.Ticket{})
	notes := "/api/v3/requests/" + key + "/notes"
	for input, want := range map[string]int{
		``:                                      4012,
		`{`:                                     4000,
		`{"note":{"description":"x","Show":1}}`: 4001,
		`{"NOTE":{"description":"x"}}`:          4001,
		`{"request_note":{"description":"x"}}`:  4001,
		`{"note":{"description":""}}`:           4012,
		`{}`:                                    4012,
	} {
		if o := c.get(400, "POST", notes, input); code(o) != want {
			t.Errorf("%s: %v, want %d", input, o, want)
		}
	}
	if o := c.get(400, "GET", "/api/v3/requests", `{"list_info":{"rows":1}}`); code(o) != 4001 {
		t.Errorf("unknown key of a list: %v", o)
	}
	if o := c.get(400, "POST", "/api/v3/requests", `{"request":{"description":"x"}}`); code(o) != 4012 {
		t.Errorf("request without a subject: %v", o)
	}
	if o := c.get(400, "POST", "/api/v3/requests", `{"request":{"subject":"`+strings.Repeat("x", 251)+`"}}`); code(o) != 4001 {
		t.Errorf("request with a long subject: %v", o)
	}
}

func TestSampleRequestsOfTheContractAreServed(t *testing.T) {
	t.Parallel()
	c := open(t, Options{})
	closed := c.AddTicket(ticket.Ticket{Subject: "VPN drops every hour", Status: "Closed", Resolved: start.Add(-time.Hour), Description: "a <b>", Resolution: "MTU"})
	c.AddTicket(ticket.Ticket{Subject: "open"})
	o := c.get(200, "GET", "/api/v3/requests", `{"list_info":{
  "row_count":100,"start_index":1,"sort_field":"last_updated_time","sort_order":"asc",
  "fields_required":["id","display_id","subject","status","priority","created_time","resolved_time","completed_time","last_updated_time"],
  "search_criteria":[
    {"field":"completed_time","condition":"between","values":["1764547200000","1767225599999"]},
    {"field":"status.name","condition":"is","values":["Closed","Resolved"],"logical_operator":"AND"}]}}`)
	if ids(o) != closed {
		t.Errorf("import query gives %v", o)
	}
	if _, isArray := o["response_status"].([]any); !isArray {
		t.Errorf("a list answers with %v", o["response_status"])
	}
	row := o["requests"].([]any)[0].(map[string]any)
	if row["description"] != nil || row["resolution"] != nil || row["priority"] != nil {
		t.Errorf("row %v", row)
	}
	one := c.get(200, "GET", "/api/v3/requests/"+closed, "").inner("request")
	if one["description"] != "<div>a &lt;b&gt;</div>" || one["priority"] != nil || one["resolution"] != nil {
		t.Errorf("request %v", one)
	}
	resolution := c.get(200, "GET", "/api/v3/requests/"+closed+"/resolutions", "").inner("resolution")
	if resolution["content"] != "<div>MTU</div>" {
		t.Errorf("resolution %v", resolution)
	}
	note := c.get(201, "POST", "/api/v3/requests/"+closed+"/notes", `{"note":{"description":"…","show_to_requester":false}}`).inner("note")
	if note["description"] != "…" || note["show_to_requester"] != false || note["added_time"] == nil {
		t.Errorf("note %v", note)
	}
	if o := c.get(200, "GET", "/api/v3/requests/"+closed+"/notes", ""); strings.Contains(fmt.Sprint(o), "…") {
		t.Errorf("the list of notes has descriptions: %v", o)
	}
}

func TestPagesOfAListFollowEachOther(t *testing.T) {
	t.Parallel()
	c := open(t, Options{})
	for range 25 {
		c.AddTicket(ticket.Ticket{})
	}
	for input, want := range map[string]struct {
		rows int
		more bool
	}{
		``: {10, true},
		`{"list_info":{"row_count":20,"start_index":0}}`:    {20, true},
		`{"list_info":{"row_count":20,"start_index":"1"}}`:  {20, true},
		`{"list_info":{"row_count":20,"start_index":21}}`:   {5, false},
		`{"list_info":{"row_count":20,"page":2}}`:           {5, false},
		`{"list_info":{"row_count":500}}`:                   {25, false},
		`{"list_info":{"row_count":10,"start_index":1000}}`: {0, false},
	} {
		o := c.get(200, "GET", "/api/v3/requests", input)
		if rows := len(strings.Fields(ids(o))); rows != want.rows || o.inner("list_info")["has_more_rows"] != want.more {
			t.Errorf("%s: %d rows, %v", input, rows, o.inner("list_info"))
		}
	}
	if o := c.get(200, "GET", "/api/v3/requests", `{"list_info":{"get_total_count":true,"sort_field":"id","sort_order":"desc","row_count":2}}`); ids(o) != "1025 1024" || o.inner("list_info")["total_count"] != 25.0 {
		t.Errorf("newest first: %v", o)
	}
	for _, input := range []string{`{"list_info":{"page":1,"start_index":1}}`, `{"list_info":{"row_count":"x"}}`, `{"list_info":{"sort_field":"description"}}`} {
		c.get(400, "GET", "/api/v3/requests", input)
	}
	open(t, Options{RejectLargeCounts: true}).get(400, "GET", "/api/v3/requests", `{"list_info":{"row_count":101}}`)
}

func TestCriteriaFindWhatTheyDescribe(t *testing.T) {
	t.Parallel()
	c := open(t, Options{})
	for _, k := range []ticket.Ticket{
		{Key: "1", Subject: "VPN drops", Priority: "High", Created: start, Site: "Lisbon"},
		{Key: "2", Subject: "Printer jams", Created: start.Add(time.Hour), Status: "Closed", Resolved: start.Add(5 * time.Hour)},
		{Key: "3", Subject: "vpn is slow", Priority: "Low", Created: start.Add(2 * time.Hour), Status: "Resolved", Resolved: start.Add(6 * time.Hour)},
	} {
		c.AddTicket(k)
	}
	ms := func(h int) string { return fmt.Sprint(start.Add(time.Duration(h) * time.Hour).UnixMilli()) }
	for criteria, want := range map[string]string{
		`{"field":"subject","condition":"contains","value":"VPN"}`:                                                                                     "1 3",
		`{"field":"subject","condition":"not contains","value":"VPN"}`:                                                                                 "2",
		`{"field":"subject","condition":"starts with","value":"print"}`:                                                                                "2",
		`{"field":"subject","condition":"ends with","value":"slow"}`:                                                                                   "3",
		`{"field":"priority.name","condition":"is","values":["High","Low"]}`:                                                                           "1 3",
		`{"field":"priority.name","condition":"eq","value":"high"}`:                                                                                    "1",
		`{"field":"priority","condition":"is","value":{"name":"Low"}}`:                                                                                 "3",
		`{"field":"priority","condition":"is","values":[]}`:                                                                                            "2",
		`{"field":"priority","condition":"is not","values":[]}`:                                                                                        "1 3",
		`{"field":"status.name","condition":"!=","value":"Open"}`:                                                                                      "2 3",
		`{"field":"created_time","condition":"gt","value":"` + ms(1) + `"}`:                                                                            "3",
		`{"field":"created_time","condition":"greater or equal","value":` + ms(1) + `}`:                                                                "2 3",
		`{"field":"created_time","condition":"lt","value":"` + ms(1) + `"}`:                                                                            "1",
		`{"field":"created_time","condition":"lesser or equal","value":"` + ms(1) + `"}`:                                                               "1 2",
		`{"field":"created_time","condition":"not between","values":["` + ms(1) + `","` + ms(2) + `"]}`:                                                "1",
		`{"field":"resolved_time","condition":"between","values":["` + ms(0) + `","` + ms(9) + `"]}`:                                                   "3",
		`[{"field":"subject","condition":"contains","value":"vpn"},{"field":"priority.name","condition":"is","value":"Low","logical_operator":"AND"}]`: "3",
		`[{"field":"id","condition":"is","value":"1"},{"field":"id","condition":"is","value":"2","logical_operator":"OR"}]`:                            "1 2",
		`{"field":"id","condition":"is","value":"1","children":[{"field":"id","condition":"is","value":"3","logical_operator":"OR"}]}`:                 "1 3",
		`[{"children":[{"field":"id","condition":"is","value":"1"},{"field":"id","condition":"is","value":"2","logical_operator":"OR"}]},{"field":"subject","condition":"contains","value":"jam","logical_operator":"AND"}]`: "2",
	} {
		o := c.get(200, "GET", "/api/v3/requests", `{"list_info":{"search_criteria":`+criteria+`}}`)
		if got := ids(o); got != want {
			t.Errorf("%s gives %q, want %q", criteria, got, want)
		}
	}
	for _, criteria := range []string{
		`"x"`, `{"field":"id","condition":"like","value":"1"}`, `{"field":"id","condition":"between","value":"1"}`, `{"condition":"is"}`, `{"Field":"id"}`,
		`[{"field":"completed_time","condition":"gt","value":"1"},{"field":"status.name","condition":"is","value":"Closed"}]`,
	} {
		c.get(400, "GET", "/api/v3/requests", `{"list_info":{"search_criteria":`+criteria+`}}`)
	}
	if o := c.get(200, "GET", "/api/v3/requests", `{"list_info":{"search_fields":{"site.name":"lisbon"},"filter_by":{"name":"All"}}}`); ids(o) != "1" {
		t.Errorf("search_fields: %v", o)
	}
}

func TestRequestLivesFromCreationToClosing(t *testing.T) {
	t.Parallel()
	for dialect, closing := range map[Dialect]string{OnPrem: "close", OnPrem15100: "close", Cloud: "_close"} {
		c := open(t, Options{Dialect: dialect})
		c.tokens["t"], c.auth = start.Add(time.Hour), "Bearer t"
		created := c.get(201, "POST", "/api/v3/requests", `{"request":{"subject":"a","description":"x<br />y &amp; z","requester":{"name":"Ana"},"account":{"name":"acme"}}}`).inner("request")
		id := created.str("id")
		if got := c.Tickets()[0]; got.Description != "x\ny & z" || got.Requester != "Ana" || got.Account != "acme" || got.Closed {
			t.Errorf("%s: created %+v", dialect, got)
		}
		c.get(200, "PUT", "/api/v3/requests/"+id, `{"request":{"priority":{"name":"High"},"description":"<p>new</p>"}}`)
		c.get(200, "POST", "/api/v3/requests/"+id+"/resolutions", `{"resolution":{"content":"<p>MTU</p>"}}`)
		c.get(200, "PUT", "/api/v3/requests/"+id+"/"+closing, "")
		if got := c.Tickets()[0]; !got.Closed || got.Resolution != "MTU" || got.Priority != "High" || got.Description != "new" || !got.Resolved.Equal(start) {
			t.Errorf("%s: closed %+v", dialect, got)
		}
		c.get(200, "PUT", "/api/v3/requests/"+id, `{"request":{"status":{"name":"Open"}}}`)
		if got := c.Tickets()[0]; got.Closed {
			t.Errorf("%s: opened again %+v", dialect, got)
		}
		c.Delete(id)
		c.get(404, "GET", "/api/v3/requests/"+id, "")
	}
}

func TestThrottleCountsPerAddressAndMinute(t *testing.T) {
	t.Parallel()
	for dialect, want := range map[Dialect]int{OnPrem: 400, Cloud: 429} {
		now := start
		c := open(t, Options{Dialect: dialect, Throttle: 2, Now: func() time.Time { return now }})
		c.tokens["t"], c.auth = start.Add(time.Hour), "Bearer t"
		c.get(200, "GET", "/api/v3/requests", "")
		c.get(200, "GET", "/api/v3/requests", "")
		c.get(want, "GET", "/api/v3/requests", "")
		c.get(200, "GET", "/api/v3/solutions", "")
		now = now.Add(time.Minute)
		c.get(200, "GET", "/api/v3/requests", "")
	}
}

func TestLaterServesTheCallBehindItsAnswer(t *testing.T) {
	t.Parallel()
	c := open(t, Options{})
	c.Fail(Fault{Route: "POST requests", Status: 502, Later: time.Hour})
	const input = `{"request":{"subject":"late"}}`
	if status, body := c.do("POST", "/api/v3/requests", input); status != 502 || body != "" || len(c.Tickets()) != 0 {
		t.Errorf("%d %q and %d tickets, want 502 and none yet", status, body, len(c.Tickets()))
	}
	c.Close()
	if got := c.Tickets(); len(got) != 1 || got[0].Subject != "late" {
		t.Errorf("stored %+v", got)
	}
	c.Fail(Fault{Route: "POST requests", Status: 502, Later: time.Millisecond})
	c.do("POST", "/api/v3/requests", input)
	c.Close()
	if n := len(c.Tickets()); n != 1 {
		t.Errorf("%d tickets: a closed fake stores no more", n)
	}
}

func TestFaultsHitTheNextCallsOfTheirRoute(t *testing.T) {
	t.Parallel()
	c := open(t, Options{})
	c.AddTicket(ticket.Ticket{})
	c.Fail(Fault{Route: "GET requests", Times: 2, Status: 503, Body: `{}`, Header: http.Header{"Retry-After": {"3"}}})
	c.Fail(Fault{Route: "GET requests", HTML: true})
	c.Fail(Fault{Route: "GET requests", Empty: true})
	c.Fail(Fault{Route: "GET requests", Truncate: true})
	c.get(200, "GET", "/api/v3/solutions", "")
	var got []string
	for range 6 {
		status, body := c.do("GET", "/api/v3/requests", "")
		got = append(got, fmt.Sprint(status, " ", json.Valid([]byte(body)), " ", body == ""))
	}
	want := []string{"503 true false", "503 true false", "200 false false", "200 false true", "200 false false", "200 true false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, f := range []Fault{{Drop: true}, {DropAfter: true}} {
		f.Route = "POST requests"
		c.Fail(f)
		func() {
			defer func() {
				if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
					t.Error("the connection is not dropped")
				}
			}()
			c.do("POST", "/api/v3/requests", `{"request":{"subject":"dropped"}}`)
		}()
	}
	if n := len(c.Tickets()); n != 2 {
		t.Errorf("%d tickets, want 2: one drop came after the commit", n)
	}
}

func TestJournalAndHooksSeeEveryCall(t *testing.T) {
	t.Parallel()
	var seen []string
	note := func(when string) func(*http.Request) {
		return func(r *http.Request) { seen = append(seen, when+" "+r.Method) }
	}
	c := open(t, Options{Before: note("before"), After: note("after")})
	c.get(200, "GET", "/api/v3/requests", `{"list_info":{}}`)
	c.get(404, "GET", "/api/v3/requests/7", "")
	want := []Call{
		{start, "GET", "/api/v3/requests", "GET requests", `{"list_info":{}}`, 200},
		{start, "GET", "/api/v3/requests/7", "GET requests/{id}", "", 404},
	}
	if diff := cmp.Diff(want, c.Calls()); diff != "" || c.Count("GET requests") != 1 {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := strings.Join(seen, ", "); got != "before GET, after GET, before GET, after GET" {
		t.Errorf("hooks saw %s", got)
	}
}

func TestStateSurvivesARestart(t *testing.T) {
	t.Parallel()
	old := open(t, Options{Dialect: Cloud})
	key := old.AddTicket(ticket.Ticket{Subject: "a", Account: "acme"})
	if _, err := old.AddNote(key, "<p>x</p>", false); err != nil {
		t.Fatal(err)
	}
	old.AddArticle(ticketing.Article{Title: "b", Account: "globex"})
	old.AddSystem(ticketing.System{Hostname: "c", Addresses: []string{"10.0.0.1"}})
	var saved bytes.Buffer
	if err := old.Save(&saved); err != nil {
		t.Fatal(err)
	}
	fresh := open(t, Options{Dialect: Cloud})
	if err := fresh.Load(&saved); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(old.state, fresh.state); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if next := fresh.AddTicket(ticket.Ticket{}); next == key {
		t.Errorf("id %s is given twice", next)
	}
	if err := fresh.Load(strings.NewReader("{")); err == nil || len(fresh.Tickets()) != 2 {
		t.Errorf("damaged state: %v, %d tickets", err, len(fresh.Tickets()))
	}
}

func TestUnknownTicketsAreReported(t *testing.T) {
	t.Parallel()
	c := open(t, Options{})
	_, noteErr := c.AddNote("7", "x", false)
	for what, err := range map[string]error{
		"note": noteErr, "change": c.Change("7", func(*ticket.Ticket) {}), "hide": c.Hide("7"), "fire": c.Fire("7", "request.created"),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if c.Notes("7") != nil {
		t.Error("notes of no ticket")
	}
}

func TestFakeIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	c := open(t, Options{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			key := c.AddTicket(ticket.Ticket{Subject: "a"})
			c.get(201, "POST", "/api/v3/requests/"+key+"/notes", `{"note":{"description":"x"}}`)
			c.get(200, "GET", "/api/v3/requests", "")
			if len(c.Notes(key)) != 1 {
				t.Errorf("ticket %s has %d notes", key, len(c.Notes(key)))
			}
		})
	}
	wg.Wait()
	if len(c.Tickets()) != 8 {
		t.Errorf("%d tickets", len(c.Tickets()))
	}
}
