package ticket

import "strings"

// The bounds of Ticket.Replies.
const (
	MaxReplies = 10
	MaxReply   = 4000 // characters
)

// part is one part of a ticket that a note is written from.
type part struct{ name, text string }

func (t Ticket) parts() []part {
	return []part{
		{"subject", t.Subject},
		{"description", t.Description},
		{"priority", t.Priority},
		{"requester", t.Requester},
		{"replies", strings.Join(t.Replies, "\x00")},
	}
}

// Revision is a short hash of each part that a note is written from, with white
// space folded: subject, description, priority, requester and replies, with
// hyphens between them. A ticket whose revision did not change needs no second
// note.
func (t Ticket) Revision() string {
	var hashes []string
	for _, p := range t.parts() {
		hashes = append(hashes, hash(fold(p.text))[:16])
	}
	return strings.Join(hashes, "-")
}

// Unchanged tells whether the ticket still is what it was at this revision. It
// knows the form that revisions had before replies counted: one hash of the
// other parts.
func (t Ticket) Unchanged(since string) bool {
	return since == t.Revision() ||
		len(t.Replies) == 0 && since == hash(fold(t.Subject), fold(t.Description), fold(t.Priority), fold(t.Requester))
}

// Changed names the parts that are not the same in two revisions of a ticket:
// "subject", "description", "priority", "requester", "replies". Where a
// revision is not of today's form, nobody can tell: "ticket" alone. Without an
// old one, nothing changed.
func Changed(old, now string) []string {
	if old == "" || old == now {
		return nil
	}
	parts, was, is := Ticket{}.parts(), strings.Split(old, "-"), strings.Split(now, "-")
	if len(was) != len(parts) || len(is) != len(parts) {
		return []string{"ticket"}
	}
	var names []string
	for i, p := range parts {
		if was[i] != is[i] {
			names = append(names, p.name)
		}
	}
	return names
}

func fold(s string) string { return strings.Join(strings.Fields(s), " ") }
