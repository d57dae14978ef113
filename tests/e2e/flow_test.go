package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/app"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
)

func TestANewTicketGetsItsNote(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.knows("acme")
	w.knows("globex")
	key := w.desks["acme"].AddTicket(printing)
	job := w.created("acme", key)
	note := w.note("acme", key)
	if r := w.ended(job); r.Status != "completed" || r.Skipped != "" {
		t.Errorf("record: %+v", r)
	}
	if note.Public {
		t.Error("the note is visible to the requester")
	}
	for _, want := range []string{"Seen before", "700", "Print Spooler", "Clear a stuck print queue", "prn-03", "Recommended Next Steps", "claims", "DH-"} {
		if !strings.Contains(note.Body, want) {
			t.Errorf("the note lacks %q:\n%s", want, note.Body)
		}
	}
	if strings.Contains(note.Body, "toner") || strings.Contains(note.Body, "globex") {
		t.Errorf("the note has what does not belong there:\n%s", note.Body)
	}
	w.eventually("the log tells of the end", 10*time.Second, func() bool { // after the record, which is the end
		return slices.ContainsFunc(w.log.of(t, job), func(l map[string]any) bool { return l["msg"] == "enhancement completed" })
	})
	w.toldEveryStep(job, key)
	w.measured()
	traced(t)
	for _, c := range w.model.Calls() {
		if strings.Contains(fmt.Sprint(c.Body.Messages), "Secret of globex") {
			t.Error("another tenant's text went to the model")
		}
	}
}

// toldEveryStep holds the log to what it must and must not say of a job.
func (w *world) toldEveryStep(job, key string) {
	w.t.Helper()
	said := map[string]bool{}
	for _, l := range w.log.of(w.t, job) {
		said[fmt.Sprint(l["msg"])] = true
		if l["tenant"] != "acme" || l["ticket"] != key || l["operation"] == nil {
			w.t.Errorf("a line lacks its tenant, ticket or operation: %v", l)
		}
		if msg := l["msg"]; l["duration_ms"] == nil && msg != "enhancement started" {
			w.t.Errorf("a line lacks its duration: %v", l)
		}
	}
	for _, want := range []string{"webhook received", "enhancement started", "outgoing call", "the model answered", "enhancement completed"} {
		if !said[want] {
			w.t.Errorf("no log line %q: %v", want, said)
		}
	}
	for _, hidden := range []string{"key-of-acme", "signing-secret", "sk-model-key", "is stuck", "Ana Ruiz"} {
		if strings.Contains(w.log.String(), hidden) {
			w.t.Errorf("the log contains %q", hidden)
		}
	}
}

// measured finds the stories' metrics by name.
func (w *world) measured() {
	w.t.Helper()
	_, page := w.get("/metrics")
	for _, want := range []string{
		"enhancement_requests_total", "enhancement_duration_seconds", "enhancement_success_rate", "queue_depth", "worker_active_count", "ticket_history_stored_total",
	} {
		if !regexp.MustCompile(`(?m)^` + want).MatchString(page) {
			w.t.Errorf("no metric %s", want)
		}
	}
}

// traced finds the five spans of the stories in one trace, across the queue.
func traced(t *testing.T) {
	t.Helper()
	names := map[string]map[string]bool{}
	for _, s := range spans.Ended() {
		id := s.SpanContext().TraceID().String()
		if names[id] == nil {
			names[id] = map[string]bool{}
		}
		names[id][s.Name()] = true
	}
	for _, n := range names {
		if n[metric.SpanWebhookReceived] && n[metric.SpanJobQueued] && n[metric.SpanContextGathering] && n[metric.SpanLLMCall] && n[metric.SpanTicketUpdate] {
			return
		}
	}
	t.Errorf("no trace has all five spans: %v", names)
}

func TestARepeatedOrChangedTicketKeepsOneNote(t *testing.T) {
	t.Parallel()
	w := start(t)
	key := w.desks["acme"].AddTicket(printing)
	first := w.created("acme", key)
	w.ended(first)
	if again := w.created("acme", key); again != first {
		t.Errorf("the repeat got job %s, not %s", again, first)
	}
	// Another delivery about the unchanged ticket, then one about a changed one.
	other := func(event string) string {
		code, answer, _ := w.send(delivery{path: "/webhook/servicedesk/acme", key: signing("acme"), body: fmt.Sprintf(`{"event":%q,"request_id":%q}`, event, key)})
		if code != http.StatusAccepted {
			t.Fatalf("%d %v", code, answer)
		}
		return answer["job_id"].(string)
	}
	if r := w.ended(other("second")); !strings.Contains(r.Skipped, "did not change") {
		t.Errorf("the unchanged ticket: %+v", r)
	}
	if err := w.desks["acme"].Change(key, func(t *ticket.Ticket) { t.Description = "Now the mail server srv-mx01 is down, too." }); err != nil {
		t.Fatal(err)
	}
	if r := w.ended(other("third")); r.Status != "completed" || r.Skipped != "" {
		t.Errorf("the changed ticket: %+v", r)
	}
	if notes := w.desks["acme"].Notes(key); len(notes) != 1 {
		t.Errorf("%d notes", len(notes))
	}
}

// TestATicketNamedInTwoWaysGetsOneNote sends the number that people see and
// the tool's own id, as webhooks of the cloud edition may.
func TestATicketNamedInTwoWaysGetsOneNote(t *testing.T) {
	t.Parallel()
	w := start(t)
	named := printing
	named.Key, named.Number = "146001000000123456", "102"
	key := w.desks["globex"].AddTicket(named)
	w.model.Next(llmtest.Delay(time.Second), llmtest.Delay(time.Second))
	byNumber, byKey := w.created("globex", "102"), w.created("globex", key)
	for _, job := range []string{byNumber, byKey} {
		if r := w.ended(job); r.Status != "completed" {
			t.Errorf("record: %+v", r)
		}
	}
	w.empty()
	if notes := w.desks["globex"].Notes(key); len(notes) != 1 {
		t.Errorf("%d notes", len(notes))
	}
}

func TestAResolvedTicketIsFoundByTheNextOne(t *testing.T) {
	t.Parallel()
	w := start(t)
	past := w.desks["acme"].AddTicket(ticket.Ticket{
		Subject: "Label printer ZBR-7 prints blanks", Description: "Labels from ZBR-7 are blank since the ribbon change.", Status: "Closed", Closed: true,
		Resolution: "Ribbon was in the wrong way round.", Created: time.Now().Add(-time.Hour), Resolved: time.Now(),
	})
	code, answer, _ := w.send(delivery{path: "/webhook/servicedesk/acme/resolved", key: signing("acme"), body: fmt.Sprintf(`{"ticket_id":%q}`, past)})
	if code != http.StatusAccepted {
		t.Fatalf("%d %v", code, answer)
	}
	w.eventually("the past ticket is stored", 20*time.Second, func() bool {
		var n int
		err := w.owner.QueryRow(t.Context(), "SELECT count(*) FROM ticket_history WHERE tenant_id = 'acme' AND source = 'webhook_resolved' AND resolution <> ''").Scan(&n)
		return err == nil && n == 1
	})
	w.eventually("the log line that the past ticket was stored", 10*time.Second, func() bool { return strings.Contains(w.log.String(), "past ticket stored") })
	next := w.desks["acme"].AddTicket(ticket.Ticket{Subject: "Blank labels again", Description: "ZBR-7 prints blank labels, ribbon changed yesterday.", Status: "Open"})
	w.created("acme", next)
	if note := w.note("acme", next); !strings.Contains(note.Body, "wrong way round") {
		t.Errorf("the note does not know the past ticket:\n%s", note.Body)
	}
	// The other tenant's ticket, word for word the same, finds nothing of it.
	foreign := w.desks["globex"].AddTicket(ticket.Ticket{Subject: "Blank labels again", Description: "ZBR-7 prints blank labels, ribbon changed yesterday.", Status: "Open"})
	w.created("globex", foreign)
	if note := w.note("globex", foreign); strings.Contains(note.Body, "wrong way round") || !strings.Contains(note.Body, "Nothing like this is known") {
		t.Errorf("the other tenant's note:\n%s", note.Body)
	}
}

func TestThereIsANoteWhateverTheModelDoes(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.knows("acme")
	invention := llmtest.Text(llmtest.Sections{Similar: []string{"See #9999 on host 10.66.66.66 [T1]"}}.Answer())
	for name, c := range map[string]struct {
		answers []llmtest.Answer
		want    string
	}{
		"garbage":   {[]llmtest.Answer{llmtest.Garbage(), llmtest.Garbage()}, "evidence alone"},
		"down":      {[]llmtest.Answer{llmtest.Status(503, "overloaded"), llmtest.Status(503, "overloaded")}, "model did not answer"},
		"one slip":  {[]llmtest.Answer{llmtest.Status(500, "oops")}, "claims"},
		"rejected":  {[]llmtest.Answer{llmtest.Status(401, "bad key")}, "rejects our requests"},
		"empty":     {[]llmtest.Answer{llmtest.Empty()}, "gave no answer"},
		"repaired":  {[]llmtest.Answer{invention}, "claims"},
		"invention": {[]llmtest.Answer{invention, invention}, "no claim that the evidence supports"},
	} {
		t.Run(name, func(t *testing.T) { // one after the other: they share the script
			w.model.Next(c.answers...)
			key := w.desks["acme"].AddTicket(printing)
			job := w.created("acme", key)
			note := w.note("acme", key)
			if !strings.Contains(note.Body, c.want) || strings.Contains(note.Body, "10.66.66.66") {
				t.Errorf("the note lacks %q:\n%s", c.want, note.Body)
			}
			if r := w.ended(job); r.Status != "completed" {
				t.Errorf("record: %+v", r)
			}
			// An answer, before there are so many failures that the model is left alone.
			w.ended(w.created("acme", w.desks["acme"].AddTicket(printing)))
		})
	}
}

func TestSecretsOfATicketNeverReachTheModel(t *testing.T) {
	t.Parallel()
	w := start(t)
	key := w.desks["acme"].AddTicket(ticket.Ticket{
		Subject: "VPN login fails", Status: "Open",
		Description: "My password: Tr0ub4dor&3 does not work. Card 4111 1111 1111 1111. AWS key AKIAIOSFODNN7EXAMPLE. Server 10.20.4.31.",
	})
	w.ended(w.created("acme", key))
	calls := w.model.Calls()
	if len(calls) == 0 {
		t.Fatal("the model was not asked")
	}
	said := fmt.Sprint(calls[0].Body.Messages)
	for _, hidden := range []string{"Tr0ub4dor", "4111 1111", "AKIAIOSFODNN7EXAMPLE"} {
		if strings.Contains(said, hidden) {
			t.Errorf("the model was told %q", hidden)
		}
	}
	if !strings.Contains(said, "10.20.4.31") {
		t.Error("the address that the note needs is missing")
	}
}

func TestTheToolsOwnWebhooksAreTaken(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.desks["acme"].SetWebhook(servicedeskplusfake.Webhook{
		URL: w.url + "/webhook/servicedesk", ResolvedURL: w.url + "/webhook/servicedesk/resolved", Secret: signing("acme"),
		Tenants: map[string]string{"": "acme"}, Duplicate: true,
	})
	out := w.cli("smoke", "--url", w.url, "--tenant", "acme")
	if !strings.Contains(out, "ok: webhook to note in") {
		t.Error(out)
	}
	var key string
	for _, tk := range w.desks["acme"].Tickets() {
		key = tk.Key
	}
	w.eventually("both webhooks are answered", 10*time.Second, func() bool { return len(w.desks["acme"].Deliveries()) == 2 })
	for _, d := range w.desks["acme"].Deliveries() {
		if d.Status != http.StatusAccepted {
			t.Errorf("delivery: %+v", d)
		}
	}
	w.empty()
	if notes := w.desks["acme"].Notes(key); len(notes) != 1 {
		t.Errorf("%d notes", len(notes))
	}
}

func TestWithoutAModelTheNoteSaysSo(t *testing.T) {
	t.Parallel()
	w := build(t)
	w.cfg.OpenAIKey = secret.Text{}
	w.run()
	key := w.desks["acme"].AddTicket(printing)
	w.created("acme", key)
	if note := w.note("acme", key); !strings.Contains(note.Body, "no language model is configured") {
		t.Errorf("the note:\n%s", note.Body)
	}
	if n := len(w.model.Calls()); n > 0 {
		t.Errorf("the model was asked %d times", n)
	}
}

// TestTheCommandServes runs the whole product as `deskhand serve` does, with
// a tool that redirects: the redirect is not followed.
func TestTheCommandServes(t *testing.T) {
	t.Parallel()
	w := build(t)
	w.cfg.Addr, w.cfg.LogLevel = freeAddr(t), "error"
	w.url = "http://" + w.cfg.Addr
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- app.Program("test", func() (config.Config, error) { return w.cfg, nil }).Serve(ctx) }()
	w.eventually("the product is ready", 20*time.Second, func() bool {
		code, _ := w.get("/readyz")
		return code == http.StatusOK
	})
	key := w.desks["acme"].AddTicket(printing)
	w.desks["acme"].Fail(servicedeskplusfake.Fault{Route: "GET requests/{id}", Status: http.StatusFound, Header: http.Header{"Location": {w.url + "/stolen"}}})
	w.created("acme", key)
	w.note("acme", key)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("serve ended with %v", err)
	}
}
