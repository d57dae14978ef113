package sqsfake

import (
	"crypto/md5" //nolint:gosec // the protocol has it
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxBytes      = 1 << 20
	maxEntries    = 10
	maxDelay      = 900
	maxVisibility = 43200
	maxWait       = 20
	minRetention  = 60
	maxRetention  = 1209600
)

// call is a request: the fields of every operation in one.
type call struct {
	QueueURL string `json:"QueueUrl"`
	entry
	Entries                     []entry  `json:"Entries"`
	AttributeNames              []string `json:"AttributeNames"`
	MessageSystemAttributeNames []string `json:"MessageSystemAttributeNames"`
	MaxNumberOfMessages         *int     `json:"MaxNumberOfMessages"`
	WaitTimeSeconds             int      `json:"WaitTimeSeconds"`

	// Of CreateQueue.
	QueueName  string            `json:"QueueName"`
	Attributes map[string]string `json:"Attributes"`

	server *Server
	queue  *store
	name   string // of the queue
}

// entry is one of a batch, or the fields of the call for a single one.
type entry struct {
	ID                string               `json:"Id"`
	MessageBody       string               `json:"MessageBody"`
	MessageAttributes map[string]attribute `json:"MessageAttributes"`
	MessageGroupID    string               `json:"MessageGroupId"`
	DelaySeconds      int                  `json:"DelaySeconds"`
	ReceiptHandle     string               `json:"ReceiptHandle"`
	VisibilityTimeout *int                 `json:"VisibilityTimeout"`
}

// object is a JSON object.
type object = map[string]any

var operations = map[string]func(*call) (any, *Error){
	"SendMessage":                  func(c *call) (any, *Error) { return c.send(c.entry) },
	"SendMessageBatch":             (*call).sendBatch,
	"ReceiveMessage":               (*call).receive,
	"DeleteMessage":                func(c *call) (any, *Error) { return c.remove(c.entry) },
	"DeleteMessageBatch":           func(c *call) (any, *Error) { return c.batch(c.remove) },
	"ChangeMessageVisibility":      func(c *call) (any, *Error) { return c.hide(c.entry) },
	"ChangeMessageVisibilityBatch": func(c *call) (any, *Error) { return c.batch(c.hide) },
	"GetQueueAttributes":           (*call).attributes,
}

func invalid(format string, args ...any) *Error {
	return &Error{Code: "InvalidParameterValue", Message: fmt.Sprintf(format, args...)}
}

// batch runs one for every entry; what fails is told of each.
func (c *call) batch(one func(entry) (object, *Error)) (any, *Error) {
	ids := map[string]bool{}
	for _, e := range c.Entries {
		if ids[e.ID] {
			return nil, &Error{Code: "BatchEntryIdsNotDistinct", Message: "Id " + e.ID + " repeated."}
		}
		ids[e.ID] = true
	}
	if len(ids) == 0 {
		return nil, &Error{Code: "EmptyBatchRequest", Message: "There should be at least one entry in the request."}
	}
	if len(ids) > maxEntries {
		return nil, &Error{Code: "TooManyEntriesInBatchRequest", Message: "Maximum number of entries per request are 10."}
	}
	successful, failed := []object{}, []object{}
	for _, e := range c.Entries {
		answer, fault := one(e)
		if fault != nil {
			failed = append(failed, object{"Id": e.ID, "SenderFault": true, "Code": fault.Code, "Message": fault.Message})
			continue
		}
		answer["Id"] = e.ID
		successful = append(successful, answer)
	}
	return object{"Successful": successful, "Failed": failed}, nil
}

func (c *call) sendBatch() (any, *Error) {
	size := 0
	for _, e := range c.Entries {
		size += e.size()
	}
	if size > maxBytes {
		return nil, &Error{Code: "BatchRequestTooLong", Message: fmt.Sprintf(
			"Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxBytes, size)}
	}
	return c.batch(c.send)
}

func (e entry) size() int {
	n := len(e.MessageBody)
	for name, a := range e.MessageAttributes {
		n += len(name) + len(a.DataType) + len(a.StringValue)
	}
	return n
}

func (c *call) send(e entry) (object, *Error) {
	if fault := c.check(e); fault != nil {
		return nil, fault
	}
	now := time.Now()
	m := &message{
		ID: newID(), Body: e.MessageBody, Attributes: e.MessageAttributes, Group: e.MessageGroupID,
		Sent: now, visible: now.Add(time.Duration(e.DelaySeconds) * time.Second), delayed: e.DelaySeconds > 0,
	}
	c.queue.messages = append(c.queue.messages, m)
	c.server.announce()
	return object{"MessageId": m.ID, "MD5OfMessageBody": sum(m.Body)}, nil
}

func (c *call) check(e entry) *Error {
	switch {
	case e.MessageBody == "":
		return &Error{Code: "MissingParameter", Message: "The request must contain the parameter MessageBody."}
	case e.size() > maxBytes:
		return invalid("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", maxBytes)
	case e.DelaySeconds < 0 || e.DelaySeconds > maxDelay:
		return invalid("Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", e.DelaySeconds)
	case c.server.RefuseGroups && e.MessageGroupID != "":
		return invalid("Value %s for parameter MessageGroupId is invalid. Reason: The request include parameter that is "+
			"not valid for this queue type.", e.MessageGroupID)
	case !clean(e.MessageBody):
		return &Error{Code: "InvalidMessageContents", Message: "The message contains characters outside the allowed set."}
	case len(e.MessageAttributes) > 10:
		return invalid("Number of message attributes [%d] exceeds the allowed maximum [10].", len(e.MessageAttributes))
	}
	for name, a := range e.MessageAttributes {
		if a.StringValue == "" || a.DataType != "String" || !clean(a.StringValue) {
			return invalid("The message attribute '%s' must contain a non-empty String of the allowed set.", name)
		}
	}
	return nil
}

func clean(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
	})
}

func (c *call) receive() (any, *Error) {
	n := 1
	if c.MaxNumberOfMessages != nil {
		n = *c.MaxNumberOfMessages
	}
	if n < 1 || n > maxEntries {
		return nil, invalid("Value %d for parameter MaxNumberOfMessages is invalid.", n)
	}
	if c.WaitTimeSeconds < 0 || c.WaitTimeSeconds > maxWait {
		return nil, invalid("Value %d for parameter WaitTimeSeconds is invalid.", c.WaitTimeSeconds)
	}
	hidden, fault := c.visibility(c.entry)
	if fault != nil {
		return nil, fault
	}
	until := time.Now().Add(time.Duration(c.WaitTimeSeconds) * time.Second)
	for {
		due, next := c.due(n)
		if now := time.Now(); len(due) > 0 || !now.Before(until) {
			list := make([]object, len(due))
			for i, m := range due {
				list[i] = c.give(m, now, hidden)
			}
			return object{"Messages": list}, nil
		}
		if next.IsZero() || next.After(until) {
			next = until
		}
		c.server.wait(next)
	}
}

// due gives up to n messages that can be received, and when the next one can
// be. What was received too often goes to the dead letters.
func (c *call) due(n int) (due []*message, next time.Time) {
	now := time.Now()
	dead := c.server.queues[c.queue.DeadLetters]
	c.queue.messages = slices.DeleteFunc(c.queue.messages, func(m *message) bool {
		switch {
		case m.visible.After(now):
			if next.IsZero() || m.visible.Before(next) {
				next = m.visible
			}
		case dead != nil && m.Receives >= c.queue.MaxReceives:
			m.receipt = ""
			dead.messages = append(dead.messages, m)
			c.server.announce()
			return true
		case len(due) < n:
			due = append(due, m)
		}
		return false
	})
	return due, next
}

// give marks m as received and shows it.
func (c *call) give(m *message, now time.Time, hidden time.Duration) object {
	m.Receives++
	m.receipt, m.visible, m.delayed = m.ID+"/"+newID(), now.Add(hidden), false
	if m.First.IsZero() {
		m.First = now
	}
	system := map[string]string{
		"ApproximateReceiveCount": strconv.Itoa(m.Receives), "SentTimestamp": millis(m.Sent),
		"ApproximateFirstReceiveTimestamp": millis(m.First), "MessageGroupId": m.Group,
	}
	for name, value := range system {
		asked := slices.Contains(c.MessageSystemAttributeNames, name) || slices.Contains(c.MessageSystemAttributeNames, "All")
		if !asked || value == "" {
			delete(system, name)
		}
	}
	return object{
		"MessageId": m.ID, "ReceiptHandle": m.receipt, "Body": m.Body, "MD5OfBody": sum(m.Body),
		"Attributes": system, "MessageAttributes": m.Attributes,
	}
}

// find gives the message of a receipt, nil where it is gone.
func (c *call) find(receipt string) (*message, *Error) {
	id, _, ok := strings.Cut(receipt, "/")
	if !ok {
		return nil, &Error{Code: "ReceiptHandleIsInvalid", Message: "The input receipt handle is not a valid receipt handle."}
	}
	for _, m := range c.queue.messages {
		if m.ID == id {
			return m, nil
		}
	}
	return nil, nil
}

// remove deletes a message. An old receipt is no error, and deletes nothing.
func (c *call) remove(e entry) (object, *Error) {
	m, fault := c.find(e.ReceiptHandle)
	if fault != nil {
		return nil, fault
	}
	if m != nil && m.receipt == e.ReceiptHandle {
		c.queue.messages = slices.DeleteFunc(c.queue.messages, func(o *message) bool { return o == m })
	}
	return object{}, nil
}

// hide changes until when a message is hidden that somebody has.
func (c *call) hide(e entry) (object, *Error) {
	hidden, fault := c.visibility(e)
	if fault != nil {
		return nil, fault
	}
	m, fault := c.find(e.ReceiptHandle)
	if fault != nil {
		return nil, fault
	}
	now := time.Now()
	if m == nil || m.receipt != e.ReceiptHandle || !m.visible.After(now) {
		return nil, &Error{Code: "MessageNotInflight", Message: "The message referred to is not in flight."}
	}
	m.visible = now.Add(hidden)
	c.server.announce()
	return object{}, nil
}

func (c *call) visibility(e entry) (time.Duration, *Error) {
	if e.VisibilityTimeout == nil {
		return c.queue.Visibility, nil
	}
	if n := *e.VisibilityTimeout; n < 0 || n > maxVisibility {
		return 0, invalid("Value %d for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.", n)
	}
	return time.Duration(*e.VisibilityTimeout) * time.Second, nil
}

// attributes counts the messages, and tells the settings.
func (c *call) attributes() (any, *Error) {
	var waiting, delayed, hidden int
	now := time.Now()
	for _, m := range c.queue.messages {
		switch {
		case !m.visible.After(now):
			waiting++
		case m.delayed:
			delayed++
		default:
			hidden++
		}
	}
	found := map[string]string{
		"QueueArn":                              arn + c.name,
		"VisibilityTimeout":                     strconv.Itoa(int(c.queue.Visibility.Seconds())),
		"MessageRetentionPeriod":                strconv.Itoa(int(c.queue.Retention.Seconds())),
		"MaximumMessageSize":                    strconv.Itoa(maxBytes),
		"ApproximateNumberOfMessages":           strconv.Itoa(waiting),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(delayed),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(hidden),
	}
	if c.queue.DeadLetters != "" {
		found["RedrivePolicy"] = fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, arn+c.queue.DeadLetters, c.queue.MaxReceives)
	}
	return object{"Attributes": found}, nil
}

func sum(s string) string {
	digest := md5.Sum([]byte(s)) //nolint:gosec // the protocol has it
	return hex.EncodeToString(digest[:])
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
