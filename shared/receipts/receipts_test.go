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
	Requester:   "ann@acme.example", Email: "ann@acme.example",
}

var acmeBundle = evidence.Bundle{Items: []evidence.Item{
	{ID: "T1", Kind: evidence.PastTicket, Ref: "981", Title: "Garbage on pr-03", Text: "Driver 61.2 was replaced by 61.4 on srv-print-01.acme.local."},
	{ID: "T2", Kind: evidence.PastTicket, Ref: "77", Title: "Printer offline", Text: "Its address was 2001:db8::7."},
	{
		ID: "T3", Kind: evidence.PastTicket, Ref: "INC0012", Title: "Spooler hangs", When: time.Date(2026, 3, 3, 22, 30, 0, 0, time.UTC), Facts: []evidence.Fact{{Kind: evidence.SameSite}, {Kind: evidence.Held, N: 21}},
		Text: "On 2 Feb 2026: ran `net  stop spooler`, sfc /scannow, Restart-Service -Name Spooler -Force,\nemptied C:\\Windows\\System32\\spool\\PRINTERS and /etc/cups/ppd. Event ID 7031, error 1722, firmware 7, KB5005565, ERROR_ACCESS_DENIED. Host DC-LONDON, scan.ps1, openssl-1.1.1k.",
	},
	{ID: "A1", Kind: evidence.Article, Ref: "KB-12", Title: "Replacing a printer driver", URL: "https://kb.acme.example/12", Text: "See also https://kb.acme.example/2021/03/24/input/."},
	{ID: "S1", Kind: evidence.System, Ref: "pr-07", Title: "pr-07", Text: "Printer at 10.4.0.17, Harbour office, asset 4711-1"},
	{ID: "S10", Kind: evidence.System, Ref: "ups", Title: "ups"},
}}

func check(outline string) receipts.Checked {
	return receipts.Check(draft(outline), acmeBundle, acmeTicket, "")
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

const good = `## Similar Tickets
- **Ticket 981**: the driver 61.2 was replaced by 61.4. Then it printed. [T1]

## Relevant Documentation
- KB-12 tells how to replace a driver [A1].

## System Information
- 1. pr-07 is the printer at 10.4.0.17 in the Harbour office. [S1]

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
		{"empty", similar + "- \n", nil, 1},
		{"an invented id", similar + "- It was the driver. [T9]\n", nil, 1},
		{"an invented id beside a real one", similar + "- It was the driver. [T9, T1][X4]\n", []string{"Similar: It was the driver. [T1]"}, 1},
		{"an invented id among the steps", steps + "- Restart it. [T9]\n", []string{"? Restart it."}, 1},
		{"no receipt in a section of facts", similar + "- It was the driver.\n", nil, 1},
		{"a receipt alone", similar + "- [T1]\n- **[T1]**.\n", nil, 2},
		{"HTML and script", similar + `- <b>It</b> was <script>alert("x")</script>the driver <img src=x onerror=alert(1)> [T1]`, []string{"Similar: It was the driver [T1]"}, 1},
		{"a tag that appears when its parts come together", similar + "- It was <`b>the<[T9]img src=x> driver <()b> [T1]", []string{"Similar: It was the< img src=x> driver <()b> [T1]"}, 1},
		{"a receipt hidden in a tag", similar + `- Trust me. <a title="[T1]"></a>`, nil, 1},
		{"links and images", similar + "- See [the driver](https://evil.example/x.exe) ![logo](http://evil.example/p.png) [T1](http://evil.example)", []string{"Similar: See the driver logo [T1]"}, 1},
		{"a heading in a claim", similar + "- ## It was the `Driver` [T1]", []string{"Similar: It was the Driver [T1]"}, 1},
		{"an essay in one claim", similar + "- " + strings.Repeat("word ", 200) + "[T1]", nil, 1},
		{"the same again and again", similar + strings.Repeat("- It was the driver. [T1]\n", 50), []string{"Similar: It was the driver. [T1]"}, 50},
		{"Chinese", similar + "- 驱动程序已更换[T1]。\n", []string{"Similar: 驱动程序已更换。 [T1]"}, 1},
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
			if got.Claims != tt.claims || len(got.Verdicts) != tt.claims {
				t.Errorf("%d claims and %d verdicts, want %d", got.Claims, len(got.Verdicts), tt.claims)
			}
		})
	}
}

func TestEveryClaimHasAVerdictThatSaysWhy(t *testing.T) {
	t.Parallel()
	cites := func(ids ...string) []string { return ids }
	got := receipts.Check(receipts.Draft{
		SimilarTickets: []receipts.Claim{
			{Text: "The **driver** was replaced.", Cites: cites("t1")},
			{Text: "It was srv-print-02.", Cites: cites("T1", "T2")},
			{Text: "The driver was replaced.", Cites: cites("T1")},
			{Text: "It was the cable.", Cites: cites("T9")},
			{Text: strings.Repeat("word ", 300), Cites: cites("T1")},
		},
		SystemInformation: []receipts.Claim{{Text: "It is a printer."}, {Text: "A printer.", Cites: cites("S1", "S7")}},
		RecommendedNextSteps: []receipts.Claim{
			{Text: "Ask Ann."}, {Text: "Run sfc /scannow."}, {Text: "Ping 10.9.9.9."}, {Text: `Open \\files\scans.`, Cites: cites("T1")},
		},
	}, acmeBundle, acmeTicket, "")
	var whys []string
	for _, v := range got.Verdicts {
		whys = append(whys, strings.TrimSpace(string(v.Outcome)+": "+v.Why))
	}
	want := []string{
		"kept:",
		"removed: names srv-print-02, which neither the ticket nor T1 nor T2 has",
		"removed: says again what another claim said",
		"removed: cites T9, which is no evidence of this job",
		"removed: is longer than 800 characters",
		"removed: cites no evidence",
		"kept: cites S7, which is no evidence of this job: left out",
		"general: cites no evidence",
		"removed: names sfc, which no evidence that it cites vouches for",
		"removed: names 10.9.9.9, which the ticket has not",
		`removed: names \\files\scans, which no evidence that it cites vouches for`,
	}
	if diff := cmp.Diff(want, whys); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if v := got.Verdicts[6]; v.Section != "System Information" || v.Text != "A printer." || !slices.Equal(v.Cites, []string{"S1", "S7"}) {
		t.Errorf("verdict %+v", v)
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
		"Error 0x0000070a.", "Log on to srv-print-02.", "Log on to srv-print-011.", "Log on to print-01.", "Log on to DC01.",
		"Session 3f2504e0-4f89-11d3-9a0c-0305e82c3301.",
		"Update to 61.5.", "Update to v61.5.", "Update from 1.2.", "Update to version 8.", "Aktualisiere auf Version 8.", "Install KB5005566.", "升级到版本 8。", "升级到61.5。",
		"Error 1723.", "Error code 1723.", "Fehler 1723.", "Fehlercode: 1723.", "Event ID 7032.", "Ereignis-ID 7032.", "HTTP 503.", "It says ERROR_FILE_NOT_FOUND.", "ошибка 1723",
		"Vorgang 980.", "incident n° 980", "тикет 980", "工单980已关闭", "See article 980.", "See INC0013.",
		"Run net stop wuauserv.", "Run sfc /verifyonly.", "Run chkdsk.", "Run gpupdate --force.", "Use Stop-Service.", "Use restart-service -credential x.", "Führe `iisreset now` aus.", "Run `whoami`.", "Run systemctl restart cups.", "Run service cups restart.",
		"Empty C:\\Windows\\Temp.", "Empty C:/Temp.", "Edit /etc/passwd.", "Open HKLM\\Software\\Evil.", "Log on as ACME\\root.", "Open %TEMP%.", "Run fix.ps1.", "Delete kernel32.dll.",
		"On 2026-03-05.", "On 5 March 2026.", "On March 5.", "On 5. März 2026.", "Le 5 mars 2026.", "El 5 de marzo de 2026.", "On 05.03.2026.", "On 3/5/2027.", "In April 2026.", "2026年3月5日", "5 марта 2026", "On 2025-03-03.",
		"Call +49 30 9876543.", "Log on to DC-PARIS.", "The mark is ABCDEFGHIJKLMNOPQRSTUVWXYZ.", "Asset 4711-12345.", "Open the .invented.log file.", "(Run \"--evil\" now)", "Log on to srv‑print‑02.", "Ping 10.4.0[.]18.", "Ping ١٠.٤.٠.١٨.", "Open hxxp://evil.example.",
	} {
		for _, heading := range receipts.Headings {
			got := check("## " + heading + "\n- " + text + " [T1][A1][S1][T3]\n- " + text + "\n")
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
		"It held 21 days, on 3 March 2026 [T3]", "On 2026-03-03 [T3]", "Am 3. März 2026 [T3]", "Le 3 mars [T3]", "On March 3rd, 2026 [T3]", "On 03.03.2026 at 10.30 Uhr [T3]", "On 3/3/2026 [T3]", "In March 2026 [T3]", "2026年3月3日 [T3]", "3 марта 2026 [T3]", "On 2026-02-02 [T3]", "el 2 de febrero de 2026 [T3]", "Last week on Monday at 10:30 [T3]",
		"Run net stop spooler, then `sfc /scannow` [T3]", "Run restart-service -Name Spooler -Force [T3]", "Empty C:\\Windows\\System32\\spool\\PRINTERS [T3]", "Look into /etc/cups/ppd [T3]", "Run scan.ps1 [T3]",
		"Event ID 7031 and error code 1722 [T3]", "Fehler 1722 [T3]", "Firmware version 7, KB5005565 [T3]", "ERROR_ACCESS_DENIED on DC-LONDON [T3]", "INC0012 and openssl-1.1.1k [T3]", "Driver v61.4 [T1]", "驱动程序版本61.4 [T1]", "Ping １０.4.0.17 [S1]", "Open the .pdf and .log files [T1]", "It has HTTP 4xx or 5xx [T1]", "See https://kb.acme.example/2021/03/24/input/ [A1]", "pr‑07 [S1]",
		"It may help to wait [T1]", "Step 2 may help [T1]", "Wait 2.5 hours and free 1.5 GB [T1]",
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
		"Escalate to tier-2 support.", "Restart the print service and ping the printer.", "Check IPv6, TLS1.2 and SMBv1.", "Use Windows10 or Office365 on x64.",
		"Wait 30 minutes until 10:30 next Monday.", "Open port 9100 (TCP/443).", "Free 20 GB of the 512GB disk.", "Print an A4 page, e.g. a letter, in 2 or 3 copies.", "Use UTF-8 and SHA256.",
		"Use TLS 1.2 or SMB 3.0.", "Test-Seite drucken und Start-Menü prüfen.", "Turn it off and on again; and/or replace the up-to-date cable.", "Check the pop-up, the set-up and the log-in.",
		"Stop the service and start it again.", "Wait until the service was restarted.", "Ignore the message of std::cout.",
	} {
		if got := check("## Recommended Next Steps\n- " + text); len(got.General) != 1 {
			t.Errorf("%q is removed", text)
		}
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
	for _, piece := range []string{"[T1]", "- a [T1].\n", "(a [T1]. B", "- ", "[", "[[T1](", "<script>", "<!--", "a.", "1.", ":", "@a", "x://", "#1 ", "**", "\n\n", "{", "{}", `{"a":`, "`a`", "1 may ", "-a ", `\a`, "net stop "} {
		start := time.Now()
		text := strings.Repeat(piece, 60_000/len(piece))
		if d, err := receipts.Parse(text); err == nil {
			receipts.Check(d, acmeBundle, acmeTicket, "")
		}
		long := receipts.Claim{Text: text, Cites: []string{text, "T1"}}
		var d receipts.Draft
		for i := range 8 { // each is read as far as a claim may go
			d.RecommendedNextSteps = append(d.RecommendedNextSteps, long, receipts.Claim{Text: text[:min(len(text), 700+i)], Cites: []string{"T1"}})
		}
		receipts.Check(d, acmeBundle, acmeTicket, "")
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%q: %s", piece, took)
		}
	}
}

var tag = regexp.MustCompile(`<[a-zA-Z/!?]`)

func FuzzCheck(f *testing.F) {
	f.Add(good)
	f.Add("## System Information\n- <textarea><textarea><b>x [S1] [T1](u). A(![T1](x))\n1) y <[T9]script>\n## \n* [[T1]](v) `a`")
	f.Add("## Similar Tickets\n- ```\n**similar tickets**\n- | a | [T1, t2;A1&S1] |\n> - \xff\u202e10.4.0.17, (see [A1])\n---\n")
	f.Add("## Similar Tickets\n- on 5/13/99 or 31.12.2026 v1.2.3 at #7 net stop `a \\x` --y ٣ [T3]\n")
	f.Fuzz(func(t *testing.T, outline string) {
		c := check(outline)
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
	})
}
