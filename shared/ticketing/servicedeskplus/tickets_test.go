package servicedeskplus

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
	fake "github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
)

// request1042 is the sample of the contract, section 2.1.
const request1042 = `{"request":{"id":"1042","subject":"VPN drops every hour",
 "description":"<div>Since this morning.<br />Gateway <b>10.20.0.5</b></div>",
 "status":{"id":"2","name":"Open"},"priority":{"id":"4","name":"High"},"urgency":null,
 "requester":{"id":"7","name":"Ana Ruiz","email_id":"ana@client.example"},"technician":null,"group":{"id":"5","name":"Network"},
 "site":{"id":"301","name":"Lisbon"},"category":null,"resolution":null,
 "created_time":{"display_value":"…","value":"1767225600123"},"resolved_time":null,"completed_time":null,
 "udf_fields":{"udf_sline_301":null},"attachments":[]},
 "response_status":{"status_code":2000,"status":"success"}}`

func TestTicketIsReadFromTheSample(t *testing.T) {
	t.Parallel()
	desk := canned(t, map[string]string{"GET requests/1042": request1042})
	got, err := desk.Ticket(t.Context(), "1042")
	if err != nil {
		t.Fatal(err)
	}
	want := ticket.Ticket{
		Key: "1042", Number: "1042", Subject: "VPN drops every hour", Description: "Since this morning.\nGateway 10.20.0.5",
		Priority: "High", Status: "Open", Site: "Lisbon", Requester: "Ana Ruiz", Email: "ana@client.example",
		URL: desk.base + "/WorkOrder.do?woMode=viewWO&woID=1042", Created: time.UnixMilli(1767225600123).UTC(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTicketIsReadWhateverShapeItsValuesHave(t *testing.T) {
	t.Parallel()
	const rest = `,"response_status":{"status_code":2000}}`
	for name, test := range map[string]struct {
		request string
		want    ticket.Ticket
	}{
		"numbers": {`{"id":1042,"display_id":102,"created_time":{"value":1767225600123}}`, ticket.Ticket{Number: "102", Created: time.UnixMilli(1767225600123).UTC()}},
		"nulls":   {`{"id":"1042","subject":null,"description":null,"status":null,"priority":null,"site":null,"requester":null,"created_time":null,"udf_fields":null}`, ticket.Ticket{Number: "1042"}},
		"oddities": {
			`{"id":"1042","subject":{"a":1},"description":["x"],"status":"Open","priority":"High","created_time":"yesterday","completed_time":{"value":"-5"},"last_updated_time":{"value":"99999999999999999999"}}`,
			ticket.Ticket{Number: "1042", Status: "Open", Priority: "High"},
		},
		"closed by the cloud's word": {
			`{"id":"1042","status":{"name":"Erledigt","in_progress":false},"resolution":{"content":"<p>MTU lowered</p>"},"completed_time":{"value":"1767225600123"}}`,
			ticket.Ticket{Number: "1042", Status: "Erledigt", Closed: true, Started: true, Resolution: "MTU lowered", Resolved: time.UnixMilli(1767225600123).UTC()},
		},
		"resolved, not closed": {
			`{"id":"1042","status":{"name":"resolved"},"resolution":"<p>MTU lowered</p>","resolved_time":{"value":"1767225600123"}}`,
			ticket.Ticket{Number: "1042", Status: "resolved", Closed: true, Started: true, Resolution: "MTU lowered", Resolved: time.UnixMilli(1767225600123).UTC()},
		},
		"assigned":         {`{"id":"1042","technician":{"id":"4","name":"Kim Tran"},"status":{"name":"open"},"responded_time":null}`, ticket.Ticket{Number: "1042", Status: "open", Assignee: "Kim Tran"}},
		"answered":         {`{"id":"1042","status":{"name":"Open"},"responded_time":{"value":"1767225600123"}}`, ticket.Ticket{Number: "1042", Status: "Open", Started: true}},
		"moved on":         {`{"id":"1042","status":{"name":"Onhold"}}`, ticket.Ticket{Number: "1042", Status: "Onhold", Started: true}},
		"new, in German":   {`{"id":"1042","status":{"name":"Offen","internal_name":"Open","in_progress":true}}`, ticket.Ticket{Number: "1042", Status: "Offen"}},
		"moved, in German": {`{"id":"1042","status":{"name":"In Arbeit","internal_name":"In Progress","in_progress":true}}`, ticket.Ticket{Number: "1042", Status: "In Arbeit", Started: true}},
		"account":          {`{"id":"1042","account":{"id":"3","name":"Acme Ltd"}}`, ticket.Ticket{Number: "1042", Account: "Acme Ltd"}},
	} {
		desk := canned(t, map[string]string{"GET requests/1042": `{"request":` + test.request + rest})
		got, err := desk.Ticket(t.Context(), "1042")
		test.want.Key, test.want.URL = "1042", got.URL
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestAccountComesFromTheConfiguredPathOnly(t *testing.T) {
	t.Parallel()
	const record = `{"account":{"name":"by account"},"site":{"name":"by site","region":{"name":"by region"}},"udf_fields":{"udf_pick_5":"by own field"},"udf_pick_7":{"name":"without container"}}`
	var f fields
	if err := json.Unmarshal([]byte(record), &f); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"account.name": "by account", "account": "by account", "site.name": "by site", "site.region.name": "by region",
		"udf_fields.udf_pick_5": "by own field", "udf_pick_5": "by own field", "udf_fields.udf_pick_7": "without container", "udf_pick_7": "without container",
		"department.name": "", "account.name.x": "", "udf_fields": "", "udf_fields.udf_none": "", "": "",
	} {
		if got := f.at(path); got != want {
			t.Errorf("%q gives %q, want %q", path, got, want)
		}
	}
}

func TestResolutionIsFetchedOnlyForClosedTickets(t *testing.T) {
	t.Parallel()
	const route = "GET requests/{id}/resolutions"
	i := connect(t, fake.Options{})
	open := i.AddTicket(ticket.Ticket{Resolution: "not yet final"})
	if got, err := i.Ticket(t.Context(), open); err != nil || got.Resolution != "" || i.Count(route) != 0 {
		t.Errorf("open: %q, %v, %d calls", got.Resolution, err, i.Count(route))
	}
	closed := i.AddTicket(ticket.Ticket{Closed: true, Resolution: "MTU\nlowered"})
	if got, err := i.Ticket(t.Context(), closed); err != nil || got.Resolution != "MTU\nlowered" {
		t.Errorf("closed: %q, %v", got.Resolution, err)
	}
	none := i.AddTicket(ticket.Ticket{Closed: true})
	if got, err := i.Ticket(t.Context(), none); err != nil || got.Resolution != "" {
		t.Errorf("without: %q, %v", got.Resolution, err)
	}
	i.Fail(fake.Fault{Route: route, Status: 404, Body: envelope("4007", "x")})
	if got, err := i.Ticket(t.Context(), closed); err != nil || got.Resolution != "" {
		t.Errorf("without the route: %q, %v", got.Resolution, err)
	}
	i.Fail(fake.Fault{Route: route, Times: -1, Status: 500})
	if _, err := i.Ticket(t.Context(), closed); !errors.Is(err, ticketing.ErrUnavailable) {
		t.Errorf("down: %v", err)
	}
}

func TestInvisibleTicketIsNotFound(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{})
	key := i.AddTicket(ticket.Ticket{})
	if err := i.Hide(key); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Ticket(t.Context(), key); !errors.Is(err, ticketing.ErrNotFound) {
		t.Errorf("error is %v", err)
	}
}

func TestAnswerWithoutRequestIsUnavailable(t *testing.T) {
	t.Parallel()
	desk := canned(t, map[string]string{"GET requests/1": `{"response_status":{"status_code":2000}}`, "GET requests/2": `{"request":7}`})
	for _, key := range []string{"1", "2"} {
		if _, err := desk.Ticket(t.Context(), key); !errors.Is(err, ticketing.ErrUnavailable) {
			t.Errorf("%s: error is %v", key, err)
		}
	}
}

func TestCloudTicketIsFoundByTheNumberThatPeopleSee(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{Dialect: fake.Cloud})
	id := i.AddTicket(ticket.Ticket{Number: "102", Subject: "a", Account: "acme"})
	i.AddTicket(ticket.Ticket{Number: "103", Subject: "b", Account: "globex"})
	got, err := i.Ticket(t.Context(), "102")
	if err != nil || got.Key != id || got.Number != "102" || got.Account != "acme" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := i.PutNote(t.Context(), "102", ours("x")); err != nil || len(i.Server.Notes(id)) != 1 {
		t.Errorf("note: %v, %+v", err, i.Server.Notes(id))
	}
	if _, err := i.Ticket(t.Context(), "104"); !errors.Is(err, ticketing.ErrNotFound) || i.Count("GET requests") != 3 {
		t.Errorf("no such number: %v after %d look-ups", err, i.Count("GET requests"))
	}
	i.Fail(fake.Fault{Route: "GET requests", Times: -1, Status: 500})
	if _, err := i.Ticket(t.Context(), "105"); !errors.Is(err, ticketing.ErrUnavailable) || errors.Is(err, ticketing.ErrNotFound) {
		t.Errorf("look-up down: %v", err)
	}
}

var (
	january  = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	february = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
)

// all lists everything, calling between after every page.
func all(t *testing.T, desk *tool, between func(page int)) (map[string]int, []error) {
	t.Helper()
	count, invalid, at := map[string]int{}, []error(nil), ""
	for page := 1; page < 50; page++ {
		p, err := desk.Resolved(t.Context(), january, february, at)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range p.Tickets {
			count[found.Key]++
		}
		invalid = append(invalid, p.Invalid...)
		if at = p.Next; at == "" {
			return count, invalid
		}
		between(page)
	}
	t.Fatal("the listing does not end")
	return nil, nil
}

func TestListingSkipsNoTicketWhenOthersLeaveIt(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{})
	var keys []string
	for n := range 320 {
		keys = append(keys, i.AddTicket(ticket.Ticket{
			Status: []string{"Closed", "Resolved"}[n%2], Created: january.Add(time.Duration(n) * time.Minute), Resolved: january.Add(time.Hour),
		}))
	}
	gone := map[string]bool{}
	count, invalid := all(t, i.tool, func(page int) {
		for _, key := range keys[page*6 : page*6+6] { // opened again: they leave the listing
			gone[key] = true
			if err := i.Change(key, func(k *ticket.Ticket) { k.Status, k.Closed = "Open", false }); err != nil {
				t.Error(err)
			}
		}
	})
	if len(invalid) > 0 {
		t.Errorf("invalid: %v", invalid)
	}
	for _, key := range keys {
		if count[key] != 1 && !gone[key] || count[key] > 1 {
			t.Errorf("ticket %s is listed %d times", key, count[key])
		}
	}
}

func TestListingSetsAsideWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{})
	for range 3 {
		i.AddTicket(ticket.Ticket{Closed: true, Resolved: january})
	}
	i.Fail(fake.Fault{Route: "GET requests/{id}", Status: 400, Body: envelope("4001", "damaged")})
	i.Fail(fake.Fault{Route: "GET requests/{id}", Status: 404, Body: envelope("4007", "gone")})
	p, err := i.Resolved(t.Context(), january, february, "")
	if err != nil || len(p.Tickets) != 1 || len(p.Invalid) != 2 || p.Total != 3 || !strings.Contains(p.Invalid[0].Error(), "request 1001") {
		t.Errorf("%+v, %v", p, err)
	}
	for _, f := range []fake.Fault{{Status: 401, Body: envelope("4022", "x")}, {Status: 429}, {Times: -1, Drop: true}} {
		i.Heal()
		f.Route = "GET requests/{id}"
		i.Fail(f)
		if p, err := i.Resolved(t.Context(), january, february, ""); err == nil {
			t.Errorf("%+v: page %+v", f, p)
		}
	}
}

func TestListingSurvivesOddLists(t *testing.T) {
	t.Parallel()
	const info = `"list_info":{"has_more_rows":true,"total_count":"1"},"response_status":[{"status_code":2000}]}`
	rowsOf := func(ids ...string) string {
		for n, id := range ids {
			ids[n] = fmt.Sprintf(`{"id":%q}`, id)
		}
		return `{"requests":[` + strings.Join(ids, ",") + `],` + info
	}
	for name, test := range map[string]struct {
		list    string
		at      string
		next    string
		invalid int
		fails   error
	}{
		"empty, yet more":        {`{"requests":[],` + info, "", "resolved.1", 0, nil},
		"null rows":              {`{"requests":null,` + info, "resolved.1", "", 0, nil},
		"rows without ids":       {`{"requests":[{},7,"x"],` + info, "resolved.1", "resolved.4...", 3, nil},
		"hostile id":             {rowsOf("../users"), "resolved.1", "resolved.2.../users", 1, nil},
		"few rows":               {rowsOf("1", "2"), "resolved.5", "resolved.7.1.2", 2, nil},
		"the same rows for ever": {rowsOf("1", "2"), "resolved.7.1.2", "", 0, ticketing.ErrUnavailable},
		"foreign cursor":         {rowsOf("1"), "solutions.7", "", 0, ticketing.ErrRejected},
		"negative cursor":        {rowsOf("1"), "resolved.-7", "", 0, ticketing.ErrRejected},
	} {
		desk := canned(t, map[string]string{"GET requests": test.list})
		p, err := desk.Resolved(t.Context(), january, february, test.at)
		if !errors.Is(err, test.fails) || p.Next != test.next || len(p.Invalid) != test.invalid {
			t.Errorf("%s: next %q, %d invalid, %v; want %q, %d, %v", name, p.Next, len(p.Invalid), err, test.next, test.invalid, test.fails)
		}
	}
}

func TestListingAsksWhatTheContractKnowsToWork(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{})
	i.tool = openTool(t, with(values(i.url, fake.OnPrem), "closed_status", "Closed, Erledigt"))
	if _, err := i.Resolved(t.Context(), january, february, "completed.1"); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"list_info": map[string]any{
		"row_count": 100.0, "start_index": 1.0, "sort_field": "created_time", "sort_order": "asc", "get_total_count": true,
		"fields_required": []any{"id", "subject", "created_time"},
		"search_criteria": []any{
			map[string]any{"field": "completed_time", "condition": "between", "values": []any{"1767225600000", "1769903999999"}},
			map[string]any{"field": "status.name", "condition": "is", "values": []any{"Closed", "Erledigt"}, "logical_operator": "AND"},
		},
	}}
	if diff := cmp.Diff(want, i.lastInput(t, "GET requests")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := i.Resolved(t.Context(), january, february, "resolved.1"); err != nil {
		t.Fatal(err)
	}
	criteria := i.lastInput(t, "GET requests")["list_info"].(map[string]any)["search_criteria"].([]any)
	none := map[string]any{"field": "completed_time", "condition": "is", "values": []any{}, "logical_operator": "AND"}
	if diff := cmp.Diff(any(none), criteria[2]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
