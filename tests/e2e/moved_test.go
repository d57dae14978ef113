package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/catalogue"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// solved puts a closed ticket of acme's account into the shared tool, and waits
// until acme knows it.
func (m *msp) solved() (key string) {
	m.t.Helper()
	key = m.desk.AddTicket(ticket.Ticket{
		Subject: "Label printer ZBR-7 prints blanks", Description: "Labels from ZBR-7 are blank since the ribbon change.", Account: "Acme GmbH",
		Status: "Closed", Closed: true, Resolution: "Ribbon was in the wrong way round.", Created: time.Now().Add(-time.Hour), Resolved: time.Now(),
	})
	m.taken(m.resolved("request.resolved", key, "Acme GmbH"))
	m.known(key, "acme")
	return key
}

func (m *msp) resolved(event, key, account string) delivery {
	d := m.says(event, key, account)
	d.path += "/resolved"
	return d
}

// known waits until the past ticket is that of these tenants and of no other.
func (m *msp) known(key, owners string) {
	m.t.Helper()
	m.eventually("ticket "+key+" is known to ["+owners+"]", 30*time.Second, func() bool {
		var got string
		err := m.owner.QueryRow(m.t.Context(), "SELECT coalesce(string_agg(tenant_id, ' ' ORDER BY tenant_id), '') FROM ticket_history WHERE connection_id = 'msp' AND ticket_id = $1", key).Scan(&got)
		return err == nil && got == owners
	})
}

// recorded waits for an event of acme's trail.
func (m *msp) recorded(job, key, operation, status string) {
	m.t.Helper()
	m.eventually(operation+" in the trail", 10*time.Second, func() bool {
		var n int
		err := m.owner.QueryRow(m.t.Context(), `SELECT count(*) FROM audit_events WHERE tenant_id = 'acme' AND correlation_id = $1 AND ticket_id = $2
			AND operation = $3 AND status = $4`, job, key, operation, status).Scan(&n)
		return err == nil && n == 1
	})
}

func TestAResolvedTicketThatMovedLeavesTheOldTenantsKnowledge(t *testing.T) {
	t.Parallel()
	for account, alarm := range map[string]string{"Globex": "foreign_ticket", "Umbrella": ""} {
		t.Run(account, func(t *testing.T) {
			t.Parallel()
			m := shared(t)
			key := m.solved()
			m.move(key, account)
			// The webhook was on its way before the move.
			job := m.taken(m.resolved("request.closed", key, "Acme GmbH"))
			m.known(key, "")
			m.recorded(job, key, "event_discarded", "dropped")
			told := 0
			for _, line := range m.log.of(t, job) {
				if line["security_event"] == "foreign_ticket" && line["foreign_tenant"] == "globex" && line["tenant"] == "acme" {
					told++
				}
				if text, _ := line["error"].(string); strings.Contains(text, account) {
					t.Errorf("acme's log names another client's account: %v", line)
				}
			}
			if alarm == "" {
				if out := m.cli("tenant", "list"); told > 0 || !strings.Contains(out, `"Umbrella"`) {
					t.Errorf("%d alarms; listed:\n%s", told, out)
				}
			} else {
				m.recorded(job, key, alarm, "blocked")
				if _, page := m.get("/metrics"); told != 1 || !strings.Contains(page, `security_events_total{kind="foreign_ticket"`) {
					t.Errorf("the log tells %d times of it", told)
				}
			}
			next := printing
			next.Account, next.Subject, next.Description = "Acme GmbH", "Blank labels again", "ZBR-7 prints blank labels, ribbon changed yesterday."
			again := m.desk.AddTicket(next)
			m.taken(m.says("request.created", again, "Acme GmbH"))
			if note := m.note("msp", again); strings.Contains(note.Body, "wrong way round") {
				t.Errorf("the note cites what is another client's:\n%s", note.Body)
			}
		})
	}
}

func TestATicketThatIsResolvedWithItsNewTenantLeavesTheOldOne(t *testing.T) {
	t.Parallel()
	m := shared(t)
	key := m.solved()
	m.move(key, "Globex")
	m.taken(m.resolved("request.closed", key, "Globex"))
	m.known(key, "globex")
}

func TestKnowledgeOfARemappedAccountLeavesItsOldTenant(t *testing.T) {
	t.Parallel()
	m := shared(t)
	m.planted()
	kept := m.solved()
	m.desk.AddArticle(ticketing.Article{Key: "31", Title: "Ribbons of the ZBR-7", Text: "The shiny side is outside.", Account: "Acme GmbH"})
	m.desk.AddSystem(ticketing.System{Key: "51", Hostname: "zbr-7", Account: "Acme GmbH", Addresses: []string{"10.20.4.77"}})
	if err := m.app.Catalogue().Refresh(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	past := ticket.Ticket{Subject: "Of another account", Account: "Acme AG", Status: "Closed", Closed: true, Resolution: "Done.", Created: time.Now().Add(-time.Hour), Resolved: time.Now()}
	m.remap(map[string]tenant.ID{"Acme GmbH": "acme", "Acme AG": "acme", "Globex": "globex"})
	key := m.desk.AddTicket(past)
	m.taken(m.resolved("request.resolved", key, "Acme AG"))
	m.known(key, "acme")

	m.remap(map[string]tenant.ID{"Acme GmbH": "globex", "Acme AG": "acme"})
	for _, id := range []tenant.ID{"acme", "globex"} {
		message := queue.Message{ID: "reconcile/" + string(id), Tenant: id, Kind: "reconcile", Sent: time.Now()}
		if err := m.app.Catalogue().Handle(t.Context(), message); err != nil {
			t.Fatal(err)
		}
	}
	m.known(kept, "")
	m.known(key, "acme")
	var left int
	err := m.owner.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM articles WHERE connection_id = 'msp') + (SELECT count(*) FROM systems WHERE connection_id = 'msp')`).Scan(&left)
	if err != nil || left > 0 {
		t.Errorf("%d articles and systems of the account are left, %v", left, err)
	}
	m.planted() // the decoys stay
	// The new tenant gets it by its own import.
	sum, err := m.app.Catalogue().Import(t.Context(), "globex", catalogue.Span{Since: time.Now().AddDate(0, 0, -1), Until: time.Now().Add(time.Minute)}, func(catalogue.Progress, []error) {})
	if err != nil || sum.Stored != 1 {
		t.Errorf("imported %+v, %v", sum, err)
	}
	m.known(kept, "globex")
}
