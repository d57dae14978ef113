package evaluate

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sets reads the folder of small sets that lies beside.
func sets(t testing.TB) (byName map[string]Set, notes []string) {
	t.Helper()
	list, notes, err := Read(os.DirFS("testdata"), "small")
	if err != nil {
		t.Fatal(err)
	}
	byName = map[string]Set{}
	for _, s := range list {
		byName[s.Name] = s
	}
	return byName, notes
}

func at(text string) time.Time {
	t, err := time.Parse(time.DateTime, text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestASetIsReadFromItsFiles(t *testing.T) {
	t.Parallel()
	all, _ := sets(t)
	s := all["desk/small"]
	if len(all) != 2 || len(s.Tickets) != 12 || len(s.Articles) != 3 || len(s.Queries) != 8 {
		t.Fatalf("%d sets; %d tickets, %d articles, %d queries", len(all), len(s.Tickets), len(s.Articles), len(s.Queries))
	}
	want := Ticket{
		ID: "101", Names: []string{"101"}, Title: "Printer offline in accounting", Created: at("2026-01-05 08:00:00"),
		Body:       "The HP printer shows error 0x00000709 and prints nothing.",
		Resolution: "Restarted the spooler on srv-print01. See /kb/restart-spooler", Resolved: at("2026-01-05 10:00:00"),
	}
	if diff := cmp.Diff(want, s.Tickets[0]); diff != "" {
		t.Error(diff)
	}
	if to := s.Tickets[4].ToTickets; len(to) != 1 || to[0] != "101" {
		t.Errorf("#101 points to %q", to)
	}
	if diff := cmp.Diff(Query{Ticket: "109", Tickets: []string{"102", "110", "999"}}, s.Queries[1]); diff != "" {
		t.Error(diff)
	}
	if a := s.Articles[2]; a.ID != "wifi" || !strings.Contains(a.Body, "access point") {
		t.Errorf("%+v", a)
	}
}

func TestWhatCannotBeUsedIsNamed(t *testing.T) {
	t.Parallel()
	_, notes := sets(t)
	got := strings.Join(notes, "\n")
	for _, want := range []string{
		"desk/tickets_en_small.jsonl.gz:6: unexpected end of JSON input",
		"desk/tickets_en_small.jsonl.gz:9: no time of creation",
		"desk/ticket_kb_small.tsv:5: want a ticket and a kb_slug",
		"desk/tickets_other.jsonl: nothing in its folder says what helped",
		"bugs/Desk_bugs.csv:6: no time of creation",
		"bugs/Desk_bugs-combined.csv:4: no id",
		"bugs/reports.csv: some reports are labelled as duplicates, but of which is not said",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not among the notes:\n%s", want, got)
		}
	}
	if len(notes) != 7 {
		t.Errorf("%d notes:\n%s", len(notes), got)
	}
}

func TestABugIsAskedForWhatItDuplicates(t *testing.T) {
	t.Parallel()
	all, _ := sets(t)
	s := all["bugs/Desk"]
	if !s.Unsolved || len(s.Tickets) != 4 || s.Tickets[0].Body != "The program crashes\nwhen a page is printed" {
		t.Errorf("%+v", s.Tickets)
	}
	want := []Query{{Ticket: "13", Tickets: []string{"11"}}, {Ticket: "15", Tickets: []string{"11", "13"}}}
	if diff := cmp.Diff(want, s.Queries); diff != "" {
		t.Error(diff)
	}
}

// data makes files of names and contents, one after the other.
func data(files ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		m[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return m
}

const (
	one   = `{"id":1,"created":"2026-01-01","title":"a","resolution":"x","resolved_at":"2026-01-02"}` + "\n"
	two   = `{"id":2,"created":"2026-02-01","title":"a"}` + "\n"
	asked = `{"query":2,"rel":[1]}` + "\n"
)

func TestLabelsGoWithTheFilesTheyName(t *testing.T) {
	t.Parallel()
	read, notes, err := Read(data(
		"a/tickets_x.jsonl", one+two, "a/eval_tickets_x.jsonl", asked,
		"a/tickets_y.jsonl", strings.ReplaceAll(one+two, `"id":`, `"id":9`), "a/eval_tickets_y.jsonl", `{"query":92,"rel":[91]}`,
		"b/deep/tickets_z.jsonl", one, "b/deep/tickets_more.jsonl", two+one, "b/deep/eval_tickets_z.jsonl", asked,
		"b/eval_tickets_lost.jsonl", asked,
		"tickets_top.jsonl", one+two, "eval_tickets_top.jsonl", asked,
	), "top")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range read {
		got = append(got, s.Name+": "+strings.Repeat("t", len(s.Tickets))+strings.Repeat("q", len(s.Queries))+strings.Join(s.Left, ""))
	}
	want := []string{"top/top: ttq", "a/x: ttq", "a/y: ttq", "deep/z: ttq1 tickets or articles that were there already, by their id"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(notes) != 1 || !strings.HasPrefix(notes[0], "b/eval_tickets_lost.jsonl: names none") {
		t.Errorf("notes %q", notes)
	}
}

func TestFilesThatCannotBeReadAreNamed(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(one + two))
	_ = z.Close()
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"nothing":         {data("README.md", "x"), "looked, in all folders below, for tickets_*.jsonl.gz"},
		"no labels":       {data("tickets_x.jsonl", one), "EVAL_DATA=DIR make eval"},
		"all broken":      {data("tickets_x.jsonl", "no\n\nJSON"), "read tickets_x.jsonl: every line is broken, the first: tickets_x.jsonl:1:"},
		"labels broken":   {data("eval_tickets_x.jsonl", `{"rel":[1]}`), "eval_tickets_x.jsonl:1: no id"},
		"articles broken": {data("kb_x.jsonl", `{"title":"x"}`), "kb_x.jsonl:1: no id"},
		"no gzip":         {data("tickets_x.jsonl.gz", one), "open tickets_x.jsonl.gz: gzip"},
		"half a gzip":     {data("tickets_x.jsonl.gz", zipped.String()[:zipped.Len()-12]), "read tickets_x.jsonl.gz: unexpected EOF"},
		"table":           {data("x_bugs.csv", "Issue id,Summary,Description,Created\n1,a,b,never"), "read x_bugs.csv: every line is broken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, _, err := Read(c.files, "x"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
	if _, _, err := Read(os.DirFS("testdata/nowhere"), "nowhere"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func TestTimesOfManyFormsAreRead(t *testing.T) {
	t.Parallel()
	want := at("2026-01-02 15:04:05")
	for _, text := range []string{
		"2026-01-02 15:04:05", "2026-01-02T15:04:05Z", "2026-01-02T17:04:05+02:00", "2026-01-02T15:04:05.000+0000", " 2026-01-02T15:04:05 ",
		"2026-01-02 15:04:05+00:00", "2026-01-02 15:04:05 UTC", "2026-01-02 15:04:05 +0000",
	} {
		if got, ok := moment(text, false); !ok || !got.Equal(want) {
			t.Errorf("%q is %v, %v", text, got, ok)
		}
	}
	begin, _ := moment("2026-01-02", false)
	end, _ := moment("2026-01-02", true)
	if !begin.Equal(at("2026-01-02 00:00:00")) || !end.Equal(at("2026-01-03 00:00:00")) {
		t.Errorf("a day begins %v and ends %v", begin, end)
	}
	for _, text := range []string{"", "yesterday", "2026-13-01", "0"} {
		if got, ok := moment(text, false); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// FuzzRead holds the readers to giving sets or an error, whatever the files hold.
func FuzzRead(f *testing.F) {
	f.Add(one+two, asked, "ticket\tkb_slug\n2\ta", "Issue id,Summary,Description,Created\n1,\"a\n\",b,2026-01-01")
	f.Add("{\"id\":{}}\n\ufeff", "{\"query\":1e9,\"rel\":null}", "\t\t\n1\t", "Issue id,Duplicate id\n1,\"1, 2")
	f.Fuzz(func(t *testing.T, tickets, similar, helpful, table string) {
		read, _, err := Read(data("tickets_x.jsonl", one+tickets, "eval_tickets_x.jsonl", similar, "ticket_kb_x.tsv", helpful,
			"kb_x.jsonl", `{"slug":"a"}`, "x_bugs.csv", table, "x_bugs-combined.csv", table), "x")
		if err == nil && len(read) == 0 {
			t.Error("neither a set nor an error")
		}
		for _, s := range read {
			if _, err := (Run{Now: time.Now}).Measure(t.Context(), s); err != nil {
				t.Error(err)
			}
		}
	})
}
