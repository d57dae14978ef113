// Package receipts holds every claim of the model's answer against the evidence
// that it cites. What has no receipt does not get into the note. It is pure,
// and it takes any answer: the model is as hostile as the ticket it read.
// Start with Parse and Check.
package receipts

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/ticket"
)

// Headings are the sections of the note, in order.
var Headings = []string{"Similar Tickets", "Relevant Documentation", "System Information", "Recommended Next Steps"}

// Kinds are the evidence that the sections before the last are about, in the order
// of Headings.
var Kinds = []evidence.Kind{evidence.PastTicket, evidence.Article, evidence.System}

// nextSteps is the section whose claims may be general advice.
const nextSteps = 3

const (
	maxClaims = 60
	maxClaim  = 800 // characters; a longer one is no point but an essay
)

// Claim is one point and what it rests on. In a Draft it is as the model wrote
// it; in a Checked the text is plain, on one line (escape it for wherever it
// goes), and every id is of an item of the bundle.
type Claim struct {
	Text  string   `json:"text" description:"one point, in plain text"`
	Cites []string `json:"evidence" description:"the ids of the evidence that the point rests on"`
}

// Section is one part of the note.
type Section struct {
	Heading string
	Claims  []Claim
}

// Checked is what is left of a draft. Claims = Sourced + len(General) + Removed.
type Checked struct {
	Sections []Section // one for each of Headings, in order, also where empty
	// General is advice without a receipt that names nothing of its own. It may
	// be shown as not verified.
	General []string
	Claims  int // that the draft made
	Sourced int // that are in Sections
	Removed int
	// Verdicts has one for each claim that the draft made, in its order.
	Verdicts []Verdict
}

// Verdict is what became of one claim of the draft.
type Verdict struct {
	Section string   `json:"section"` // one of Headings
	Text    string   `json:"text"`
	Cites   []string `json:"cites,omitempty"` // as the draft has them
	Outcome Outcome  `json:"outcome"`
	Why     string   `json:"why,omitempty"` // for the operator: "cites T9, which is no evidence of this job"
}

// Outcome is kept, general or removed.
type Outcome string

// The outcomes.
const (
	Kept      Outcome = "kept"    // in Sections
	IsGeneral Outcome = "general" // in General
	Removed   Outcome = "removed"
)

// Version names the rules of this package in run records. It changes with them.
const Version = "4"

// Check holds the claims of a draft against the evidence. A claim stays where
// it cites at least one item of the bundle, and every identifier in it (see
// identifiers) also stands in an item that it cites, or in the ticket. What it
// tells to type or to open needs more than a requester's word (see item.own). A
// next step without a receipt and without an identifier of its own is general
// advice. What lives on strange (see livesOn) has no receipt either: that is what
// a stranger wrote, and our instructions, and a model that was talked into
// something repeats what it was told. A claim that stands under a heading of which
// it cites nothing goes under that of the evidence that it cites first.
func Check(d Draft, b evidence.Bundle, t ticket.Ticket, strange string) Checked {
	c := Checked{}
	k := checker{told: aboutTicket(t), asker: know(nil, t.Email), items: map[string]item{}, seen: map[string]bool{}, strange: rowsOf(strange), titles: rows{}}
	for _, it := range b.Items {
		k.items[it.ID] = aboutItem(it)
		if it.Kind == evidence.PastTicket {
			maps.Copy(k.titles, rowsOf(it.Title))
		}
	}
	for _, h := range Headings {
		c.Sections = append(c.Sections, Section{Heading: h})
	}
	for i, claims := range d.sections() {
		for _, claim := range claims {
			v := Verdict{Section: Headings[i]}
			kept := k.check(&v, claim, i == nextSteps)
			switch v.Outcome {
			case Kept:
				home := &c.Sections[k.home(i, kept)]
				home.Claims = append(home.Claims, kept)
				c.Sourced++
			case IsGeneral:
				c.General = append(c.General, kept.Text)
			default:
				c.Removed++
			}
			c.Claims++
			c.Verdicts = append(c.Verdicts, v)
		}
	}
	return c
}

// home gives the section that a claim of this section belongs to.
func (k *checker) home(section int, c Claim) int {
	if section == nextSteps || slices.ContainsFunc(c.Cites, func(id string) bool { return k.items[id].home == section }) {
		return section
	}
	return max(k.items[c.Cites[0]].home, 0)
}

// checker holds claims against what one job knows.
type checker struct {
	told    known // by the ticket
	asker   known // the address of who wrote it: a step may say whom to ask
	items   map[string]item
	seen    map[string]bool // the texts so far
	stay    int             // how many stayed so far
	strange rows
	titles  rows // of past tickets, which requesters wrote as well
}

// check fills the verdict on a claim, and gives the claim as it may be shown.
func (k *checker) check(v *Verdict, raw Claim, step bool) Claim {
	c, unknown := raw.clean(k.items)
	v.Text, v.Cites, v.Outcome = shorten(c.Text, maxClaim), slices.Concat(c.Cites, unknown), Removed
	again := k.seen[c.Text]
	k.seen[c.Text] = true
	switch {
	case c.Text == "":
		v.Why = "has no words"
	case len(c.Text) > maxRaw || utf8.RuneCountInString(c.Text) > maxClaim:
		v.Why = fmt.Sprintf("is longer than %d characters", maxClaim)
	case again:
		v.Why = "says again what another claim said"
	case k.stay >= maxClaims:
		v.Why = fmt.Sprintf("is one too many: %d claims stay at most", maxClaims)
	case len(c.Cites) == 0 && !step:
		v.Why = uncited(unknown)
	default:
		k.ground(v, c, raw.Text, unknown, step)
	}
	return c
}

// ground decides about a claim by what it names, and by whose words it uses. A fact
// may be told in those of a past ticket's title; a step may not.
func (k *checker) ground(v *Verdict, c Claim, raw string, unknown []string, step bool) {
	var all, own []known
	for _, id := range c.Cites {
		all, own = append(all, k.items[id].known), append(own, k.items[id].own)
	}
	typed, named := identifiers(c.Text, raw)
	vouching, part, sources, strange := k.told, half, all, []rows{k.strange}
	if step {
		vouching, part, sources, strange = k.asker, third, own, append(strange, k.titles)
	}
	if what, found := missing(named, append(all, k.told)); found {
		v.Why = "names " + what + ", which " + neither(c.Cites)
	} else if what, found = missing(typed, append(own, vouching)); found {
		v.Why = "names " + what + ", which no evidence that it cites vouches for"
	} else if livesOn(c.Text, part, sources, strange) {
		v.Why = "says what a requester wrote, or our instructions, and the evidence does not"
	}
	if v.Why != "" {
		return
	}
	v.Outcome = Kept
	k.stay++
	if len(c.Cites) == 0 {
		v.Outcome, v.Why = IsGeneral, uncited(unknown)
	} else if len(unknown) > 0 {
		v.Why = uncited(unknown) + ": left out"
	}
}

// neither says that nothing has what a claim names.
func neither(cites []string) string {
	if len(cites) == 0 {
		return "the ticket has not"
	}
	return "neither the ticket nor " + strings.Join(cites, " nor ") + " has"
}

// uncited says why a claim has no receipt from these ids.
func uncited(unknown []string) string {
	if len(unknown) == 0 {
		return "cites no evidence"
	}
	return "cites " + strings.Join(unknown, ", ") + ", which is no evidence of this job"
}
