package ledger

import (
	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/enhance"
)

// begun is what the audit trail has of a Begin. The webhook waited for the
// queue alone, so it is recorded here, with the first sight of its job.
func begun(a enhance.Attempt, fresh, busy bool) (events []audit.Event) {
	if fresh {
		events = append(events, event(a, audit.WebhookReceived, audit.Accepted))
	}
	if !busy {
		events = append(events, event(a, audit.EnhancementStarted, audit.Started))
	}
	return events
}

// saved is what it has of a Save.
func saved(a enhance.Attempt, e enhance.Enhancement) (events []audit.Event) {
	switch {
	case e.Status == enhance.Failed:
		return []audit.Event{event(a, audit.EnhancementFailed, audit.Failure)}
	case e.Status == enhance.Pending && !e.RetryAt.IsZero():
		return []audit.Event{event(a, audit.EnhancementFailed, audit.Retry)}
	case e.Status == enhance.Pending && e.Posting:
		return []audit.Event{event(a, audit.NoteWritten, audit.Started)}
	case e.Status != enhance.Completed:
		return nil
	}
	status := audit.Success
	switch {
	case e.Skipped != "":
		status = audit.Skipped
	case e.Shadow:
		status = audit.Shadow
	}
	if e.NoteID != "" {
		events = append(events, event(a, audit.NoteWritten, audit.Success))
	}
	return append(events, event(a, audit.EnhancementCompleted, status))
}

func event(a enhance.Attempt, operation audit.Operation, status audit.Status) audit.Event {
	return audit.Event{Ticket: a.Ref.Key, Operation: operation, Status: status, Correlation: a.Job}
}
