// Package awsfake is what the stand-ins for AWS's services have in common: the
// JSON protocol in which the SDK calls them.
package awsfake

import (
	"encoding/json"
	"net/http"
)

// Error is an answer that is one, as the service gives it.
type Error struct {
	Status  int    // 400 where it is 0
	Code    string // "ResourceNotFoundException"
	Message string
}

// Read reads a call of at most limit bytes into call.
func Read(r *http.Request, limit int64, call any) *Error {
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, limit)).Decode(call); err != nil {
		return &Error{Code: "SerializationException", Message: err.Error()}
	}
	return nil
}

// Write writes the answer, or the fault where there is one, in this version of
// the protocol, "1.0" or "1.1".
func Write(w http.ResponseWriter, version string, answer any, fault *Error) {
	w.Header().Set("Content-Type", "application/x-amz-json-"+version)
	if fault != nil {
		status := fault.Status
		if status == 0 {
			status = http.StatusBadRequest
		}
		w.WriteHeader(status)
		answer = map[string]string{"__type": fault.Code, "message": fault.Message}
	}
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
}
