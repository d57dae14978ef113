package app

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/canary"
	"github.com/deskhand/deskhand/shared/cli"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/postgres/canaries"
	"github.com/deskhand/deskhand/shared/postgres/inventory"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// closed gives a ticket that was created in the morning of a day of March, and
// solved so many hours later.
func closed(key string, day, hours int, text, resolution string) ticket.Ticket {
	subject, description, _ := strings.Cut(text, ": ")
	created := time.Date(2026, 3, day, 9, 0, 0, 0, time.UTC)
	return ticket.Ticket{
		Key: key, Number: "#" + key, Subject: subject, Description: description, Resolution: resolution, URL: "https://sdp.example.com/" + key,
		Created: created, Resolved: created.Add(time.Duration(hours) * time.Hour),
	}
}

// pasts fills both tenants: acme's printer hangs again and again, and globex has
// the same with a word of its own.
func pasts(t *testing.T, a *App) {
	t.Helper()
	put := func(id tenant.ID, err error) {
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
	}
	for _, id := range []tenant.ID{"acme", "globex"} {
		const description = ": everything we send to PRN-03 (10.1.2.3) waits, error 0x00000709"
		solution := "Stopped the spooler, emptied its folder. Marker-" + string(id)
		tickets := []ticket.Ticket{
			closed("11", 1, 3, "Printer PRN-03 stuck"+description, solution+" first"),
			closed("12", 10, 5, "Printer PRN-03 stuck again"+description, solution+" second"),
			closed("13", 10, 2, "Printer PRN-03 stuck, hurry"+description, solution+" third"), // created with 12, solved before it
			closed("14", 20, 1, "Need a chair: my chair is broken", "Ordered one."),
		}
		for i := range 60 { // which make words rare
			tickets = append(tickets, closed(fmt.Sprint(100+i), 1, 1, fmt.Sprintf("Question %d: about something else", i), "Answered."))
		}
		undated := closed("15", 21, 1, "Undated: x", "y")
		undated.Created = time.Time{}
		put(id, a.search().PutTickets(t.Context(), id, string(id), "bulk_import", append(tickets, undated)))
		put(id, a.search().PutArticles(t.Context(), id, string(id), []ticketing.Article{
			{Key: "KB1", Title: "Printer stuck: error 0x00000709", Text: "Article-" + string(id), Updated: time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)},
		}))
		put(id, inventory.Store{DB: a.db}.PutSystems(t.Context(), id, string(id), []ticketing.System{{Key: "1", Hostname: "PRN-03", Role: "System-" + string(id), Addresses: []string{"10.1.2.3"}}}))
		put(id, a.search().Learn(t.Context(), id))
		token, err := canaries.Store{DB: a.db}.Of(t.Context(), id)
		put(id, err)
		decoy, article, system := canary.Decoys(token, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
		put(id, a.search().PutTickets(t.Context(), id, canary.Connection, "bulk_import", []ticket.Ticket{decoy}))
		put(id, a.search().PutArticles(t.Context(), id, canary.Connection, []ticketing.Article{article}))
		put(id, inventory.Store{DB: a.db}.PutSystems(t.Context(), id, canary.Connection, []ticketing.System{system}))
	}
}

// rowsOf gives a sum of the rows of each table, as their owner sees them.
func rowsOf(t *testing.T, a *App) map[string]string {
	t.Helper()
	owner, err := pgx.Connect(t.Context(), a.Config.DatabaseOwnerURL.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(t.Context())
	rows, err := owner.Query(t.Context(), `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'river')`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 15 {
		t.Fatalf("tables %v, %v", tables, err)
	}
	sums := map[string]string{}
	for _, table := range tables {
		var sum string
		if err := owner.QueryRow(t.Context(), "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM "+table+" t").Scan(&sum); err != nil {
			t.Fatal(err)
		}
		sums[table] = sum
	}
	return sums
}

func TestPreviewLooksBackAtOneTenantAndWritesNothing(t *testing.T) {
	t.Parallel()
	a := instances(t, 1)[0]
	pasts(t, a)
	before := rowsOf(t, a)

	file := filepath.Join(t.TempDir(), "acme.html")
	p := cli.New(Program("test", func() (config.Config, error) { return a.Config, nil }))
	var out, errs bytes.Buffer
	p.Out, p.Err = &out, &errs
	if code := p.Run(t.Context(), []string{"preview", "--tenant", "acme", "--last", "5", "--out", file}); code != 0 {
		t.Fatal(errs.String())
	}
	if want := file + ": 4 tickets; a solved ticket like it was known for 2 (50 %), an article for 2 (50 %), nothing for 2 (50 %); of 2 that can be compared, 2 point the same way"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("said %s, want %s", out.String(), want)
	}

	after := rowsOf(t, a)
	trail := "public.audit_events"
	if after[trail] == before[trail] {
		t.Error("the trail does not tell of it")
	}
	maps.DeleteFunc(after, func(table, _ string) bool { return table == trail })
	delete(before, trail)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("it changed tables: %s", diff)
	}

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	html := strings.ReplaceAll(string(text), "<bdi>", "")
	for _, want := range []string{"Marker-acme first", "Article-acme", "System-acme", "Ordered one.", "1 closed ticket that does not say"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, no := range []string{"globex", "dhcanary", "decoy"} {
		if strings.Contains(strings.ToLower(html), no) {
			t.Errorf("the page has %q", no)
		}
	}
}

// TestPreviewIsAsOfTheCreation reads what each ticket would have been shown.
func TestPreviewIsAsOfTheCreation(t *testing.T) {
	t.Parallel()
	a := instances(t, 1)[0]
	if err := a.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	pasts(t, a)
	r, err := a.preview(t.Context(), "acme", 100, func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, x := range r.Tickets {
		var refs []string
		for _, s := range x.Shown {
			refs = append(refs, s.Ref)
		}
		if x.Key < "15" && len(x.Key) == 2 {
			got[x.Key] = strings.Join(refs, " ")
		}
	}
	want := map[string]string{
		"14": "",
		"13": "#11 KB1 PRN-03", // not 12, which was solved later
		"12": "#11 KB1 PRN-03", // not 13, which was not solved yet, nor itself
		"11": "PRN-03",         // the article is newer
	}
	if diff := cmp.Diff(want, got); diff != "" || r.Undated != 1 || r.Late == 0 {
		t.Errorf("%d undated, %d late: %s", r.Undated, r.Late, diff)
	}
}

func TestPreviewOfATenantWithoutAPastSaysSo(t *testing.T) {
	t.Parallel()
	a := instances(t, 1)[0]
	got := ordered(t, a, "anna", "preview", "--tenant", "acme")
	if got.Exit == 0 || !strings.Contains(got.Stderr, "deskhand import --tenant acme") {
		t.Errorf("%+v", got)
	}
	if got := ordered(t, a, "anna", "preview", "--tenant", "nobody"); got.Exit == 0 || !strings.Contains(got.Stderr, "unknown tenant") {
		t.Errorf("%+v", got)
	}
	pasts(t, a)
	got = ordered(t, a, "anna", "preview", "--tenant", "acme", "--out", "/home/anna/x.html")
	if got.Exit != 0 || len(got.Files) != 1 || !strings.HasPrefix(got.Stdout, "/home/anna/x.html: 49 tickets") {
		t.Errorf("%d, %d files: %s%s", got.Exit, len(got.Files), got.Stdout, got.Stderr)
	}
}
