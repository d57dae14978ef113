package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
)

// TestTheNoteLivesWithItsTicket has a tool whose automation tells of every
// change, our own note included: the note follows the ticket, and nothing
// follows the note.
func TestTheNoteLivesWithItsTicket(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.knows("acme")
	desk := w.desks["acme"]
	desk.SetWebhook(servicedeskplusfake.Webhook{URL: w.url + "/webhook/servicedesk/acme", Secret: signing("acme"), Updates: true})
	key := desk.AddTicket(ticket.Ticket{Subject: "Printing fails", Description: "Nothing comes out.", Requester: "Ana Ruiz", Status: "Open"})
	w.fire(key, "request.created")
	first := w.note("acme", key)
	w.had(key, 1, 1)
	// The note is a change of the ticket, whose job waits; three edits join it.
	for _, text := range []string{"All jobs wait.", "All jobs wait in the queue.", "All jobs wait in the queue on PRN-03 (10.20.4.31)."} {
		if err := desk.Change(key, func(t *ticket.Ticket) { t.Description = text }); err != nil {
			t.Fatal(err)
		}
		w.fire(key, "request.updated")
	}
	changed := time.Now()
	w.settles()
	w.had(key, 2, 2)
	// When the next change is a job of its own again, there is nothing to write.
	w.eventually("changes are news again", ticket.Settle, func() bool { return time.Since(changed) > ticket.Settle-4*time.Second })
	w.redis.FastForward(ticket.Settle) // it has a clock of its own
	w.fire(key, "request.updated")
	w.settles()
	w.had(key, 3, 2)
	notes := desk.Notes(key)
	if len(notes) != 1 || notes[0].ID != first.ID {
		t.Fatalf("notes %v, the first was %s", notes, first.ID)
	}
	if strings.Contains(first.Body, "prn-03") || !strings.Contains(notes[0].Body, "prn-03") {
		t.Errorf("the note does not follow the ticket:\n%s", notes[0].Body)
	}
	if strings.Contains(first.Body, "Updated") || !strings.Contains(notes[0].Body, "the description changed") {
		t.Errorf("the note does not say what changed:\n%s", notes[0].Body)
	}
	w.empty()
}

// TestNobodyIsDisturbedAtWork has acme want no notes where a technician is at
// work, and globex not say so.
func TestNobodyIsDisturbedAtWork(t *testing.T) {
	t.Parallel()
	w := configured(t, "quiet_when_assigned=true")
	taken := printing
	taken.Assignee, taken.Status = "Kim Tran", "In Progress"
	for id, want := range map[tenant.ID]string{"acme": "a technician is at work on the ticket", "globex": ""} {
		key := w.desks[id].AddTicket(taken)
		if r := w.ended(w.created(id, key)); r.Status != "completed" || r.Skipped != want {
			t.Errorf("%s: %+v", id, r)
		}
		if notes := w.desks[id].Notes(key); (len(notes) == 0) != (want != "") {
			t.Errorf("%s: %d notes", id, len(notes))
		}
	}
}

// fire has acme's tool send a webhook, and waits for the answer.
func (w *world) fire(key, event string) {
	w.t.Helper()
	before := len(w.desks["acme"].Deliveries())
	if err := w.desks["acme"].Fire(key, event); err != nil {
		w.t.Fatal(err)
	}
	w.eventually("the answer to "+event, 20*time.Second, func() bool { return len(w.desks["acme"].Deliveries()) > before })
}

// settles waits until one change is held back, for as long as changes settle, and
// makes it due.
func (w *world) settles() {
	w.t.Helper()
	held := fmt.Sprintf(`queue = 'enhancement' AND state IN ('available', 'scheduled') AND scheduled_at > now()
		AND scheduled_at >= created_at + interval '%d seconds'`, int(ticket.Settle.Seconds())-1)
	w.eventually("one change is held back", 20*time.Second, func() bool {
		var n int
		if err := w.owner.QueryRow(w.t.Context(), "SELECT count(*) FROM river.river_job WHERE "+held).Scan(&n); err != nil {
			w.t.Fatal(err)
		}
		return n == 1
	})
	if _, err := w.owner.Exec(w.t.Context(), "UPDATE river.river_job SET state = 'available', scheduled_at = now() WHERE "+held); err != nil {
		w.t.Fatal(err)
	}
}

// had waits until this many jobs of the ticket have ended, and counts those that
// wrote the note, and the calls of the model.
func (w *world) had(key string, jobs, written int) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("the end of %d jobs", jobs), 30*time.Second, func() bool {
		var n int
		err := w.owner.QueryRow(w.t.Context(), "SELECT count(*) FROM enhancement_history WHERE ticket_id = $1 AND status = 'completed'", key).Scan(&n)
		if err != nil {
			w.t.Fatal(err)
		}
		return n == jobs
	})
	var n int
	err := w.owner.QueryRow(w.t.Context(), `SELECT count(*) FROM enhancement_history WHERE ticket_id = $1 AND skipped = ''`, key).Scan(&n)
	if asked := len(w.model.Calls()); err != nil || n != written || asked != written {
		w.t.Errorf("the note was written by %d jobs, %v, and the model asked %d times; want %d", n, err, asked, written)
	}
}
