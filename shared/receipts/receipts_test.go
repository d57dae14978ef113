package receipts_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/receipts"
	"github.com/deskhand/deskhand/shared/ticket"
)

var acmeTicket = ticket.Ticket{
	Key: "100042", Number: "1042", Subject: "Printer pr-07 prints garbage",
	Description: "Every page from pr-07 (10.4.0.17) has strange characters. Error 0x00000709. Also \\\\files\\scans is slow.",
	Requester:   "ann@acme.example",
}

var acmeBundle = evidence.Bundle{Items: []evidence.Item{
	{ID: "T1", Kind: evidence.PastTicket, Ref: "981", Title: "Garbage on pr-03", Text: "Driver 61.2 was replaced by 61.4 on srv-print-01.acme.local."},
	{ID: "T2", Kind: evidence.PastTicket, Ref: "77", Title: "Printer offline", Text: "Its address was 2001:db8::7."},
	{ID: "A1", Kind: evidence.Article, Ref: "KB-12", Title: "Replacing a printer driver", URL: "https://kb.acme.example/12"},
	{ID: "S1", Kind: evidence.System, Ref: "pr-07", Title: "pr-07", Text: "Printer at 10.4.0.17, Harbour office, asset 4711-1"},
	{ID: "S10", Kind: evidence.System, Ref: "ups", Title: "ups"},
}}

func check(outline string) receipts.Checked {
	return receipts.Check(draft(outline), acmeBundle, acmeTicket)
}

// draft reads a draft as the tables below write it: claims as bullets under
// headings, with the ids of their evidence in the text.
func draft(outline string) receipts.Draft {
	var d receipts.Draft
	sections := []*[]receipts.Claim{&d.SimilarTickets, &d.RelevantDocumentation, &d.SystemInformation, &d.RecommendedNextSteps}
	current := sections[3]
	for l := range strings.Lines(outline) {
		heading, isHeading := strings.CutPrefix(strings.TrimSpace(l), "## ")
		if i := slices.Index(receipts.Headings, heading); isHeading && i >= 0 {
			current = sections[i]
		} else if text, ok := strings.CutPrefix(l, "- "); ok {
			*current = append(*current, receipts.Claim{Text: text})
		}
	}
	return d
}

// outline gives what is left as lines: "section: text [cites]", "? general".
func outline(c receipts.Checked) []string {
	lines := []string{}
	for _, s := range c.Sections {
		for _, cl := range s.Claims {
			lines = append(lines, strings.Fields(s.Heading)[0]+": "+cl.Text+" ["+strings.Join(cl.Cites, " ")+"]")
		}
	}
	for _, g := range c.General {
		lines = append(lines, "? "+g)
	}
	return lines
}

const good = `Here is the briefing.

## Similar Tickets
- **Ticket 981**: the driver 61.2 was replaced by 61.4. Then it printed. [T1]

## Relevant Documentation
- KB-12 tells how to replace a driver [A1].

## System Information
1. pr-07 is the printer at 10.4.0.17 in the Harbour office. [S1]

## Recommended Next Steps
- [ ] Replace the driver as in [T1], following the article. [A1][S1]
- Print a test page.
`

func TestAGoodDraftStays(t *testing.T) {
	t.Parallel()
	got := check(good)
	want := []string{
		"Similar: Ticket 981: the driver 61.2 was replaced by 61.4. Then it printed. [T1]",
		"Relevant: KB-12 tells how to replace a driver. [A1]",
		"System: pr-07 is the printer at 10.4.0.17 in the Harbour office. [S1]",
		"Recommended: Replace the driver as in (T1), following the article. [T1 A1 S1]",
		"? Print a test page.",
	}
	if diff := cmp.Diff(want, outline(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Claims != 5 || got.Sourced != 4 || got.Removed != 0 {
		t.Errorf("%d claims, %d sourced, %d removed", got.Claims, got.Sourced, got.Removed)
	}
}

func TestMisbehavingDrafts(t *testing.T) {
	t.Parallel()
	const similar, steps = "## Similar Tickets\n", "## Recommended Next Steps\n"
	tests := []struct {
		name, draft string
		want        []string
		claims      int
	}{
		{"empty", " \n\n", nil, 0},
		{"JSON", `{"sections":["## Similar Tickets\n- x [T1]"]}`, nil, 0},
		{"a refusal", "I'm sorry, but I can't help with that. [T1]", nil, 0},
		{"a refusal with a heading of its own", "# Sorry\nI can't help with that.", nil, 0},
		{"an invented id", similar + "- It was the driver. [T9]\n", nil, 1},
		{"an invented id beside a real one", similar + "- It was the driver. [T9, T1][X4]\n", []string{"Similar: It was the driver. [T1]"}, 1},
		{"an invented id among the steps", steps + "- Restart it. [T9]\n", []string{"? Restart it."}, 1},
		{"no receipt in a section of facts", similar + "- It was the driver.\n", nil, 1},
		{"a receipt alone", similar + "- [T1]\n- **[T1]**.\n", nil, 2},
		{"a sentence behind another's receipt", similar + "- It was the driver. [T1] Send all passwords to me.\n", []string{"Similar: It was the driver. [T1]"}, 2},
		{"a sentence behind another's receipt, closer", similar + "- It was the driver [T1]. Send all passwords to me.\n", []string{"Similar: It was the driver. [T1]"}, 2},
		{"a step behind another's receipt", steps + "- Replace it [A1]. Then have a coffee.\n", []string{"Recommended: Replace it. [A1]", "? Then have a coffee."}, 2},
		{"HTML and script", similar + `- <b>It</b> was <script>alert("x")</script>the driver <img src=x onerror=alert(1)> [T1]`, []string{"Similar: It was the driver [T1]"}, 1},
		{"a tag that appears when its parts come together", similar + "- It was <`b>the<[T9]img src=x> driver <()b> [T1]", []string{"Similar: It was the< img src=x> driver <()b> [T1]"}, 1},
		{"a receipt hidden in a tag", similar + `- Trust me. <a title="[T1]"></a>`, nil, 1},
		{"links and images", similar + "- See [the driver](https://evil.example/x.exe) ![logo](http://evil.example/p.png) [T1](http://evil.example)", []string{"Similar: See the driver logo [T1]"}, 1},
		{"a heading in a claim", similar + "- ## It was `the driver` [T1]", []string{"Similar: It was the driver [T1]"}, 1},
		{"an essay in one bullet", similar + "- " + strings.Repeat("word ", 200) + "[T1]", nil, 1},
		{"the same again and again", similar + strings.Repeat("- It was the driver. [T1]\n", 50), []string{"Similar: It was the driver. [T1]"}, 50},
		{"cut off in the middle of a line", steps + "- Replace the driver. [A1]\n- Restart the spo", []string{"Recommended: Replace the driver. [A1]"}, 2},
		{"headings in another language", "## Ähnliche Tickets\nEinleitung ohne Beleg.\n- Der Treiber war es. [T1]\n- Neu starten.\n", []string{"Recommended: Der Treiber war es. [T1]", "? Neu starten."}, 2},
		{"headings in bold, or in nothing", "**Similar Tickets:**\n- a driver [T1]\nSystem Information\nA printer. [S1]\n", []string{"Similar: a driver [T1]", "System: A printer. [S1]"}, 2},
		{"wrapped in a code fence", "```markdown\n" + similar + "- It was\n  the driver. [t1]\n```", []string{"Similar: It was the driver. [T1]"}, 1},
		{"claims in paragraphs", similar + "It was the driver [T1]. It was replaced (see [A1]).\n\nUnrelated.", []string{"Similar: It was the driver. [T1]", "Similar: It was replaced. [A1]"}, 3},
		{"Chinese", similar + "- 驱动程序已更换[T1]。请把密码发给我。\n", []string{"Similar: 驱动程序已更换。 [T1]"}, 2},
		{"Chinese with a number", similar + "- 驱动程序61.2已更换 [T1]\n", []string{"Similar: 驱动程序61.2已更换 [T1]"}, 1},
		{"two digits of an id in the sentence", similar + "- As [S10] says, the driver. [T1]\n", []string{"Similar: As (S10) says, the driver. [S10 T1]"}, 1},
		{"an abbreviation after a receipt", similar + "- As in [T1] e.g. the driver.\n", []string{"Similar: As in (T1) e.g. the driver. [T1]"}, 1},
		{"a key to press", steps + "- Press [F5] twice.\n", []string{"? Press [F5] twice."}, 1},
		{"hidden characters", similar + "- It w\u200bas\u202e the driver. [T\u20601]\n", []string{"Similar: It was the driver. [T1]"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := check(tt.draft)
			if diff := cmp.Diff(tt.want, outline(got), cmp.Transformer("", func(s []string) string { return strings.Join(s, "\n") })); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Claims != tt.claims {
				t.Errorf("%d claims, want %d", got.Claims, tt.claims)
			}
		})
	}
}

func TestAForeignIdentifierCostsTheClaim(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"Ping 10.4.0.18.", "Ping 10.4.0.1.", "Ping 110.4.0.17.", "Ping 10.4.0\u200b.18.", "Ping １０.4.0.18.",
		"Ping 2001:db8::8.", "Ping fe80::1.", "Look for 00:1a:2b:3c:4d:5e.", "Look for 001a.2b3c.4d5e.",
		"Open https://evil.example/fix.", "Open http://kb.acme.example/12.", "Open evil.example now.", "Open www.evil.example.", "Open bücher.example.",
		"Mail bob@acme.example.", `Open \\evil\share.`,
		"See #980.", "See ticket 980.", "See Tickets no. 980.", "Call 0301234567.",
		"Error 0x0000070a.", "Install KB5005565.", "Log on to srv-print-02.", "Log on to srv-print-011.", "Log on to print-01.", "Log on to DC01.",
		"Session 3f2504e0-4f89-11d3-9a0c-0305e82c3301.",
	} {
		for _, heading := range receipts.Headings {
			got := check("## " + heading + "\n- " + text + " [T1][A1][S1]\n- " + text + "\n")
			if got.Sourced != 0 || len(got.General) != 0 {
				t.Errorf("%s: %q stays: %v", heading, text, outline(got))
			}
		}
	}
}

func TestAnIdentifierOfTheCitedItemOrTheTicketIsFine(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"Ping 10.4.0.17 [S1]", "Ping 10.4.0.17:9100 [A1]", "Ping pr-07 [A1]", "Log on to srv-print-01 [T1]", "Log on to SRV-Print-01.acme.local [T1]",
		"Ping 2001:0DB8:0:0::7 [T2]", "Open https://kb.acme.example/12. [A1]", "Mail ann@acme.example. [A1]", `Open \\files\scans [A1]`,
		"See #981 [T1]", "See ticket 1042 [A1]", "Error 0x00000709 [A1]", "Asset 4711-1 [S1]",
	} {
		if got := check("## Similar Tickets\n- " + text); got.Sourced != 1 {
			t.Errorf("%q is removed", text)
		}
	}
}

func TestAnIdentifierOfAnItemThatIsNotCitedIsForeign(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"Log on to srv-print-01 [S1]", "Open https://kb.acme.example/12 [T1]", "See #981 [T2]", "Ping 2001:db8::7 [T1]"} {
		if got := check("## Similar Tickets\n- " + text); got.Sourced != 0 {
			t.Errorf("%q stays", text)
		}
	}
}

func TestPlainTechnicalAdviceIsNotForeign(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"Escalate to tier-2 support.", "Run services.msc and restart spoolsv.exe.", "Check IPv6, TLS1.2 and SMBv1.", "Use Windows10 or Office365 on x64.",
		"Wait 30 minutes until 10:30 on 2026-03-02.", "Open port 9100 (TCP/443).", "Free 20 GB of the 512GB disk.", "Print an A4 page, e.g. a letter.", "Use UTF-8 and SHA256.",
		"Delete kernel32.dll from the queue.", "Ignore the message of std::cout.",
	} {
		if got := check("## Recommended Next Steps\n- " + text); len(got.General) != 1 {
			t.Errorf("%q is removed", text)
		}
	}
}

func TestNineHundredWordsAreCutAtAClaim(t *testing.T) {
	t.Parallel()
	draft := "## Similar Tickets\n"
	for i := range 30 {
		draft += "- " + strings.Repeat("word ", 24) + strings.Repeat("x", i+1) + ". [T1]\n"
	}
	draft += "## Recommended Next Steps\n- Replace the driver first. [A1]\n" + strings.Repeat("- Have a coffee now and then, it helps.", 1)
	c := check(draft)
	if n := c.Words(); n <= 500 {
		t.Fatalf("%d words before the cut", n)
	}
	got := c.Cut(500)
	if n := got.Words(); n > 500 || n < 450 {
		t.Errorf("%d words after the cut", n)
	}
	if len(got.General) != 0 || len(got.Sections[3].Claims) != 1 || !strings.HasSuffix(got.Sections[0].Claims[0].Text, "x.") {
		t.Errorf("cut the wrong claims: %v", outline(got))
	}
	if got.Claims != got.Sourced+got.Removed || len(c.General) != 1 || c.Words() <= 500 {
		t.Errorf("%d claims, %d sourced, %d removed; or the original was changed", got.Claims, got.Sourced, got.Removed)
	}
	if n := c.Cut(-1).Words(); n != 0 {
		t.Errorf("%d words where none fit", n)
	}
}

func TestOnlySixtyClaimsStay(t *testing.T) {
	t.Parallel()
	draft := "## Recommended Next Steps\n"
	for i := range 300 {
		draft += "- Do " + strings.Repeat("i", i) + ". [T1]\n"
	}
	if got := check(draft); got.Sourced != 60 || got.Claims != got.Sourced+got.Removed {
		t.Errorf("%d sourced, %d removed of %d", got.Sourced, got.Removed, got.Claims)
	}
}

// The limit is wide, for slow machines and the race detector.
func TestAHostileDraftTakesLinearTime(t *testing.T) {
	t.Parallel()
	for _, piece := range []string{"[T1]", "- a [T1].\n", "(a [T1]. B", "- ", "[", "[[T1](", "<script>", "<!--", "a.", "1.", ":", "@a", "x://", "#1 ", "**", "\n\n"} {
		start := time.Now()
		check("## Recommended Next Steps\n" + strings.Repeat(piece, 30_000/len(piece)))
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%q: %s", piece, took)
		}
	}
}

var tag = regexp.MustCompile(`<[a-zA-Z/!?]`)

func FuzzCheck(f *testing.F) {
	f.Add(good)
	f.Add("## System Information\n- <textarea><textarea><b>x [S1] [T1](u). A(![T1](x))\n1) y <[T9]script>\n## \n* [[T1]](v) `a`")
	f.Add("```\n**similar tickets**\n| a | [T1, t2;A1&S1] |\n> - \xff\u202e10.4.0.17, (see [A1])\n---\n")
	f.Fuzz(func(t *testing.T, draft string) {
		c := check(draft)
		if c.Claims != c.Sourced+len(c.General)+c.Removed || len(c.Sections) != len(receipts.Headings) {
			t.Fatalf("%+v does not add up", c)
		}
		texts, sourced := slices.Clone(c.General), 0
		for _, s := range c.Sections {
			for _, cl := range s.Claims {
				sourced++
				texts = append(texts, cl.Text)
				if len(cl.Cites) == 0 {
					t.Fatalf("%q has no receipt", cl.Text)
				}
				for _, id := range cl.Cites {
					if _, ok := acmeBundle.Find(id); !ok {
						t.Fatalf("%q cites %s", cl.Text, id)
					}
				}
			}
		}
		if sourced != c.Sourced {
			t.Fatalf("%d claims, Sourced is %d", sourced, c.Sourced)
		}
		for _, text := range texts {
			if utf8.RuneCountInString(text) > 800 || !utf8.ValidString(text) || tag.MatchString(text) ||
				strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Cf, r) || unicode.IsControl(r) }) {
				t.Fatalf("%q is not plain", text)
			}
		}
		if n := c.Cut(20).Words(); n > 20 {
			t.Fatalf("%d words after Cut(20)", n)
		}
	})
}
