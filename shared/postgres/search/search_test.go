package search

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

var (
	_ evidence.Source = History{}
	_ evidence.Source = Articles{}
)

const (
	acme   tenant.ID = "acme"
	globex tenant.ID = "globex"
)

var today = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// world is a store with the tenants acme and globex.
type world struct {
	Store
	db pgtest.DB
}

func newWorld(t testing.TB) world {
	t.Helper()
	db := pgtest.New(t)
	db.AddTenants(t, acme, globex)
	return world{Store{DB: db.App(t)}, db}
}

func (w world) put(t testing.TB, id tenant.ID, tickets ...ticket.Ticket) {
	t.Helper()
	if err := w.PutTickets(t.Context(), id, "desk", "bulk_import", tickets); err != nil {
		t.Fatal(err)
	}
}

func (w world) ask(t testing.TB, id tenant.ID, subject, description string) []evidence.Item {
	t.Helper()
	return w.askAs(t, evidence.Query{
		Tenant: id, Connection: "desk", Ticket: ticket.Ticket{Key: "new", Subject: subject, Description: description},
	})
}

func (w world) askAs(t testing.TB, q evidence.Query) []evidence.Item {
	t.Helper()
	items, err := History{Store: w.Store, Now: func() time.Time { return today }}.Find(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// solved makes a ticket that was resolved yesterday.
func solved(key, subject, description, resolution string) ticket.Ticket {
	return ticket.Ticket{
		Key: key, Number: "#" + key, Subject: subject, Description: description, Resolution: resolution,
		URL: "https://desk.example/" + key, Created: today.AddDate(0, 0, -2), Resolved: today.AddDate(0, 0, -1),
	}
}

func refs(items []evidence.Item) string {
	list := make([]string, len(items))
	for i, it := range items {
		list[i] = it.Ref
	}
	return strings.Join(list, " ")
}

// office is what a small client's history looks like.
var office = []ticket.Ticket{
	solved("1", "Printer 2nd floor offline", "HP LaserJet shows error 0x00000709 since the update, nobody in accounting can print", "Restarted the print spooler and set the registry key RpcAuthnLevelPrivacyEnabled to 0."),
	solved("2", "VPN drops every hour", "AnyConnect disconnects after 60 minutes, have to type the password again", "Raised the session timeout on the ASA to 8 hours."),
	solved("3", "Outlook asks for password again and again", "Since changing my Windows password Outlook prompts all the time", "Cleared the stored credentials in Credential Manager."),
	solved("4", "Disk full on srv-fs01", "D: of srv-fs01 has 0 bytes free and the nightly backup failed", "Moved old shadow copies and extended the volume by 200 GB."),
	solved("5", "New starter", "Please create an account and order a laptop for a new colleague in sales", "Account created, laptop ordered."),
	solved("6", "Cannot open shared mailbox", "invoices@ is missing in Outlook after migration to Exchange Online", "Added full access permission and automapping."),
	solved("7", "Teams camera black", "The camera of my Surface stays black in Teams meetings", "Updated the camera driver."),
	solved("8", "Wifi slow in meeting room", "Very slow wifi in room 4.12, video calls stutter", "Replaced the access point AP-412."),
	solved("9", "ERP report times out", "The monthly report in the ERP stops with a SQL timeout on sql02", "Rebuilt the indexes of the ledger tables."),
	solved("10", "Account locked", "My account is locked out every morning", "An old phone still used the previous password."),
}

func TestHistoryTellsHowASimilarTicketWasSolved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, office...)

	items := w.ask(t, acme, "Cannot print", "printing stops with error 0x00000709 on the laser printer")
	if len(items) != 1 {
		t.Fatalf("found %d items (%s), want 1", len(items), refs(items))
	}
	got := items[0]
	if got.Score <= 0 {
		t.Errorf("score %v", got.Score)
	}
	got.Score = 0
	want := evidence.Item{
		Kind: evidence.PastTicket, Ref: "#1", Title: "Printer 2nd floor offline", URL: "https://desk.example/1",
		Text: "Restarted the print spooler and set the registry key RpcAuthnLevelPrivacyEnabled to 0.",
		When: today.AddDate(0, 0, -1), Why: "print, error, 0x00000709, printer", Path: "words",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Nobody writes the same ticket twice: no past ticket has all the words of a
// new one, which is what plainto_tsquery asks for.
func TestHistoryFindsWhereEveryWordFindsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, office...)
	for _, tt := range []struct{ subject, description, want string }{
		{"vpn connection lost", "Working from home my AnyConnect session disconnects about once an hour and I must log in again", "#2"},
		{"Backup failed last night", "Monitoring says that srv-fs01 has no free space on the disk", "#4"},
		{"Outlook password prompt", "Hi team, it keeps prompting me for my password since Monday, rebooted twice", "#3"},
		{"video calls stuttering", "every video call in the meeting room is slow, could be the wifi?", "#8"},
		{"sql timeout", "Report in ERP runs for ages, then timeout", "#9"},
		{"camera", "Hello, my camera is black in every Teams meeting", "#7"},
	} {
		items := w.ask(t, acme, tt.subject, tt.description)
		if len(items) == 0 || items[0].Ref != tt.want {
			t.Errorf("%s: found %q, want %s first", tt.subject, refs(items), tt.want)
		}
		var matches int
		err := w.db.Owner(t).QueryRow(t.Context(), `SELECT count(*) FROM ticket_history
			WHERE to_tsvector('english', subject || ' ' || description) @@ plainto_tsquery('english', $1)`,
			tt.subject+" "+tt.description).Scan(&matches)
		if err != nil || matches != 0 {
			t.Errorf("%s: every word is in %d tickets (%v); the test is too easy", tt.subject, matches, err)
		}
	}
}

func TestHistoryFindsNothingForWhatIsNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if items := w.ask(t, acme, "Printer offline", "cannot print"); len(items) != 0 {
		t.Errorf("empty history gave %s", refs(items))
	}
	w.put(t, acme, office...)
	for _, subject := range []string{
		"", "?", "help", "Printer", "The chair at my desk is broken", "Where can I park my car?",
		"Please book a room for Friday", "Coffee machine needs descaling on ground level",
	} {
		if items := w.ask(t, acme, subject, ""); len(items) != 0 {
			t.Errorf("%q found %s, want nothing", subject, refs(items))
		}
	}
}

func TestThreeWordsAreEnough(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, office...)
	for subject, want := range map[string]string{
		"Teams camera black": "#7", "account locked again": "#10", "srv-fs01 disk full": "#4", "wifi very slow": "#8",
	} {
		if items := w.ask(t, acme, subject, ""); len(items) == 0 || items[0].Ref != want {
			t.Errorf("%q found %q, want %s first", subject, refs(items), want)
		}
	}
}

func TestTenantsNeverSeeEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, solved("1", "Printer offline, error 0x00000709", "HP LaserJet in accounting", "acme's answer"))
	w.put(t, globex,
		solved("1", "Printer offline, error 0x00000709", "HP LaserJet in accounting", "globex's answer"),
		solved("2", "Printer offline, error 0x00000709", "HP LaserJet in accounting too", "globex's answer"))
	for id, want := range map[tenant.ID]string{acme: "acme's answer", globex: "globex's answer"} {
		items := w.ask(t, id, "Printer offline, error 0x00000709", "HP LaserJet in accounting")
		if len(items) == 0 {
			t.Errorf("%s found nothing", id)
		}
		for _, it := range items {
			if it.Text != want {
				t.Errorf("%s sees %q", id, it.Text)
			}
		}
	}
	if items := w.ask(t, "initech", "Printer offline, error 0x00000709", ""); len(items) != 0 {
		t.Errorf("a tenant without data sees %s", refs(items))
	}
}

func TestTheTicketItselfIsLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, office...)
	other := solved("4", "srv-fs01 disk full", "D: of srv-fs01 has 0 bytes free", "from another tool")
	other.Number = "other-4"
	if err := w.PutTickets(t.Context(), acme, "other", "webhook_resolved", []ticket.Ticket{other}); err != nil {
		t.Fatal(err)
	}
	items := w.askAs(t, evidence.Query{Tenant: acme, Connection: "desk", Ticket: office[3]})
	if got := refs(items); got != "other-4" {
		t.Errorf("found %q, want only the ticket of the same key in the other tool", got)
	}
}

func TestHistoryDaysLimitsTheAge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := solved("1", "Outlook crashes at start", "Outlook crashes with the add-in Zoom", "Removed the add-in")
	old.Resolved = today.AddDate(0, 0, -100)
	w.put(t, acme, old)
	for days, want := range map[int]int{0: 1, 101: 1, 99: 0} {
		q := evidence.Query{Tenant: acme, Ticket: ticket.Ticket{Subject: "Outlook crashes", Description: "crash at start, add-in Zoom"}}
		q.Settings.HistoryDays = days
		if items := w.askAs(t, q); len(items) != want {
			t.Errorf("limit of %d days: found %d, want %d", days, len(items), want)
		}
	}
}

// A tenant's own statuses are held against what is stored, also where they were
// set after it was.
func TestOnlyWhatTheTenantCallsSolvedIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, status := range []string{"Fixed", "Closed", "", "Rejected", "Rejected", "Rejected", "Rejected", "Rejected", "Rejected"} {
		own := fmt.Sprintf(" room%dx desk%dx floor%dx", i, i, i) // no near copies
		past := solved(fmt.Sprint(i+1), "Outlook crashes at start", "Outlook crashes with the add-in Zoom"+own, "Removed the add-in")
		past.Status = status
		past.Resolved = today.AddDate(0, 0, i-20) // the rejected ones are the newest, and rank first
		w.put(t, acme, past)
		w.put(t, globex, past)
	}
	q := evidence.Query{Tenant: acme, Connection: "desk", Ticket: ticket.Ticket{Subject: "Outlook crashes", Description: "crash at start, add-in Zoom"}}
	for statuses, want := range map[string]string{"": "5 found", "fixed": "#1 #3", "FIXED,closed": "#1 #2 #3", "Done": "#3"} {
		if err := q.Settings.Set("closed_statuses", statuses); err != nil {
			t.Fatal(err)
		}
		items := w.askAs(t, q)
		got := strings.Fields(refs(items))
		slices.Sort(got)
		if found := strings.Join(got, " "); found != want && fmt.Sprintf("%d found", len(items)) != want {
			t.Errorf("%q: found %s, want %s", statuses, found, want)
		}
	}
}

func TestErrorsNameTheTicketAndTheCause(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	q := evidence.Query{Tenant: acme, Ticket: ticket.Ticket{Key: "77", Subject: "printer offline"}}
	_, historyErr := History{Store: w.Store, Now: time.Now}.Find(ctx, q)
	_, articlesErr := Articles{Store: w.Store, Now: func() time.Time { return today }}.Find(ctx, q)
	putErr := w.PutTickets(t.Context(), acme, "desk", "hearsay", office)
	_, tenantErr := History{Store: w.Store, Now: time.Now}.Find(t.Context(),
		evidence.Query{Tenant: "a'; DROP TABLE x", Ticket: q.Ticket})
	for _, tt := range []struct {
		err  error
		want []string
	}{
		{historyErr, []string{"acme/77", "context canceled"}},
		{articlesErr, []string{"acme/77", "context canceled"}},
		{putErr, []string{"acme/desk", "source"}},
		{tenantErr, []string{"tenant id"}},
	} {
		for _, word := range tt.want {
			if tt.err == nil || !strings.Contains(tt.err.Error(), word) {
				t.Errorf("error %v does not say %q", tt.err, word)
			}
		}
	}
}

// figures compares what is kept of a corpus with a recount.
func (w world) figures(t testing.TB, id tenant.ID, corpus string) (docs int) {
	t.Helper()
	err := w.DB.InTenant(t.Context(), id, func(tx pgx.Tx) error {
		var length, recountDocs, recountLength, wrong int
		err := tx.QueryRow(t.Context(), `
			SELECT c.docs, c.length, r.docs, r.length, (
				SELECT count(*) FROM corpus_terms t
				FULL JOIN (SELECT term, count(*) AS docs FROM postings WHERE corpus = $1 GROUP BY term) p USING (term)
				WHERE t.corpus = $1 AND t.docs <> coalesce(p.docs, 0) OR t.term IS NULL)
			FROM corpora c,
				(SELECT count(*) AS docs, coalesce(sum(length), 0) AS length
				 FROM (SELECT DISTINCT doc, length FROM postings WHERE corpus = $1) d) r
			WHERE c.corpus = $1`, corpus).Scan(&docs, &length, &recountDocs, &recountLength, &wrong)
		if docs != recountDocs || length != recountLength || wrong != 0 {
			t.Errorf("%s: %d documents of length %d, %d terms wrong; counted again %d of %d",
				corpus, docs, length, wrong, recountDocs, recountLength)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return docs
}
