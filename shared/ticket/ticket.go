// Package ticket has the product's nouns: which ticket (Ref), what it says
// (Ticket), what happened to it (Event), and what is put on it (Note). They
// are the same for every ticketing tool.
package ticket

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/tenant"
)

// Ref says which ticket of which tenant, in which tool instance.
type Ref struct {
	Tenant     tenant.ID `json:"tenant"`
	Tool       string    `json:"tool"`       // "servicedesk_plus"
	Connection string    `json:"connection"` // id of the tenant.Connection
	Key        string    `json:"key"`        // what the tool's API wants
}

// String gives "acme/servicedesk_plus/1042" for logs and errors.
func (r Ref) String() string { return fmt.Sprintf("%s/%s/%s", r.Tenant, r.Tool, r.Key) }

// Marker is the text by which Deskhand finds its own note on the ticket again.
// One ticket has one marker, so it has one note, however many events arrive.
func (r Ref) Marker() string { return "DH-" + hash(string(r.Tenant), r.Connection, r.Key)[:16] }

// Ticket is a ticket as the tool's API tells it. Text is plain: no HTML, no
// control characters. Times that the tool does not tell are zero.
type Ticket struct {
	Key         string // what the API wants
	Number      string // what people see: "1042"
	Subject     string
	Description string
	Priority    string
	Status      string
	Closed      bool
	Assignee    string // the technician who has the ticket; "" for nobody
	// Started says that the staff has begun: the status is no longer that of a
	// new ticket, or somebody has answered the requester.
	Started   bool
	Account   string // the tool's own client, organisation or project
	Site      string
	Requester string
	Email     string // the requester's
	// Replies are what the requester wrote since, the newest last: at most
	// MaxReplies, of at most MaxReply characters each. Empty where the tool does
	// not offer them.
	Replies    []string
	Resolution string
	URL        string // for people
	Created    time.Time
	Updated    time.Time
	Resolved   time.Time
}

// Field gives the values of a field that a tenant's rules may name: of the
// requester, name and address. Of another name it gives none.
func (t Ticket) Field(name string) []string {
	switch name {
	case "subject":
		return []string{t.Subject}
	case "requester":
		return []string{t.Requester, t.Email}
	case "status":
		return []string{t.Status}
	case "priority":
		return []string{t.Priority}
	case "site":
		return []string{t.Site}
	}
	return nil
}

// Text is what retrieval reads: subject and body.
func (t Ticket) Text() string { return t.Subject + "\n" + t.Body() }

// Body is what the requester wrote below the subject: the description, then the
// replies.
func (t Ticket) Body() string {
	return strings.Join(append([]string{t.Description}, t.Replies...), "\n")
}

// Kind is what happened to a ticket.
type Kind string

// The kinds of event.
const (
	Created  Kind = "created"
	Updated  Kind = "updated" // somebody changed it: who does not matter, so it may be our own note
	Replied  Kind = "replied" // the requester wrote more
	Resolved Kind = "resolved"
	Closed   Kind = "closed"
	// Improve is not told by a webhook: the model did not answer when the note
	// was written, and is asked again.
	Improve Kind = "improve"
	// Replayed is an operator's word that the note is to be written again,
	// though the ticket may not have changed.
	Replayed Kind = "replayed"
)

// Announced are the kinds that a webhook's URL names with its last word; without
// one it is Created. No connection has such a name.
var Announced = []Kind{Updated, Replied, Resolved, Closed}

// Past tells whether the event ends the ticket: it is then something to learn
// from, and needs no note.
func (k Kind) Past() bool { return k == Resolved || k == Closed }

// Settle is how long a change waits for the next ones, so that many edits are
// one job, which reads what they became.
const Settle = 30 * time.Second

// Delay is how long an event of this kind is held back.
func (k Kind) Delay() time.Duration {
	if k == Updated || k == Replied {
		return Settle
	}
	return 0
}

// Event says that something happened to a ticket. It travels through the
// queue as JSON: named fields only, nothing of the sender's body besides.
type Event struct {
	Job  string `json:"job"` // the job id: ledger key and correlation id
	Ref  Ref    `json:"ref"`
	Kind Kind   `json:"kind"`
	Told Told   `json:"told"`
	// Signed says that the signature covered Told, so that it may stand in for
	// a ticket that cannot be read.
	Signed   bool      `json:"signed"`
	Received time.Time `json:"received"`
	// Improvements counts the events of kind Improve up to this one.
	Improvements int `json:"improvements,omitempty"`
}

// As gives the same event for the ticket under another key, with a job of its
// own.
func (e Event) As(key string) Event {
	e.Ref.Key = key
	e.Job = JobID(e.Ref, e.Kind, e.Job)
	return e
}

// Told is the ticket as the webhook told it. It is a hint: the ticket is read
// again through the tool's API.
type Told struct {
	Subject     string    `json:"subject,omitempty"`
	Description string    `json:"description,omitempty"`
	Priority    string    `json:"priority,omitempty"`
	Client      string    `json:"client,omitempty"`
	Resolution  string    `json:"resolution,omitempty"`
	Resolved    time.Time `json:"resolved,omitzero"`
}

// JobID is the deterministic id of the work that a delivery asks for: a
// version-8 UUID of the sha256 of tenant, tool, ticket, kind and the
// delivery's id, or what stands for it where the tool sends none (see package
// webhook). The same delivery always gives the same job.
func JobID(ref Ref, kind Kind, delivery string) string {
	sum := sha256.Sum256(joined(string(ref.Tenant), ref.Tool, ref.Connection, ref.Key, string(kind), delivery))
	b := sum[:16]
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Note is the internal note for a ticket, as Markdown that we wrote ourselves.
// The tool's adapter renders it into what the tool shows.
type Note struct {
	Marker   string
	Markdown string
	Format   string // "html" (default) or "markdown", the tenant's choice
	// ID is the note to edit, where the ticket is known to have ours already.
	ID string
	// Search makes PutNote look for the marker first: an earlier attempt may
	// have written the note and died before it could say so.
	Search bool
}

func hash(parts ...string) string {
	sum := sha256.Sum256(joined(parts...))
	return hex.EncodeToString(sum[:])
}

// joined writes each part with its length in front, so that no two lists of
// parts give the same text.
func joined(parts ...string) []byte {
	var b []byte
	for _, p := range parts {
		b = strconv.AppendInt(b, int64(len(p)), 10)
		b = append(append(b, ':'), p...)
	}
	return b
}
