package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
)

func TestEveryBadWebhookGetsAClearAnswer(t *testing.T) {
	t.Parallel()
	w := start(t)
	key, wrong := signing("acme"), signing("globex")
	good := `{"tenant_id":"acme","ticket_id":"1","description":"d"}`
	long := `{"tenant_id":"acme","ticket_id":"1","description":"` + strings.Repeat("ä", 10_001) + `"}`
	unauthorised := ""
	for _, c := range []struct {
		name string
		d    delivery
		code int
		want string // in the answer
	}{
		{"broken JSON", delivery{body: `{"tenant_id":"acme","ticket_id":`, header: map[string]string{"X-Tenant-ID": "acme"}, key: key}, 400, "body"},
		{"wrong types", delivery{body: `{"tenant_id":"acme","ticket_id":["1"],"description":7,"priority":{}}`, key: key}, 400, "description"},
		{"a description of 10,001 characters", delivery{body: long, key: key}, 400, "10000"},
		{"no ticket", delivery{body: `{"tenant_id":"acme"}`, key: key}, 400, "ticket_id"},
		{"no tenant", delivery{body: `{"ticket_id":"1"}`, key: key}, 400, "X-Tenant-ID"},
		{"tenants that disagree", delivery{body: good, header: map[string]string{"X-Tenant-ID": "globex"}, key: wrong}, 400, "tenant"},
		{"unknown tenant", delivery{body: `{"tenant_id":"nobody","ticket_id":"1"}`, key: key}, 401, ""},
		{"no signature", delivery{body: good}, 401, ""},
		{"another tenant's signature", delivery{body: good, key: wrong}, 401, ""},
		{"stale signature", delivery{body: good, key: key, stamp: time.Now().Add(-6 * time.Minute)}, 401, ""},
		{"unknown connection", delivery{path: "/webhook/servicedesk/nowhere", body: good, key: key}, 401, ""},
		{"unknown tool", delivery{path: "/webhook/telex/acme", body: good, key: key}, 404, ""},
		{"text", delivery{body: good, kind: "text/plain", key: key}, 415, ""},
		{"two megabytes", delivery{body: good + strings.Repeat(" ", 2<<20), key: key}, 413, ""},
		{"form", delivery{body: "tenant_id=acme&ticket_id=1", kind: "application/x-www-form-urlencoded", key: key}, 202, "job_id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.d.path == "" {
				c.d.path = "/webhook/servicedesk"
			}
			code, answer, _ := w.send(c.d)
			if code != c.code || !strings.Contains(fmt.Sprint(answer), c.want) {
				t.Errorf("%d %v, want %d with %q", code, answer, c.code, c.want)
			}
			if code == http.StatusUnauthorized {
				if got := fmt.Sprint(answer); unauthorised != "" && got != unauthorised {
					t.Errorf("this 401 says %s, another said %s", got, unauthorised)
				} else {
					unauthorised = got
				}
			}
		})
	}
}

func TestAReplayQueuesNothing(t *testing.T) {
	t.Parallel()
	w := start(t)
	key := w.desks["acme"].AddTicket(printing)
	d := delivery{path: "/webhook/servicedesk/acme", key: signing("acme"), body: fmt.Sprintf(`{"ticket_id":%q}`, key)}
	_, first, _ := w.send(d)
	w.ended(first["job_id"].(string))
	for range 5 {
		if code, answer, _ := w.send(d); code != http.StatusAccepted || answer["job_id"] != first["job_id"] {
			t.Errorf("%d %v", code, answer)
		}
	}
	started := 0
	for _, l := range w.log.of(t, first["job_id"].(string)) {
		if l["msg"] == "enhancement started" {
			started++
		}
	}
	if started != 1 {
		t.Errorf("the job was started %d times", started)
	}
}

func TestATicketThatIsGoneEndsItsJob(t *testing.T) {
	t.Parallel()
	w := start(t)
	if r := w.ended(w.created("acme", "99999")); r.Status != "failed" || !strings.Contains(r.Error, "no such ticket") {
		t.Errorf("record: %+v", r)
	}
	w.empty()
}

func TestHostileTextIsHarmlessInTheNote(t *testing.T) {
	t.Parallel()
	w := start(t)
	hostile := "<script>alert(1)</script> [click](javascript:alert(2)) <img src=x onerror=alert(3)> \u0000\u202e\x1b[31m **bold** {{.}} ' OR 1=1 -- printer queue spooler stuck"
	w.desks["acme"].AddTicket(ticket.Ticket{
		Subject: hostile, Description: hostile, Requester: hostile, Site: hostile, Closed: true, Status: "Closed", Resolution: hostile,
		Created: time.Now().Add(-48 * time.Hour), Resolved: time.Now().Add(-24 * time.Hour),
	})
	w.cli("import", "--tenant", "acme")
	key := w.desks["acme"].AddTicket(ticket.Ticket{Subject: hostile, Description: hostile, Requester: hostile, Priority: hostile, Status: "Open"})
	if r := w.ended(w.created("acme", key)); r.Status != "completed" {
		t.Fatalf("record: %+v", r)
	}
	note := w.note("acme", key)
	if !strings.Contains(note.Body, "Seen before") {
		t.Errorf("the hostile past ticket was not found:\n%s", note.Body)
	}
	for _, bad := range []string{"<script", "<img", "javascript:alert(2)\"", "\x00", "\x1b", "\u202e", "<b>bold"} {
		if strings.Contains(note.Body, bad) {
			t.Errorf("the note contains %q:\n%s", bad, note.Body)
		}
	}
}

func TestAToolInTroubleIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := start(t)
	for name, fault := range map[string]servicedeskplusfake.Fault{
		"answers HTML":           {Route: "GET requests/{id}", HTML: true},
		"drops the connection":   {Route: "GET requests/{id}", Drop: true},
		"fails on the note":      {Route: "POST requests/{id}/notes", Status: 500, Body: `{"response_status":{"status_code":4004,"status":"failed"}}`},
		"stores and then is off": {Route: "POST requests/{id}/notes", DropAfter: true},
		"wants a pause":          {Route: "POST requests/{id}/notes", Status: 429, Header: http.Header{"Retry-After": {"7"}}},
	} {
		t.Run(name, func(t *testing.T) { // one after the other: they share the tool
			key := w.desks["acme"].AddTicket(printing)
			w.desks["acme"].Fail(fault)
			if r := w.ended(w.created("acme", key)); r.Status != "completed" {
				t.Errorf("record: %+v", r)
			}
			if notes := w.desks["acme"].Notes(key); len(notes) != 1 {
				t.Errorf("%d notes", len(notes))
			}
		})
	}
}

// TestANoteThatMayBeThereIsLookedForUntilItIsKnown lets the note be written
// without an answer, then keeps the next try from finding out.
func TestANoteThatMayBeThereIsLookedForUntilItIsKnown(t *testing.T) {
	t.Parallel()
	w := start(t)
	desk := w.desks["acme"]
	key := desk.AddTicket(printing)
	down := servicedeskplusfake.Fault{Route: "GET requests/{id}/notes", Times: -1, Status: 500, Body: `{"response_status":{"status_code":4004,"status":"failed"}}`}
	desk.Fail(servicedeskplusfake.Fault{Route: "POST requests/{id}/notes", DropAfter: true})
	desk.Fail(down)
	job := w.created("acme", key)
	w.failedWith(job, "may or may not")
	down.Route = "GET requests/{id}"
	desk.Fail(down)
	w.hurry(1)
	w.failedWith(job, "read request")
	desk.Heal()
	w.hurry(1)
	if r := w.ended(job); r.Status != "completed" || len(desk.Notes(key)) != 1 {
		t.Errorf("record %+v, %d notes", r, len(desk.Notes(key)))
	}
}

// TestAToolThatHangsOnReadingStillGetsANote does without the ticket: the
// webhook's signed text stands in.
func TestAToolThatHangsOnReadingStillGetsANote(t *testing.T) {
	t.Parallel()
	w := start(t)
	desk := w.desks["acme"]
	key := desk.AddTicket(printing)
	desk.Fail(servicedeskplusfake.Fault{Route: "GET requests/{id}", Times: -1, Delay: 40 * time.Second})
	code, answer, _ := w.send(delivery{path: "/webhook/servicedesk/acme", key: signing("acme"), body: fmt.Sprintf(`{"ticket_id":%q,"subject":"Printer","description":"The printer hangs"}`, key)})
	if code != http.StatusAccepted {
		t.Fatalf("%d %v", code, answer)
	}
	w.eventually("the note", 60*time.Second, func() bool { return len(desk.Notes(key)) == 1 })
	if note := desk.Notes(key)[0]; !strings.Contains(note.Body, "rests on the text that the webhook brought") {
		t.Errorf("the note does not say so:\n%s", note.Body)
	}
}

// TestALogNeverQuotesATicket lets the tool cut a ticket's JSON in half.
func TestALogNeverQuotesATicket(t *testing.T) {
	t.Parallel()
	w := start(t)
	key := w.desks["acme"].AddTicket(printing)
	w.desks["acme"].Fail(servicedeskplusfake.Fault{Route: "GET requests/{id}", Times: 3, Truncate: true})
	job := w.created("acme", key)
	w.failedWith(job, "broken JSON")
	if strings.Contains(w.log.String(), "is stuck") {
		t.Errorf("the log quotes the ticket:\n%s", w.log)
	}
}

// TestANoteThatTheToolRejectsIsBuriedAtOnce does not bother the tool again
// before an operator acted.
func TestANoteThatTheToolRejectsIsBuriedAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	key := w.desks["acme"].AddTicket(printing)
	w.desks["acme"].Fail(servicedeskplusfake.Fault{
		Route: "POST requests/{id}/notes", Times: -1, Status: 400, Body: `{"response_status":{"status_code":4000,"status":"failed","messages":[{"status_code":4012,"fields":["category"]}]}}`,
	})
	job := w.created("acme", key)
	if r := w.ended(job); r.Status != "failed" || !strings.Contains(r.Error, "operator") {
		t.Errorf("record: %+v", r)
	}
	w.eventually("the dead letter", 20*time.Second, func() bool { return strings.Contains(w.cli("queue", "peek", "--dead"), job) })
}

// failedWith waits until a try of the job failed with this text.
func (w *world) failedWith(job, text string) {
	w.t.Helper()
	w.eventually("a try that failed with "+text, 60*time.Second, func() bool {
		var got string
		err := w.owner.QueryRow(w.t.Context(), "SELECT error FROM enhancement_history WHERE job_id = $1", job).Scan(&got)
		return err == nil && strings.Contains(got, text)
	})
}

func TestACredentialThatIsRefusedBecomesADeadLetterWithItsReason(t *testing.T) {
	t.Parallel()
	w := start(t)
	key := w.desks["acme"].AddTicket(printing)
	w.desks["acme"].Fail(servicedeskplusfake.Fault{
		Times: -1, Status: 401, Body: `{"response_status":{"status_code":4000,"status":"failed","messages":[{"status_code":4022,"type":"failed"}]}}`,
	})
	// Four tries would take two minutes: the last one is made now.
	job := w.created("acme", key)
	w.failedWith(job, "credential")
	w.hurry(3)
	if r := w.ended(job); r.Status != "failed" || !strings.Contains(r.Error, "credential") {
		t.Errorf("record: %+v", r)
	}
	w.eventually("the dead letter", 20*time.Second, func() bool { return strings.Contains(w.cli("queue", "peek", "--dead"), job) })
	out := w.cli("queue", "peek", "--dead")
	if !strings.Contains(out, "failed 4 times") || strings.Contains(out, "key-of-acme") {
		t.Errorf("dead letters:\n%s", out)
	}
	// The operator mends the credential and sends it again.
	w.desks["acme"].Heal()
	w.cli("queue", "redrive", job)
	w.note("acme", key)
	w.eventually("the record is completed", 30*time.Second, func() bool { return w.ended(job).Status == "completed" })
}

// empty waits until nothing waits, runs or is dead on the enhancement queue.
func (w *world) empty() {
	w.t.Helper()
	w.eventually("an empty queue", 30*time.Second, func() bool { return strings.Contains(w.cli("queue", "depth"), "enhancement  0        0        0") })
}

// hurry makes the delayed retries of the enhancement queue due, so often.
func (w *world) hurry(times int) {
	w.t.Helper()
	for range times {
		w.eventually("a retry is waiting", 30*time.Second, func() bool {
			tag, err := w.owner.Exec(w.t.Context(), `UPDATE river.river_job SET state = 'available', scheduled_at = now()
				WHERE queue = 'enhancement' AND scheduled_at > now() AND state IN ('available', 'retryable', 'scheduled')`)
			if err != nil {
				w.t.Fatal(err)
			}
			return tag.RowsAffected() == 1
		})
	}
}

func TestTwoSecretsAreGoodWhileOneIsRotated(t *testing.T) {
	t.Parallel()
	w := start(t)
	conn, err := w.app.Tenants.Directory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := conn.Connections["acme"]
	c.Signing = []secret.Text{secret.New("the-new-secret-of-acme"), signing("acme")}
	if _, _, err := w.app.Office().EnsureConnection(t.Context(), w.app.AtTheDesk(), "acme", func(stored *tenant.Connection) error { *stored = c; return nil }); err != nil {
		t.Fatal(err)
	}
	w.eventually("the new secret is good within 10 s", 11*time.Second, func() bool {
		code, _, _ := w.send(delivery{path: "/webhook/servicedesk/acme", key: c.Signing[0], body: `{"ticket_id":"1"}`})
		return code == http.StatusAccepted
	})
	if code, _, _ := w.send(delivery{path: "/webhook/servicedesk/acme", key: signing("acme"), body: `{"ticket_id":"2"}`}); code != http.StatusAccepted {
		t.Errorf("the old secret: %d", code)
	}
}
