package search

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/canary"
	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/preview"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

var _ preview.Past = Store{}

func TestSolvedGivesTheNewestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full := ticket.Ticket{
		Key: "full", Number: "1042", Subject: "Printer", Description: "since Monday", Resolution: "As in #1041", Priority: "High",
		Requester: "Ana", Site: "London", URL: "https://desk.example/1042", Status: "Closed", Created: today.Add(-time.Hour), Resolved: today,
	}
	open, undated, spam := full, full, full
	open.Key, open.Resolved = "open", time.Time{}
	undated.Key, undated.Created, undated.Resolved = "undated", time.Time{}, today.Add(-time.Minute)
	spam.Key, spam.Status = "spam", "Cancelled"
	decoy, _, _ := canary.Decoys(canary.New(), today.Add(time.Hour))
	w.put(t, acme, undated, open, full, spam)
	w.put(t, globex, full)
	if err := w.PutTickets(t.Context(), acme, canary.Connection, "bulk_import", []ticket.Ticket{decoy}); err != nil {
		t.Fatal(err)
	}
	who := tenant.Tenant{ID: acme, Settings: tenant.Settings{ClosedStatuses: []string{"closed"}}}
	for limit, want := range map[int][]preview.Asked{
		5: {{Connection: "desk", Ticket: full}, {Connection: "desk", Ticket: undated}},
		1: {{Connection: "desk", Ticket: full}},
		0: nil,
	} {
		got, err := w.Solved(t.Context(), who, limit)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("limit %d: %v %s", limit, err, diff)
		}
	}
}

func TestSolvedReadsOnBehindWhatDoesNotCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var many []ticket.Ticket
	for i := range 2*solvedPage + 3 {
		x := solved(fmt.Sprint(i), "Printer", "", "x") // all at the same time: the id decides
		x.Status = "Cancelled"
		if i < 3 {
			x.Status = "Closed"
		}
		many = append(many, x)
	}
	w.put(t, acme, many...)
	got, err := w.Solved(t.Context(), tenant.Tenant{ID: acme, Settings: tenant.Settings{ClosedStatuses: []string{"Closed"}}}, 10)
	if err != nil || len(got) != 3 || got[0].Ticket.Key == got[1].Ticket.Key {
		t.Fatalf("%d tickets, %v", len(got), err)
	}
	got, err = w.Solved(t.Context(), tenant.Tenant{ID: acme}, preview.MaxTickets)
	if err != nil || len(got) != preview.MaxTickets {
		t.Fatalf("%d tickets, %v", len(got), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Solved(ctx, tenant.Tenant{ID: acme}, 1); err == nil || !strings.Contains(err.Error(), "acme") {
		t.Error(err)
	}
}

func TestCorpusCountsTheTenantsOwnTickets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, office...)
	w.put(t, globex, office[:1]...)
	c, err := w.Corpus(t.Context(), acme, []string{"password", "outlook", "nowhere"})
	if err != nil || c.Docs != len(office) || c.With["password"] != 3 || c.With["outlook"] != 2 || c.With["nowhere"] != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := w.Corpus(t.Context(), "Not a tenant", nil); err == nil {
		t.Error("a tenant id that is none was read")
	}
}

// TestWhatIsSolvedLaterPointsToNothingYet: of the same day is not before.
func TestWhatIsSolvedLaterPointsToNothingYet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fixed := solved("1042", "Quarterly figures", "The sheet is empty", "Linked the sheet again.")
	same := solved("2", "Cannot print on floor 2", "printing stops with error 0x00000709", "See #1042 and KB0010023.")
	same.Created, same.Resolved = today.Add(-2*time.Hour), today.Add(-time.Hour)
	w.put(t, acme, append([]ticket.Ticket{fixed, same}, office[2:]...)...)
	if err := w.PutArticles(t.Context(), acme, "desk", []ticketing.Article{{Key: "KB0010023", Title: "Sheets", Text: "Link them."}}); err != nil {
		t.Fatal(err)
	}
	q := evidence.Query{Tenant: acme, Connection: "desk", Ticket: ticket.Ticket{Key: "new", Subject: "Cannot print", Description: "error 0x00000709 when printing"}}
	find := func(q evidence.Query, when time.Time) string {
		now := func() time.Time { return when }
		tickets, err := History{Store: w.Store, Now: now}.Find(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		articles, err := Articles{Store: w.Store, Now: now}.Find(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return refs(append(tickets, articles...))
	}
	if got := find(q, today); got != "#2 #1042 KB0010023" && got != "#1042 #2 KB0010023" {
		t.Errorf("afterwards: %q", got)
	}
	if got := find(q, today.Add(-90*time.Minute)); got != "" {
		t.Errorf("before it was solved: %q", got)
	}
	q.Ticket.Key = "1042" // it is pointed to, and does not find itself
	if got := find(q, today); got != "#2 KB0010023" {
		t.Errorf("asked about what is pointed to: %q", got)
	}
}
