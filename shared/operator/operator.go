// Package operator is what the operator's command acts on, and what surrounds
// it. The command line itself is package cli: what serves does not link its
// parser, which calls methods by name, so that the linker could leave none out.
package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/deskhand/deskhand/shared/admin"
	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/catalogue"
	"github.com/deskhand/deskhand/shared/doctor"
	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/evaluate"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/preview"
	"github.com/deskhand/deskhand/shared/quality"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// Desk is what the commands act on. Opening it may need a database, so it is
// opened by the command that needs it.
type Desk struct {
	Directory func(context.Context) (tenant.Directory, error)
	Open      func(tenant.Connection) (ticketing.Tool, error)
	Import    func(context.Context, tenant.ID, catalogue.Span, func(catalogue.Progress, []error)) (catalogue.Progress, error)
	Past      evaluate.Past
	Preview   func(ctx context.Context, id tenant.ID, last int, progress func(done, total int)) (preview.Report, error)
	Quality   quality.Store
	Queues    map[string]Queue
	// Explain gives a job by its id, with how its note came to be; or, by the
	// tool's key of a ticket, the last job that wrote a note on it. An empty tenant is whichever has the job.
	Explain func(ctx context.Context, id tenant.ID, job string) (enhance.Record, error)
	// Rehearse does the job again, now, and writes nothing.
	Rehearse func(context.Context, enhance.Record) (enhance.Enhancement, error)
	// Replay queues the work of the job again, and gives the new job's id.
	Replay func(context.Context, enhance.Record) (job string, err error)
	Trail  func(context.Context, tenant.ID, audit.Query, func(audit.Event) error) error
	Export func(ctx context.Context, id tenant.ID, put func(table, row string) error) (left []string, err error)
	Erase  func(context.Context, tenant.ID) (done audit.Erasure, keys int, err error) // ErrKeys
	// Office is what the admin API does too; Caller is who sits at this command.
	Office *admin.Office
	Caller admin.Caller
	Reseal func(context.Context) (Resealed, error)
	Close  func(context.Context) error
}

// Queue is a queue as an operator sees it.
type Queue interface {
	queue.Inspector
	queue.DeadLetters
}

// Program is the surroundings of the command.
type Program struct {
	Version string
	Tools   integration.Set[ticketing.Tool]
	Open    func(context.Context) (*Desk, error)
	Migrate func(context.Context) (applied int, err error)
	Serve   func(context.Context) error
	Doctor  func(context.Context) []doctor.Result                                  // every check, in order
	Keygen  func(ctx context.Context, kms string) (secret.Text, error)             // encrypted with the KMS key of this ARN; "" for none
	Rotate  func(ctx context.Context, r Rotation, kms string) (secret.Text, error) // SEALING_KEY, changed; "" for the KMS key that it has
	Sign    func(key secret.Text, timestamp string, body []byte) string            // the webhook's signature
	Config  func() string                                                          // docs/configuration.md
	Now     func() time.Time
	In      io.Reader
	Out     io.Writer
	Err     io.Writer
	Wide    bool // Err is a terminal: progress may be drawn
	// Call has a Lambda function run a command line. nil where none is reached.
	Call func(ctx context.Context, function string, args []string) (Answer, error)
}

// Exit codes of a command.
const (
	ExitOK    = 0
	ExitError = 1 // the command failed
	ExitUsage = 2 // the command line is wrong
)

// Rotation is one step in the life of the keys in SEALING_KEY.
type Rotation string

// The steps, in their order.
const (
	AddKey    Rotation = "add"    // a new key, which opens and does not seal yet
	UseKey    Rotation = "rotate" // the newest key seals; a new one is added where it does already
	RetireKey Rotation = "retire" // every key but the one that seals goes
)

// Resealed counts connections.
type Resealed struct {
	Done    int // sealed again
	Already int // under the newest key before
}

// ErrKeys says that a tenant was erased, but for what Redis keeps of it.
var ErrKeys = errors.New("the database holds nothing of the tenant any more, but Redis does not answer: " +
	"it forgets deliveries and tokens by itself within hours")

// Order is a command that a Lambda function runs for an operator elsewhere.
type Order struct {
	Command  []string `json:"command"`  // the command line
	Operator string   `json:"operator"` // who the sender says gave it
}

// Answer is how the command of an order ended.
type Answer struct {
	Exit   int               `json:"exit"`
	Stdout string            `json:"stdout"`
	Stderr string            `json:"stderr"`
	Files  map[string][]byte `json:"files,omitempty"` // what it wrote, by name
}

// ErrTooLarge says that an answer is larger than Lambda carries.
var ErrTooLarge = errors.New("what it gives is over the limit of a function (4 MB): ask for less, " +
	"or run it where DATABASE_URL is reached, in the network of the installation")

// TooLarge is the answer where the true one is too large.
func TooLarge() Answer {
	return Answer{Exit: ExitError, Stderr: fmt.Sprintf("deskhand: %v\n", ErrTooLarge)}
}
