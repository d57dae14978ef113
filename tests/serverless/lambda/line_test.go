package lambda_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The fields of calls to SQS that let a message wait, and stay hidden.
const delay, visibility = "DelaySeconds", "VisibilityTimeout"

// line is the functions' way to SQS. A test can let its time run faster, so
// that minutes become seconds, and break it.
type line struct {
	*httptest.Server

	mu      sync.Mutex
	longest map[string]time.Duration                 // by field, what is asked for at most
	asked   map[string][]float64                     // by field, in seconds
	refuse  func(operation string, body []byte) bool // with status 500
}

// newLine makes a line that is whole and keeps the time.
func newLine(t *testing.T) *line {
	t.Helper()
	target, err := url.Parse(os.Getenv("AWS_ENDPOINT_URL"))
	if err != nil {
		t.Fatal(err)
	}
	l := &line{asked: map[string][]float64{}, longest: map[string]time.Duration{}}
	onward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			body, err = l.pass(strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS."), body)
		}
		if err != nil {
			http.Error(w, `{"__type":"InternalFailure"}`, http.StatusInternalServerError)
			return
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		onward.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { l.CloseClientConnections(); l.Close() })
	return l
}

// pass lets a call through, or not, with its times shortened.
func (l *line) pass(operation string, body []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil && l.refuse(operation, body) {
		return nil, http.ErrAbortHandler
	}
	var call map[string]any
	if err := json.Unmarshal(body, &call); err != nil {
		return nil, err
	}
	entries, _ := call["Entries"].([]any)
	for _, e := range append(entries, call) {
		entry, _ := e.(map[string]any)
		for _, field := range []string{delay, visibility} {
			seconds, ok := entry[field].(float64)
			if !ok {
				continue
			}
			l.asked[field] = append(l.asked[field], seconds)
			if most, ok := l.longest[field]; ok {
				entry[field] = min(seconds, most.Seconds())
			}
		}
	}
	return json.Marshal(call)
}

// hurry makes no message wait, or stay hidden, for longer than d, whole seconds.
func (l *line) hurry(field string, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.longest[field] = d
}

// breakWhen answers with status 500 where refuse says so; nil mends it.
func (l *line) breakWhen(refuse func(operation string, body []byte) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse = refuse
}

// waits gives the seconds that were asked for in a field, without those of 0.
func (l *line) waits(field string) []float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.asked[field]), func(s float64) bool { return s == 0 })
}
