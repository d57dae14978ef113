package enhance

import (
	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/redact"
	"github.com/deskhand/deskhand/shared/ticket"
)

// hider takes out what must not leave the tenant, before anything is cut: half
// a key is not recognised.
type hider struct{ found map[string]int }

func (h *hider) text(s string) string {
	clean, counts := redact.Text(s)
	for what, n := range counts {
		h.found[what] += n
	}
	return clean
}

// maxHidden is how much of a description is looked through: far more than a
// prompt takes.
const maxHidden = 64 << 10

func (h *hider) ticket(t ticket.Ticket) ticket.Ticket {
	t.Subject, t.Description = h.text(t.Subject), h.text(t.Description[:min(len(t.Description), maxHidden)])
	return t
}

func (h *hider) bundle(b evidence.Bundle) evidence.Bundle {
	items := make([]evidence.Item, len(b.Items))
	for i, it := range b.Items {
		it.Title, it.Text = h.text(it.Title), h.text(it.Text)
		items[i] = it
	}
	b.Items = items
	return b
}
