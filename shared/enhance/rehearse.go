package enhance

import (
	"context"

	"github.com/deskhand/deskhand/shared/note"
	"github.com/deskhand/deskhand/shared/ticket"
)

// Rehearse does for ev what Enhance does, as of now, up to the note, and writes
// nothing: the ledger and the tool know nothing of it. What the model takes
// counts in the tenant's budget. No rule skips it.
func (e *Enhancer) Rehearse(ctx context.Context, ev ticket.Event) (Enhancement, error) {
	ctx, cancel := context.WithTimeout(ctx, JobLimit)
	defer cancel()
	c, err := e.client(ev)
	if err != nil {
		return Enhancement{}, err
	}
	t, told, err := e.read(ctx, c, ev)
	if err != nil {
		return Enhancement{}, err
	}
	r := Enhancement{Revision: t.Revision(), Shadow: c.tenant.Settings.ShadowMode}
	if err := e.write(ctx, c, ev, note.Briefing{Ticket: t, Told: told}, &r); err != nil {
		return Enhancement{}, err
	}
	return r, nil
}
