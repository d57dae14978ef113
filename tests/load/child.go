package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand/shared/queue/sqs/sqsfake"
)

// children are what this program is when it starts itself. Each listens on the
// address of HTTP_ADDR.
var children = map[string]func() error{
	"floor-child": func() error { return listen(&floor{key: []byte(signing), seen: map[string]time.Time{}}) },
	"sqs-child":   func() error { return listen(newQueues()) },
}

func listen(h http.Handler) error {
	server := &http.Server{Addr: os.Getenv("HTTP_ADDR"), Handler: h, ReadHeaderTimeout: 5 * time.Second}
	return server.ListenAndServe()
}

// floor does what no receiver can do without: it checks signature and time,
// reads the JSON, and knows what it has seen. It keeps nothing.
type floor struct {
	key  []byte
	mu   sync.Mutex
	seen map[string]time.Time
}

// ServeHTTP implements http.Handler.
func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		return // it is ready
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "no body", http.StatusBadRequest)
		return
	}
	stamp := r.Header.Get("X-ServiceDesk-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	signature, _ := hex.DecodeString(strings.TrimPrefix(r.Header.Get("X-ServiceDesk-Signature"), "sha256="))
	m := hmac.New(sha256.New, f.key)
	m.Write([]byte(stamp + "."))
	m.Write(body)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute || !hmac.Equal(signature, m.Sum(nil)) {
		http.Error(w, "not genuine", http.StatusUnauthorized)
		return
	}
	var event struct {
		Event       string `json:"event"`
		Ticket      string `json:"request_id"`
		Subject     string `json:"subject"`
		Description string `json:"description"`
	}
	if err := json.Unmarshal(body, &event); err != nil || event.Ticket == "" || len(event.Description) > 10_000 {
		http.Error(w, "no ticket", http.StatusBadRequest)
		return
	}
	f.mark(r.URL.Path + "/" + event.Ticket)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(map[string]string{"job_id": event.Ticket, "status": "queued"})
}

// mark remembers the last hundred thousand, as the product does.
func (f *floor) mark(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.seen) >= 100_000 {
		clear(f.seen)
	}
	f.seen[key] = time.Now()
}

// held is what a queue holds.
type held struct{ Messages, Different int }

// newQueues is the SQS stand-in, and tells at /held what is in the queue of
// the accept path.
func newQueues() http.Handler {
	fake := &sqsfake.Server{}
	for _, name := range queueNames {
		fake.Create(name, sqsfake.Settings{})
	}
	mux := http.NewServeMux()
	mux.Handle("/", fake)
	mux.HandleFunc("GET /held/{queue}", func(w http.ResponseWriter, r *http.Request) {
		var messages []struct {
			Attributes map[string]struct{ StringValue string }
		}
		if err := json.Unmarshal([]byte(fake.Stored(r.PathValue("queue"))), &messages); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		ids := map[string]bool{}
		for _, m := range messages {
			ids[m.Attributes["id"].StringValue] = true
		}
		_ = json.NewEncoder(w).Encode(held{len(messages), len(ids)})
	})
	return mux
}

// queueNames are the queues of the stand-in, for the accept path and for the
// notes.
var queueNames = []string{
	"accept", "accept-dead", "accept-catalogue", "accept-catalogue-dead", "note", "note-dead", "note-catalogue", "note-catalogue-dead",
}

// queueEnv points a process at the queues of one purpose.
func queueEnv(base, purpose string) []string {
	url := func(name string) string { return fmt.Sprintf("%s/000000000000/%s%s", base, purpose, name) }
	return []string{
		"QUEUE_URL=" + url(""), "QUEUE_DEAD_URL=" + url("-dead"),
		"CATALOGUE_QUEUE_URL=" + url("-catalogue"), "CATALOGUE_QUEUE_DEAD_URL=" + url("-catalogue-dead"),
		"AWS_ENDPOINT_URL_SQS=" + base, "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local",
		"AWS_EC2_METADATA_DISABLED=true",
	}
}
