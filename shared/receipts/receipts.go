// Package receipts holds every claim of the model's draft against the evidence
// that it cites. What has no receipt does not get into the note. It is pure,
// and it takes any draft: the model is as hostile as the ticket it read.
package receipts

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/ticket"
)

// Headings are the sections of the note, in order.
var Headings = []string{"Similar Tickets", "Relevant Documentation", "System Information", "Recommended Next Steps"}

// nextSteps is the section that also takes unknown headings, and whose claims
// may be general advice.
const nextSteps = 3

const (
	maxDraft  = 64 << 10 // bytes that are read; a thousand tokens are about 4 kB
	maxClaims = 60
	maxClaim  = 800 // characters; a longer one is no point but an essay
)

// Claim is one point that stands on evidence.
type Claim struct {
	Text  string   // plain text on one line: escape it for wherever it goes
	Cites []string // ids of items of the bundle, at least one
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
const Version = "1"

// Check reads the draft of a briefing. A claim is a bullet, or the run of
// sentences up to a citation. It stays where it cites at least one item of the
// bundle and every address, name and number in it (see identifiers) also
// stands in an item that it cites, or in the ticket. A next step without a receipt and without an
// identifier of its own is general advice. A draft that is no briefing (empty,
// JSON, a refusal) has no claims.
func Check(draft Draft, b evidence.Bundle, t ticket.Ticket) Checked {
	c := Checked{}
	for _, h := range Headings {
		c.Sections = append(c.Sections, Section{Heading: h})
	}
	told := know(t.Key, t.Number, t.Subject, t.Description, t.Priority, t.Status, t.Account, t.Site, t.Requester, t.Resolution, t.URL)
	items := map[string]known{}
	for _, it := range b.Items {
		items[it.ID] = know(it.ID, it.Ref, it.Title, it.Text, it.URL, it.Why)
	}
	seen := map[string]bool{}
	for _, s := range statements(string(draft)) {
		c.Claims++
		text, cites := s.read(items)
		sources := []known{told}
		for _, id := range cites {
			sources = append(sources, items[id])
		}
		fits := text != "" && utf8.RuneCountInString(text) <= maxClaim && !seen[text] && c.Sourced+len(c.General) < maxClaims
		seen[text] = true
		switch {
		case !fits || invents(text, sources):
			c.Removed++
		case len(cites) > 0:
			c.Sections[s.section].Claims = append(c.Sections[s.section].Claims, Claim{text, cites})
			c.Sourced++
		case s.section == nextSteps && !s.broken:
			c.General = append(c.General, text)
		default:
			c.Removed++
		}
	}
	return c
}

// Words counts the words of all claims and of the general advice.
func (c Checked) Words() int {
	n := 0
	for _, s := range c.Sections {
		n += s.words()
	}
	for _, g := range c.General {
		n += len(strings.Fields(g))
	}
	return n
}

// Cut gives the claims that fit into a number of words. General advice goes
// first, then the last claim of whichever section is longest.
func (c Checked) Cut(words int) Checked {
	c.Sections, c.General = slices.Clone(c.Sections), slices.Clone(c.General)
	for c.Words() > words {
		if n := len(c.General); n > 0 {
			c.General = c.General[:n-1]
		} else {
			longest := 0
			for i := range c.Sections {
				if c.Sections[i].words() > c.Sections[longest].words() {
					longest = i
				}
			}
			claims := c.Sections[longest].Claims
			if len(claims) == 0 {
				break
			}
			c.Sections[longest].Claims = claims[:len(claims)-1]
			c.Sourced--
		}
		c.Removed++
	}
	return c
}

func (s Section) words() int {
	n := 0
	for _, c := range s.Claims {
		n += len(strings.Fields(c.Text))
	}
	return n
}
