package lambdaruntime

import (
	"errors"
	"io"
	"net/http"
	"strings"
)

// Service is as much of the Lambda API as invokes functions, by name or ARN,
// and waits for the answer. It looks at no signature.
type Service map[string]Invoker

// ServeHTTP implements http.Handler.
func (s Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2015-03-31/functions/{name}/invocations", s.invoke)
	mux.ServeHTTP(w, r)
}

func (s Service) invoke(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	f, there := s[name[strings.LastIndex(name, ":")+1:]]
	if !there {
		deny(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: "+name)
		return
	}
	if kind := r.Header.Get("X-Amz-Invocation-Type"); kind != "" && kind != "RequestResponse" {
		deny(w, http.StatusBadRequest, "InvalidParameterValueException", "only RequestResponse is known here")
		return
	}
	payload, err := io.ReadAll(io.LimitReader(r.Body, maxPayload+1))
	if err != nil {
		return // the client is gone
	}
	result, err := f.Invoke(r.Context(), payload)
	switch {
	case errors.Is(err, ErrThrottled):
		deny(w, http.StatusTooManyRequests, "TooManyRequestsException", "Rate Exceeded.")
	case errors.Is(err, ErrTooLarge):
		deny(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException", "Request must be smaller than 6291456 bytes")
	case err != nil:
		deny(w, http.StatusInternalServerError, "ServiceException", err.Error())
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amz-Executed-Version", "$LATEST")
		w.Header().Set("X-Amzn-Requestid", result.RequestID)
		if result.FunctionError != "" {
			w.Header().Set("X-Amz-Function-Error", result.FunctionError)
		}
		_, _ = w.Write(result.Payload) // the client is gone: nobody to tell
	}
}

func deny(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("X-Amzn-Errortype", kind)
	reply(w, status, map[string]string{"Message": message, "Type": "User"})
}
