// Package secretsmanagerfake is a small AWS Secrets Manager in memory, over
// HTTP: CreateSecret, GetSecretValue and PutSecretValue in the JSON protocol
// that the AWS SDKs speak. It keeps versions and their stages, and is strict
// about the ids of versions, as AWS is: one id never gets a second value. It
// checks no signature, rotates nothing, and encrypts nothing.
package secretsmanagerfake

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/deskhand/deskhand/shared/awsfake"
)

// maxValue is the length of a value, in bytes.
const maxValue = 65536

// Server is one account in one region. It is an http.Handler; the zero value
// has no secrets.
type Server struct {
	// Fault is asked before every call, by operation ("GetSecretValue") and
	// secret. Where it gives an error, that is the answer. Set it before use; it
	// may run concurrently.
	Fault func(operation, secret string) *Error

	mu      sync.Mutex
	secrets map[string]*stored // by name
	calls   map[string]int     // of GetSecretValue, by name
}

// stored is one secret.
type stored struct {
	name, arn string
	values    map[string]value // by the id of the version
	current   string           // the id of AWSCURRENT, "" before the first
	previous  string           // that of AWSPREVIOUS
}

// value is what a version holds, of which one is there.
type value struct {
	text  *string
	bytes []byte
}

func (v value) equal(w value) bool {
	return (v.text == nil) == (w.text == nil) && (v.text == nil || *v.text == *w.text) && string(v.bytes) == string(w.bytes)
}

// Error is an answer that is one, as Secrets Manager gives it.
type Error = awsfake.Error

// Reads counts the calls of GetSecretValue for a secret, whatever came of them.
func (s *Server) Reads(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[name]
}

// call is a request: the fields of every operation in one.
type call struct {
	Name               string  `json:"Name"`     // CreateSecret
	SecretID           string  `json:"SecretId"` // the others: name or ARN
	SecretString       *string `json:"SecretString"`
	SecretBinary       []byte  `json:"SecretBinary"`
	ClientRequestToken string  `json:"ClientRequestToken"`
	VersionStage       string  `json:"VersionStage"`
}

func (c call) value() value { return value{c.SecretString, c.SecretBinary} }

// object is a JSON object.
type object = map[string]any

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "secretsmanager.")
	answer, fault := s.answer(operation, r)
	awsfake.Write(w, "1.1", answer, fault)
}

func (s *Server) answer(operation string, r *http.Request) (object, *Error) {
	var c call
	if fault := awsfake.Read(r, 1<<20, &c); fault != nil {
		return nil, fault
	}
	if s.Fault != nil {
		if fault := s.Fault(operation, c.SecretID+c.Name); fault != nil {
			s.count(operation, c.SecretID)
			return nil, fault
		}
	}
	s.count(operation, c.SecretID)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch operation {
	case "CreateSecret":
		return s.create(c)
	case "GetSecretValue":
		return s.get(c)
	case "PutSecretValue":
		return s.put(c)
	}
	return nil, &Error{Code: "UnknownOperationException", Message: fmt.Sprintf("%.100q is not one of this server's", operation)}
}

func (s *Server) count(operation, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls == nil {
		s.calls = map[string]int{}
	}
	if operation == "GetSecretValue" {
		s.calls[name]++
	}
}

func (s *Server) create(c call) (object, *Error) {
	if c.Name == "" {
		return nil, invalid("You must provide a name.")
	}
	if s.secrets[c.Name] != nil {
		return nil, &Error{Code: "ResourceExistsException", Message: "The operation failed because the secret " + c.Name + " already exists."}
	}
	if s.secrets == nil {
		s.secrets = map[string]*stored{}
	}
	q := &stored{name: c.Name, arn: "arn:aws:secretsmanager:eu-west-1:000000000000:secret:" + c.Name + "-" + rand.Text()[:6], values: map[string]value{}}
	s.secrets[c.Name] = q
	if c.SecretString == nil && c.SecretBinary == nil {
		return object{"ARN": q.arn, "Name": q.name}, nil
	}
	return q.add(c)
}

func (s *Server) get(c call) (object, *Error) {
	q, fault := s.find(c.SecretID)
	if fault != nil {
		return nil, fault
	}
	stage, version := "AWSCURRENT", q.current
	if c.VersionStage != "" && c.VersionStage != stage {
		stage, version = c.VersionStage, map[string]string{"AWSPREVIOUS": q.previous}[c.VersionStage]
	}
	if version == "" {
		return nil, notFound("Secrets Manager can't find the specified secret value for staging label: " + stage)
	}
	v := q.values[version]
	answer := object{"ARN": q.arn, "Name": q.name, "VersionId": version, "VersionStages": []string{stage}}
	if v.text != nil {
		answer["SecretString"] = *v.text
	} else {
		answer["SecretBinary"] = v.bytes
	}
	return answer, nil
}

func (s *Server) put(c call) (object, *Error) {
	q, fault := s.find(c.SecretID)
	if fault != nil {
		return nil, fault
	}
	return q.add(c)
}

func (s *Server) find(id string) (*stored, *Error) {
	for _, q := range s.secrets {
		if q.name == id || q.arn == id {
			return q, nil
		}
	}
	return nil, notFound("Secrets Manager can't find the specified secret.")
}

// add makes a version, which is the current one then. A version that has this
// value under this id already is found again.
func (q *stored) add(c call) (object, *Error) {
	switch {
	case (c.SecretString == nil) == (c.SecretBinary == nil):
		return nil, invalid("You must provide either SecretString or SecretBinary.")
	case c.SecretString != nil && (*c.SecretString == "" || len(*c.SecretString) > maxValue), len(c.SecretBinary) > maxValue:
		return nil, invalid("The length of the secret value is out of bounds.")
	case len(c.ClientRequestToken) < 32 || len(c.ClientRequestToken) > 64:
		return nil, invalid("ClientRequestToken must be 32-64 characters long.")
	}
	id := c.ClientRequestToken
	if old, ok := q.values[id]; ok {
		if !old.equal(c.value()) {
			return nil, &Error{Code: "ResourceExistsException", Message: "You can't use ClientRequestToken " + id + " because that value is already in use for a version of secret " + q.arn + "."}
		}
		return object{"ARN": q.arn, "Name": q.name, "VersionId": id}, nil
	}
	q.values[id] = c.value()
	q.previous, q.current = q.current, id
	return object{"ARN": q.arn, "Name": q.name, "VersionId": id, "VersionStages": []string{"AWSCURRENT"}}, nil
}

func invalid(message string) *Error {
	return &Error{Code: "InvalidParameterException", Message: message}
}

func notFound(message string) *Error {
	return &Error{Code: "ResourceNotFoundException", Message: message}
}
