package enhance

import (
	"time"

	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/prompt"
	"github.com/deskhand/deskhand/shared/receipts"
	"github.com/deskhand/deskhand/shared/ticket"
)

// Run is the record of how a note came to be: with the evidence and the note of
// the Enhancement it answers "why did it say that". It has no secret and no
// address of a person: prompts and answers are as they left and came, with
// placeholders in their place.
type Run struct {
	Started  time.Time `json:"started,omitzero"`
	Versions Versions  `json:"versions"`
	Steps    []Step    `json:"steps,omitempty"`
	// Suspicion is the rule of package suspicion by which the ticket talks to AI
	// or operators, so that the model was not asked; "" for none.
	Suspicion string             `json:"suspicion,omitempty"`
	Calls     []Call             `json:"calls,omitempty"`
	Verdicts  []receipts.Verdict `json:"verdicts,omitempty"` // on each claim of the last answer
}

// Versions says what wrote the note.
type Versions struct {
	Program string `json:"program"`
	Prompt  string `json:"prompt"` // prompt.Version
	Policy  string `json:"policy"` // receipts.Version
}

// Step is one part of a run, in the order in which they ended: read, gather,
// ask, write, post.
type Step struct {
	Name string        `json:"name"`
	At   time.Duration `json:"at_ns"` // since Run.Started, its end
	Took time.Duration `json:"took_ns"`
	Note string        `json:"note,omitempty"` // "posted from the evidence alone"
}

// Call is one call of the model.
type Call struct {
	Model  string         `json:"model"` // that was asked
	System string         `json:"system"`
	User   string         `json:"user"`
	Answer string         `json:"answer,omitempty"`
	Error  string         `json:"error,omitempty"`
	Hidden map[string]int `json:"hidden,omitempty"` // how many of each were taken out
	Usage  llm.Usage      `json:"usage"`
}

func (e *Enhancer) versions() Versions {
	return Versions{Program: e.Version, Prompt: prompt.Version, Policy: receipts.Version}
}

// Record is a job as the ledger has it, for people.
type Record struct {
	Enhancement

	Job      string
	Ref      ticket.Ref
	Kind     ticket.Kind
	Tries    int
	Received time.Time
	Updated  time.Time
	Ended    time.Time // zero while the job is pending
}
