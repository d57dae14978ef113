package search

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// topics are words that go together. Each ticket takes some of one topic.
var topics = [][]string{
	strings.Fields("printer spooler toner paper queue driver jam duplex tray fuser scanner copier"),
	strings.Fields("vpn tunnel anyconnect gateway remote split dns certificate client timeout ike ipsec"),
	strings.Fields("outlook mailbox calendar exchange profile autodiscover cache ost pst rule signature archive"),
}

// manual is n tickets about the topics, in turn.
func manual(n int) []ticket.Ticket {
	tickets := make([]ticket.Ticket, n)
	for i := range tickets {
		topic := topics[i%len(topics)]
		var words []string
		for k := range 6 {
			words = append(words, topic[(i/len(topics)*5+k*7)%len(topic)])
		}
		for k := range 3 { // so that there are enough terms for factors
			words = append(words, fmt.Sprintf("case%dx", (i*3+k*17)%90))
		}
		tickets[i] = solved(fmt.Sprint(i), words[0], strings.Join(words, " "), "done")
	}
	return tickets
}

func (w world) learn(t *testing.T, id tenant.ID) {
	t.Helper()
	if err := w.Learn(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

// number runs a query that gives one number, as the tenant.
func (w world) number(t *testing.T, id tenant.ID, sql string, args ...any) (n int) {
	t.Helper()
	err := w.DB.InTenant(t.Context(), id, func(tx pgx.Tx) error { return tx.QueryRow(t.Context(), sql, args...).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const (
	countVectors = `SELECT count(*) FROM document_vectors WHERE corpus = $1`
	countActive  = `SELECT count(*) FROM document_vectors WHERE space = (SELECT 'latent/' || active FROM latent_factors)`
	activeNow    = `SELECT coalesce(max(active), 0) FROM latent_factors`
)

func TestLearningFindsByMeaning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, manual(240)...)
	w.put(t, globex, manual(20)...)
	articles := []ticketing.Article{{Key: "print", Title: "Printer tray", Text: "spooler toner paper queue"}}
	if err := w.PutArticles(t.Context(), acme, "desk", articles); err != nil {
		t.Fatal(err)
	}
	before := w.ask(t, acme, "toner jam", "fuser scanner")
	w.learn(t, acme)
	w.learn(t, globex) // too few to learn from
	after := w.ask(t, acme, "toner jam", "fuser scanner")
	if before[0].Path != "words" || after[0].Path != "words, latent factors" {
		t.Errorf("found by %q, then by %q", before[0].Path, after[0].Path)
	}
	if got := w.number(t, acme, countVectors, ticketCorpus); got != 240 {
		t.Errorf("%d tickets have vectors, want 240", got)
	}
	if got := w.number(t, acme, countVectors, articleCorpus); got != 1 {
		t.Errorf("%d articles have vectors, want 1", got)
	}
	if got := w.number(t, globex, countVectors, ticketCorpus); got != 0 {
		t.Errorf("%d vectors of another tenant", got)
	}
	if items := w.ask(t, globex, "toner jam", "fuser scanner"); len(items) == 0 || items[0].Path != "words" {
		t.Errorf("without factors: %v", items)
	}
}

func TestVectorsFollowTheirDocuments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, manual(150)...)
	w.learn(t, acme)
	more := solved("new", "printer", "spooler toner", "done")
	w.put(t, acme, more)
	w.put(t, acme, more, manual(3)[0])
	if got := w.number(t, acme, countVectors, ticketCorpus); got != 151 {
		t.Errorf("%d vectors after an addition, want 151", got)
	}
	if _, err := w.DropTickets(t.Context(), acme, "desk", []string{"new", "0"}); err != nil {
		t.Fatal(err)
	}
	if got := w.number(t, acme, countVectors, ticketCorpus); got != 149 {
		t.Errorf("%d vectors after removals, want 149", got)
	}
}

func TestFactorsAreLearntAgainWhenMuchIsNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, manual(200)...)
	w.learn(t, acme)
	w.put(t, acme, manual(210)...)
	w.learn(t, acme)
	if got := w.number(t, acme, activeNow); got != 1 {
		t.Errorf("version %d for ten more, want 1", got)
	}
	w.put(t, acme, manual(300)...)
	w.learn(t, acme)
	if got := w.number(t, acme, activeNow); got != 2 {
		t.Errorf("version %d for a hundred more, want 2", got)
	}
	if all, active := w.number(t, acme, countVectors, ticketCorpus), w.number(t, acme, countActive); all != 300 || active != 300 {
		t.Errorf("%d vectors, %d of them active, want 300", all, active)
	}
	if got := w.number(t, acme, `SELECT count(DISTINCT space) FROM term_vectors`); got != 1 {
		t.Errorf("terms of %d versions", got)
	}
}

// A process that dies leaves the rest to the next tick; searches go on with what
// there was.
func TestLearningGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, manual(150)...)
	l := learning{w.Store, acme}
	if err := l.factors(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.put(t, acme, solved("between", "printer", "spooler toner", "done"))
	if items := w.ask(t, acme, "printer", "spooler toner"); len(items) == 0 || items[0].Path != "words" {
		t.Errorf("before the factors are complete: %v", items)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Learn(ctx, acme); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "acme") {
		t.Errorf("error %v", err)
	}
	w.learn(t, acme)
	if got := w.number(t, acme, countActive); got != 151 {
		t.Errorf("%d vectors, want 151", got)
	}
}

func TestDocumentsOfAnOlderAnalyserAreReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, office...)
	err := w.PutArticles(t.Context(), acme, "desk", []ticketing.Article{{Key: "a", Title: "Toner of printers", Text: "Order toner"}})
	if err != nil {
		t.Fatal(err)
	}
	w.number(t, acme, `WITH old AS (UPDATE ticket_history SET analyser = 1 RETURNING 1), a AS (UPDATE articles SET analyser = 1),
		p AS (DELETE FROM postings), c AS (DELETE FROM corpora) SELECT count(*) FROM old`)
	if items := w.ask(t, acme, "Outlook password", "prompts"); len(items) != 0 {
		t.Fatalf("found %s without postings", refs(items))
	}
	w.learn(t, acme)
	if docs := w.figures(t, acme, ticketCorpus); docs != len(office) {
		t.Errorf("%d documents, want %d", docs, len(office))
	}
	if docs := w.figures(t, acme, articleCorpus); docs != 1 {
		t.Errorf("%d articles, want 1", docs)
	}
	if items := w.ask(t, acme, "Outlook password", "prompts"); len(items) == 0 {
		t.Error("found nothing")
	}
}

func TestWhatSimilarTicketsPointToIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, office...)
	// The third shares no word with the question; two tickets that do point to it.
	for i, as := range []string{"Same as https://desk.example/3.", "See https://desk.example/3?tab=solution, and https://wiki.example/kb/reset-credentials"} {
		past := solved(fmt.Sprint(100+i), "Mail client wants login", fmt.Sprintf("The mail client wants the login on laptop%dx", i), as)
		past.Number = ""
		w.put(t, acme, past)
		w.put(t, globex, past)
	}
	elsewhere := solved("200", "Mail client wants login", "The mail client wants a login in other words", "See https://else.example/4")
	w.put(t, acme, elsewhere)
	article := ticketing.Article{Key: "reset-credentials", Title: "Empty the vault", Text: "Control panel, user accounts"}
	if err := w.PutArticles(t.Context(), acme, "wiki", []ticketing.Article{article, {Key: "other", Title: "Canteen", Text: "Menu"}}); err != nil {
		t.Fatal(err)
	}
	items := w.ask(t, acme, "Mail client", "wants login at start")
	at := slices.IndexFunc(items, func(it evidence.Item) bool { return it.Ref == "3" || it.Ref == "#3" })
	if at < 0 || !slices.Contains(items[at].Facts, evidence.Fact{Kind: evidence.PointedTo, N: 2}) || items[at].Path != "references" {
		t.Errorf("found %s: %+v", refs(items), items)
	}
	if slices.ContainsFunc(items, func(it evidence.Item) bool { return it.Ref == "#4" }) {
		t.Error("an address of another host counts as a ticket")
	}
	found, err := Articles{Store: w.Store, Now: func() time.Time { return today }}.Find(t.Context(), evidence.Query{
		Tenant: acme, Connection: "desk", Ticket: ticket.Ticket{Key: "new", Subject: "Mail client", Description: "wants login at start"},
	})
	if err != nil || refs(found) != "reset-credentials" || found[0].Path != "references" {
		t.Errorf("articles %+v (%v)", found, err)
	}
	if items := w.ask(t, globex, "Mail client", "wants login at start"); len(items) != 2 {
		t.Errorf("another tenant finds %s", refs(items))
	}
}
