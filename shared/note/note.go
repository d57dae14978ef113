// Package note writes the internal note for a ticket, as Markdown of our own:
// two lines that say what matters, four sections, and a foot by which it can be
// checked. It is pure: the same briefing gives the same note. Start with Write.
package note

import (
	"slices"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/receipts"
	"github.com/deskhand/deskhand/shared/ticket"
)

// MaxWords is how many visible words a note has at most (story 2.9), and
// MaxHeadline how many of them its first two lines. What is no word to the eye
// counts as several: 40 characters without a space, or two Chinese ones.
const (
	MaxWords    = 500
	MaxHeadline = 40
)

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
	// Suspect says that the ticket has text that is addressed to an AI or to
	// operators.
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
	Refused     Missing = "refused"     // the tool does not take its words
	Suspected   Missing = "suspected"   // the ticket has text addressed to AI or operators
)

// page is a note being written: what it is about, and in which words.
type page struct {
	Briefing
	in   lexicon
	head []string
}

// section is one heading of the note and its bullets.
type section struct {
	heading string
	bullets []bullet
}

// bullet is a text between what stays when it is cut: where it comes from.
type bullet struct {
	lead string // Markdown
	text string // plain
	tail string // Markdown
	// counts says that the foot tells where it had no room.
	counts bool
}

func (b bullet) markdown() string {
	text := escape(b.text)
	if start := strings.TrimRight(b.lead, " "); start == "" || strings.HasSuffix(start, "\n") {
		text = opening(text)
	}
	// The full stop comes behind the sources.
	if stem, ok := strings.CutSuffix(text, "."); ok && b.tail != "" && !strings.HasSuffix(stem, ".") {
		return opening(b.lead) + stem + b.tail + "."
	}
	return opening(b.lead) + text + b.tail
}

// Write writes the note in the language of Language: two lines that say what
// matters, what is missing and why, the four sections of story 2.9, and a foot
// by which the note can be checked and found again: the marker is its last word.
// A note that would be longer than MaxWords loses its last sentences and
// bullets, the longest section first, and never a source without its sentence
// or a sentence without its source. Text of tickets and articles is escaped,
// links are made here from the evidence, never taken from text.
func Write(b Briefing) string {
	p := page{Briefing: b, in: lexiconOf(Language(b.Ticket, b.Language))}
	p.head = p.headline()
	head := slices.Concat(p.head, p.warnings())
	sections := p.sections()
	room := MaxWords - words(strings.Join(head, " ")) - words(p.foot(1))
	left := fit(sections, room)

	var note strings.Builder
	for _, paragraph := range head {
		note.WriteString(paragraph + "\n\n")
	}
	for _, s := range sections {
		if len(s.bullets) == 0 {
			continue
		}
		note.WriteString("### " + s.heading + "\n\n")
		for _, b := range s.bullets {
			note.WriteString("- " + b.markdown() + "\n")
		}
		note.WriteString("\n")
	}
	return note.String() + p.foot(left) + "\n"
}

// newLine ends a line within a paragraph or a bullet.
const newLine = "  \n"
