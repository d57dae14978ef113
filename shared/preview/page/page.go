// Package page writes a preview.Report as one HTML page that needs nothing else:
// no script, no request, readable on a phone and on paper. It is pure. Everything
// from tickets is hostile text here.
package page

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/preview"
	"github.com/deskhand/deskhand/shared/redact"
)

// What is shown of one text, in characters.
const (
	maxLine  = 200
	maxAsked = 400
	maxItem  = 700
	maxText  = 2000
	maxWord  = 40 // of a word that is shared
	words    = 6  // that are shared
)

var (
	//go:embed page.html
	source string
	//go:embed page.css
	style string

	layout = template.Must(template.New("page").Parse(source))
)

// Write writes the page of a report that was made at that time. It ends with the
// writer's error.
func Write(w io.Writer, r preview.Report, made time.Time) error {
	if err := layout.Execute(w, newView(r, made)); err != nil {
		return fmt.Errorf("preview: write the page of %s: %w", r.Tenant.ID, err)
	}
	return nil
}

// Summary gives the counts of a report in one sentence, for people.
func Summary(r preview.Report) string {
	c := r.Counts()
	text := fmt.Sprintf("%s; a solved ticket like it was known for %d (%s), an article for %d (%s), nothing for %d (%s)",
		counted(c.Tickets, "ticket"), c.Solved, percent(c.Solved, c.Tickets), c.Article, percent(c.Article, c.Tickets), c.Nothing, percent(c.Nothing, c.Tickets))
	if c.Compared > 0 {
		points := "point"
		if c.SameWay == 1 {
			points = "points"
		}
		text += fmt.Sprintf("; of %d that can be compared, %d %s the same way as what solved it", c.Compared, c.SameWay, points)
	}
	return text
}

// view is what the template shows. All text in it is clean.
type view struct {
	Style      template.CSS
	Tenant     string
	From, To   string // when the tickets were created
	Made       string
	Tiles      []tile
	Parts      []part
	Filters    []filter
	Cards      []card
	Undated    int
	Late       int
	SameWay    int // words
	RareShare  int // percent
	Everything int
}

// tile is one big figure.
type tile struct{ Figure, Share, Label string }

// part is one piece of the bar, all of which are the tickets.
type part struct {
	Class, Label string
	Count        int
	Width        string // in percent
}

// filter is one choice of cards; cards that have no class like its ID go.
type filter struct {
	ID, Label string
	Count     int
}

type card struct {
	Classes          string // IDs of the filters that show it
	Mark, MarkClass  string
	Number, URL      string
	Subject, Created string
	Asked            string
	Items, Possibly  []item
	Nothing          bool // neither a ticket nor an article is shown
	Solution, Solved string
}

type item struct {
	Kind, Class     string
	Ref, URL, Title string
	Text, Age, Why  string
	Bar             int // 0 to 100; what has no score has none
	Possibly        bool
	Facts, Shares   []string
}

func newView(r preview.Report, made time.Time) view {
	c := r.Counts()
	v := view{
		Style: template.CSS(style), Tenant: line(cmp.Or(r.Tenant.Name, string(r.Tenant.ID)), maxLine), Made: moment(made), //nolint:gosec // our own
		Tiles: tiles(c), Parts: parts(c), Filters: filters(c), Undated: r.Undated, Late: r.Late,
		SameWay: preview.SameWay, RareShare: 100 / preview.Rare, Everything: c.Tickets,
	}
	best := strongest(r)
	var first, last time.Time
	for _, t := range r.Tickets {
		if first.IsZero() || t.Created.Before(first) {
			first = t.Created
		}
		if t.Created.After(last) {
			last = t.Created
		}
		v.Cards = append(v.Cards, newCard(t, best))
	}
	v.From, v.To = day(first), day(last)
	return v
}

func tiles(c preview.Counts) []tile {
	of := func(n int) string { return percent(n, c.Tickets) }
	list := []tile{
		{fmt.Sprint(c.Solved), of(c.Solved), "a solved ticket like it was known"},
		{fmt.Sprint(c.Article), of(c.Article), "an article was known"},
		{fmt.Sprint(c.Nothing), of(c.Nothing), "nothing was known"},
	}
	if c.Compared > 0 {
		list = append(list, tile{fmt.Sprint(c.SameWay), fmt.Sprintf("of %d · %s", c.Compared, percent(c.SameWay, c.Compared)), "what was shown points the same way as what solved it"})
	}
	if c.Solved > 0 {
		list = append(list, tile{duration(c.Age), "", "median age of the solved tickets that were shown"})
	}
	return list
}

func parts(c preview.Counts) (list []part) {
	for _, p := range []part{
		{"known", "a ticket or an article was known", c.Either, ""},
		{"possibly", "only something possibly related", c.Possibly, ""},
		{"nothing", "nothing", c.Nothing, ""},
	} {
		if p.Count > 0 {
			p.Width = fmt.Sprintf("%.2f", 100*float64(p.Count)/float64(c.Tickets))
			list = append(list, p)
		}
	}
	return list
}

func filters(c preview.Counts) []filter {
	return []filter{
		{"all", "All", c.Tickets},
		{"solved", "Solved ticket known", c.Solved},
		{"article", "Article known", c.Article},
		{"same", "Points the same way", c.SameWay},
		{"possibly", "Only possibly related", c.Possibly},
		{"nothing", "Nothing", c.Nothing},
	}
}

func newCard(t preview.Ticket, best map[evidence.Kind]float64) card {
	k := card{
		Number: line(cmp.Or(t.Number, t.Key), maxLine), URL: link(t.URL), Subject: cmp.Or(line(t.Subject, maxLine), "(no subject)"), Created: moment(t.Created),
		Asked: line(t.Description, maxAsked), Solution: text(t.Resolution, maxText),
	}
	if took := t.Resolved.Sub(t.Created); took >= 0 {
		k.Solved = fmt.Sprintf("solved %s, after %s", moment(t.Resolved), duration(took))
	}
	k.mark(t)
	for _, s := range t.Shown {
		it := newItem(s, t.Created, best)
		if it.Possibly {
			k.Possibly = append(k.Possibly, it)
		} else {
			k.Items = append(k.Items, it)
		}
	}
	return k
}

// mark says what was known of the ticket, and which filters show the card.
func (k *card) mark(t preview.Ticket) {
	known := t.Known()
	var classes []string
	for _, c := range []struct {
		is          bool
		class, mark string
	}{
		{known.Nothing, "nothing", "nothing known"},
		{known.Possibly, "possibly", "possibly related"},
		{known.Article, "article", "known"},
		{known.Solved, "solved", "known"},
		{t.SameWay(), "same", "points the same way"},
	} {
		if c.is {
			classes = append(classes, "is-"+c.class)
			k.Mark, k.MarkClass = c.mark, c.class
		}
	}
	k.Classes, k.Nothing = strings.Join(classes, " "), known.Nothing
}

var kinds = map[evidence.Kind]string{evidence.PastTicket: "Solved ticket", evidence.Article: "Article", evidence.System: "System"}

func newItem(s preview.Shown, created time.Time, best map[evidence.Kind]float64) item {
	it := item{
		Kind: kinds[s.Kind], Class: string(s.Kind), Ref: line(s.Ref, maxLine), URL: link(s.URL), Title: line(s.Title, maxLine),
		Text: text(s.Text, maxItem), Why: line(s.Why, maxLine), Possibly: s.Possibly,
	}
	if it.Title == it.Ref {
		it.Title = ""
	}
	if best[s.Kind] > 0 {
		it.Bar = max(2, int(math.Round(100*s.Score/best[s.Kind])))
	}
	switch s.Kind {
	case evidence.PastTicket:
		it.Age = "solved " + duration(created.Sub(s.When)) + " before"
	case evidence.Article:
		it.Age = "last edited " + duration(created.Sub(s.When)) + " before"
	}
	for _, fact := range s.InWords() {
		it.Facts = append(it.Facts, line(fact, maxLine))
	}
	for _, word := range s.Shares[:min(len(s.Shares), words)] {
		it.Shares = append(it.Shares, text(word, maxWord))
	}
	if more := len(s.Shares) - words; more > 0 {
		it.Shares = append(it.Shares, fmt.Sprintf("and %d more", more))
	}
	return it
}

// strongest gives the highest score of each kind: scores of one source are
// compared with each other alone. Systems have none.
func strongest(r preview.Report) map[evidence.Kind]float64 {
	best := map[evidence.Kind]float64{}
	for _, t := range r.Tickets {
		for _, s := range t.Shown {
			if s.Kind != evidence.System {
				best[s.Kind] = max(best[s.Kind], s.Score)
			}
		}
	}
	return best
}

// text makes a foreign text fit to be seen by a client: without what nobody sees
// and without secrets, at most so many characters.
func text(s string, limit int) string {
	s, _ = redact.Text(visible(s))
	runes := 0
	for i := range s {
		if runes++; runes > limit {
			return strings.TrimSpace(s[:i]) + " …"
		}
	}
	return strings.TrimSpace(s)
}

func line(s string, limit int) string { return text(strings.Join(strings.Fields(s), " "), limit) }

// visible removes control, zero-width, bidi and tag characters, and all but two of
// the marks on a letter.
func visible(s string) string {
	marks := 0
	return strings.Map(func(r rune) rune {
		if marks++; !unicode.In(r, unicode.Mn, unicode.Me) {
			marks = 0
		}
		switch {
		case r == '\n':
			return r
		case unicode.IsSpace(r):
			return ' '
		case marks > 2 || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Variation_Selector):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// link gives an address that a browser may open, "" where it is none of the web.
func link(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return ""
	}
	return u.String()
}

func day(t time.Time) string    { return t.UTC().Format("2 January 2006") }
func moment(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") }

// duration tells a time as people do, in its largest unit.
func duration(d time.Duration) string {
	hours := int(d.Hours())
	switch {
	case d < time.Hour:
		return counted(max(int(d.Minutes()), 1), "minute")
	case hours < 48:
		return counted(hours, "hour")
	case hours < 90*24:
		return counted(hours/24, "day")
	case hours < 730*24:
		return counted(hours/24/30, "month")
	}
	return counted(hours/24/365, "year")
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// percent is never 0 or 100 for what is not none or all.
func percent(n, of int) string {
	switch share := math.Round(100 * float64(n) / float64(max(of, 1))); {
	case n > 0 && share < 1:
		return "<1 %"
	case n < of && share > 99:
		return ">99 %"
	default:
		return fmt.Sprintf("%.0f %%", share)
	}
}
