package enhance

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/deskhand/deskhand/shared/note"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/ticket"
)

// improveAfter is when a note that was written without the model, because it
// did not answer, is tried again.
var improveAfter = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}

// improveLater sends the event by which the note is tried again later, where
// that may help. Where it cannot be sent, the note stays as it is: it is a note.
func (e *Enhancer) improveLater(ctx context.Context, j *job) {
	done := j.event.Improvements
	if j.missing != note.Unanswered || j.record.Shadow || done >= len(improveAfter) {
		return
	}
	ev := j.event
	ev.Kind, ev.Improvements = ticket.Improve, done+1
	ev.Job = ticket.JobID(ev.Ref, ev.Kind, fmt.Sprintf("%s/%d", j.event.Job, ev.Improvements))
	body, err := json.Marshal(ev)
	if err == nil {
		err = e.Queue.Send(ctx, queue.Message{ID: ev.Job, Tenant: ev.Ref.Tenant, Kind: string(ev.Kind), Priority: queue.Low, Body: body, Delay: improveAfter[done]})
	}
	if err != nil {
		e.Log.WarnContext(ctx, "the note will not be tried again", "operation", "improve", "error", err.Error())
		return
	}
	e.Log.InfoContext(ctx, "the note will be tried again", "operation", "improve", "job_of_it", ev.Job, "again_in_ms", improveAfter[done].Milliseconds())
}
