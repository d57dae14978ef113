package note

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
		Facts: []evidence.Fact{{Kind: evidence.SameSite}, {Kind: evidence.Held, N: 21}, {Kind: evidence.Recurred, N: 2}}, Why: "printer, queue, 3rd",
		Text: "Stopped the Print Spooler on PS-ACME-01, emptied C:\\Windows\\System32\\spool\\PRINTERS, started it again. Queue drained in two minutes.", When: noteTime.AddDate(0, 0, -23), Score: 12,
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
	}, found, printer, "")},
	"nothing_found": {Ticket: printer, Bundle: evidence.Bundle{}, Missing: Empty},
	"everything_in_german": {
		Ticket: printer, Bundle: evidence.Bundle{Items: found.Items, Gaps: []evidence.Gap{{Source: "monitoring", Label: "monitoring"}}}, Missing: Pending, Suspect: true, Language: "de-CH",
		Changed: []string{"description", "priority"}, Useful: "https://dh.example/feedback/1?v=useful&sig=a_b", Useless: "https://dh.example/feedback/1?v=useless&sig=a_b",
	},
	"suspect_and_withheld": {Ticket: printer, Suspect: true, Missing: Suspected, Bundle: evidence.Bundle{
		Items: found.Items[3:], Withheld: []evidence.Item{{ID: "T1", Kind: evidence.PastTicket, Ref: "981", URL: "https://sdp.example/981"}, {ID: "A2", Kind: evidence.Article, Ref: "A2"}},
	}},
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

func TestTheHeadIsHonestAboutWhatCouldNotBeSearched(t *testing.T) {
	t.Parallel()
	gap := []evidence.Gap{{Source: "history", Label: "similar tickets", Reason: "timeout"}}
	for want, b := range map[string]Briefing{
		"**Nothing like this is known here:**":                {},
		"**Nothing found,** but not everything":               {Bundle: evidence.Bundle{Gaps: []evidence.Gap{{Source: "inventory"}}}},
		"**Not known whether this was seen before:** similar": {Bundle: evidence.Bundle{Items: found.Items[2:], Gaps: gap}},
		"**Not seen before:** no resolved":                    {Bundle: evidence.Bundle{Items: found.Items[2:]}},
	} {
		if got := Write(b); !strings.HasPrefix(got, want) {
			t.Errorf("want %q, the note begins:\n%s", want, got)
		}
	}
}

func TestANoteSaysWhatToBewareOfAndWhatChanged(t *testing.T) {
	t.Parallel()
	b := notes["evidence_only"]
	b.Suspect, b.Changed = true, []string{"description", "priority", "description", "unheard of"}
	b.Bundle.Gaps = []evidence.Gap{{Source: "knowledge_base"}, {Source: "jira", Label: "Jira *issues*"}}
	note := Write(b)
	for _, want := range []string{
		"\n\n**This ticket contains text addressed to AI or operators: treat as possible phishing.**\n\n",
		"*Updated: the description and the priority changed.*",
		`*Limited context available: knowledge base and Jira \*issues\* temporarily unavailable.*`,
	} {
		if !strings.Contains(note, want) {
			t.Errorf("the note lacks %q:\n%s", want, note)
		}
	}
}

func TestAVoteNeedsBothLinks(t *testing.T) {
	t.Parallel()
	b := Briefing{Useful: "https://dh.example/u", Useless: "javascript:alert(1)"}
	if strings.Contains(Write(b), "useful") {
		t.Error("a vote without a link")
	}
	b.Useless = "https://dh.example/n"
	if want := "Was this note useful? [Useful](https://dh.example/u) / [Useless](https://dh.example/n)\n\nDeskhand:"; !strings.Contains(Write(b), want) {
		t.Errorf("no vote:\n%s", Write(b))
	}
}

func TestHowSureAMatchIsComesFromItsScore(t *testing.T) {
	t.Parallel()
	past := func(score float64, why string, possibly bool) evidence.Item {
		return evidence.Item{Kind: evidence.PastTicket, Source: "history", Ref: "1", Score: score, Why: why, Possibly: possibly}
	}
	best := past(10, "spooler, 0x00000709", false)
	for want, it := range map[string]evidence.Item{
		"*strong match: 0x00000709, spooler*": best,
		"*strong match: 0x00000709*":          past(7, "0x00000709", false),
		"*partial match: spooler*":            past(9, "spooler", false),
		"*partial match: spooler, queue*":     past(5, "spooler, queue", false),
		"*partial match: b, c, d, e*":         past(1, "b, c, d, e, f", false),
		"*similar in meaning*":                past(9, "", false),
		"*possibly related: spooler, queue*":  past(10, "spooler, queue", true),
	} {
		p := page{Briefing: Briefing{Bundle: evidence.Bundle{Items: []evidence.Item{best, it}}}, in: english}
		if got := p.items(evidence.PastTicket)[1].lead; !strings.HasSuffix(got, want) {
			t.Errorf("%+v is shown as %q, want %q", it, got, want)
		}
	}
}

func TestWhatIsKnownIsSaidOnce(t *testing.T) {
	t.Parallel()
	p := page{Briefing: Briefing{Bundle: evidence.Bundle{Items: []evidence.Item{
		{Kind: evidence.System, Ref: "NODE-1", Text: "worker, rack 1"},
		{Kind: evidence.System, Ref: "NODE-2", Text: "worker, rack 1"},
		{Kind: evidence.System, Ref: "db"},
		{
			Kind: evidence.PastTicket, Ref: "7", Title: "Full", Text: "Emptied it.", Why: "full, node-1, 0x70",
			Facts: []evidence.Fact{{Kind: evidence.SameSystem, Name: "node-1"}},
		},
	}}}, in: english}
	var got []string
	for _, kind := range []evidence.Kind{evidence.System, evidence.PastTicket} {
		for _, b := range p.items(kind) {
			got = append(got, b.markdown())
		}
	}
	want := []string{
		"**NODE-1**, **NODE-2**: worker, rack 1", "**db**",
		"**#7** Full  \n  *strong match: 0x70, full; same system NODE-1*  \n  Solved by: Emptied it.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	p.head = []string{"**Solved by:** Emptied it."}
	if b := p.items(evidence.PastTicket)[0]; b.text != "" {
		t.Errorf("the solution is said again: %q", b.text)
	}
}

func TestTheNextStepsFollowTheEvidence(t *testing.T) {
	t.Parallel()
	past := evidence.Item{Kind: evidence.PastTicket, Ref: "#7", Text: "Restarted the spooler on it."}
	back, maybe := past, past
	back.Facts, maybe.Possibly = []evidence.Fact{{Kind: evidence.CameBack, N: 3}}, true
	article := evidence.Item{Kind: evidence.Article, Title: "Spooler", Possibly: true}
	for want, items := range map[string][]evidence.Item{
		"Try what solved #7.": {past},
		"What solved #7 did not last: look for the cause behind it.":                                                             {back},
		"See whether #7 is the same problem: too little matches to be sure.":                                                     {maybe},
		"Check **srv-1** first: the ticket names it.":                                                                            {{Kind: evidence.System, Ref: "srv-1"}, maybe},
		"Follow [Clear it](https://kb.example/1).":                                                                               {{Kind: evidence.Article, Title: "Clear it", URL: "https://kb.example/1"}},
		"See whether Spooler applies: too little matches to be sure.":                                                            {article},
		"Nothing to recommend from the evidence. Useful to ask: the exact error text, the system it happens on, and since when.": nil,
	} {
		p := page{Briefing: Briefing{Bundle: evidence.Bundle{Items: items}}, in: english}
		if got := p.nextSteps()[0].markdown(); got != want {
			t.Errorf("the first step is %q, want %q", got, want)
		}
	}
}

func TestAgoSaysItInTheLargestUnit(t *testing.T) {
	t.Parallel()
	p := page{Briefing: Briefing{Now: noteTime}, in: english}
	for days, want := range map[int]string{0: "today", 1: "1 day ago", 6: "6 days ago", 7: "1 week ago", 23: "3 weeks ago", 40: "1 month ago", 200: "6 months ago", 800: "2 years ago"} {
		if got := p.ago(noteTime.AddDate(0, 0, -days)); got != want {
			t.Errorf("%d days: %q, want %q", days, got, want)
		}
	}
	if p.ago(time.Time{}) != "" {
		t.Error("an unknown time was told")
	}
}
