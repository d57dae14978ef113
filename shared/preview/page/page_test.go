package page_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/preview"
	"github.com/deskhand/deskhand/shared/preview/page"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

var (
	update  = flag.Bool("update", false, "write the golden file again")
	made    = time.Date(2026, 3, 22, 12, 0, 0, 0, time.UTC)
	created = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
)

// report has a ticket of every sort.
func report() preview.Report {
	asked := func(key, subject, description, resolution string, shown ...preview.Shown) preview.Ticket {
		return preview.Ticket{Shown: shown, Ticket: ticket.Ticket{
			Key: key, Number: "#" + key, Subject: subject, Description: description, Resolution: resolution, URL: "https://sdp.example/" + key,
			Created: created, Resolved: created.Add(95 * time.Minute),
		}}
	}
	spooler := preview.Shown{Shares: []string{"spooler", "372", "a", "b", "c", "d", "e", "f"}, Item: evidence.Item{
		Kind: evidence.PastTicket, Ref: "#1017", Title: "Third floor printer: 30 jobs waiting!!", URL: "https://sdp.example/1017",
		Text: "Stopped the Print Spooler on PS-ACME-01, emptied it.", When: created.AddDate(0, 0, -23), Score: 12, Why: "printer, jobs", Facts: []evidence.Fact{{Kind: evidence.SameSite}, {Kind: evidence.Held, N: 21}},
	}}
	article := preview.Shown{Item: evidence.Item{Kind: evidence.Article, Ref: "KB7", Title: "Clear the spooler", Text: "1. Sign in.", When: created.AddDate(-3, 0, 0), Score: 3}}
	system := preview.Shown{Item: evidence.Item{Kind: evidence.System, Ref: "PRN-03", Title: "PRN-03", Text: "Printer, London"}}
	maybe := preview.Shown{Item: evidence.Item{Kind: evidence.PastTicket, Ref: "#9", Title: "Toner", When: created.Add(-time.Hour), Score: 1, Possibly: true}}
	return preview.Report{
		Tenant: tenant.Tenant{ID: "acme", Name: "Acme Legal"}, Undated: 2, Late: 1,
		Tickets: []preview.Ticket{
			asked("1042", "Printer stuck", "It waits in the queue.", "Emptied the spooler.\nPassword: hunter22 for admin", spooler, article, system, maybe),
			asked("1041", "Toner", "", "", maybe),
			asked("1040", "", "New coffee machine", "Bought one.", system),
		},
	}
}

func write(t interface{ Fatal(...any) }, r preview.Report) string {
	var b bytes.Buffer
	if err := page.Write(&b, r, made); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGoldenPage(t *testing.T) {
	t.Parallel()
	const file = "testdata/page.html"
	got := write(t, report())
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
		t.Errorf("run with -update if this is right:\n%s", diff)
	}
}

// elements gives the names of all elements, and calls attribute for each attribute.
func elements(t interface{ Fatal(...any) }, text string, attribute func(element, key, value string)) (names []string) {
	tree, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for n := range tree.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		names = append(names, n.Data)
		for _, a := range n.Attr {
			attribute(n.Data, a.Key, a.Val)
		}
	}
	return names
}

// holds says what of a page breaks its promises: no script, no request, links of
// the web alone.
func holds(t interface{ Fatal(...any) }, text string) (complaints []string) {
	names := elements(t, text, func(element, key, value string) {
		web := strings.HasPrefix(value, "https://") || strings.HasPrefix(value, "http://")
		switch {
		case strings.HasPrefix(key, "on"), key == "src", key == "srcset", key == "action", key == "background":
			complaints = append(complaints, element+" has "+key)
		case key == "href" && (element != "a" || !web):
			complaints = append(complaints, element+" leads to "+value)
		case key == "style" && !regexp.MustCompile(`^width:[0-9.]+%$`).MatchString(value):
			complaints = append(complaints, element+" has the style "+value)
		}
	})
	for _, name := range []string{"script", "iframe", "object", "embed", "img", "svg", "link", "form", "base", "marquee"} {
		if slices.Contains(names, name) {
			complaints = append(complaints, "there is an element "+name)
		}
	}
	if n := strings.Count(strings.Join(names, " "), "style"); n != 1 {
		complaints = append(complaints, "more than one element style")
	}
	if strings.ContainsAny(text, "\u202e\u202d\u2066\u200b\x00\x1b") {
		complaints = append(complaints, "a hidden character is left")
	}
	return complaints
}

// hostile gives a report with the same text in every place.
func hostile(s string) preview.Report {
	r := report()
	r.Tenant.Name = s
	for i := range r.Tickets {
		t := &r.Tickets[i]
		t.Key, t.Number, t.Subject, t.Description, t.Resolution, t.URL = s, s, s, s, s, s
		for j := range t.Shown {
			it := &t.Shown[j]
			it.Ref, it.Title, it.Text, it.URL, it.Why, it.Facts, it.Shares = s, s, s, s, s, []evidence.Fact{{Name: s}, {Name: s}}, []string{s, s}
		}
	}
	return r
}

func TestHostileTextIsOnlyText(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</style><style>*{background:url(//evil.example)}`, `</title><base href=//evil.example>`,
		`javascript:alert(1)`, `data:text/html,<script>alert(1)</script>`, `//evil.example/x`, `https://user:pass@evil.example`, `{{.Tenant}}`, `' onmouseover='alert(1)`,
		"abc\u202egpj.exe\u2066\u200b\x00\x1b[31m", "Z" + strings.Repeat("\u0310", 500), "\xff\xfe", strings.Repeat("W", 20_000), strings.Repeat("<b>", 7000), "<!--", "]]>", "\u2028`${1}`",
	} {
		text := write(t, hostile(s))
		for _, complaint := range holds(t, text) {
			t.Errorf("%.40q: %s", s, complaint)
		}
		if len(text) > 150_000 {
			t.Errorf("%.40q: the page has %d bytes", s, len(text))
		}
		if strings.Contains(text, strings.Repeat("\u0310", 3)) || strings.Contains(text, "user:pass@evil.example\"") {
			t.Errorf("%.40q is as it was", s)
		}
	}
	if complaints := holds(t, write(t, report())); len(complaints) > 0 {
		t.Error(complaints)
	}
	if complaints := holds(t, `<img src=x onerror=y><a href="javascript:1" style="x">`); len(complaints) < 4 {
		t.Errorf("the check sees only %q", complaints)
	}
}

func TestAnyTextIsOnlyText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"<", ">", "\"", "'", "</style>", "</bdi>", "<script>", "&lt;", "javascript:", "https://", "\u202e", "`"})), 0, 12).Draw(t, "text"), "")
		if complaints := holds(t, write(t, hostile(s))); len(complaints) > 0 {
			t.Fatal(complaints)
		}
	})
}

func TestSecretsAreTakenOut(t *testing.T) {
	t.Parallel()
	if text := write(t, report()); strings.Contains(text, "hunter22") || !strings.Contains(text, "[redacted password]") {
		t.Error("a password is on the page")
	}
}

func TestSummarySaysTheCounts(t *testing.T) {
	t.Parallel()
	r := report()
	want := "3 tickets; a solved ticket like it was known for 1 (33 %), an article for 1 (33 %), nothing for 1 (33 %); of 1 that can be compared, 1 points the same way as what solved it"
	if got := page.Summary(r); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	r.Tickets = slices.Repeat(r.Tickets[2:], 300)
	if got := page.Summary(r); got != "300 tickets; a solved ticket like it was known for 0 (0 %), an article for 0 (0 %), nothing for 300 (100 %)" {
		t.Error(got)
	}
	r.Tickets = append(r.Tickets, report().Tickets[0])
	if got := page.Summary(r); !strings.Contains(got, "for 1 (<1 %)") || !strings.Contains(got, "for 300 (>99 %)") {
		t.Error(got)
	}
}

type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriteEndsWithTheWritersError(t *testing.T) {
	t.Parallel()
	if err := page.Write(full{}, report(), made); !errors.Is(err, errFull) || !strings.Contains(err.Error(), "acme") {
		t.Error(err)
	}
}
