package lambdaruntime

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// account and region are in every ARN here.
const (
	account = "123456789012"
	region  = "eu-west-1"
)

// api is the Lambda Runtime API and as much of the Extensions API as a
// function needs to be told of its end by SIGTERM.
func (i *instance) api() http.Handler {
	mux := http.NewServeMux()
	const runtime, extension = "/2018-06-01/runtime", "/2020-01-01/extension"
	mux.HandleFunc("GET "+runtime+"/invocation/next", i.next)
	mux.HandleFunc("POST "+runtime+"/invocation/{id}/response", i.response)
	mux.HandleFunc("POST "+runtime+"/invocation/{id}/error", i.failure)
	mux.HandleFunc("POST "+runtime+"/init/error", i.initError)
	mux.HandleFunc("POST "+extension+"/register", i.register)
	mux.HandleFunc("GET "+extension+"/event/next", i.event)
	return mux
}

// next waits for an invocation and gives it out.
func (i *instance) next(w http.ResponseWriter, r *http.Request) {
	select {
	case i.ready <- struct{}{}:
	default: // it asked twice: Lambda gives the invocation to one of them
	}
	select {
	case inv := <-i.work:
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", i.f.ARN())
		h.Set("Lambda-Runtime-Trace-Id", trace(inv.id))
		_, _ = w.Write(inv.payload) // the process is gone: invoke notices
	case <-r.Context().Done():
	case <-i.closed:
	}
}

// ARN is the function's name in AWS.
func (f *Function) ARN() string {
	return "arn:aws:lambda:" + region + ":" + account + ":function:" + f.Name
}

// trace makes an X-Ray header of a request id, with sampling off.
func trace(id string) string {
	hex := strings.ReplaceAll(id, "-", "")
	return fmt.Sprintf("Root=1-%s-%s;Parent=%s;Sampled=0", hex[:8], hex[8:], hex[:16])
}

func (i *instance) response(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPayload+1))
	if err != nil {
		return // the process is gone: invoke notices
	}
	end := ending{payload: body}
	status := http.StatusAccepted
	if len(body) > maxPayload {
		status = http.StatusRequestEntityTooLarge
		end = ending{failed: "Unhandled", payload: Failure{
			Type: "Function.ResponseSizeTooLarge", Message: fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxPayload),
		}.json()}
	} else if kind := r.Trailer.Get("Lambda-Runtime-Function-Error-Type"); kind != "" {
		end = ending{failed: "Unhandled", payload: Failure{Type: kind, Message: "the response ended early"}.json()}
	}
	i.settle(w, r, status, end)
}

func (i *instance) failure(w http.ResponseWriter, r *http.Request) {
	i.settle(w, r, http.StatusAccepted, ending{failed: "Unhandled", payload: reported(r).json()})
}

// settle ends the invocation that runs, if it is the one of the URL.
func (i *instance) settle(w http.ResponseWriter, r *http.Request, status int, end ending) {
	i.mu.Lock()
	ours := i.current != "" && i.current == r.PathValue("id")
	if ours {
		i.current = "" // a second answer is refused
	}
	i.mu.Unlock()
	if !ours {
		reply(w, http.StatusBadRequest, Failure{Type: "InvalidRequestID", Message: "Invalid request ID"})
		return
	}
	i.ends <- end // holds one
	reply(w, status, map[string]string{"status": "OK"})
}

func (i *instance) initError(w http.ResponseWriter, r *http.Request) {
	select {
	case i.failed <- reported(r):
	default: // one is enough
	}
	reply(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

// reported reads an error that the process reports.
func reported(r *http.Request) Failure {
	var f Failure
	if err := json.NewDecoder(io.LimitReader(r.Body, maxPayload)).Decode(&f); err != nil || f.Type == "" {
		f.Type = r.Header.Get("Lambda-Runtime-Function-Error-Type")
	}
	return f
}

// register takes internal extensions that want no events: what they get is
// SIGTERM at the end.
func (i *instance) register(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Events []string `json:"events"`
	}
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || len(ask.Events) > 0 || r.Header.Get("Lambda-Extension-Name") == "" {
		reply(w, http.StatusBadRequest, Failure{Type: "Extension.InvalidRequest", Message: "only extensions with a name and without events run here"})
		return
	}
	id := uuid()
	i.mu.Lock()
	i.extensions[id] = true
	i.mu.Unlock()
	w.Header().Set("Lambda-Extension-Identifier", id)
	reply(w, http.StatusOK, map[string]string{"functionName": i.f.Name, "functionVersion": "$LATEST", "handler": "bootstrap"})
}

// event never has one: it waits for the end.
func (i *instance) event(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	known := i.extensions[r.Header.Get("Lambda-Extension-Identifier")]
	i.mu.Unlock()
	if !known {
		reply(w, http.StatusForbidden, Failure{Type: "Extension.UnknownExtensionIdentifier", Message: "register first"})
		return
	}
	select {
	case <-r.Context().Done():
	case <-i.closed:
	}
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nobody to tell
}
