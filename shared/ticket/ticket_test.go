package ticket_test

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

var ref = ticket.Ref{Tenant: "acme", Tool: "servicedesk_plus", Connection: "acme", Key: "1042"}

func TestAJobIDIsAVersion8UUIDAndTheSameForTheSameDelivery(t *testing.T) {
	t.Parallel()
	id := ticket.JobID(ref, ticket.Created, "d1")
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("JobID = %s", id)
	}
	if again := ticket.JobID(ref, ticket.Created, "d1"); again != id {
		t.Errorf("the same delivery gave %s and %s", id, again)
	}
}

func TestDifferentDeliveriesHaveDifferentJobs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		gen := rapid.Custom(func(t *rapid.T) [5]string {
			return [5]string(rapid.SliceOfN(rapid.StringN(0, 3, 6), 5, 5).Draw(t, "parts"))
		})
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		id := func(p [5]string) string {
			return ticket.JobID(ticket.Ref{Tenant: tenant.ID(p[0]), Tool: p[1], Connection: "c", Key: p[2]}, ticket.Kind(p[3]), p[4])
		}
		if (a == b) != (id(a) == id(b)) {
			t.Fatalf("%q and %q: %s, %s", a, b, id(a), id(b))
		}
	})
}

func TestATicketHasOneMarkerInItsConnectionAndTenant(t *testing.T) {
	t.Parallel()
	other := ref
	other.Tenant = "globex"
	moved := ref
	moved.Connection = "acme-2"
	seen := map[string]bool{}
	for _, r := range []ticket.Ref{ref, ref, other, moved} {
		seen[r.Marker()] = true
	}
	if len(seen) != 3 {
		t.Errorf("markers: %v", seen)
	}
	if !regexp.MustCompile(`^DH-[0-9a-f]{16}$`).MatchString(ref.Marker()) {
		t.Errorf("Marker = %s", ref.Marker())
	}
}

func TestTheRevisionChangesWithWhatTheNoteIsWrittenFrom(t *testing.T) {
	t.Parallel()
	base := ticket.Ticket{Subject: "VPN drops", Description: "Every hour.\n\nSince Monday.", Priority: "High", Requester: "Ana"}
	same := base
	same.Description, same.Status, same.Updated = "Every  hour. Since Monday. ", "In progress", time.Unix(9, 0)
	if same.Revision() != base.Revision() {
		t.Error("white space, status or time changed the revision")
	}
	for name, change := range map[string]func(*ticket.Ticket){
		"subject":     func(t *ticket.Ticket) { t.Subject = "VPN fails" },
		"description": func(t *ticket.Ticket) { t.Description += " Help" },
		"priority":    func(t *ticket.Ticket) { t.Priority = "Low" },
		"requester":   func(t *ticket.Ticket) { t.Requester = "Ben" },
		"moved word":  func(t *ticket.Ticket) { t.Subject, t.Description = "VPN", "drops "+t.Description },
	} {
		changed := base
		change(&changed)
		if changed.Revision() == base.Revision() {
			t.Errorf("%s: the revision is the same", name)
		}
	}
}

func TestAnEventSurvivesTheQueue(t *testing.T) {
	t.Parallel()
	ev := ticket.Event{
		Job: ticket.JobID(ref, ticket.Resolved, "x"), Ref: ref, Kind: ticket.Resolved, Signed: true, Received: time.Unix(1767225600, 0).UTC(),
		Told: ticket.Told{Subject: "s", Description: "<b>d</b>\u0000", Resolution: "r", Resolved: time.Unix(1767225000, 0).UTC()},
	}
	b, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	var got ticket.Event
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ev, got); diff != "" {
		t.Error(diff)
	}
}
