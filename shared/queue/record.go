package queue

// Record is one message as a push service hands it to a function: still as it
// was stored, for the adapter that sent it to read. SQS event source mappings
// and SQS's own ReceiveMessage both give one.
type Record struct {
	ID            string // the queue's, not the sender's: what a failed batch item is named by
	ReceiptHandle string // for this delivery: deletes it, changes its visibility
	Body          string
	// Attributes are the queue's own ("SentTimestamp", "MessageGroupId").
	Attributes map[string]string
	// MessageAttributes are the sender's; string values only.
	MessageAttributes map[string]string
	// ReceiveCount is how often it was delivered, this time included.
	ReceiveCount int
}
