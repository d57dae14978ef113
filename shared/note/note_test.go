package note

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	goldmarkhtml "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/receipts"
	"github.com/deskhand/deskhand/shared/ticket"
)

var update = flag.Bool("update", false, "write the golden files again")

var noteTime = time.Date(2026, 3, 22, 12, 0, 0, 0, time.UTC)

var printer = ticket.Ticket{
	Key: "1042", Number: "1042", Subject: "Printer on 3rd floor stuck again",
	Description: "Everything we send to PRN-ACME-03 (10.20.4.31) waits in the queue.", Requester: "Ana Ruiz",
}

// found is evidence of every kind, with text that wants to be mark-up.
var found = evidence.Bundle{Items: []evidence.Item{
	{
		ID: "T1", Kind: evidence.PastTicket, Ref: "1017", Title: "Third floor printer: 30 jobs waiting!!", URL: "https://sdp.example/WorkOrder.do?woMode=viewWO&woID=1017",
		Facts: []string{"same site", "held 21 days", "2 tickets like this in 30 days in the same place"},
		Text:  "Stopped the Print Spooler on PS-ACME-01, emptied C:\\Windows\\System32\\spool\\PRINTERS, started it again. Queue drained in two minutes.", When: noteTime.AddDate(0, 0, -23), Score: 12,
	},
	{ID: "T2", Kind: evidence.PastTicket, Possibly: true, Ref: "988", Title: "<script>alert(1)</script> [click](https://evil.example)", Text: "user *rebooted* `it`", When: noteTime.AddDate(0, -4, 0), Score: 3},
	{ID: "A1", Kind: evidence.Article, Ref: "7", Title: "Print queue stuck: clear the spooler", URL: "https://sdp.example/solution/7", Text: "1. Sign in to PS-ACME-01. 2. Stop the spooler."},
	{ID: "S1", Kind: evidence.System, Ref: "PRN-ACME-03", Title: "PRN-ACME-03", Text: "Multifunction printer, Acme Legal, London Holborn"},
}}

// notes are the golden notes: what a technician sees in each situation.
var notes = map[string]Briefing{
	"evidence_only": {Ticket: printer, Bundle: found, Missing: NoModel},
	"with_model": {Ticket: printer, Bundle: found, Model: "openai/gpt-4o-mini", Checked: receipts.Check(receipts.Draft{
		SimilarTickets: []receipts.Claim{
			{Text: "The same queue hung three weeks ago and was solved by restarting the Print Spooler on PS-ACME-01", Cites: []string{"T1"}},
			{Text: "A claim about 10.99.99.99 that nothing supports", Cites: []string{"T1"}},
		},
		RecommendedNextSteps: []receipts.Claim{
			{Text: "Stop the spooler, empty the PRINTERS folder, start it again", Cites: []string{"T1", "A1"}},
			{Text: "Tell the users that the queue will be empty"},
		},
	}, found, printer)},
	"nothing_found": {Ticket: printer, Bundle: evidence.Bundle{}, Missing: Empty},
	"gaps_and_told": {Ticket: printer, Told: true, Missing: NoModel, Bundle: evidence.Bundle{
		Items: found.Items[3:], Gaps: []evidence.Gap{{Source: "knowledge_base", Label: "knowledge base", Reason: "timeout"}},
	}},
}

func TestGoldenNotes(t *testing.T) {
	t.Parallel()
	for name, b := range notes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b.Marker, b.Now = "DH-0123456789abcdef", noteTime
			got := Write(b)
			file := filepath.Join("testdata", name+".md")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("run make generate if this is meant:\n%s", diff)
			}
		})
	}
}

func TestANoteNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	b := notes["gaps_and_told"]
	note := Write(b)
	for _, want := range []string{"Limited context available: knowledge base temporarily unavailable", "could not be read from the tool", "evidence alone: no language model"} {
		if !strings.Contains(note, want) {
			t.Errorf("the note lacks %q:\n%s", want, note)
		}
	}
	if strings.Contains(note, "timeout") {
		t.Error("the note tells the technician the operator's reason")
	}
}

// Whatever the evidence says, a note has at most 500 words, its headline at
// most 40, and no link or mark-up that the evidence's text brought.
func TestANoteIsShortAndOnlyOurMarkUpIsInIt(t *testing.T) {
	t.Parallel()
	hostile := rapid.SliceOfN(rapid.SampledFrom([]string{
		"spooler", "<img src=x>", "[a](https://evil.example)", "**b**", "`c`", "https://evil.example", "# h", "\n- x", "&lt;", "10.0.0.1", "~~z~~", "|", "![i](x)", "\x00",
	}), 0, 120)
	rapid.Check(t, func(t *rapid.T) {
		b := Briefing{Now: noteTime, Marker: "DH-0123456789abcdef", Missing: Empty}
		for range rapid.IntRange(0, 12).Draw(t, "items") {
			kind := rapid.SampledFrom([]evidence.Kind{evidence.PastTicket, evidence.Article, evidence.System}).Draw(t, "kind")
			text := strings.Join(hostile.Draw(t, "text"), " ")
			b.Bundle.Items = append(b.Bundle.Items, evidence.Item{
				Kind: kind, Ref: "1", Title: cut(text, 20), Text: text, Facts: rapid.SliceOfN(rapid.SampledFrom([]string{"same site", "held 21 days", "12 tickets like this in 30 days in the same place", "<b>", "where 2 similar tickets pointed to"}), 0, 5).Draw(t, "facts"),
				When:     rapid.SampledFrom([]time.Time{{}, noteTime, noteTime.AddDate(-2, 0, 0)}).Draw(t, "when"),
				Possibly: rapid.Bool().Draw(t, "possibly"), URL: rapid.SampledFrom([]string{"", "https://sdp.example/1", "javascript:alert(1)", "https://x.example/)(y"}).Draw(t, "url"),
			})
		}
		note := Write(b)
		head, _, _ := strings.Cut(note, "\n\n*Written")
		if n := words(head); len(b.Bundle.Items) > 0 && n > maxHeadline {
			t.Fatalf("the first two lines have %d words:\n%s", n, head)
		}
		var page bytes.Buffer
		if err := goldmark.New(goldmark.WithRendererOptions(goldmarkhtml.WithUnsafe())).Convert([]byte(note), &page); err != nil {
			t.Fatal(err)
		}
		text, links := read(t, &page)
		if n := len(strings.Fields(text)); n > MaxWords {
			t.Fatalf("%d words", n)
		}
		for _, l := range links {
			if l != "https://sdp.example/1" {
				t.Fatalf("the note links to %s:\n%s", l, note)
			}
		}
	})
}

// read gives the visible text and the links of a page that may have no other
// elements than those of a note.
func read(t *rapid.T, page *bytes.Buffer) (text string, links []string) {
	z := html.NewTokenizer(page)
	for {
		switch z.Next() {
		case html.ErrorToken:
			return text, links
		case html.TextToken:
			text += string(z.Text())
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			switch token.Data {
			case "p", "h3", "ul", "li", "strong", "em":
			case "a":
				links = append(links, token.Attr[0].Val)
			default:
				t.Fatalf("the note has an element %s", token)
			}
		}
	}
}

func TestAgoSaysItInTheLargestUnit(t *testing.T) {
	t.Parallel()
	for days, want := range map[int]string{0: ", today", 1: ", 1 day ago", 6: ", 6 days ago", 7: ", 1 week ago", 23: ", 3 weeks ago", 40: ", 1 month ago", 200: ", 6 months ago", 800: ", 2 years ago"} {
		if got := ago(noteTime, noteTime.AddDate(0, 0, -days)); got != want {
			t.Errorf("%d days: %q, want %q", days, got, want)
		}
	}
	if ago(noteTime, time.Time{}) != "" {
		t.Error("an unknown time was told")
	}
}

func TestTheGistIsWhatWasDone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Her laptop had the old driver. Cleared the queue, replaced the driver.": "Cleared the queue, replaced the …",
		"Restarted the spooler.":                                  "Restarted the spooler.",
		"Cause: full disk\n- Removed old logs on srv-01 and more": "- Removed old logs on …",
		"Der Dienst hing. Neu gestartet.":                         "Der Dienst hing. Neu gestartet.",
		"user rebooted":                                           "user rebooted",
		"":                                                        "",
	} {
		if got := gist(text, 5); got != want {
			t.Errorf("gist(%q) = %q, want %q", text, got, want)
		}
	}
}
