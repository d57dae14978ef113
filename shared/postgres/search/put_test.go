package search

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

func TestUnresolvedTicketsAreFoundOnceTheyAreSolved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	open := solved("1", "Outlook crashes at start", "crashes with the Zoom add-in", " ")
	w.put(t, acme, open)
	if items := w.ask(t, acme, "Outlook crashes", "Zoom add-in"); len(items) != 0 {
		t.Errorf("found %s, which has no resolution", refs(items))
	}
	if docs := w.figures(t, acme, ticketCorpus); docs != 0 {
		t.Errorf("%d documents counted", docs)
	}
	open.Resolution = "Removed the add-in"
	w.put(t, acme, open)
	if items := w.ask(t, acme, "Outlook crashes", "Zoom add-in"); len(items) != 1 {
		t.Errorf("found %d, want the solved ticket", len(items))
	}
}

func TestPutAgainChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, office...)
	before := w.ask(t, acme, "Outlook password", "prompts for my password since Monday")
	for range 3 {
		w.put(t, acme, append(office, office[2])...)
	}
	after := w.ask(t, acme, "Outlook password", "prompts for my password since Monday")
	if refs(before) != refs(after) || before[0].Score != after[0].Score {
		t.Errorf("before %v, after %v", before, after)
	}
	if docs := w.figures(t, acme, ticketCorpus); docs != len(office) {
		t.Errorf("%d documents counted, want %d", docs, len(office))
	}
}

func TestPutReplacesWhatCanBeFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, solved("1", "Outlook crashes", "with the Zoom add-in", "Removed it"))
	w.put(t, acme, solved("1", "Excel macros blocked", "since the policy change", "Signed them"))
	if items := w.ask(t, acme, "Outlook crashes", "with the Zoom add-in"); len(items) != 0 {
		t.Errorf("the old words still find %s", refs(items))
	}
	if items := w.ask(t, acme, "Excel macros", "blocked by policy"); len(items) != 1 || items[0].Text != "Signed them" {
		t.Errorf("the new words find %v", items)
	}
	w.figures(t, acme, ticketCorpus)
}

func TestPutKeepsWhatTheNewerCopyLeavesEmpty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, solved("1", "Outlook crashes", "with the Zoom add-in", "Removed it"))
	row := func() (got [6]string, at time.Time) {
		err := w.DB.InTenant(t.Context(), acme, func(tx pgx.Tx) error {
			return tx.QueryRow(t.Context(), `SELECT subject, description, resolution, source, url, resolved_date::date::text, ingested_at
				FROM ticket_history`).Scan(&got[0], &got[1], &got[2], &got[3], &got[4], &got[5], &at)
		})
		if err != nil {
			t.Fatal(err)
		}
		return got, at
	}
	_, first := row()
	if err := w.PutTickets(t.Context(), acme, "desk", "webhook_resolved", []ticket.Ticket{{Key: "1"}}); err != nil {
		t.Fatal(err)
	}
	got, second := row()
	want := [6]string{"Outlook crashes", "with the Zoom add-in", "Removed it", "webhook_resolved", "https://desk.example/1", "2026-11-19"}
	if got != want || !second.After(first) {
		t.Errorf("stored %q at %v (before: %v), want %q", got, second, first, want)
	}
	if items := w.ask(t, acme, "Outlook crashes", "Zoom add-in"); len(items) != 1 {
		t.Errorf("found %d, want 1", len(items))
	}
}

func TestWritersAtTheSameTimeKeepTheFiguresTrue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 5 {
				tickets := append([]ticket.Ticket{solved(fmt.Sprint("own", n, i), "Printer offline", "error 0x00000709", "x")}, office...)
				if err := w.PutTickets(t.Context(), acme, "desk", "webhook_resolved", tickets); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if docs := w.figures(t, acme, ticketCorpus); docs != len(office)+40 {
		t.Errorf("%d documents counted, want %d", docs, len(office)+40)
	}
}

func TestAnyTextIsStoredAndFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := strings.Repeat("a", 2047)
	log := strings.Repeat("2026-11-19 12:30:45 ERROR worker[17] connection 10.0.0.7 refused, code 0x80070005; ", 3448)[:286_132]
	tickets := []ticket.Ticket{
		solved("1", "Kernel panic zebra "+long, long+" quokka", "a"),
		solved("2", "Service wombat fails", log, "b"),
		solved("3", "Nul\x00 and \xff\xfe invalid platypus", "bytes \xc3( in the echidna", "c\x00\xff"),
		solved("4", strings.Repeat("😀", 3000), "…", "d"),
	}
	start := time.Now()
	w.put(t, acme, tickets...)
	for subject, want := range map[string]string{
		"zebra panic quokka": "#1", "wombat service": "#2", "platypus echidna": "#3",
	} {
		if items := w.ask(t, acme, subject, long); len(items) != 1 || items[0].Ref != want {
			t.Errorf("%q found %q, want %s", subject, refs(items), want)
		}
	}
	if items := w.ask(t, acme, "Service wombat", log); len(items) == 0 || items[0].Ref != "#2" {
		t.Errorf("a log of %d characters found %q, want #2", len(log), refs(items))
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestTenLanguages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct{ language, subject, asked string }{
		{"German", "Drucker im Erdgeschoss druckt nicht", "Der Drucker druckt seit heute nicht mehr"},
		{"French", "Imprimante bloquée au deuxième étage", "L’imprimante est bloquée depuis ce matin"},
		{"Spanish", "La impresora no imprime facturas", "Mi impresora ya no imprime nada"},
		{"Italian", "La stampante non funziona più", "Aiuto, stampante che non funziona"},
		{"Polish", "Drukarka przestała działać w księgowości", "Nasza drukarka przestała działać"},
		{"Russian", "Принтер не печатает счета", "Наш принтер больше не печатает"},
		{"Greek", "Ο εκτυπωτής δεν τυπώνει τιμολόγια", "ο ΕΚΤΥΠΩΤΉΣ μου δεν τυπώνει"},
		{"Arabic", "الطابعة لا تعمل في المكتب", "الطابعة لا تعمل منذ الصباح"},
		{"Hindi", "प्रिंटर काम नहीं कर रहा", "मेरा प्रिंटर काम करना बंद"},
		{"Japanese", "経理部のプリンターが印刷できません", "プリンターで印刷できません"},
		{"Chinese", "打印机无法打印发票", "财务部打印机今天无法打印"},
		{"Korean", "프린터가 인쇄되지 않습니다", "회계팀 프린터 인쇄 안됨"},
		{"Thai", "เครื่องพิมพ์ไม่ทำงาน", "วันนี้เครื่องพิมพ์ไม่ทำงานเลย"},
	} {
		w.put(t, acme, solved(tt.language, tt.subject, "", "restarted"))
		if items := w.ask(t, acme, tt.asked, ""); len(items) == 0 || items[0].Ref != "#"+tt.language {
			t.Errorf("%s: found %q", tt.language, refs(items))
		}
	}
}

func TestArticlesAreFoundWithTheirSummary(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	articles := []ticketing.Article{
		{Key: "KB1", Title: "Reset the print spooler", Text: "When a printer is offline,\n\nrestart the spooler. " + strings.Repeat("More words. ", 60), URL: "https://kb.example/1", Updated: today},
		{Key: "KB2", Title: "Connect to the VPN", Text: "Install AnyConnect and sign in with your badge."},
	}
	for range 2 {
		if err := w.PutArticles(t.Context(), acme, "desk", articles); err != nil {
			t.Fatal(err)
		}
	}
	find := func(subject string) []evidence.Item {
		items, err := Articles{Store: w.Store, Now: func() time.Time { return today }}.Find(t.Context(), evidence.Query{Tenant: acme, Ticket: ticket.Ticket{Subject: subject}})
		if err != nil {
			t.Fatal(err)
		}
		return items
	}
	items := find("printer offline, restarted the spooler twice")
	if len(items) != 1 {
		t.Fatalf("found %s, want KB1", refs(items))
	}
	got := items[0]
	if got.Kind != evidence.Article || got.Ref != "KB1" || got.URL != "https://kb.example/1" || !got.When.Equal(today) {
		t.Errorf("got %+v", got)
	}
	if !strings.HasPrefix(got.Text, "When a printer is offline, restart the spooler. More") || len(got.Text) > 310 {
		t.Errorf("summary %q", got.Text)
	}
	if docs := w.figures(t, acme, articleCorpus); docs != 2 {
		t.Errorf("%d articles counted", docs)
	}
	if items := find("the coffee is cold"); len(items) != 0 {
		t.Errorf("found %s for an unrelated ticket", refs(items))
	}
	if items := w.ask(t, acme, "printer offline, restarted the spooler", ""); len(items) != 0 {
		t.Errorf("articles among the tickets: %s", refs(items))
	}
	if err := w.PutArticles(t.Context(), "none", "desk", articles); err == nil || !strings.Contains(err.Error(), "none/desk") {
		t.Errorf("unknown tenant: %v", err)
	}
}
