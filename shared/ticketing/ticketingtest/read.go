package ticketingtest

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

func ticketIsRead(t *testing.T, h Harness) {
	want := sample()
	key := h.AddTicket(want)
	got, err := h.Tool.Ticket(t.Context(), key)
	if err != nil {
		t.Fatalf("Ticket: %v", err)
	}
	for _, field := range []struct{ name, got, want string }{
		{"key", got.Key, key},
		{"subject", got.Subject, want.Subject},
		{"description", got.Description, want.Description},
		{"priority", got.Priority, want.Priority},
		{"requester", got.Requester, want.Requester},
	} {
		if field.got != field.want {
			t.Errorf("%s is %q, want %q", field.name, field.got, field.want)
		}
	}
	if got.Number == "" || !got.Created.Equal(want.Created) || got.Closed {
		t.Errorf("number %q, created %s, closed %t; want a number, %s, open", got.Number, got.Created, got.Closed, want.Created)
	}
	if got.Assignee != "" || got.Started || len(got.Replies) > 0 {
		t.Errorf("a new ticket has the assignee %q, is begun with: %t, and has the replies %q", got.Assignee, got.Started, got.Replies)
	}
	if !strings.HasPrefix(got.URL, "http") {
		t.Errorf("URL is %q, want a page for people", got.URL)
	}
}

// workIsSeen holds what tells whether a technician is at work.
func workIsSeen(t *testing.T, h Harness) {
	for name, began := range map[string]func(*ticket.Ticket){
		"nothing": func(*ticket.Ticket) {}, "status": func(t *ticket.Ticket) { t.Status = "In progress" }, "answer": func(t *ticket.Ticket) { t.Started = true },
	} {
		has := sample()
		has.Assignee = "Kim Tran"
		began(&has)
		got, err := h.Tool.Ticket(t.Context(), h.AddTicket(has))
		if err != nil || got.Assignee != "Kim Tran" || got.Started != (name != "nothing") {
			t.Errorf("%s: assignee %q, begun with: %t, %v", name, got.Assignee, got.Started, err)
		}
	}
}

func hostileText(t *testing.T, h Harness) {
	for name, text := range map[string]string{
		"script":   `<script>alert(1)</script> <img src=x onerror=alert(2)> &lt;b&gt; "quoted" 'single'`,
		"control":  "bell \a null \x00 escape \x1b[31m end",
		"long":     strings.Repeat("0123456789", 1000),
		"throttle": "URL blocked as maximum access limit exceeded, URL_ROLLING_THROTTLES_LIMIT_EXCEEDED",
		"scripts":  "Привет 你好 مرحبا 👩‍💻 \u202etxet",
	} {
		key := h.AddTicket(ticket.Ticket{Subject: "hostile " + name, Description: text})
		got, err := h.Tool.Ticket(t.Context(), key)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.ContainsFunc(got.Description, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
			t.Errorf("%s: control characters in %q", name, got.Description)
		}
		printable := strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, text)
		if folded(got.Description) != folded(printable) {
			t.Errorf("%s: description is %.200q, want %.200q", name, got.Description, printable)
		}
		id := put(t, h, key, noteOf("### Hostile\n\n"+text+"\n"))
		body := only(t, h, key).Body
		for _, bad := range []string{"<script", "<img", "onerror=alert(2)>", "\x1b", "\x00"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s: note %s contains %q: %.300s", name, id, bad, body)
			}
		}
	}
}

func missingTicket(t *testing.T, h Harness) {
	_, err := h.Tool.Ticket(t.Context(), h.MissingKey)
	want(t, "Ticket", err, ticketing.ErrNotFound)
	n := noteOf("text")
	_, err = h.Tool.PutNote(t.Context(), h.MissingKey, n)
	want(t, "PutNote", err, ticketing.ErrNotFound)
	n.Search = true
	_, err = h.Tool.PutNote(t.Context(), h.MissingKey, n)
	want(t, "PutNote with a search", err, ticketing.ErrNotFound)
}

func strangeKey(t *testing.T, h Harness) {
	for _, key := range []string{"", "../users", "1/notes", "1?x=y", "1%2F2", strings.Repeat("9", 4000)} {
		_, err := h.Tool.Ticket(t.Context(), key)
		want(t, fmt.Sprintf("Ticket(%.20q)", key), err, ticketing.ErrNotFound)
	}
}

func denied(t *testing.T, h Harness) {
	key := h.AddTicket(sample())
	_, err := h.Denied.Ticket(t.Context(), key)
	want(t, "Ticket", err, ticketing.ErrDenied)
	_, err = h.Denied.PutNote(t.Context(), key, noteOf("text"))
	want(t, "PutNote", err, ticketing.ErrDenied)
	if notes := h.Notes(key); len(notes) != 0 {
		t.Errorf("a wrong credential left notes: %+v", notes)
	}
}

// listed is how many tickets the listing is tried with: more than a page.
const listed = 230

func listing(t *testing.T, h Harness) {
	lister, ok := h.Tool.(ticketing.Lister)
	if !ok {
		return // this tool offers no listing
	}
	since := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	until := since.Add(listed * time.Hour)
	missing := map[string]string{}
	for i := range listed {
		n := sample()
		n.Closed, n.Status, n.Resolution = true, []string{"Closed", "Resolved"}[i%2], fmt.Sprintf("Solved by step %d", i)
		n.Resolved = since.Add(time.Duration(i) * time.Hour)
		missing[h.AddTicket(n)] = n.Resolution
	}
	outside := sample()
	outside.Closed, outside.Status = true, "Closed"
	for _, at := range []time.Time{since.Add(-time.Second), until} {
		outside.Resolved = at
		h.AddTicket(outside)
	}
	h.AddTicket(sample())

	tickets, total := walk(t, lister, since, until)
	for _, got := range tickets {
		resolution, ok := missing[got.Key]
		if !ok || got.Resolution != resolution || !got.Closed {
			t.Errorf("ticket %s, resolution %q: listed twice, or not what was asked for (%q)", got.Key, got.Resolution, resolution)
		}
		delete(missing, got.Key)
	}
	if len(missing) > 0 {
		t.Errorf("%d tickets are not listed: %v", len(missing), missing)
	}
	if total != 0 && total != listed {
		t.Errorf("total is %d, want %d", total, listed)
	}
}

// walk reads a listing to its end.
func walk(t *testing.T, lister ticketing.Lister, since, until time.Time) (tickets []ticket.Ticket, total int) {
	t.Helper()
	cursor := ""
	for range listed {
		p, err := lister.Resolved(t.Context(), since, until, cursor)
		if err != nil {
			t.Fatalf("Resolved(%q): %v", cursor, err)
		}
		for _, err := range p.Invalid {
			t.Errorf("left out: %v", err)
		}
		tickets, total = append(tickets, p.Tickets...), total+p.Total
		if cursor = p.Next; cursor == "" {
			return tickets, total
		}
	}
	t.Fatal("the listing does not end")
	return nil, 0
}

func delivery(t *testing.T, h Harness) {
	key := h.AddTicket(sample())
	a, err := h.Tool.Event(h.Created(key))
	if err != nil {
		t.Fatalf("Event: %v", err)
	}
	if a.Key != key {
		t.Errorf("key is %q, want %q", a.Key, key)
	}
}

func brokenDelivery(t *testing.T, h Harness) {
	good := h.Created(h.AddTicket(sample()))
	for name, body := range map[string][]byte{
		"empty": nil, "not JSON": []byte("hello"), "list": []byte("[]"), "no ticket": []byte("{}"),
		"deep": bytes.Repeat([]byte("["), 100_000),
	} {
		d := good
		d.Header = http.Header{"Content-Type": {"application/json"}}
		d.Body = body
		_, err := h.Tool.Event(d)
		invalid, ok := errors.AsType[*ticketing.InvalidError](err)
		if !ok || len(invalid.Reasons) == 0 || invalid.Reasons[0].Field == "" || invalid.Reasons[0].Problem == "" {
			t.Errorf("%s: error is %v, want *InvalidError with a reason", name, err)
		}
	}
}
