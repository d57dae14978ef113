package llmtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/secret"
)

// Endpoint is what the model under test must ask.
type Endpoint struct {
	BaseURL string
	Key     secret.Text
	Model   string        // for requests that name none
	Timeout time.Duration // of one attempt
}

// question is what the suite asks. Its words must not come back in an error.
var question = llm.Request{
	Model:       "vendor/model-1",
	System:      "You write briefings.",
	User:        "The printer pr-07 at the harbour office prints only garbage since Monday.",
	MaxTokens:   1000,
	Temperature: 0.3,
	Referer:     "https://desk.acme.example",
	Title:       "Acme Desk",
}

const (
	key  = "sk-test-0123456789abcdef"
	fast = 150 * time.Millisecond // the attempt's limit where it must run out
	slow = 20 * time.Second       // where it must not
)

// suite makes a model and its server for one subtest.
type suite struct {
	open func(testing.TB, Endpoint) llm.Model
}

// Run holds a model to the promises of llm.Model. open gives the model for an
// endpoint; the suite scripts the endpoint.
func Run(t *testing.T, open func(testing.TB, Endpoint) llm.Model) {
	s := suite{open}
	t.Run("answers", s.answers)
	t.Run("errors", s.errors)
	t.Run("context", s.context)
	t.Run("asks as the request says", s.asks)
	t.Run("asks for the schema", s.schema)
	t.Run("asks without it where the endpoint does not take it", s.schemaless)
	t.Run("without a server it is unavailable", s.refused)
	t.Run("an error never shows the key or the prompt", s.secrets)
	t.Run("keeps the pause that the endpoint asks for", s.pause)
	t.Run("serves many callers at once", s.concurrent)
}

func (s suite) model(t testing.TB, timeout time.Duration, script ...Answer) (llm.Model, *Server) {
	t.Helper()
	server, url := Start(t)
	server.Next(script...)
	return s.open(t, Endpoint{BaseURL: url, Key: secret.New(key), Model: "vendor/default", Timeout: timeout}), server
}

func (s suite) answers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		script Answer
		want   llm.Reply
	}{
		{"text", Text("## Next\n- one"), llm.Reply{Text: "## Next\n- one"}},
		{"cost as a number", Priced("ok", `0.00042`), llm.Reply{Text: "ok", Usage: llm.Usage{CostUSD: 0.00042}}},
		{"cost as a string", Priced("ok", `"0.5"`), llm.Reply{Text: "ok", Usage: llm.Usage{CostUSD: 0.5}}},
		{"a cost that is none", Priced("ok", `"NaN"`), llm.Reply{Text: "ok"}},
		{"cut off at the token limit", Truncated("- one\n- tw"), llm.Reply{Text: "- one\n- tw", Truncated: true}},
		{"late, but in time", Answer{Text: "ok", Delay: 20 * time.Millisecond}, llm.Reply{Text: "ok"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			model, server := s.model(t, slow, tt.script)
			got, err := model.Complete(t.Context(), question)
			if err != nil {
				t.Fatal(err)
			}
			if got.Usage.Latency < tt.script.Delay || got.Usage.PromptTokens == 0 || got.Usage.OutputTokens == 0 {
				t.Errorf("usage %+v: want latency and both token counts", got.Usage)
			}
			tt.want.Model = Model
			got.Usage = llm.Usage{CostUSD: got.Usage.CostUSD}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
			if n := len(server.Calls()); n != 1 {
				t.Errorf("%d calls, want 1", n)
			}
		})
	}
}

// failure is an answer that must become an error.
type failure struct {
	name   string
	script Answer
	want   error
	words  string // that the error must have
}

func failures() []failure {
	list := []failure{
		{"no text", Empty(), llm.ErrEmpty, "stop"},
		{"no choices", NoChoices(), llm.ErrEmpty, ""},
		{"refusal", Refusal("I cannot help with that."), llm.ErrEmpty, "cannot help"},
		{"no JSON", Garbage(), llm.ErrUnavailable, "text/html"},
		{"half an answer", Answer{Body: `{"choices":[`}, llm.ErrUnavailable, ""},
		{"a list", Answer{Body: `[]`}, llm.ErrUnavailable, ""},
		{"null", Answer{Body: `null`}, llm.ErrUnavailable, ""},
		{"dropped connection", Drop(), llm.ErrUnavailable, ""},
		{"an error in a good status", Answer{Body: `{"error":{"message":"upstream is overloaded","code":503}}`}, llm.ErrUnavailable, "upstream is overloaded"},
		{"a rejection in a good status", Answer{Body: `{"error":{"message":"flagged","code":403}}`}, llm.ErrRejected, "flagged"},
		{"an error in a choice", Answer{Body: `{"choices":[{"finish_reason":"error","message":{"content":"- half"},"error":{"message":"gone","code":"x"}}]}`}, llm.ErrUnavailable, "gone"},
		{"an endless answer", Answer{Body: strings.Repeat(" ", 5<<20)}, llm.ErrUnavailable, ""},
		{"an error page", Answer{Status: 502, Body: "<html>bad gateway</html>"}, llm.ErrUnavailable, "502"},
		{"an error in one word", Answer{Status: 400, Body: `{"error":"nonsense"}`}, llm.ErrRejected, "400: nonsense"},
		{"a redirect", Answer{Status: 304}, llm.ErrRejected, "304"},
	}
	for want, statuses := range map[error][]int{
		llm.ErrRejected:    {400, 401, 402, 403, 404, 422},
		llm.ErrUnavailable: {408, 409, 429, 500, 503, 529},
	} {
		for _, status := range statuses {
			script := Status(status, "these are the endpoint's words")
			list = append(list, failure{fmt.Sprintf("status %d", status), script, want, fmt.Sprintf("%d: these are the endpoint's words", status)})
		}
	}
	return list
}

func (s suite) errors(t *testing.T) {
	t.Parallel()
	for _, tt := range failures() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			model, server := s.model(t, slow, tt.script)
			reply, err := model.Complete(t.Context(), question)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("error %v, want %v with %q", err, tt.want, tt.words)
			}
			if reply.Text != "" {
				t.Errorf("text %q beside an error", reply.Text)
			}
			if n := len(server.Calls()); n != 1 {
				t.Errorf("%d calls, want 1: retries are the caller's", n)
			}
		})
	}
}

func (s suite) context(t *testing.T) {
	t.Parallel()
	t.Run("an attempt that takes too long is unavailable", func(t *testing.T) {
		t.Parallel()
		model, _ := s.model(t, fast, Hang())
		_, err := model.Complete(t.Context(), question)
		if !errors.Is(err, llm.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want only %v", err, llm.ErrUnavailable)
		}
	})
	t.Run("the caller's deadline stays the caller's", func(t *testing.T) {
		t.Parallel()
		model, _ := s.model(t, slow, Hang())
		ctx, cancel := context.WithTimeout(t.Context(), fast)
		defer cancel()
		if _, err := model.Complete(ctx, question); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, llm.ErrUnavailable) {
			t.Errorf("error %v, want only %v", err, context.DeadlineExceeded)
		}
	})
	t.Run("a cancelled call says so", func(t *testing.T) {
		t.Parallel()
		model, server := s.model(t, slow)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := model.Complete(ctx, question); !errors.Is(err, context.Canceled) || errors.Is(err, llm.ErrUnavailable) {
			t.Errorf("error %v, want only %v", err, context.Canceled)
		}
		if n := len(server.Calls()); n != 0 {
			t.Errorf("%d calls, want none", n)
		}
	})
}

func (s suite) asks(t *testing.T) {
	t.Parallel()
	model, server := s.model(t, slow)
	plain := llm.Request{System: "s", User: "u"}
	for _, r := range []llm.Request{question, plain} {
		if _, err := model.Complete(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	calls := server.Calls()
	temperature, zero := 0.3, 0.0
	want := []Completion{
		{
			Model: "vendor/model-1", MaxTokens: 1000, Temperature: &temperature,
			Messages: []Message{{"system", question.System}, {"user", question.User}},
		},
		{Model: "vendor/default", Temperature: &zero, Messages: []Message{{"system", "s"}, {"user", "u"}}},
	}
	if diff := cmp.Diff(want, []Completion{calls[0].Body, calls[1].Body}); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{question.Referer, question.Title, "Bearer " + key}, sent(calls[0])); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"", "", "Bearer " + key}, sent(calls[1])); diff != "" {
		t.Errorf("headers of a request without them (-want +got):\n%s", diff)
	}
}

func sent(c Call) []string {
	return []string{c.Header.Get("HTTP-Referer"), c.Header.Get("X-Title"), c.Header.Get("Authorization")}
}

func (s suite) refused(t *testing.T) {
	t.Parallel()
	// Port 9 (discard) of the local host has no server.
	model := s.open(t, Endpoint{BaseURL: "http://127.0.0.1:9/v1", Key: secret.New(key), Model: "m", Timeout: slow})
	if _, err := model.Complete(t.Context(), question); !errors.Is(err, llm.ErrRefused) || !errors.Is(err, llm.ErrUnavailable) {
		t.Errorf("error %v, want %v", err, llm.ErrRefused)
	}
}

// shaped is the question with a schema.
func shaped(model string) llm.Request {
	r := question
	r.Model = model
	r.Schema = json.RawMessage(`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`)
	return r
}

// formats are the formats that the calls asked for.
func formats(calls []Call) (types []string) {
	for _, c := range calls {
		if c.Body.Format == nil {
			types = append(types, "")
			continue
		}
		types = append(types, c.Body.Format.Type)
	}
	return types
}

func (s suite) schema(t *testing.T) {
	t.Parallel()
	model, server := s.model(t, slow, Text("{}"))
	r := shaped("m")
	if _, err := model.Complete(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	got := server.Calls()[0].Body.Format
	if got == nil || got.Type != "json_schema" || !got.Schema.Strict || string(got.Schema.Schema) != string(r.Schema) {
		t.Errorf("the format is %+v", got)
	}
}

func (s suite) schemaless(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 422} {
		no := Status(status, "response_format is not supported")
		model, server := s.model(t, slow, no, Text("first"), Text("second"), no, Text("third"))
		for i, r := range []llm.Request{shaped("old"), shaped("old"), shaped("other")} {
			if _, err := model.Complete(t.Context(), r); err != nil {
				t.Fatalf("status %d, question %d: %v", status, i, err)
			}
		}
		want := []string{"json_schema", "", "", "json_schema", ""}
		if diff := cmp.Diff(want, formats(server.Calls())); diff != "" {
			t.Errorf("status %d: the formats that were asked for (-want +got):\n%s", status, diff)
		}
	}
	// A rejection that has another reason says nothing of schemas.
	no := Status(400, "the prompt is too long")
	model, server := s.model(t, slow, no, no, Text("ok"))
	if _, err := model.Complete(t.Context(), shaped("m")); !errors.Is(err, llm.ErrRejected) {
		t.Errorf("error %v, want %v", err, llm.ErrRejected)
	}
	if _, err := model.Complete(t.Context(), shaped("m")); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"json_schema", "", "json_schema"}, formats(server.Calls())); diff != "" {
		t.Errorf("the formats that were asked for (-want +got):\n%s", diff)
	}
}

func (s suite) secrets(t *testing.T) {
	t.Parallel()
	echo := "bad key " + key + " or bad content: " + question.User + " " + strings.Repeat("and so on ", 500)
	quoted := fmt.Sprintf(`{"error":{"message":%q,"code":500}}`, echo)
	scripts := []Answer{
		Status(401, echo),
		Status(500, echo),
		{Status: 500, Body: echo},
		{Body: quoted},
		Refusal(echo),
		{Text: " ", Finish: echo},
	}
	model, _ := s.model(t, slow, scripts...)
	for i := range scripts {
		_, err := model.Complete(t.Context(), question)
		if err == nil {
			t.Fatalf("script %d: no error", i)
		}
		for _, never := range []string{key, "garbage", "harbour"} {
			if strings.Contains(err.Error(), never) {
				t.Errorf("script %d: the error shows %q:\n%v", i, never, err)
			}
		}
		if len(err.Error()) > 1000 {
			t.Errorf("script %d: an error of %d bytes", i, len(err.Error()))
		}
	}
}

func (s suite) pause(t *testing.T) {
	t.Parallel()
	script := Status(429, "slow down")
	script.Header = http.Header{"Retry-After": {"7"}}
	model, _ := s.model(t, slow, script)
	_, err := model.Complete(t.Context(), question)
	pause, ok := errors.AsType[interface {
		error
		RetryAfter() time.Duration
	}](err)
	if !ok || pause.RetryAfter() != 7*time.Second {
		t.Errorf("error %v: want a method RetryAfter that says 7s", err)
	}
}

func (s suite) concurrent(t *testing.T) {
	t.Parallel()
	model, server := s.model(t, slow)
	const callers = 16
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			if _, err := model.Complete(t.Context(), question); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(server.Calls()); n != callers {
		t.Errorf("%d calls, want %d", n, callers)
	}
}
