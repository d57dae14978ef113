// Package llm is the port to language models: one request, one reply, and what
// it cost; and to models that give texts as vectors. Retries, redaction and
// budgets are the caller's.
package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Model answers requests. It is safe for concurrent use.
type Model interface {
	// Complete asks once. The error is one of this package's, or the context's.
	Complete(ctx context.Context, r Request) (Reply, error)
}

// Embedder gives texts as vectors: those that mean the same lie near each other.
// It is safe for concurrent use.
type Embedder interface {
	// Embed gives one vector for each text, in their order, with the model of
	// this name. All have the same number of dimensions, 1 to MaxDimensions, and
	// finite values; their length may be any. No text may be empty, and of a long
	// one it may read the beginning alone. The error is one of this package's, or
	// the context's; there are no vectors then.
	Embed(ctx context.Context, model string, texts []string) ([][]float32, error)
}

// MaxDimensions is how many dimensions a vector has at most.
const MaxDimensions = 4096

// Request is one question.
type Request struct {
	Model       string // "" for the model's own default
	System      string
	User        string
	MaxTokens   int
	Temperature float64
	// Schema is the JSON Schema that the answer must follow; nil for free text.
	// An endpoint that cannot hold a model to it is asked without it, so the
	// answer may still be anything.
	Schema  json.RawMessage
	Referer string // sent as HTTP-Referer where not empty
	Title   string // sent as X-Title where not empty
}

// Reply is the model's answer.
type Reply struct {
	Text  string
	Model string // the model that answered
	// Truncated says that the answer stopped at MaxTokens.
	Truncated bool
	Usage     Usage
}

// Usage is what one call took.
type Usage struct {
	PromptTokens int           `json:"prompt_tokens"`
	OutputTokens int           `json:"output_tokens"`
	CostUSD      float64       `json:"cost_usd"` // as the endpoint tells it; 0 where it does not
	Latency      time.Duration `json:"latency_ns"`
}

// The errors of this port.
var (
	// ErrUnavailable: refused connection, timeout, 408, 429 or 5xx. Another try
	// may help.
	ErrUnavailable = errors.New("the model does not answer")
	// ErrRefused is an ErrUnavailable: nobody listens there, or the name is not
	// known. Another try soon does not help.
	ErrRefused = fmt.Errorf("%w: there is no server", ErrUnavailable)
	// ErrUnfinished is an ErrUnavailable: there was no answer in time. The endpoint
	// may have worked on it all the same, and bill it.
	ErrUnfinished = fmt.Errorf("%w in time", ErrUnavailable)
	// ErrOpen is an ErrUnavailable: a Breaker did not even ask.
	ErrOpen = fmt.Errorf("%w: it failed too often, and is left alone for a while", ErrUnavailable)
	// ErrRejected: the endpoint refuses the request or the key. Another try
	// does not help.
	ErrRejected = errors.New("the model endpoint rejects the request")
	// ErrEmpty: an answer without text, or a refusal.
	ErrEmpty = errors.New("the model answered without text")
)
