// Package feedback has what technicians say of notes: the signed links at a
// note's foot (Keys), and the answers that they lead to. It is pure; the page
// behind the links is package page.
package feedback

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/redact"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Vote is whether a note helped.
type Vote string

// The votes, as the database has them.
const (
	Useful  Vote = "useful"
	Useless Vote = "useless"
)

// Reason is why a note did not help.
type Reason string

// The reasons, as the database has them. The first two follow from the items that
// the answer calls wrong.
const (
	WrongTicket  Reason = "wrong_ticket"
	WrongArticle Reason = "wrong_article"
	Outdated     Reason = "outdated"
	NotUseful    Reason = "not_useful"
	Other        Reason = "other"
)

// Choices are the reasons that are asked for by name.
var Choices = []Reason{Outdated, NotUseful, Other}

// MaxComment is how many characters a comment has at most.
const MaxComment = 500

// Pair is a past ticket or an article that has nothing to do with the ticket of
// the note: it is not shown for that ticket again.
type Pair struct {
	Kind evidence.Kind // PastTicket or Article
	Ref  string        // as evidence.Item has it
}

// Answer is what a technician says of a note. The zero value is none.
type Answer struct {
	Vote    Vote
	Reasons []Reason
	Wrong   []Pair
	Comment string
}

// NewAnswer makes an answer of what a form has: the ids of the note's items that
// are wrong, and names of Choices. What the note does not have, and what is no
// reason, is left out, and a note that helped has nothing wrong. ok is false where
// vote is none. The comment is cleaned: see Comment.
func NewAnswer(n Note, vote Vote, wrong, reasons []string, comment string) (a Answer, ok bool) {
	a = Answer{Vote: vote, Comment: Comment(comment)}
	if vote != Useless {
		return a, vote == Useful
	}
	for _, it := range n.Items {
		if !slices.Contains(wrong, it.ID) {
			continue
		}
		if p := (Pair{it.Kind, it.Ref}); !slices.Contains(a.Wrong, p) {
			a.Wrong = append(a.Wrong, p)
		}
		if reason := blamed[it.Kind]; !slices.Contains(a.Reasons, reason) {
			a.Reasons = append(a.Reasons, reason)
		}
	}
	for _, reason := range Choices {
		if slices.Contains(reasons, string(reason)) {
			a.Reasons = append(a.Reasons, reason)
		}
	}
	return a, true
}

// blamed are the reasons that follow from a wrong item.
var blamed = map[evidence.Kind]Reason{evidence.PastTicket: WrongTicket, evidence.Article: WrongArticle}

// Is tells whether two answers say the same.
func (a Answer) Is(b Answer) bool {
	return a.Vote == b.Vote && a.Comment == b.Comment && slices.Equal(a.Reasons, b.Reasons) && slices.Equal(a.Wrong, b.Wrong)
}

// Note is what an answer is about.
type Note struct {
	Items  []evidence.Item // that can be wrong for its ticket
	Answer Answer          // the one that was given before, if any
}

// NewNote makes a note of its evidence.
func NewNote(b evidence.Bundle, before Answer) Note {
	n := Note{Answer: before}
	for _, it := range b.Items {
		if blamed[it.Kind] != "" && it.Ref != "" {
			n.Items = append(n.Items, it)
		}
	}
	return n
}

// Store keeps the answers: one for each note.
type Store interface {
	// Note gives the note of a job, or ErrUnknown. It writes nothing.
	Note(ctx context.Context, id tenant.ID, job string) (Note, error)
	// Put stores the answer in the place of the one before, with what it mutes, or
	// gives ErrUnknown. An answer that says what the one before says changes
	// nothing.
	Put(ctx context.Context, id tenant.ID, job string, a Answer) error
}

// ErrUnknown says that there is no such note (any more).
var ErrUnknown = errors.New("there is no such note")

// Comment cleans a text that somebody typed: without what nobody sees, without
// secrets, addresses and telephone numbers, at most MaxComment characters.
func Comment(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.ToValidUTF8(text, ""))
	text, _ = redact.Anonymous(visible(text)) // before it is cut: half a key is not recognised
	return strings.TrimSpace(cut(strings.TrimSpace(text), MaxComment))
}

// Line cleans a text of the note for the page: one line of at most limit
// characters.
func Line(text string, limit int) string {
	text, _ = redact.Text(strings.Join(strings.Fields(visible(strings.ToValidUTF8(text, ""))), " "))
	if short := cut(text, limit); short != text {
		return strings.TrimSpace(short) + " …"
	}
	return text
}

// visible drops what nobody sees, and what turns text around.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co):
			return -1
		}
		return r
	}, text)
}

// cut gives at most the first limit characters.
func cut(text string, limit int) string {
	n := 0
	for i := range text {
		if n == limit {
			return text[:i]
		}
		n++
	}
	return text
}
