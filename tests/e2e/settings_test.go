package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

// configured starts an installation whose acme has these settings, and whose
// globex has none.
func configured(t *testing.T, settings ...string) *world {
	t.Helper()
	w := build(t)
	w.cli(append([]string{"tenant", "edit", "acme"}, settings...)...)
	w.run()
	return w
}

// prompted gives the model that was asked about a ticket, and all that it was
// told; "" where none was.
func (w *world) prompted(about string) (model, told string) {
	for _, c := range w.model.Calls() {
		if text := fmt.Sprint(c.Body.Messages); strings.Contains(text, about) {
			return c.Body.Model, text
		}
	}
	return "", ""
}

func TestSkipRulesEndAJobWithTheirReason(t *testing.T) {
	t.Parallel()
	w := configured(t, "skip=subject:Out of office*,requester:mailer-daemon@*,status:On hold")
	open := func(id tenant.ID, subject, email, status string) row {
		key := w.desks[id].AddTicket(ticket.Ticket{Subject: subject, Description: "The printer hangs.", Requester: "Mail System", Email: email, Status: status})
		return w.ended(w.created(id, key))
	}
	for _, c := range []struct {
		subject, email, status, rule string
	}{
		{"OUT OF OFFICE: back on Monday", "", "Open", "subject:Out of office*"},
		{"Undelivered", "MAILER-DAEMON@mx.acme.example", "Open", "requester:mailer-daemon@*"},
		{"Printer", "", "On Hold", "status:On hold"},
		{"Re: Out of office", "ana@acme.example", "Open", ""},
	} {
		want := ""
		if c.rule != "" {
			want = "the tenant's rule " + c.rule
		}
		if r := open("acme", c.subject, c.email, c.status); r.Status != "completed" || r.Skipped != want {
			t.Errorf("%s: %+v, want skipped %q", c.subject, r, want)
		}
	}
	if r := open("globex", "Out of office", "", "On hold"); r.Skipped != "" {
		t.Errorf("acme's rule is held against globex: %+v", r)
	}
	if _, page := w.get("/metrics"); !strings.Contains(page, `enhancements_skipped_total{reason="rule",tenant_id="acme"`) {
		t.Error("no metric tells of the skipped jobs")
	}
}

func TestTheModelIsToldTheLanguageAndChosenByPriority(t *testing.T) {
	t.Parallel()
	w := configured(t, "language=pt-BR", "model=usual", "model_rules=priority:high=openai/gpt-4o,priority:*urgent*=large")
	ask := func(id tenant.ID, subject, priority string) (model, told string) {
		w.ended(w.created(id, w.desks[id].AddTicket(ticket.Ticket{Subject: subject, Description: "The printer hangs.", Priority: priority, Status: "Open"})))
		return w.prompted(subject)
	}
	for priority, want := range map[string]string{"High": "openai/gpt-4o", "Very urgent": "large", "Low": "usual"} {
		model, told := ask("acme", "Printer of priority "+priority, priority)
		if model != want {
			t.Errorf("priority %s: model %q, want %q", priority, model, want)
		}
		if !strings.Contains(told, "BCP 47 tag pt-BR") {
			t.Errorf("priority %s: the language is not told", priority)
		}
	}
	if model, told := ask("globex", "Printer of globex", "High"); model != "scripted" || !strings.Contains(told, "the language of the ticket.") {
		t.Errorf("globex has acme's settings: %q, %s", model, told)
	}
}

func TestATenantsOwnStatusesSayWhatIsSolved(t *testing.T) {
	t.Parallel()
	w := configured(t, "closed_statuses=Done,Fixed")
	solved := time.Now().AddDate(0, 0, -20)
	for _, id := range []tenant.ID{"acme", "globex"} {
		for i, status := range []string{"Fixed", "Closed"} {
			w.desks[id].AddTicket(ticket.Ticket{
				Key: fmt.Sprint(700 + i), Subject: "Print queue on PRN-03 stuck, jobs wait", Description: "All print jobs to PRN-03 wait in the queue.",
				Closed: true, Status: status, Resolution: "Restarted the spooler, as in " + status + ".", Created: solved, Resolved: solved,
			})
		}
		w.cli("import", "--tenant", string(id), "--days", "90")
	}
	for id, want := range map[tenant.ID]string{"acme": "700", "globex": "701"} {
		var stored string
		if err := w.owner.QueryRow(t.Context(), "SELECT string_agg(ticket_id, ',') FROM ticket_history WHERE tenant_id = $1 AND connection_id <> '_canary'", id).Scan(&stored); err != nil || stored != want {
			t.Errorf("%s: tickets %s were imported, want %s (%v)", id, stored, want, err)
		}
		key := w.desks[id].AddTicket(printing)
		w.created(id, key)
		if note := w.note(id, key); !strings.Contains(note.Body, want) {
			t.Errorf("%s: the note does not name ticket %s:\n%s", id, want, note.Body)
		}
	}
	done := w.desks["acme"].AddTicket(ticket.Ticket{Subject: "Printer", Description: "It hangs.", Status: "Done"})
	if r := w.ended(w.created("acme", done)); r.Skipped != "the ticket is closed" {
		t.Errorf("a ticket that acme calls done: %+v", r)
	}
}

func TestATenantOverItsTokensGetsNotesFromTheEvidence(t *testing.T) {
	t.Parallel()
	w := configured(t, "daily_tokens=1000000")
	const usedUp = "budget is used up"
	note := func(id tenant.ID, subject string) string {
		key := w.desks[id].AddTicket(ticket.Ticket{Subject: subject, Description: "The printer hangs.", Status: "Open"})
		w.ended(w.created(id, key))
		return w.note(id, key).Body
	}
	for i, want := range []bool{false, true, true} {
		subject := fmt.Sprintf("Printer %d", i)
		body := note("acme", subject)
		model, _ := w.prompted(subject)
		if strings.Contains(body, usedUp) != want || (model == "") != want {
			t.Errorf("note %d: used up: want %v, and model %q was asked:\n%s", i, want, model, body)
		}
		if n := w.count("SELECT tokens FROM model_use WHERE tenant_id = 'acme'"); i == 0 && (n < 1 || n != w.count("SELECT sum((usage->>'prompt_tokens')::int + (usage->>'output_tokens')::int) FROM enhancement_history WHERE tenant_id = 'acme'")) {
			t.Errorf("%d tokens are counted, which is not what was used", n)
		}
		// What is left then is less than a call may take.
		if _, err := w.owner.Exec(t.Context(), "UPDATE model_use SET tokens = 999500 WHERE tenant_id = 'acme'"); err != nil {
			t.Fatal(err)
		}
	}
	if body := note("globex", "Printer of globex"); strings.Contains(body, usedUp) {
		t.Error("acme's tokens are taken from globex")
	}
	if n := w.count("SELECT count(*) FROM model_reservations"); n != 0 {
		t.Errorf("%d reservations are left", n)
	}
}

// count gives the number that a statement gives to the owner.
func (w *world) count(sql string) (n int) {
	w.t.Helper()
	if err := w.owner.QueryRow(w.t.Context(), sql).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}
