package enhance

import (
	"slices"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/receipts"
	"github.com/deskhand/deskhand/shared/redact"
	"github.com/deskhand/deskhand/shared/ticket"
)

// hider takes out what must not leave the tenant, before anything is cut: half
// a key is not recognised. It lives for one attempt, and is never stored.
type hider struct{ mask *redact.Mask }

func newHider() *hider { return &hider{redact.NewMask()} }

// text gives s without what nobody sees, without secrets, and with placeholders
// in the place of e-mail addresses and telephone numbers.
func (h *hider) text(s string) string { return h.mask.Text(redact.Visible(s)) }

// restore brings back the addresses and numbers of placeholders: what the
// model's words are checked against has them.
func (h *hider) restore(s string) string { return h.mask.Restore(s) }

// counts says how many of each were taken out: log it, never a value.
func (h *hider) counts() map[string]int { return h.mask.Counts() }

// maxHidden is how much of a description is looked through: far more than a
// prompt takes.
const maxHidden = 64 << 10

// ticket leaves out who asked: the model has no use for a name.
func (h *hider) ticket(t ticket.Ticket) ticket.Ticket {
	return ticket.Ticket{
		Key: t.Key, Number: t.Number, Subject: h.text(t.Subject), Description: h.text(t.Description[:min(len(t.Description), maxHidden)]),
		Replies: h.all(t.Replies), Priority: h.text(t.Priority), Status: t.Status, Site: h.text(t.Site), Created: t.Created, Updated: t.Updated,
	}
}

// bundle leaves the citation ids as they are.
func (h *hider) bundle(b evidence.Bundle) evidence.Bundle {
	items := make([]evidence.Item, len(b.Items))
	for i, it := range b.Items {
		it.Ref, it.Title, it.Text, it.Why, it.URL = h.text(it.Ref), h.text(it.Title), h.text(it.Text), h.text(it.Why), h.text(it.URL)
		items[i] = it
	}
	b.Items = items
	return b
}

func (h *hider) all(texts []string) []string {
	clean := make([]string, len(texts))
	for i, s := range texts {
		clean[i] = h.text(s)
	}
	return clean
}

// anonymous gives verdicts for the run record, which has no address of a person:
// the claims that they are about have them again.
func anonymous(verdicts []receipts.Verdict) []receipts.Verdict {
	clean := slices.Clone(verdicts)
	for i := range clean {
		v := &clean[i]
		v.Text, _ = redact.Anonymous(v.Text)
		v.Why, _ = redact.Anonymous(v.Why)
		v.Cites = slices.Clone(v.Cites)
		for k := range v.Cites {
			v.Cites[k], _ = redact.Anonymous(v.Cites[k])
		}
	}
	return clean
}
