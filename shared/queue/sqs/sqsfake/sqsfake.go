// Package sqsfake is a small SQS in memory, over HTTP: standard queues with
// visibility, delay, attributes, long polls and redrive, in the JSON protocol
// that the AWS SDKs speak. It is strict where AWS is (sizes, limits, receipts)
// and unkind where AWS may be: a poll whose client has gone still takes
// messages. It checks no signature, forgets nothing by age, computes no MD5 of
// attributes, and knows no FIFO queues.
package sqsfake

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand/shared/awsfake"
)

// Server is one account in one region. It is an http.Handler; the zero value
// has no queues.
type Server struct {
	// RefuseGroups makes it refuse MessageGroupId, as SQS did on standard
	// queues until July 2025 and as some stand-ins still do. Set it before use.
	RefuseGroups bool
	// Fault is asked before every call, by operation ("SendMessageBatch").
	// Where it gives an error, that is the answer. Set it before use; it may
	// run concurrently.
	Fault func(operation string) *Error

	mu      sync.Mutex
	queues  map[string]*store
	changed chan struct{} // closed at the next change; nil where nobody waits
}

// Settings are the attributes of a queue.
type Settings struct {
	Visibility  time.Duration // 30 s where 0
	DeadLetters string        // name of the dead-letter queue; "" for none
	MaxReceives int           // then a message goes there
	Retention   time.Duration // 4 days where 0; it is told, and nothing is forgotten
}

// store is one queue.
type store struct {
	Settings
	messages []*message // in the order in which they were sent
}

// message is one message, as it is at rest.
type message struct {
	ID         string
	Body       string
	Attributes map[string]attribute
	Group      string
	Sent       time.Time
	First      time.Time // of its receives
	Receives   int
	receipt    string    // the last one
	visible    time.Time // from then
	delayed    bool      // it has not been visible yet
}

// attribute is a message attribute.
type attribute struct {
	DataType    string `json:"DataType"`
	StringValue string `json:"StringValue"`
}

// Error is an answer that is one, as SQS gives it.
type Error = awsfake.Error

// Create makes an empty queue, or changes the settings of one.
func (s *Server) Create(name string, settings Settings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(name, settings)
}

// put does it; s.mu is held.
func (s *Server) put(name string, settings Settings) {
	if s.queues == nil {
		s.queues = map[string]*store{}
	}
	if settings.Visibility == 0 {
		settings.Visibility = 30 * time.Second
	}
	if settings.Retention == 0 {
		settings.Retention = 4 * 24 * time.Hour
	}
	if q := s.queues[name]; q != nil {
		q.Settings = settings
		return
	}
	s.queues[name] = &store{Settings: settings}
}

// Stored gives all that the queue holds, as JSON.
func (s *Server) Stored(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[name]
	if q == nil {
		return ""
	}
	all, err := json.Marshal(q.messages)
	if err != nil {
		return err.Error() // strings and times: cannot be
	}
	return string(all)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	answer, fault := s.answer(operation, r)
	if fault != nil {
		fault = &Error{Status: fault.Status, Code: "com.amazonaws.sqs#" + fault.Code, Message: fault.Message}
	}
	awsfake.Write(w, "1.0", answer, fault)
}

func (s *Server) answer(operation string, r *http.Request) (any, *Error) {
	if s.Fault != nil {
		if fault := s.Fault(operation); fault != nil {
			return nil, fault
		}
	}
	var c call
	if fault := awsfake.Read(r, 4<<20, &c); fault != nil {
		return nil, fault
	}
	run := operations[operation]
	if operation == "CreateQueue" {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.create(c, r.Host)
	}
	if run == nil {
		return nil, &Error{Code: "UnsupportedOperation", Message: fmt.Sprintf("%.100q is not one of this server's", operation)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.server, c.name = s, c.QueueURL[strings.LastIndex(c.QueueURL, "/")+1:]
	if c.queue = s.queues[c.name]; c.queue == nil {
		return nil, &Error{Code: "QueueDoesNotExist", Message: "The specified queue does not exist."}
	}
	return run(&c)
}

// announce wakes whoever waits for a message.
func (s *Server) announce() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// wait lets others in until something changes, or the time has come.
func (s *Server) wait(until time.Time) {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	changed := s.changed
	s.mu.Unlock()
	defer s.mu.Lock()
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

func newID() string { return rand.Text() }
