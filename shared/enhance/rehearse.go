package enhance

import (
	"context"

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
	j := newJob(c, ev, Attempt{})
	j.record.Shadow = true
	if err := e.read(ctx, j); err != nil {
		return Enhancement{}, err
	}
	if err := e.brief(ctx, j); err != nil {
		return Enhancement{}, err
	}
	j.record.Shadow = c.tenant.Settings.ShadowMode
	return j.record, nil
}
