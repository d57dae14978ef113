package note

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/evidence"
)

// headline is the product in at most MaxHeadline words: the past ticket that
// looks like this one, and what solved it or where else to look.
func (p page) headline() []string {
	past, look := p.Bundle.Of(evidence.PastTicket), p.look()
	unsearched := slices.ContainsFunc(p.Bundle.Gaps, func(g evidence.Gap) bool { return g.Source == "history" })
	lines := []string{p.in.notSeen, look}
	switch {
	case len(past) > 0:
		lines = p.seen(telling(past), look)
	case unsearched:
		lines[0] = p.in.unsearched
	case look != "":
	case len(p.Bundle.Gaps) > 0:
		lines[0] = p.in.nothingSearched
	default:
		lines[0] = p.in.nothing
	}
	return slices.DeleteFunc(lines, func(line string) bool { return line == "" })
}

// seen gives the two lines on a past ticket. What is known of it and its title
// give way to what solved it. What is only possibly related gives way to an
// article or a system.
func (p page) seen(it evidence.Item, look string) []string {
	label, solution := p.in.seen, gist(it.Text)
	if it.Possibly {
		label = p.in.possibly
		if len(p.Bundle.Of(evidence.System)) > 0 || slices.ContainsFunc(p.Bundle.Of(evidence.Article), sure) {
			solution = ""
		}
	}
	second := look
	if solution != "" {
		solved := p.label(p.in.solvedBy)
		enough := words(solved) + min(words(solution), 20)
		room := MaxHeadline - words(p.sight(it, label, enough)) - words(solved)
		if whole := flat(it.Text); words(whole) <= room {
			solution = whole
		}
		second = solved + escape(cut(solution, room))
	}
	first := p.sight(it, label, words(second))
	if solution == "" && it.Possibly { // what is sure comes first
		return []string{second, first}
	}
	return []string{first, second}
}

// sight says which past ticket it is, in as many words as leave room for others.
func (p page) sight(it evidence.Item, label string, others int) (line string) {
	for _, most := range []struct{ facts, title int }{{2, 10}, {2, 8}, {2, 5}, {1, 4}, {0, 0}} {
		line = p.label(label) + p.ticketLink(it) + prefixed(", ", p.ago(it.When), p.facts(telltale(it.Facts), most.facts)) +
			prefixed(p.in.colon+" ", escape(short(it.Title, most.title)))
		if words(line)+others <= MaxHeadline {
			break
		}
	}
	return line
}

// label begins a line.
func (p page) label(text string) string { return "**" + text + p.in.colon + "** " }

// look names the system and the article to look at first.
func (p page) look() string {
	articles, systems := p.Bundle.Of(evidence.Article), p.Bundle.Of(evidence.System)
	var at []string
	if len(systems) > 0 {
		role, _, _ := strings.Cut(systems[0].Text, ",")
		at = append(at, strong(short(systems[0].Ref, 2))+bracketed(escape(short(role, 3))))
	}
	if len(articles) > 0 {
		at = append(at, p.in.article+" "+link(short(articles[0].Title, 7), articles[0].URL))
	}
	if len(at) == 0 {
		return ""
	}
	return p.label(p.in.lookAt) + strings.Join(at, ", ")
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

// telltale puts first where it was and whether its solution held.
func telltale(facts []evidence.Fact) []evidence.Fact {
	of := func(kinds ...evidence.FactKind) int {
		return slices.IndexFunc(facts, func(f evidence.Fact) bool { return slices.Contains(kinds, f.Kind) })
	}
	var first []evidence.Fact
	for _, at := range []int{
		of(evidence.SameSystem, evidence.SameRequester, evidence.SameSite),
		of(evidence.Held, evidence.CameBack, evidence.CameBackAtOnce),
		of(evidence.Recurred),
	} {
		if at >= 0 {
			first = append(first, facts[at])
		}
	}
	return first
}

// facts gives at most few of the facts: "same site, held 21 days".
func (p page) facts(facts []evidence.Fact, few int) string {
	var list []string
	for _, f := range facts[:min(len(facts), few)] {
		for _, system := range p.Bundle.Of(evidence.System) {
			if f.Kind == evidence.SameSystem && strings.EqualFold(f.Name, system.Ref) {
				f.Name = system.Ref // as people write it
			}
		}
		list = append(list, escape(short(p.in.fact(f), 12)))
	}
	return strings.Join(list, ", ")
}

// ago gives "3 weeks ago", or "" for an unknown time.
func (p page) ago(then time.Time) string {
	if then.IsZero() {
		return ""
	}
	const day = 24 * time.Hour
	for i, long := range []time.Duration{365 * day, 30 * day, 7 * day, day} {
		if n := int(p.Now.Sub(then) / long); n >= 1 {
			return p.in.counted(p.in.ago[i], n)
		}
	}
	return p.in.today
}

// maxGaps and maxCites bound what is listed on one line.
const (
	maxGaps  = 5
	maxCites = 5
)

// warnings say what to beware of, what changed, and what the note lacks and why.
func (p page) warnings() []string {
	var paragraphs, lines []string
	if p.Suspect {
		paragraphs = append(paragraphs, "**"+p.in.suspect+"**")
	}
	var changed, gaps []string
	for _, field := range p.Changed {
		if name, ok := p.in.fields[field]; ok && !slices.Contains(changed, name) {
			changed = append(changed, name)
		}
	}
	if len(changed) > 0 {
		lines = append(lines, fmt.Sprintf(p.in.changed, p.in.list(changed)))
	}
	if names := p.withheld(); len(names) > 0 {
		lines = append(lines, fmt.Sprintf(p.in.withheld, p.in.list(names)))
	}
	for _, g := range p.Bundle.Gaps[:min(len(p.Bundle.Gaps), maxGaps)] {
		name, ok := p.in.sources[g.Source]
		if !ok {
			name = escape(short(g.Label, 4))
		}
		gaps = append(gaps, name)
	}
	if len(gaps) > 0 {
		lines = append(lines, fmt.Sprintf(p.in.gaps, p.in.list(gaps)))
	}
	if p.Told {
		lines = append(lines, p.in.told)
	}
	if p.Missing != Nothing {
		lines = append(lines, fmt.Sprintf(p.in.alone, p.in.reasons[p.Missing]))
	}
	if len(lines) > 0 {
		paragraphs = append(paragraphs, "*"+strings.Join(lines, "*"+newLine+"*")+"*")
	}
	return paragraphs
}

// withheld names the evidence that is not shown.
func (p page) withheld() (names []string) {
	for _, it := range p.Bundle.Withheld[:min(len(p.Bundle.Withheld), maxGaps)] {
		label := it.Ref
		if it.Kind == evidence.PastTicket {
			label = "#" + it.Ref
		}
		names = append(names, link(short(label, 2), it.URL))
	}
	return names
}

// foot takes the technician's vote, says how well the note is founded, and ends
// with the marker. left is how many claims, or pieces of evidence, had no room.
func (p page) foot(left int) string {
	vote := ""
	if linkable.MatchString(p.Useful) && linkable.MatchString(p.Useless) {
		vote = p.in.vote + " " + link(p.in.useful, p.Useful) + " / " + link(p.in.useless, p.Useless) + "\n\n"
	}
	c := p.Checked
	founded, model := fmt.Sprintf(p.in.evidence, len(p.Bundle.Items)), ""
	if len(p.Bundle.Items) == 0 {
		founded, _, _ = strings.Cut(founded, ",") // nothing has a source
	}
	if p.Missing == Nothing {
		founded = fmt.Sprintf(form(p.in.claims, p.in.plural, c.Claims), c.Claims, c.Sourced, c.Removed)
		model = " " + p.in.model + p.in.colon + " " + escape(short(p.Model, 3)) + "."
	}
	if left > 0 {
		founded += fmt.Sprintf(p.in.left, left)
	}
	return vote + "Deskhand: " + founded + "." + model + " Ref: " + p.Marker
}
