// Package note writes the internal note for a ticket, as Markdown of our own:
// two lines that say what matters, four sections, and a foot by which it can be
// checked. It is pure: the same briefing gives the same note. Start with Write.
package note

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/receipts"
	"github.com/deskhand/deskhand/shared/ticket"
)

// reasons are the Missing in words.
var reasons = map[Missing]string{
	NoModel:     "no language model is configured",
	Pending:     "the language model is still being asked",
	Unanswered:  "the language model did not answer",
	Rejected:    "the language model's endpoint rejects our requests",
	Empty:       "the language model gave no answer",
	Unsupported: "the language model's answer had no claim that the evidence supports",
	OverBudget:  "the language model's budget is used up",
	Suspected:   "the ticket has text addressed to AI or operators, so the language model was not asked",
}

// MaxWords is how many visible words a note has at most (story 2.9).
const MaxWords = 500

// Briefing is everything that a note is written from.
type Briefing struct {
	Ticket ticket.Ticket
	Told   bool // the webhook's text stood in for the ticket
	Bundle evidence.Bundle
	// Checked and Model are what the language model contributed; they count
	// only where Missing is Nothing.
	Checked receipts.Checked
	Model   string
	Missing Missing
	// Suspect says that the ticket or its evidence has text that is addressed to
	// an AI or to operators.
	Suspect bool
	// Changed names what changed on the ticket since its last note: "subject",
	// "description", "priority", "requester", "replies"; none for a first note.
	Changed []string
	// Useful and Useless are the signed links for the technician's vote; "" for
	// none.
	Useful, Useless string
	Language        string // BCP 47, the tenant's choice; "" for the ticket's
	Marker          string
	Now             time.Time
}

// Missing is why a note has nothing of the language model.
type Missing string

// The reasons. Their values are in logs and in the run record; a note says them
// in its language.
const (
	Nothing     Missing = ""            // nothing is missing: the model's claims are there
	NoModel     Missing = "no_model"    // none is configured
	Pending     Missing = "pending"     // it is still being asked: the note is edited when it answers
	Unanswered  Missing = "unanswered"  // it did not answer, in all tries
	Rejected    Missing = "rejected"    // its endpoint rejects our requests
	Empty       Missing = "empty"       // it answered without text
	Unsupported Missing = "unsupported" // no claim of its answer has a receipt
	OverBudget  Missing = "over_budget" // the tenant's budget is used up
	Suspected   Missing = "suspected"   // the ticket has text addressed to AI or operators
)

// section is one heading of the note and its bullets, as Markdown.
type section struct {
	heading string
	lines   []string
}

// Write writes the note: two lines that say what matters, what is missing
// and why, the four sections of story 2.9, and a foot by which the note can be
// checked and found again. Text of tickets and articles is escaped, links are
// made here from the evidence, never taken from text.
func Write(b Briefing) string {
	head := append(headline(b), limits(b)...)
	sections := make([]section, 0, len(receipts.Headings)+1)
	for i, heading := range receipts.Headings {
		sections = append(sections, section{heading, b.section(i)})
	}
	if len(b.Checked.General) > 0 && b.Missing == Nothing {
		general := section{heading: "General advice, not verified"}
		for _, text := range b.Checked.General {
			general.lines = append(general.lines, escape(text))
		}
		sections = append(sections, general)
	}
	foot := b.foot()
	fit(sections, MaxWords-words(strings.Join(head, " ")+" "+foot))

	var note strings.Builder
	for _, line := range head {
		note.WriteString(line + "\n\n")
	}
	for _, s := range sections {
		if len(s.lines) == 0 {
			continue
		}
		note.WriteString("### " + s.heading + "\n\n")
		for _, line := range s.lines {
			note.WriteString("- " + line + "\n")
		}
		note.WriteString("\n")
	}
	note.WriteString(foot + "\n")
	return note.String()
}

// maxHeadline is how many words the first two lines have at most.
const maxHeadline = 40

// headline is the product in at most 40 words: the past ticket that looks like
// this one and what solved it, then where to look.
func headline(b Briefing) []string {
	past, articles, systems := b.Bundle.Of(evidence.PastTicket), b.Bundle.Of(evidence.Article), b.Bundle.Of(evidence.System)
	if len(past)+len(articles)+len(systems) == 0 {
		return []string{"**Nothing like this is known here:** no similar ticket, no article and no system of the inventory matches."}
	}
	var look []string
	if len(systems) > 0 {
		role, _, _ := strings.Cut(systems[0].Text, ",")
		look = append(look, "**"+escape(cut(systems[0].Ref, 2))+"** ("+escape(cut(role, 3))+")")
	}
	if len(articles) > 0 {
		look = append(look, "article "+link(cut(articles[0].Title, 4), articles[0].URL))
	}
	second := ""
	if len(look) > 0 {
		second = "Look at: " + strings.Join(look, ", ")
	}
	first := "**Not seen before:** no resolved ticket looks like this one."
	if len(past) > 0 {
		it := telling(past)
		seen := "Seen before"
		if it.Possibly {
			seen = "Possibly related"
		}
		// What is known of it gives way to what solved it, and so does the title.
		for give := 0; give <= 6; give += 2 {
			first = fmt.Sprintf("**%s:** %s%s%s: %s. **Solved by:** ", seen, link("#"+cut(it.Ref, 1), it.URL), ago(b.Now, it.When), known(it, 2-give/2), escape(title(it.Title, 8-give)))
			if room := maxHeadline - words(first) - words(second) - 1; room >= 8 || give == 6 { // 1 for the ellipsis
				first += escape(gist(it.Text, max(room, 0)))
				break
			}
		}
	}
	if second == "" {
		return []string{first}
	}
	return []string{first, second}
}

// telling is the best past ticket whose resolution is more than "fixed" or
// "user rebooted"; the best of all where none is. What is only possibly related
// does not stand before what is sure.
func telling(past []evidence.Item) evidence.Item {
	for _, it := range past {
		if len(strings.Fields(it.Text)) > 3 && it.Possibly == past[0].Possibly {
			return it
		}
	}
	return past[0]
}

// known gives what is known of an item beside its text, the first few facts:
// ", same site, held 21 days".
func known(it evidence.Item, few int) string {
	text := ""
	for _, fact := range it.Facts[:max(min(len(it.Facts), few), 0)] {
		text += ", " + escape(fact)
	}
	return text
}

// limits says what the note lacks, and why.
func limits(b Briefing) []string {
	var lines []string
	for _, g := range b.Bundle.Gaps {
		lines = append(lines, fmt.Sprintf("*Limited context available: %s temporarily unavailable.*", escape(g.Label)))
	}
	if b.Told {
		lines = append(lines, "*The ticket could not be read from the tool: this note rests on the text that the webhook brought.*")
	}
	if b.Missing != Nothing {
		lines = append(lines, "*Written from the evidence alone: "+reasons[b.Missing]+".*")
	}
	return lines
}

// section gives the bullets under receipts.Headings[i]: the model's checked
// claims, or the evidence itself where there are none.
func (b Briefing) section(i int) []string {
	if claims := b.claims(i); len(claims) > 0 {
		return claims
	}
	if i == len(kinds) {
		return b.nextSteps()
	}
	var lines []string
	for _, it := range b.Bundle.Of(kinds[i]) {
		lines = append(lines, itemLine(it, b.Now))
	}
	return lines
}

// kinds are the evidence of the first sections; the next steps come last.
var kinds = []evidence.Kind{evidence.PastTicket, evidence.Article, evidence.System}

func (b Briefing) claims(i int) []string {
	if b.Missing != Nothing {
		return nil
	}
	var lines []string
	for _, c := range b.Checked.Sections[i].Claims {
		cites := make([]string, 0, len(c.Cites))
		for _, id := range c.Cites {
			if it, ok := b.Bundle.Find(id); ok {
				cites = append(cites, cite(it))
			}
		}
		lines = append(lines, escape(c.Text)+" ("+strings.Join(cites, ", ")+")")
	}
	return lines
}

// nextSteps are those that the evidence itself suggests.
func (b Briefing) nextSteps() []string {
	var lines []string
	if past := b.Bundle.Of(evidence.PastTicket); len(past) > 0 {
		it := telling(past)
		lines = append(lines, fmt.Sprintf("Try what solved %s: %s", link("#"+it.Ref, it.URL), escape(gist(it.Text, 30))))
	}
	if systems := b.Bundle.Of(evidence.System); len(systems) > 0 {
		lines = append(lines, "Check "+escape(systems[0].Ref)+" first: the ticket names it.")
	}
	if articles := b.Bundle.Of(evidence.Article); len(articles) > 0 {
		lines = append(lines, "Follow "+link(articles[0].Title, articles[0].URL)+".")
	}
	if len(lines) == 0 {
		lines = append(lines, "Nothing to recommend from the evidence. Useful to ask: the exact error text, the system it happens on, and since when.")
	}
	return lines
}

// foot says how well the note is founded, and carries the marker.
func (b Briefing) foot() string {
	c := b.Checked
	if b.Missing != Nothing {
		return fmt.Sprintf("Deskhand: evidence found: %d, each with its source. Ref: %s", len(b.Bundle.Items), b.Marker)
	}
	return fmt.Sprintf("Deskhand: %d claims, %d with sources, %d removed. Model: %s. Ref: %s",
		c.Claims, c.Sourced, c.Removed, escape(b.Model), b.Marker)
}

// itemLine shows one piece of evidence by itself.
func itemLine(it evidence.Item, now time.Time) string {
	switch it.Kind {
	case evidence.PastTicket:
		return fmt.Sprintf("%s%s%s%s: %s. Solved by: %s", sureness(it), link("#"+it.Ref, it.URL), ago(now, it.When), known(it, 4), escape(title(it.Title, 14)), escape(cut(it.Text, 40)))
	case evidence.Article:
		return sureness(it) + link(it.Title, it.URL) + known(it, 1) + ": " + escape(cut(it.Text, 25))
	default:
		return "**" + escape(it.Ref) + "**: " + escape(cut(it.Text, 20))
	}
}

// sureness says so where too little matched to be sure.
func sureness(it evidence.Item) string {
	if it.Possibly {
		return "Possibly related: "
	}
	return ""
}

// cite names the source of a claim.
func cite(it evidence.Item) string {
	switch it.Kind {
	case evidence.PastTicket:
		return link("#"+it.Ref, it.URL)
	case evidence.Article:
		return link(it.Title, it.URL)
	default:
		return "inventory: " + escape(it.Ref)
	}
}

// ago gives ", 3 weeks ago", or "" for an unknown time.
func ago(now, then time.Time) string {
	if then.IsZero() {
		return ""
	}
	const day = 24 * time.Hour
	for _, unit := range []struct {
		name string
		long time.Duration
	}{{"year", 365 * day}, {"month", 30 * day}, {"week", 7 * day}, {"day", day}} {
		if n := int(now.Sub(then) / unit.long); n == 1 {
			return ", 1 " + unit.name + " ago"
		} else if n > 1 {
			return fmt.Sprintf(", %d %ss ago", n, unit.name)
		}
	}
	return ", today"
}

// link makes a link of a label that is plain text. Only http and https URLs
// without white space or brackets are linked.
func link(label, url string) string {
	if !linkable.MatchString(url) {
		return escape(label)
	}
	return "[" + escape(label) + "](" + url + ")"
}

var (
	linkable = regexp.MustCompile(`^https?://[^\s()<>\[\]"'\\]+$`)
	special  = regexp.MustCompile("[\\\\`*_\\[\\]<>&|~#]")
	target   = regexp.MustCompile(`\]\([^)]*\)`)
)

// escape makes plain text safe inside a line of Markdown: one line, no mark-up,
// and no invisible characters, which could turn the text around.
func escape(text string) string {
	visible := strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Co) || (unicode.IsControl(r) && !unicode.IsSpace(r)) {
			return -1
		}
		return r
	}, text)
	return special.ReplaceAllString(strings.Join(strings.Fields(visible), " "), `\$0`)
}

// title is cut for a title that a full stop follows.
func title(text string, n int) string { return strings.TrimRight(cut(text, n), ".!?;:, ") }

// cut shortens text to n words.
func cut(text string, n int) string {
	fields := strings.Fields(text)
	if len(fields) <= n {
		return strings.Join(fields, " ")
	}
	return strings.Join(fields[:n], " ") + " …"
}

// gist is what was done, in at most n words, of a resolution that may begin
// with why: from the first sentence on that starts like an action ("Restarted
// the spooler"). Where none does, and in other languages than English, it is
// the beginning.
func gist(text string, n int) string {
	for rest := strings.TrimSpace(text); rest != ""; {
		if action.MatchString(rest) {
			return cut(rest, n)
		}
		end := sentence.FindStringIndex(rest)
		if end == nil {
			break
		}
		rest = rest[end[1]:]
	}
	return cut(text, n)
}

var (
	sentence = regexp.MustCompile(`[.!?]\s+|\n+`)
	action   = regexp.MustCompile(`(?i)^(?:[-*0-9.) ]*)(?:(?:we|i|then|therefore|so) )?(?:[a-z-]+ed|re-?set|set|ran|rebuilt|made|took|put|gave|found and \w+|switched|cut|swapped)\b`)
)

// words counts what a reader sees of a line of Markdown.
func words(line string) int { return len(strings.Fields(target.ReplaceAllString(line, ""))) }

// fit drops the last bullet of the longest section until the sections have at
// most limit words.
func fit(sections []section, limit int) {
	for {
		total, longest, most := 0, -1, 0
		for i, s := range sections {
			n := words(strings.Join(s.lines, " ")) + words(s.heading)
			total += n
			if len(s.lines) > 1 && n > most {
				longest, most = i, n
			}
		}
		if total <= limit || longest < 0 {
			return
		}
		s := &sections[longest]
		s.lines = s.lines[:len(s.lines)-1]
	}
}
