package webhook

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/ticketing"
)

// refusal is an answer other than 202.
type refusal struct {
	status  int
	text    string // for the sender
	reasons []ticketing.Reason
	after   time.Duration // Retry-After, where not zero
	cause   error         // for the log only
	event   string        // what it is for security, for the log
	quiet   bool          // not in the log
}

// Error gives what the log may say: which fields are wrong, but not how, as
// that may quote the ticket.
func (r *refusal) Error() string {
	text := r.text
	if r.cause != nil {
		text += ": " + r.cause.Error()
	}
	if len(r.reasons) > 0 {
		fields := make([]string, len(r.reasons))
		for i, reason := range r.reasons {
			fields[i] = reason.Field
		}
		text += ": " + strings.Join(fields, ", ")
	}
	return text
}

var tooLarge = &refusal{status: http.StatusRequestEntityTooLarge, text: "the webhook is too large"}

// bad is a refusal for one reason that the sender may know.
func bad(field, problem string) error {
	return &refusal{
		status: http.StatusBadRequest, text: "the webhook cannot be used",
		reasons: []ticketing.Reason{{Field: field, Problem: problem}},
	}
}

// unauthorised is the one answer to everything that is not genuine. Only the
// log learns why.
func unauthorised(why string) error {
	return &refusal{status: http.StatusUnauthorized, text: "the webhook is not authenticated", cause: errors.New(why), event: "webhook_refused"}
}

// answer writes the response: 202 with the job's id where err is nil, the
// refusal, or 500 without details for any other error. It returns the status.
func answer(w http.ResponseWriter, job string, err error) int {
	if err == nil {
		return reply(w, http.StatusAccepted, accepted{JobID: job, Status: "queued"})
	}
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		return reply(w, http.StatusInternalServerError, problem{Error: "internal error"})
	}
	if r.after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(r.after.Seconds()))))
	}
	return reply(w, r.status, problem{Error: r.text, Reasons: r.reasons})
}

type accepted struct {
	JobID  string `json:"job_id"`
	Status string `json:"status"`
}

type problem struct {
	Error   string             `json:"error"`
	Reasons []ticketing.Reason `json:"reasons,omitempty"`
}

func reply(w http.ResponseWriter, status int, body any) int {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a sender that has gone cannot be told
	return status
}
