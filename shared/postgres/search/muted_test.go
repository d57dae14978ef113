package search

import (
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// mute says that ref is wrong for the ticket "new" of the connection desk.
func (w world) mute(t *testing.T, id tenant.ID, kind, ref string) {
	t.Helper()
	const sql = "INSERT INTO muted_pairs VALUES ($1, 'desk', 'new', $2, $3, gen_random_uuid())"
	if _, err := w.db.Owner(t).Exec(t.Context(), sql, id, kind, ref); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsWrongForATicketIsNotFoundForItAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	again := office[0]
	again.Key, again.Number = "11", "" // its key is what people see
	w.put(t, acme, append(office, again)...)
	w.put(t, globex, office...)
	ask := func(id tenant.ID, key string) string {
		q := evidence.Query{Tenant: id, Connection: "desk", Ticket: ticket.Ticket{Key: key, Subject: "Cannot print", Description: "printing stops with error 0x00000709 on the laser printer"}}
		return refs(w.askAs(t, q))
	}
	before := ask(acme, "new")
	w.mute(t, acme, "article", before) // another kind
	if got := ask(acme, "new"); got != before {
		t.Errorf("an article that is wrong takes away ticket %s", got)
	}
	w.mute(t, acme, "ticket", before)
	other := ask(acme, "new")
	if other == before || other == "" {
		t.Errorf("after %s is wrong: %q, want its near copy alone", before, other)
	}
	if got := ask(acme, "other"); got != before {
		t.Errorf("for another ticket: %q, want %s", got, before)
	}
	if got := ask(globex, "new"); got != "#1" {
		t.Errorf("for another tenant: %q, want #1", got)
	}
	w.mute(t, acme, "ticket", other)
	if got := ask(acme, "new"); got != "" {
		t.Errorf("after both are wrong: %q", got)
	}
}

func TestAnArticleThatIsWrongMakesRoomForTheNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var list []ticketing.Article
	for _, key := range []string{"KB1", "KB2", "KB3", "KB4"} {
		list = append(list, ticketing.Article{Key: key, Title: "Print spooler error 0x00000709 " + key, Text: "Restart the print spooler and set RpcAuthnLevelPrivacyEnabled"})
	}
	if err := w.PutArticles(t.Context(), acme, "desk", list); err != nil {
		t.Fatal(err)
	}
	find := func() []evidence.Item {
		items, err := Articles{Store: w.Store, Now: func() time.Time { return today }}.Find(t.Context(), evidence.Query{
			Tenant: acme, Connection: "desk", Ticket: ticket.Ticket{Key: "new", Subject: "Cannot print", Description: "spooler error 0x00000709"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return items
	}
	before := find()
	if len(before) != 3 {
		t.Fatalf("found %s", refs(before))
	}
	w.mute(t, acme, "article", before[0].Ref)
	if after := find(); len(after) != 3 || after[0].Ref == before[0].Ref {
		t.Errorf("found %s, want three without %s", refs(after), before[0].Ref)
	}
}
