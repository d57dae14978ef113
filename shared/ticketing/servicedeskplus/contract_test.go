package servicedeskplus

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// The samples of docs on the API, sections 1 to 3 of the contract, each read by
// what reads it in the product. The first request is in tickets_test.go.

const sampleList = `{"response_status":[{"status_code":2000,"status":"success"}],
 "list_info":{"has_more_rows":true,"start_index":1,"row_count":100,"sort_field":"last_updated_time","sort_order":"asc"},
 "requests":[{"id":"1042","subject":"VPN drops every hour",
   "status":{"id":"3","name":"Closed","color":"#006600"},
   "priority":null,"requester":{"id":"7","name":"Ana Ruiz","email_id":"ana@client.example"},
   "created_time":{"display_value":"Dec 2, 2025 09:10 AM","value":"1764666600000"},
   "completed_time":{"display_value":"Dec 3, 2025 04:00 PM","value":"1764777600000"},
   "resolved_time":null}]}`

func TestSampleListIsRead(t *testing.T) {
	t.Parallel()
	var l closedList
	if err := json.Unmarshal([]byte(sampleList), &l); err != nil {
		t.Fatal(err)
	}
	if !l.more() || len(l.Requests) != 1 {
		t.Fatalf("read %+v", l)
	}
	r := l.Requests[0]
	if r.ID != "1042" || r.Status.Name != "Closed" || r.Priority != "" || r.Requester.Name != "Ana Ruiz" ||
		!r.Completed.Equal(time.UnixMilli(1764777600000)) || !r.ResolvedAt.IsZero() {
		t.Errorf("read %+v", r)
	}
	if f := (answer{200, nil, []byte(sampleList)}).failure(time.Now()); f != nil {
		t.Errorf("taken for a failure: %v", f)
	}
}

func TestSampleErrorsAreRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		code   int64
		words  string
		want   error
	}{
		"mandatory": {
			400, `{"response_status":{"status_code":4000,"status":"failed",
  "messages":[{"status_code":4012,"type":"failed","fields":["subcategory","requester"]}]}}`,
			4012, "no explanation [subcategory] [requester]", ticketing.ErrRejected,
		},
		"business rule": {
			403, `{"response_status":{"status_code":4000,"status":"failed",
  "messages":[{"status_code":4002,"field":"priority","type":"failed","message":"Cannot give value for priority"}]}}`,
			4002, "Cannot give value for priority [priority]", ticketing.ErrDenied,
		},
	} {
		f := answer{test.status, http.Header{}, []byte(test.body)}.failure(time.Now())
		if f == nil || f.code != test.code || f.words != test.words || !errors.Is(f, test.want) {
			t.Errorf("%s: %v", name, f)
		}
	}
}

func TestSampleNoteIsRead(t *testing.T) {
	t.Parallel()
	const sample = `{"note":{"id":"603","description":"<h3>Similar tickets</h3>…","show_to_requester":false,"notify_technician":false,
  "added_by":{"id":"4","name":"AI Agent"},"added_time":{"display_value":"…","value":"1767225660000"},
  "last_updated_time":null,"request":{"id":"1042"}},
 "response_status":{"status_code":2000,"status":"success"}}`
	var a noteAnswer
	if err := json.Unmarshal([]byte(sample), &a); err != nil {
		t.Fatal(err)
	}
	if n := a.one(); n.ID != "603" || n.body() != "<h3>Similar tickets</h3>…" || n.Public || !n.added().Equal(time.UnixMilli(1767225660000)) {
		t.Errorf("read %+v", n)
	}
	for sample, public := range map[string]bool{
		`{"request_note":{"id":603,"show_to_requester":true,"created_time":{"value":1}}}`: true,
		`{"request_note":{"id":603,"show_to_requester":"true"}}`:                          true,
		`{"request_note":{"id":603,"show_to_requester":null}}`:                            false,
	} {
		var a noteAnswer
		if err := json.Unmarshal([]byte(sample), &a); err != nil || a.one().ID != "603" || a.one().Public != public {
			t.Errorf("%s: read %+v, %v", sample, a.one(), err)
		}
	}
}

func TestSampleResolutionsAreRead(t *testing.T) {
	t.Parallel()
	for sample, want := range map[string]string{
		`{"resolution":{"content":"<p>Lower the MTU</p>","submitted_by":null,"submitted_on":null,"resolution_attachments":[]},"response_status":{"status_code":2000,"status":"success"}}`: "Lower the MTU",
		`{"resolution":{"content":null,"submitted_by":null,"submitted_on":null,"resolution_attachments":[]}}`:                                                                             "",
		`{"resolution":null}`: "",
	} {
		desk := canned(t, map[string]string{"GET requests/1/resolutions": sample})
		if got, err := desk.resolution(t.Context(), "1"); err != nil || got != want {
			t.Errorf("%s: %q, %v", sample, got, err)
		}
	}
}

func TestSampleWebhookIsRead(t *testing.T) {
	t.Parallel()
	got, err := deliver("application/json", `{"event":"request.created","tenant":"acme","request_id":"<1001>","status":"Open"}`, false)
	if diff := cmp.Diff(ticketing.Announcement{Key: "1001", Tenant: "acme", Kind: ticket.Created}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func FuzzAnswer(f *testing.F) {
	for _, s := range []string{request1042, sampleList, `{"response_status":[]}`, `{"response_status":{"messages":[{}]}}`, "<html>", "null"} {
		f.Add(200, s)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		a := answer{status, http.Header{}, []byte(body)}
		if failed := a.failure(time.Now()); failed != nil {
			_ = failed.Error()
			return
		}
		var one struct {
			Request request `json:"request"`
		}
		var l closedList
		var n noteAnswer
		for _, into := range []any{&one, &l, &n} {
			_ = decode(a, into)
		}
		got := (&tool{account: "account.name", closed: []string{"Closed"}, fresh: []string{"Open"}}).ticket(one.Request)
		if _, err := json.Marshal(got); err != nil {
			t.Errorf("cannot be stored: %v", err)
		}
	})
}
