package enhance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/ticket"
)

// Status is how far an enhancement is.
type Status string

// The states of enhancement_history. Completed is final; a failed job that is
// delivered again (redriven) becomes pending again.
const (
	Pending   Status = "pending"
	Completed Status = "completed"
	Failed    Status = "failed"
)

// Enhancement is one job's record in the ledger.
type Enhancement struct {
	Status       Status
	Posting      bool   // a note may have been written
	Skipped      string // completed without a note: why
	Shadow       bool
	EvidenceOnly bool
	Error        string
	RetryAt      time.Time // when the next try is due, if one is
	Revision     string    // ticket.Ticket.Revision of what the note was written from
	NoteID       string
	Note         string // Markdown
	Bundle       evidence.Bundle
	Model        string
	Usage        llm.Usage // of all calls
	Run          Run
}

// withoutText is the record without what was found and written: the tenant that
// it is stored with may not be the one whose it is.
func (e Enhancement) withoutText() Enhancement {
	e.Bundle, e.Note, e.Run = evidence.Bundle{}, "", Run{}
	return e
}

// Attempt is one try at a job, which holds the lease on the ticket.
type Attempt struct {
	Job   string
	Ref   ticket.Ref
	Token string // fences the lease: only this try may keep it or save
	Try   int    // 1 for the first
	// Posting says that an earlier try of this job, or of another that did not
	// end, may have written the note.
	Posting bool
	// NoteID, Revision and EvidenceOnly are those of the last completed
	// enhancement of this ticket that left a note; empty where there is none.
	NoteID       string
	Revision     string
	EvidenceOnly bool
	// ShadowRevision is that of the last one in shadow mode, which leaves none.
	ShadowRevision string
}

// Ledger is the durable record of all enhancements, and the lease by which one
// try at a time works on a ticket.
type Ledger interface {
	// Begin opens the job's record, or finds it, and takes the ticket's lease
	// for hold. ErrEnded where the job is completed; *BusyError where another
	// try holds the lease.
	Begin(ctx context.Context, ev ticket.Event, hold time.Duration) (Attempt, error)
	// Keep extends the lease. ErrLost where another try has it.
	Keep(ctx context.Context, a Attempt, hold time.Duration) error
	// Save writes the record, and releases the lease unless the try goes on:
	// e is pending and no next try is due (RetryAt is zero). ErrLost where
	// another try has the lease: nothing is written.
	Save(ctx context.Context, a Attempt, e Enhancement) error
}

// ErrEnded says that the job was completed before.
var ErrEnded = errors.New("the job is completed")

// ErrLost says that another try holds the lease now.
var ErrLost = errors.New("another try holds the ticket's lease")

// BusyError says that another try works on the ticket.
type BusyError struct {
	Job   string        // of the other try
	Until time.Duration // from now, its lease ends unless it is renewed
}

// Error implements error.
func (e *BusyError) Error() string {
	return fmt.Sprintf("job %s works on the ticket (lease ends in %s)", e.Job, e.Until.Round(time.Millisecond))
}
