package search

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/catalogue"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// of gives tickets that came from an account.
func of(account string, tickets ...ticket.Ticket) []ticket.Ticket {
	own := make([]ticket.Ticket, len(tickets))
	for i, t := range tickets {
		t.Account = account
		own[i] = t
	}
	return own
}

// kept counts the rows of a table, and the postings that no row has.
func (w world) kept(t *testing.T, id tenant.ID, table, corpus string) (rows, strays int) {
	t.Helper()
	err := w.DB.InTenant(t.Context(), id, func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), fmt.Sprintf(`SELECT (SELECT count(*) FROM %[1]s),
			(SELECT count(*) FROM postings p WHERE corpus = $1 AND NOT EXISTS (SELECT FROM %[1]s x WHERE x.id = p.doc))`, table), corpus).Scan(&rows, &strays)
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows, strays
}

func TestADroppedTicketIsFoundNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, office...)
	w.put(t, globex, office...)
	for _, want := range []int{2, 0} {
		if n, err := w.DropTickets(t.Context(), acme, "desk", []string{" 1", "2", "nobody has this"}); n != want || err != nil {
			t.Errorf("dropped %d, %v; want %d", n, err, want)
		}
	}
	if n, err := w.DropTickets(t.Context(), acme, "another desk", []string{"3"}); n != 0 || err != nil {
		t.Errorf("dropped %d of another connection, %v", n, err)
	}
	if items := w.ask(t, acme, "Printer offline", "error 0x00000709, nobody can print"); len(items) != 0 {
		t.Errorf("acme still finds %s", refs(items))
	}
	if items := w.ask(t, globex, "Printer offline", "error 0x00000709, nobody can print"); len(items) != 1 {
		t.Errorf("globex finds %d, want its own", len(items))
	}
	if docs := w.figures(t, acme, ticketCorpus); docs != len(office)-2 {
		t.Errorf("%d documents counted", docs)
	}
	if rows, strays := w.kept(t, acme, "ticket_history", ticketCorpus); rows != len(office)-2 || strays != 0 {
		t.Errorf("%d tickets and %d stray postings", rows, strays)
	}
}

func TestOnlyArticlesOfTheListingAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	many := make([]ticketing.Article, 2*chunk+5)
	for i := range many {
		many[i] = ticketing.Article{Key: fmt.Sprint(i), Title: fmt.Sprint("Article ", i), Text: "Restart the spooler."}
	}
	for _, id := range []tenant.ID{acme, globex} {
		if err := errors.Join(w.PutArticles(t.Context(), id, "desk", many), w.PutArticles(t.Context(), id, "other", many[:3])); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := w.KeepArticles(t.Context(), acme, "desk", []string{"7", "9", "new"}); n != len(many)-2 || err != nil {
		t.Errorf("removed %d, %v; want %d", n, err, len(many)-2)
	}
	if n, err := w.KeepArticles(t.Context(), acme, "other", nil); n != 3 || err != nil {
		t.Errorf("an empty listing removed %d, %v; want 3", n, err)
	}
	if docs := w.figures(t, acme, articleCorpus); docs != 2 {
		t.Errorf("%d articles counted", docs)
	}
	if rows, strays := w.kept(t, acme, "articles", articleCorpus); rows != 2 || strays != 0 {
		t.Errorf("%d articles and %d stray postings", rows, strays)
	}
	if docs := w.figures(t, globex, articleCorpus); docs != len(many)+3 {
		t.Errorf("%d articles of globex", docs)
	}
}

func TestWhatCameFromAnAccountIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	odd := " Acme\x00 GmbH \xff" + strings.Repeat("ü", 600)
	w.put(t, acme, of("Acme GmbH", office[:3]...)...)
	w.put(t, acme, of(odd, office[3])...)
	w.put(t, acme, of("", office[0])...) // the webhook's text, which has no account
	w.put(t, globex, of("Acme GmbH", office[:3]...)...)
	if err := w.PutArticles(t.Context(), acme, "desk", []ticketing.Article{{Key: "1", Title: "Printers", Account: "Acme GmbH"}, {Key: "2", Title: "Mail", Account: "Acme AG"}}); err != nil {
		t.Fatal(err)
	}
	origins, err := w.Origins(t.Context(), acme)
	want := map[string]bool{"Acme GmbH": true, "Acme AG": true, " Acme GmbH \uFFFD" + strings.Repeat("ü", 488): true}
	for _, from := range origins {
		if from.Connection != "desk" || !want[from.Account] {
			t.Errorf("origin %q", from)
		}
	}
	if err != nil || len(origins) != len(want) {
		t.Errorf("%d origins, %v", len(origins), err)
	}
	from := catalogue.Origin{Connection: "desk", Account: "Acme GmbH"}
	if n, err := w.Forget(t.Context(), acme, from, time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("forgot %d that were stored later, %v", n, err)
	}
	if n, err := w.Forget(t.Context(), acme, from, time.Now().Add(time.Hour)); n != 4 || err != nil {
		t.Errorf("forgot %d, %v; want three tickets and an article", n, err)
	}
	if tickets, articles := w.figures(t, acme, ticketCorpus), w.figures(t, acme, articleCorpus); tickets != 1 || articles != 1 {
		t.Errorf("%d tickets and %d articles are left, want those of other accounts", tickets, articles)
	}
	if docs := w.figures(t, globex, ticketCorpus); docs != 3 {
		t.Errorf("%d tickets of globex", docs)
	}
}

func TestWhatCannotBeRemovedIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, errDrop := w.DropTickets(ctx, acme, "desk", []string{"1"})
	_, errForget := w.Forget(ctx, acme, catalogue.Origin{Connection: "desk"}, today)
	_, errOrigins := w.Origins(ctx, acme)
	for _, err := range []error{errDrop, errForget, errOrigins} {
		if err == nil || !strings.Contains(err.Error(), "acme") {
			t.Errorf("err = %v", err)
		}
	}
}

func TestTheTicketsOfAnAccountAreFoundThroughTheIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.db.Owner(t).Exec(t.Context(), `INSERT INTO ticket_history (tenant_id, connection_id, ticket_id, subject, description, source, account)
		SELECT tenant, 'desk', n::text, 'Printer', repeat(md5(n::text), 30), 'bulk_import', 'Acme GmbH'
		FROM generate_series(1, 3000) n, unnest(ARRAY['acme', 'globex']) tenant`); err != nil {
		t.Fatal(err)
	}
	if _, err := w.db.Owner(t).Exec(t.Context(), "VACUUM ANALYZE ticket_history"); err != nil {
		t.Fatal(err)
	}
	if plan := pgtest.Plan(t, w.DB, acme, ticketsFrom, chunk, "desk", "Globex", today); !strings.Contains(plan, "ticket_history_origin") {
		t.Errorf("the plan reads the tickets themselves:\n%s", plan)
	}
}
