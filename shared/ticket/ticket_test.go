package ticket_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
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
	base := ticket.Ticket{Subject: "VPN drops", Description: "Every hour.\n\nSince Monday.", Priority: "High", Requester: "Ana", Replies: []string{"And now?"}}
	same := base
	same.Description, same.Status, same.Assignee, same.Updated = "Every  hour. Since Monday. ", "In progress", "Kim", time.Unix(9, 0)
	if !same.Unchanged(base.Revision()) {
		t.Error("white space, status, assignee or time changed the revision")
	}
	for name, change := range map[string]func(*ticket.Ticket){
		"subject":             func(t *ticket.Ticket) { t.Subject = "VPN fails" },
		"description":         func(t *ticket.Ticket) { t.Description += " Help" },
		"priority":            func(t *ticket.Ticket) { t.Priority = "" },
		"requester":           func(t *ticket.Ticket) { t.Requester = "Ben" },
		"replies":             func(t *ticket.Ticket) { t.Replies = []string{"And", "now?"} },
		"subject description": func(t *ticket.Ticket) { t.Subject, t.Description = "VPN", "drops "+t.Description },
		"":                    func(*ticket.Ticket) {},
	} {
		changed := base
		change(&changed)
		if got := strings.Join(ticket.Changed(base.Revision(), changed.Revision()), " "); got != name {
			t.Errorf("changed: %q, want %q", got, name)
		}
		if changed.Unchanged(base.Revision()) != (name == "") {
			t.Errorf("%s: Unchanged says the opposite", name)
		}
	}
	if got := ticket.Changed("", base.Revision()); got != nil {
		t.Errorf("without an earlier revision, %v changed", got)
	}
}

// TestARevisionOfAnEarlierVersionIsUnderstood has the hash of
// 9:VPN drops25:Every hour. Since Monday.4:High3:Ana, as it was stored.
func TestARevisionOfAnEarlierVersionIsUnderstood(t *testing.T) {
	t.Parallel()
	const stored = "465e7e42067038544305f3052c3c1827a1d06f2501dea47b6aa9264eb3120474"
	now := ticket.Ticket{Subject: "VPN drops", Description: "Every hour.\nSince Monday.", Priority: "High", Requester: "Ana"}
	if !now.Unchanged(stored) {
		t.Error("the ticket counts as changed")
	}
	now.Replies = []string{"Still there"}
	if now.Unchanged(stored) {
		t.Error("the reply is overlooked")
	}
	if got := ticket.Changed(stored, now.Revision()); !slices.Equal(got, []string{"ticket"}) {
		t.Errorf("changed: %q, want the ticket, as nobody knows what", got)
	}
}

func TestTextHasTheRepliesBehindTheDescription(t *testing.T) {
	t.Parallel()
	if got := (ticket.Ticket{Subject: "a", Description: "b", Replies: []string{"c", "d"}}).Text(); got != "a\nb\nc\nd" {
		t.Errorf("Text = %q", got)
	}
}

func TestOnlyChangesWaitForTheNextOne(t *testing.T) {
	t.Parallel()
	for kind, want := range map[ticket.Kind]time.Duration{
		ticket.Created: 0, ticket.Updated: ticket.Settle, ticket.Replied: ticket.Settle, ticket.Resolved: 0, ticket.Closed: 0, ticket.Improve: 0,
	} {
		if kind.Delay() != want {
			t.Errorf("%s waits %s, want %s", kind, kind.Delay(), want)
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
