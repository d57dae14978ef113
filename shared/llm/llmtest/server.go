// Package llmtest stands in for a language model: Server is a scripted
// OpenAI-compatible endpoint for tests and for running without a model, and
// Run holds every llm.Model to the promises of the port.
package llmtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Model is the name by which the server answers, so that nobody takes its
// briefings for a language model's.
const Model = "scripted"

// maxBody bounds a request: a prompt of six thousand tokens is about 24 kB.
const maxBody = 1 << 20

// Server is an http.Handler that speaks POST /chat/completions, POST /embeddings
// and GET /models, with or without /v1 in front. The zero value is ready: it
// answers every completion with Briefing, and every text with its Vector. It is
// safe for concurrent use.
type Server struct {
	mu         sync.Mutex
	script     []Answer
	usual      Answer // where the script is empty
	calls      []Call
	embeddings []Answer // the script of /embeddings
	embedded   []EmbeddingCall
}

// Answer is what the server does with one call. The zero value answers with
// Briefing; Answers combine (Delay with Text). Of /embeddings, Text and what
// belongs to it mean nothing.
type Answer struct {
	Text    string
	Write   func(asked Completion) string // makes the text, where there is none
	Finish  string                        // finish_reason; "" for "stop"
	Refusal string                        // the model's words in place of text
	Cost    json.RawMessage               // usage.cost, a number or a string; left out where empty

	Status int         // other than 200: Body is sent with it
	Header http.Header // of the response; its content type is JSON where none is named
	Body   string      // sent as it is, in place of a completion

	Delay time.Duration // before the answer
	Hang  bool          // no answer until the client goes away
	Drop  bool          // the connection is closed instead
}

// Text answers with this text.
func Text(text string) Answer { return Answer{Text: text} }

// Priced answers with this text and usage.cost as the raw JSON cost.
func Priced(text, cost string) Answer { return Answer{Text: text, Cost: json.RawMessage(cost)} }

// Truncated answers with this text, cut off at the token limit.
func Truncated(text string) Answer { return Answer{Text: text, Finish: "length"} }

// Refusal answers with a refusal in place of text.
func Refusal(words string) Answer { return Answer{Refusal: words} }

// Status answers with this status and an error whose message is words.
func Status(status int, words string) Answer {
	body, _ := json.Marshal(map[string]any{"error": map[string]any{"message": words, "code": status}}) // strings always marshal
	return Answer{Status: status, Body: string(body)}
}

// Empty answers with a completion that has no text.
func Empty() Answer { return Text(" \n") }

// NoChoices answers with a completion that has no choices.
func NoChoices() Answer { return Answer{Body: `{"object":"chat.completion","choices":[]}`} }

// Garbage answers with status 200 and no JSON.
func Garbage() Answer {
	return Answer{Body: `<html>a proxy's page`, Header: http.Header{"Content-Type": {"text/html"}}}
}

// Delay answers with Briefing after d.
func Delay(d time.Duration) Answer { return Answer{Delay: d} }

// Hang never answers.
func Hang() Answer { return Answer{Hang: true} }

// Drop closes the connection without an answer.
func Drop() Answer { return Answer{Drop: true} }

// Call is one request as it came in.
type Call struct {
	Path   string
	Header http.Header
	Body   Completion
}

// Completion is the part of a chat completion request that Deskhand uses.
type Completion struct {
	Model       string    `json:"model"`
	Messages    []Message `json:"messages"`
	MaxTokens   int       `json:"max_tokens"`
	Temperature *float64  `json:"temperature"` // nil where the request has none
	Format      *Format   `json:"response_format"`
}

// Format is how the answer is to be written.
type Format struct {
	Type   string `json:"type"` // "text", "json_object" or "json_schema"
	Schema struct {
		Name   string          `json:"name"`
		Strict bool            `json:"strict"`
		Schema json.RawMessage `json:"schema"`
	} `json:"json_schema"`
}

// Message is one message of a Completion.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Start runs a server until the test ends, and gives it with its base URL.
func Start(t testing.TB) (*Server, string) {
	t.Helper()
	s := new(Server)
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.CloseClientConnections() // frees the calls that hang
		h.Close()
	})
	return s, h.URL + "/v1"
}

// Next says how the next calls are answered, after those that were said before.
func (s *Server) Next(answers ...Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, answers...)
}

// Usually says how the calls are answered that Next says nothing about.
func (s *Server) Usually(a Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usual = a
}

// Calls gives the completions that were asked for so far, the first one first.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + strings.TrimPrefix(r.URL.Path, "/v1") {
	case "POST /chat/completions":
		s.complete(w, r)
	case "POST /embeddings":
		s.embed(w, r)
	case "GET /models":
		send(w, http.StatusOK, fmt.Sprintf(`{"object":"list","data":[{"id":%q,"object":"model"},{"id":%q,"object":"model"}]}`, Model, EmbeddingModel))
	default:
		http.NotFound(w, r)
	}
}

func (s *Server) complete(w http.ResponseWriter, r *http.Request) {
	call := Call{Path: r.URL.Path, Header: r.Header.Clone()}
	if !read(w, r, &call.Body) {
		return
	}
	s.mu.Lock()
	s.calls = append(s.calls, call)
	a, scripted := next(&s.script)
	if !scripted {
		a = s.usual
	}
	s.mu.Unlock()
	if complaint := call.Body.Format.check(); complaint != "" {
		a = Status(http.StatusBadRequest, "invalid response_format: "+complaint)
	}
	a.play(w, r, func() string { return completion(a, call.Body) })
}

// read takes the request's JSON, or answers that it cannot.
func read(w http.ResponseWriter, r *http.Request, to any) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(body, to)
	}
	if err != nil {
		send(w, http.StatusBadRequest, Status(http.StatusBadRequest, "the request is no JSON").Body)
	}
	return err == nil
}

// next takes the first answer of a script; the zero one where it is empty.
func next(script *[]Answer) (a Answer, ok bool) {
	if ok = len(*script) > 0; ok {
		a, *script = (*script)[0], (*script)[1:]
	}
	return a, ok
}

// play gives the answer, and what usual makes where it says nothing else.
func (a Answer) play(w http.ResponseWriter, r *http.Request, usual func() string) {
	if a.Hang {
		<-r.Context().Done()
	}
	if a.Delay > 0 {
		select {
		case <-time.After(a.Delay):
		case <-r.Context().Done():
		}
	}
	if a.Drop || r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // net/http's way to close a connection
	}
	for name, values := range a.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	if a.Body != "" || a.Status != 0 {
		send(w, max(a.Status, http.StatusOK), a.Body)
		return
	}
	send(w, http.StatusOK, usual())
}

// completion writes a chat completion. Its token counts are the usual
// estimate of four characters each.
func completion(a Answer, asked Completion) string {
	prompt := ""
	for _, m := range asked.Messages {
		prompt += m.Content + "\n"
	}
	switch {
	case a.Text != "" || a.Refusal != "":
	case a.Write != nil:
		a.Text = a.Write(asked)
	default:
		a.Text = Briefing(prompt)
	}
	message := map[string]any{"role": "assistant", "content": a.Text}
	if a.Refusal != "" {
		message["refusal"] = a.Refusal
	}
	if a.Finish == "" {
		a.Finish = "stop"
	}
	usage := map[string]any{
		"prompt_tokens":     (len(prompt) + 3) / 4,
		"completion_tokens": (len(a.Text) + 3) / 4,
		"total_tokens":      (len(prompt)+3)/4 + (len(a.Text)+3)/4,
	}
	if len(a.Cost) > 0 {
		usage["cost"] = a.Cost
	}
	body, _ := json.Marshal(map[string]any{ // strings and numbers; a Cost that is no JSON gives an empty body
		"id": "scripted", "object": "chat.completion", "created": 0, "model": Model,
		"choices": []any{map[string]any{"index": 0, "message": message, "finish_reason": a.Finish}},
		"usage":   usage,
	})
	return string(body)
}

func send(w http.ResponseWriter, status int, body string) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // the client may be gone
}
