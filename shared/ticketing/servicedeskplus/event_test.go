package servicedeskplus

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

const asForm = "application/x-www-form-urlencoded"

func deliver(contentType, body string, strict bool) (ticketing.Announcement, error) {
	return (&tool{}).Event(ticketing.Delivery{
		Kind: ticket.Created, Header: http.Header{"Content-Type": {contentType}}, Body: []byte(body), Strict: strict,
	})
}

func TestEventReadsEveryFormOfDelivery(t *testing.T) {
	t.Parallel()
	full := ticketing.Announcement{
		Key: "1042", Tenant: "acme", Account: "Acme Ltd", Kind: ticket.Created,
		Told: ticket.Told{
			Subject: "VPN drops", Description: "Since \"noon\"\nhelp", Priority: "High", Client: "Acme", Resolution: "MTU",
			Resolved: time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC),
		},
	}
	whole := `{"event":"request.created","ticket_id":"1042","tenant_id":"acme","account":"Acme Ltd","subject":"VPN drops","description":"Since \"noon\"\r\nhelp",` +
		`"priority":"High","client":"Acme","resolution":"MTU","resolved_date":"2026-01-31T10:30:00+01:00","extra":{"ignored":[1]}}`
	form := url.Values{
		"event":      {"created"},
		"request_id": {"#1042"}, "tenant": {"acme"}, "account": {"Acme Ltd"}, "subject": {" VPN  drops "}, "description": {"Since \"noon\"\nhelp"},
		"priority": {"High"}, "client": {"Acme"}, "resolution": {"MTU"}, "resolved_date": {"1769851800000"}, "extra": {"x"},
	}
	for name, test := range map[string]struct {
		media, body string
		want        ticketing.Announcement
	}{
		"JSON":              {"application/json; charset=utf-8", whole, full},
		"no content type":   {"", whole, full},
		"form":              {asForm, form.Encode(), full},
		"JSON in payload":   {asForm, url.Values{"payload": {whole}}.Encode(), full},
		"JSON in input":     {asForm, url.Values{"input_data": {whole}}.Encode(), full},
		"thin":              {"application/json", `{"request_id":1042}`, ticketing.Announcement{Key: "1042"}},
		"people's number":   {"application/json", `{"request_id":"RE-001042"}`, ticketing.Announcement{Key: "1042"}},
		"aliases agree":     {"application/json", `{"request_id":"RE-1042","ticket_id":1042,"tenant":"acme","tenant_id":"acme"}`, ticketing.Announcement{Key: "1042", Tenant: "acme"}},
		"empty variables":   {"application/json", `{"ticket_id":1042,"subject":"","description":"null","priority":"-","client":" $RequesterName ","resolution":"${resolution}","resolved_date":null}`, ticketing.Announcement{Key: "1042"}},
		"empty beside full": {"application/json", `{"ticket_id":"$id","request_id":"1042"}`, ticketing.Announcement{Key: "1042"}},
		"date":              {"application/json", `{"ticket_id":1042,"resolved_date":"2026-01-31"}`, ticketing.Announcement{Key: "1042", Told: ticket.Told{Resolved: time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)}}},
		"hostile bytes":     {"application/json", "{\"ticket_id\":1042,\"description\":\"a\\u0000b\\u001b[1m\xffc\"}", ticketing.Announcement{Key: "1042", Told: ticket.Told{Description: "ab[1m\uFFFDc"}}},
	} {
		for _, strict := range []bool{true, false} {
			got, err := deliver(test.media, test.body, strict)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
}

func TestTheEventSaysWhatHappened(t *testing.T) {
	t.Parallel()
	for event, want := range map[string]ticket.Kind{
		"request.created": ticket.Created, "request.updated": ticket.Updated, "Request.Replied": ticket.Replied, "conversation": ticket.Replied,
		"request.resolved": ticket.Resolved, "closed": ticket.Closed,
		"": "", "request.": "", "request.improve": "", "improve": "", "request.reopened": "", "$event": "", "updated, closed": "",
	} {
		body, _ := json.Marshal(map[string]string{"event": event, "request_id": "1042"})
		for media, body := range map[string]string{"application/json": string(body), asForm: url.Values{"event": {event}, "request_id": {"1042"}}.Encode()} {
			got, err := deliver(media, body, true)
			if err != nil || got.Kind != want {
				t.Errorf("%q in %s: %q, %v, want %q", event, media, got.Kind, err, want)
			}
		}
	}
}

// TestTextOfATicketReplacesNoForm has forms of a genuine sender who escaped
// nothing, so that the requester's text adds fields, one with JSON.
func TestTextOfATicketReplacesNoForm(t *testing.T) {
	t.Parallel()
	const whole = `{"request_id":"999","account":"Globex"}`
	for _, strict := range []bool{true, false} {
		for _, name := range []string{"payload", "input_data"} {
			for _, beside := range []string{"request_id=1001&account=Acme", "ticket_id=1001", "request_id=999", "request_id=", "tenant=acme", "tenant_id=acme", "account=Acme"} {
				for _, body := range []string{
					beside + "&description=please+help&" + name + "=" + url.QueryEscape(whole),
					name + "=" + url.QueryEscape(whole) + "&" + beside,
				} {
					got, err := deliver(asForm, body, strict)
					if invalid, ok := errors.AsType[*ticketing.InvalidError](err); !ok || !strings.Contains(invalid.Reasons[0].Problem, "beside payload") {
						t.Errorf("%s rings for %s of %s, %v", body, got.Key, got.Account, err)
					}
				}
			}
			got, err := deliver(asForm, "subject=x&"+name+"="+url.QueryEscape(whole), strict)
			if want := (ticketing.Announcement{Key: "999", Account: "Globex"}); err != nil || !cmp.Equal(want, got) {
				t.Errorf("%s beside other fields: %v, %v", name, got, err)
			}
		}
	}
}

func TestEventGivesEveryReason(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 10_001)
	for name, test := range map[string]struct {
		media, body string
		want        []string // fields
	}{
		"nothing":             {"application/json", `{}`, []string{"ticket_id"}},
		"only empty":          {"application/json", `{"ticket_id":"-"}`, []string{"ticket_id"}},
		"not a number":        {"application/json", `{"ticket_id":"first"}`, []string{"ticket_id"}},
		"two numbers":         {"application/json", `{"ticket_id":"10-42"}`, []string{"ticket_id"}},
		"negative":            {"application/json", `{"ticket_id":-5}`, []string{"ticket_id"}},
		"zero":                {"application/json", `{"ticket_id":0}`, []string{"ticket_id"}},
		"other digits":        {"application/json", `{"ticket_id":"１２34"}`, []string{"ticket_id"}},
		"fraction":            {"application/json", `{"ticket_id":10.5}`, []string{"ticket_id"}},
		"wrong types":         {"application/json", `{"ticket_id":true,"tenant_id":[],"subject":{},"description":5,"priority":1,"resolved_date":false}`, []string{"ticket_id", "tenant_id", "subject", "description", "priority", "resolved_date"}},
		"aliases disagree":    {"application/json", `{"ticket_id":1,"request_id":2,"tenant":"acme","tenant_id":"globex"}`, []string{"ticket_id", "tenant_id"}},
		"key twice":           {"application/json", `{"ticket_id":1,"ticket_id":2}`, []string{"body"}},
		"key twice, the same": {"application/json", `{"ticket_id":1,"ticket_id":1}`, []string{"body"}},
		"key twice, escaped":  {"application/json", `{"ticket_id":1,"ticket\u005fid":1}`, []string{"body"}},
		"key twice, nested":   {"application/json", `{"ticket_id":1,"extra":[{"a":{"b":1,"b":1}}]}`, []string{"body"}},
		"too deep":            {"application/json", `{"ticket_id":1,"extra":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, []string{"body"}},
		"payload twice":       {asForm, `payload=%7B%22ticket_id%22%3A1%7D&payload=%7B%22ticket_id%22%3A1%7D`, []string{"body"}},
		"payload and input":   {asForm, `payload=%7B%22ticket_id%22%3A1%7D&input_data=%7B%22ticket_id%22%3A1%7D`, []string{"body"}},
		"form key twice":      {asForm, `ticket_id=1&ticket_id=2`, []string{"ticket_id"}},
		"bad date":            {"application/json", `{"ticket_id":1,"resolved_date":"Jan 1, 2026"}`, []string{"resolved_date"}},
		"date out of range":   {"application/json", `{"ticket_id":1,"resolved_date":"9999-12-31T23:59:59-12:00"}`, []string{"resolved_date"}},
		"number out of range": {"application/json", `{"ticket_id":1,"resolved_date":1e30}`, []string{"resolved_date"}},
		"too long": {
			"application/json", `{"ticket_id":1,"subject":"` + long[:502] + `","description":"` + long + `","priority":"` + long[:102] + `","client":"` + long[:402] + `","resolution":"` + long + `","tenant":"` + long[:128] + `"}`,
			[]string{"tenant_id", "subject", "description", "priority", "client", "resolution"},
		},
		"broken JSON":    {"application/json", `{"ticket_id":1,"description":"a "quote" in it"}`, []string{"body"}},
		"cut JSON":       {"application/json", `{"ticket_id":1`, []string{"body"}},
		"two objects":    {"application/json", `{"ticket_id":1}{}`, []string{"body"}},
		"list":           {"application/json", `[1]`, []string{"body"}},
		"empty":          {"application/json", ``, []string{"body"}},
		"broken form":    {asForm, `ticket_id=%zz`, []string{"body"}},
		"broken payload": {asForm, `payload=%7B`, []string{"body"}},
		"BOM":            {"application/json", "\ufeff{\"ticket_id\":1}", []string{"body"}},
		"other spaces":   {"application/json", "\u00a0\v{\"ticket_id\":1}\u2003", []string{"body"}},
		"and in payload": {asForm, url.Values{"payload": {"\u2028{\"ticket_id\":1}"}}.Encode(), []string{"body"}},
		"other type":     {"multipart/form-data; boundary=x", `--x--`, []string{"body"}},
	} {
		_, err := deliver(test.media, test.body, true)
		invalid, ok := errors.AsType[*ticketing.InvalidError](err)
		if !ok {
			t.Errorf("%s: error is %v", name, err)
			continue
		}
		var fields []string
		for _, r := range invalid.Reasons {
			fields = append(fields, r.Field)
		}
		slices.Sort(fields)
		slices.Sort(test.want)
		if diff := cmp.Diff(test.want, fields); diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestEventNamesTheLimitInTheReason(t *testing.T) {
	t.Parallel()
	_, err := deliver("", `{"ticket_id":1,"description":"`+strings.Repeat("ä", 10_001)+`"}`, true)
	if err == nil || !strings.Contains(err.Error(), "description: has 10001 characters; at most 10000 are accepted") {
		t.Errorf("error is %v", err)
	}
	if _, err := deliver("", `{"ticket_id":1,"description":"`+strings.Repeat("ä", 10_000)+`"}`, true); err != nil {
		t.Errorf("exactly at the limit: %v", err)
	}
}

func TestEventCutsTextOfDoorbells(t *testing.T) {
	t.Parallel()
	got, err := deliver("", `{"ticket_id":1,"subject":"`+strings.Repeat("s", 300)+`","description":"`+strings.Repeat("ä", 20_000)+`"}`, false)
	if err != nil {
		t.Fatal(err)
	}
	if n := utf8.RuneCountInString(got.Told.Description); n != 10_000 || !strings.HasSuffix(got.Told.Description, cutMark) {
		t.Errorf("description has %d characters and ends with %q", n, got.Told.Description[len(got.Told.Description)-20:])
	}
	if n := utf8.RuneCountInString(got.Told.Subject); n != 250 {
		t.Errorf("subject has %d characters", n)
	}
}

func TestBrokenJSONStillRingsForItsTicket(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want ticketing.Announcement
	}{
		"id before the break":    {`{"request_id":"1042","subject":"VPN","description":"the "big" one"}`, ticketing.Announcement{Key: "1042"}},
		"id behind it":           {`{"description":"the "big" one","request_id":"RE-1042"}`, ticketing.Announcement{Key: "1042"}},
		"id is a number":         {`{"description":"the "big" one","request_id": 1042 , "status":"Open"}`, ticketing.Announcement{Key: "1042"}},
		"line break in text":     {"{\"description\":\"one\ntwo\",\"request_id\":1042}", ticketing.Announcement{Key: "1042"}},
		"cut":                    {`{"request_id":"1042","description":"cut`, ticketing.Announcement{Key: "1042"}},
		"whose it is":            {`{"tenant":"acme","account":"B\u00fcro \"A\"","description":"a "b"","ticket_id":7}`, ticketing.Announcement{Key: "7", Tenant: "acme", Account: `Büro "A"`}},
		"empty beside full":      {`{"ticket_id":"-","request_id":"1042","account":null,"description":"a "b""}`, ticketing.Announcement{Key: "1042"}},
		"more behind the object": {`{"request_id":"1042"} trailing`, ticketing.Announcement{Key: "1042"}},
		"escaped keys are text":  {`{"request_id":"1042","subject":"\"request_id\":\"7\"","description":"a "b""}`, ticketing.Announcement{Key: "1042"}},
	} {
		c.want.Recovered = true
		for _, media := range []string{"application/json", asForm} {
			body := c.body
			if media == asForm {
				body = url.Values{"payload": {body}}.Encode()
			}
			got, err := deliver(media, body, false)
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("%s, %s: %v (-want +got):\n%s", name, media, err, diff)
			}
			if _, err := deliver(media, body, true); err == nil {
				t.Errorf("%s, %s: taken where it is strict", name, media)
			}
		}
	}
}

// TestBrokenJSONRingsForNoOtherTicket has descriptions whose writers know how
// the webhook is made.
func TestBrokenJSONRingsForNoOtherTicket(t *testing.T) {
	t.Parallel()
	many := strings.Repeat(`"request_id":"7",`, 5000)
	for name, body := range map[string]string{
		"another id before":       `{"description":"x","request_id":"7","y":"a "b"","request_id":"1042"}`,
		"another id behind":       `{"request_id":"1042","description":"a "b"","request_id":"7","y":"z"}`,
		"the same too often":      `{"a":"b"c",` + strings.Repeat(`"request_id":"1042",`, 65) + `"x":"y"}`,
		"under the other name":    `{"request_id":"1042","description":"a "b"","ticket_id":"7","y":"z"}`,
		"many others":             `{"description":"x",` + many + `"y":"a "b"","request_id":"1042"}`,
		"an id that is unclear":   `{"request_id":"1042","description":"a "b"","request_id":"7 "8"","y":"z"}`,
		"an id that is an object": `{"request_id":"1042","description":"a "b"","request_id":{"a":1}}`,
		"hidden by a backslash":   `{"tenant":"x\","request_id":"7","description":"a "b"","request_id":"1042"}`,
		"another account":         `{"request_id":"1042","description":"x","account":"Globex","y":"a "b"","account":"Acme"}`,
		"an account with quotes":  `{"request_id":"1042","account":"Acme "A" Ltd"}`,
		"another tenant":          `{"request_id":"1042","description":"x","tenant":"globex","y":"a "b"","tenant_id":"acme"}`,
		"no id":                   `{"description":"a "b""}`,
		"not an object":           `"request_id":"1042","description":"a "b""`,
		"twice before the break":  `{"request_id":"1042","request_id":"1042","description":"a "b""}`,
	} {
		if got, err := deliver("", body, false); err == nil {
			t.Errorf("%s: rings for %+v", name, got)
		}
	}
}

// TestRecoveryTakesTimeInProportion doubles the body of a megabyte: were the
// scan quadratic, it would take four times as long.
func TestRecoveryTakesTimeInProportion(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]func(n int) string{
		"keys":           func(n int) string { return `{"a":"b"c",` + strings.Repeat(`"request_id":"7",`, n*30) },
		"open strings":   func(n int) string { return `{` + strings.Repeat(`"request_id":"\"`, n*30) },
		"numbers":        func(n int) string { return `{"request_id":` + strings.Repeat("1", n*500) },
		"almost keys":    func(n int) string { return `{` + strings.Repeat(`"request_i`, n*50) },
		"spaces":         func(n int) string { return `{` + strings.Repeat(`"request_id"         `, n*22) },
		"deep and open":  func(n int) string { return strings.Repeat(`{"a":`, n*100) },
		"lists and open": func(n int) string { return `{"a":` + strings.Repeat(`[`, n*500) },
	} {
		took := func(n int) time.Duration {
			began := time.Now()
			_, _ = deliver("", body(n), false)
			return time.Since(began)
		}
		// What grows with the square takes 64 times as long for eight times as
		// much; a busy machine gets several tries to be quick.
		part, whole, slow := time.Hour, time.Hour, true
		for try := 0; try < 20 && slow; try++ {
			part, whole = min(part, took(250)), min(whole, took(2000))
			slow = whole > 32*part+time.Millisecond
		}
		if slow {
			t.Errorf("%s: an eighth of a megabyte takes %s, a whole one %s", name, part, whole)
		}
	}
}

func FuzzEvent(f *testing.F) {
	for _, body := range []string{`{"description":"a "b"","request_id":"1042","account":"x"}`, `{"a":{"b":1,"b":2}}`, `{"ticket_id":"RE-1042","description":"x"}`, `{"ticket_id":1,"resolved_date":1769851800000}`, `ticket_id=1&subject=a`, `{"a":`, "payload=%7B%22ticket_id%22%3A1%7D"} {
		f.Add("application/json", body, true)
		f.Add(asForm, body, false)
	}
	f.Fuzz(func(t *testing.T, media, body string, strict bool) {
		a, err := deliver(media, body, strict)
		if err != nil {
			if invalid, ok := errors.AsType[*ticketing.InvalidError](err); !ok || len(invalid.Reasons) == 0 {
				t.Fatalf("error is %v", err)
			}
			return
		}
		if !digits(a.Key) || a.Key[0] == '0' {
			t.Errorf("key is %q", a.Key)
		}
		if utf8.RuneCountInString(a.Told.Description) > maxText || utf8.RuneCountInString(a.Tenant) > 63 {
			t.Errorf("too long: %d, %d", len(a.Told.Description), len(a.Tenant))
		}
		if clean(a.Told.Description) != a.Told.Description || line(a.Told.Subject) != a.Told.Subject {
			t.Errorf("not clean: %q, %q", a.Told.Description, a.Told.Subject)
		}
		if a.Recovered && (strict || a.Told != ticket.Told{}) {
			t.Errorf("recovered more than an address: %+v", a)
		}
		if _, err := json.Marshal(a); err != nil {
			t.Errorf("cannot travel: %v", err)
		}
	})
}
