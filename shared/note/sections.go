package note

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/receipts"
)

// The words that one piece of evidence has room for.
const (
	titleWords    = 14
	solutionWords = 45
	summaryWords  = 30
	systemWords   = 20
	matchedWords  = 4
)

// sections gives those of receipts.Headings, each with the model's checked
// claims, or the evidence itself where there are none; and, last, general advice.
func (p page) sections() []section {
	sections := make([]section, 0, len(receipts.Headings)+1)
	for i, heading := range p.in.headings {
		bullets := p.claims(i)
		switch {
		case len(bullets) > 0 && i < len(receipts.Kinds):
			bullets = append(bullets, p.unmentioned(receipts.Kinds[i])...)
		case i < len(receipts.Kinds):
			bullets = p.items(receipts.Kinds[i])
		case len(bullets) == 0:
			bullets = p.nextSteps()
		}
		sections = append(sections, section{heading, bullets})
	}
	general := section{heading: p.in.general}
	if p.Missing == Nothing {
		for _, text := range p.Checked.General {
			general.bullets = append(general.bullets, bullet{text: text, counts: true})
		}
	}
	return append(sections, general)
}

// claims are the model's for a section. One without a source is none.
func (p page) claims(i int) (bullets []bullet) {
	if p.Missing != Nothing || i >= len(p.Checked.Sections) {
		return nil
	}
	for _, c := range p.Checked.Sections[i].Claims {
		var cites []string
		for _, id := range c.Cites[:min(len(c.Cites), maxCites)] {
			if it, ok := p.Bundle.Find(id); ok {
				cites = append(cites, p.cite(it, i == 0))
			}
		}
		if len(cites) > 0 {
			bullets = append(bullets, bullet{text: c.Text, tail: " (" + strings.Join(cites, ", ") + ")", counts: true})
		}
	}
	return bullets
}

// unmentioned names the evidence that no claim cites, so that a note with the
// model's claims shows no less than one without.
func (p page) unmentioned(kind evidence.Kind) (bullets []bullet) {
	for _, it := range p.Bundle.Of(kind) {
		if slices.ContainsFunc(p.Checked.Sections, func(s receipts.Section) bool {
			return slices.ContainsFunc(s.Claims, func(c receipts.Claim) bool { return slices.Contains(c.Cites, it.ID) })
		}) {
			continue
		}
		lead := p.cite(it, true)
		if kind == evidence.PastTicket {
			lead = p.ticketLink(it) + " " + escape(short(it.Title, titleWords)) + " (" + p.match(it) + ")"
		}
		bullets = append(bullets, bullet{lead: lead})
	}
	return bullets
}

// cite names the source of a claim; how sure says also how well a past ticket
// matches.
func (p page) cite(it evidence.Item, howSure bool) string {
	switch it.Kind {
	case evidence.PastTicket:
		if !howSure {
			return p.ticketLink(it)
		}
		return p.ticketLink(it) + p.in.colon + " " + p.match(it)
	case evidence.Article:
		return link(short(it.Title, 8), it.URL)
	default:
		return p.in.inventory + p.in.colon + " " + escape(short(it.Ref, 2))
	}
}

// items shows the evidence of one kind by itself: its name on a line, what is
// known of it on the next, then what it says.
func (p page) items(kind evidence.Kind) (bullets []bullet) {
	for _, it := range p.Bundle.Of(kind) {
		var b bullet
		switch kind {
		case evidence.PastTicket:
			b.lead = "**" + p.ticketLink(it) + "** " + escape(short(it.Title, titleWords)) +
				known(p.match(it)+p.matched(it), p.ago(it.When), p.facts(it.Facts, 5))
			if b.text = p.solution(it); b.text != "" {
				b.lead += newLine + "  " + p.in.solvedBy + p.in.colon + " "
			}
		case evidence.Article:
			b.lead = "**" + link(short(it.Title, titleWords), it.URL) + "**" + known(p.doubt(it), p.facts(it.Facts, 2))
			if b.text = cut(it.Text, summaryWords); b.text != "" {
				b.lead += newLine + "  "
			}
		default:
			b.lead, b.text = strong(short(it.Ref, 2)), cut(it.Text, systemWords)
			// What is the same of several systems is said once.
			if last := len(bullets) - 1; last >= 0 && bullets[last].text == b.text {
				b.lead = strings.TrimSuffix(bullets[last].lead, p.in.colon+" ") + ", " + b.lead
				bullets = bullets[:last]
			}
			if b.text != "" {
				b.lead += p.in.colon + " "
			}
		}
		b.counts = p.Missing != Nothing
		bullets = append(bullets, b)
	}
	return bullets
}

// solution is what solved a past ticket, unless the first lines say all of it.
func (p page) solution(it evidence.Item) string {
	whole := flat(it.Text)
	if slices.ContainsFunc(p.head, func(line string) bool { return strings.HasSuffix(line, "** "+escape(whole)) }) {
		return ""
	}
	return cut(whole, solutionWords)
}

// known is the line of what is known of a piece of evidence.
func known(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	if len(parts) == 0 {
		return ""
	}
	return newLine + "  *" + strings.Join(parts, "; ") + "*"
}

func (p page) doubt(it evidence.Item) string {
	if sure(it) {
		return ""
	}
	return p.match(it) + p.matched(it)
}

func sure(it evidence.Item) bool { return !it.Possibly }

// strongShare is the share of the best score from which on a match of two words
// or of one code is called strong. Scores say no more than this: which is better
// than which, in one source.
const strongShare = 0.6

// match says how sure it is that a past ticket is about the same.
func (p page) match(it evidence.Item) string {
	best := 0.0
	for _, other := range p.Bundle.Items {
		if other.Kind == it.Kind && other.Source == it.Source {
			best = max(best, other.Score)
		}
	}
	telling := strings.Contains(it.Why, ",") || strings.ContainsFunc(it.Why, unicode.IsDigit)
	switch {
	case it.Possibly:
		return p.in.maybe
	case it.Why == "":
		return p.in.meaning
	case telling && it.Score >= strongShare*best:
		return p.in.strong
	default:
		return p.in.partial
	}
}

// matched names the words that matched, those with digits first: they say
// most. What the facts name is not named twice.
func (p page) matched(it evidence.Item) string {
	var codes, others []string
	for word := range strings.SplitSeq(it.Why, ", ") {
		switch {
		case slices.Contains(it.Facts, evidence.Fact{Kind: evidence.SameSystem, Name: word}):
		case strings.ContainsFunc(word, unicode.IsDigit):
			codes = append(codes, word)
		default:
			others = append(others, word)
		}
	}
	words := slices.Concat(codes, others)
	return prefixed(p.in.colon+" ", escape(short(strings.Join(words[:min(len(words), matchedWords)], ", "), matchedWords)))
}

// nextSteps are those that the evidence itself suggests, the surest first.
func (p page) nextSteps() (bullets []bullet) {
	var steps, doubtful []string
	if past := p.Bundle.Of(evidence.PastTicket); len(past) > 0 {
		it := telling(past)
		came := slices.ContainsFunc(it.Facts, func(f evidence.Fact) bool {
			return f.Kind == evidence.CameBack || f.Kind == evidence.CameBackAtOnce
		})
		switch step := p.ticketLink(it); {
		case it.Possibly:
			doubtful = append(doubtful, fmt.Sprintf(p.in.compare, step))
		case came:
			steps = append(steps, fmt.Sprintf(p.in.cause, step))
		case it.Text != "":
			steps = append(steps, fmt.Sprintf(p.in.try, step))
		}
	}
	if systems := p.Bundle.Of(evidence.System); len(systems) > 0 {
		steps = append(steps, fmt.Sprintf(p.in.check, strong(short(systems[0].Ref, 2))))
	}
	if articles := p.Bundle.Of(evidence.Article); len(articles) > 0 {
		it := articles[0]
		named := link(short(it.Title, titleWords), it.URL)
		if it.Possibly {
			doubtful = append(doubtful, fmt.Sprintf(p.in.applies, named))
		} else {
			steps = append(steps, fmt.Sprintf(p.in.follow, named))
		}
	}
	if steps = append(steps, doubtful...); len(steps) == 0 {
		steps = append(steps, p.in.ask)
	}
	for _, step := range steps {
		bullets = append(bullets, bullet{lead: step})
	}
	return bullets
}

// ticketLink is the number of a past ticket, linked.
func (page) ticketLink(it evidence.Item) string {
	return link("#"+strings.TrimPrefix(short(it.Ref, 1), "#"), it.URL)
}

// prefixed joins what is not empty with commas, behind a prefix where anything is.
func prefixed(prefix string, parts ...string) string {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	if len(parts) == 0 {
		return ""
	}
	return prefix + strings.Join(parts, ", ")
}

func bracketed(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}
