// Package audit has the noun of the audit trail: what was done to whose data,
// by whom, and how it ended. An event has ids only, never text. It is written
// in the transaction of the change that it tells of, where there is one, and
// nothing in the product changes it afterwards.
package audit

import (
	"time"

	"github.com/deskhand/deskhand/shared/tenant"
)

// Event is one entry of a tenant's trail.
type Event struct {
	Time        time.Time `json:"time"` // the database's; not read when an event is written
	Tenant      tenant.ID `json:"tenant_id"`
	Ticket      string    `json:"ticket_id,omitempty"` // the tool's key; or the connection, where the event is about one
	Operation   Operation `json:"operation"`
	Actor       string    `json:"actor"`
	Status      Status    `json:"status"`
	Correlation string    `json:"correlation_id,omitempty"` // the job; the same in the log lines
}

// Operation says what was done: a-z and underscores, 50 at most.
type Operation string

// Status says how it ended.
type Status string

// The states of an event.
const (
	Accepted Status = "accepted"
	Started  Status = "started"
	Success  Status = "success"
	Skipped  Status = "skipped"
	Shadow   Status = "shadow"
	Retry    Status = "retry"
	Failure  Status = "failure"
	Dropped  Status = "dropped"
	Blocked  Status = "blocked"
)

// System is the actor of what the product does by itself. A person or a token
// is named with where it came in: "cli:anna".
const System = "system"

// Query says which events of a tenant are wanted: those from Since on and
// before Until, and of one ticket where Ticket is not empty.
type Query struct {
	Since, Until time.Time
	Ticket       string
}

// Erasure is what was left of a tenant, before and after it was erased.
type Erasure struct {
	Tables      []Count
	Connections []string // ids of those that served nobody else and went with it
}

// Count is a number of rows of a tenant.
type Count struct {
	Table         string
	Before, After int64
}
