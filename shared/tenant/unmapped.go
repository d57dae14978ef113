package tenant

import "time"

// Unmapped is an account of a shared connection that no tenant has: its
// tickets get no note until an operator maps it.
type Unmapped struct {
	Connection string
	Account    string // as the tool names it; "" for tickets that carry none
	First      time.Time
	Last       time.Time
	Seen       int64 // how often one of its tickets came
}
