// Package openai is the llm.Model and the llm.Embedder behind every
// OpenAI-compatible endpoint: OpenRouter, OpenAI itself, Ollama, vLLM, and the
// scripted server of llmtest. It asks for each thing exactly once; retries live
// with the caller.
package openai

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/secret"
)

// defaultTimeout is for one whole attempt, from the dial to the last byte.
const defaultTimeout = 30 * time.Second

// Options says which endpoint to ask, and how.
type Options struct {
	BaseURL string        // up to and including the version: "https://openrouter.ai/api/v1"
	APIKey  secret.Text   // sent as a bearer token; empty for endpoints without keys
	Model   string        // for requests that name none
	HTTP    *http.Client  // nil for http.DefaultClient
	Timeout time.Duration // of one attempt; 0 for 30 s
}

// Client is an llm.Model and an llm.Embedder. It is safe for concurrent use.
type Client struct {
	options     Options
	completions openai.ChatCompletionService
	embeddings  openai.EmbeddingService
	schemaless  names // the models that are asked without a schema
}

var (
	_ llm.Model    = (*Client)(nil)
	_ llm.Embedder = (*Client)(nil)
)

// New checks the options and gives a client. It does no I/O.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.BaseURL)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, errors.New("openai: the base URL must be an absolute http or https URL without a password in it")
	}
	if o.Model == "" {
		return nil, errors.New("openai: no default model is named")
	}
	o.HTTP = cmp.Or(o.HTTP, http.DefaultClient)
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	options := []option.RequestOption{
		option.WithBaseURL(o.BaseURL),
		option.WithHTTPClient(o.HTTP),
		option.WithMaxRetries(0),
	}
	if !o.APIKey.Empty() {
		options = append(options, option.WithAPIKey(o.APIKey.Reveal()))
	}
	// The services alone, not openai.NewClient, which reads keys, URLs and
	// headers from the environment behind our back.
	return &Client{
		options: o, completions: openai.NewChatCompletionService(options...), embeddings: openai.NewEmbeddingService(options...),
	}, nil
}

// Complete asks once, for at most Options.Timeout. Where the endpoint cannot hold
// this model to a schema, it is asked the same without it, within that time, and
// from then on. The reply's usage is also filled where the error is
// llm.ErrEmpty: that call was paid for too. Where the endpoint asked for a
// pause, the error has the method RetryAfter.
func (c *Client) Complete(ctx context.Context, r llm.Request) (llm.Reply, error) {
	r.Model = cmp.Or(r.Model, c.options.Model)
	attempt, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	if c.schemaless.has(r.Model) {
		r.Schema = nil
	}
	reply, err := c.ask(ctx, attempt, r)
	// Few endpoints say clearly that the schema is what they do not want.
	refused, ok := errors.AsType[*statusError](err)
	if len(r.Schema) == 0 || !ok || (refused.status != http.StatusBadRequest && refused.status != http.StatusUnprocessableEntity) {
		return reply, err
	}
	r.Schema = nil
	reply, err = c.ask(ctx, attempt, r)
	if err == nil || errors.Is(err, llm.ErrEmpty) {
		c.schemaless.add(r.Model)
	}
	return reply, err
}

// ask makes one call.
func (c *Client) ask(ctx, attempt context.Context, r llm.Request) (llm.Reply, error) {
	mask := masker{key: c.options.APIKey.Reveal(), prompt: r.System + "\n" + r.User, most: maxAnswer}
	start := time.Now()
	answer, err := c.completions.New(attempt, params(r), headers(r, mask)...)
	took := time.Since(start)
	if err == nil && answer == nil {
		err = errors.New("the answer is null")
	}
	if err != nil {
		return llm.Reply{}, c.explain(ctx, attempt, "ask "+r.Model, mask.error(err))
	}
	reply, err := read(answer, mask)
	reply.Usage.Latency = took
	reply.Model = cmp.Or(reply.Model, r.Model)
	if err != nil {
		return reply, fmt.Errorf("openai: ask %s: %w", r.Model, err)
	}
	return reply, nil
}

// names is a set of models: of more than a thousand, it forgets the new ones.
type names struct {
	mu  sync.Mutex
	set map[string]bool
}

func (n *names) has(model string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.set[model]
}

func (n *names) add(model string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.set == nil {
		n.set = map[string]bool{}
	}
	if len(n.set) < 1000 {
		n.set[model] = true
	}
}

func params(r llm.Request) openai.ChatCompletionNewParams {
	p := openai.ChatCompletionNewParams{
		Model:       r.Model,
		Messages:    []openai.ChatCompletionMessageParamUnion{openai.SystemMessage(r.System), openai.UserMessage(r.User)},
		Temperature: openai.Float(r.Temperature),
	}
	if r.MaxTokens > 0 {
		p.MaxTokens = openai.Int(int64(r.MaxTokens)) // its successor is unknown to most compatible endpoints
	}
	if len(r.Schema) > 0 {
		p.ResponseFormat.OfJSONSchema = &openai.ResponseFormatJSONSchemaParam{
			JSONSchema: openai.ResponseFormatJSONSchemaJSONSchemaParam{Name: "answer", Strict: openai.Bool(true), Schema: r.Schema},
		}
	}
	return p
}

func headers(r llm.Request, mask masker) []option.RequestOption {
	options := []option.RequestOption{option.WithMiddleware(mask.middleware)}
	for name, value := range map[string]string{"HTTP-Referer": r.Referer, "X-Title": r.Title} {
		if value = strings.Join(strings.Fields(value), " "); value != "" {
			options = append(options, option.WithHeader(name, value))
		}
	}
	return options
}

// explain turns a failed call into an error of the port. The context's own
// error wins: only the caller knows what its end means.
func (c *Client) explain(ctx, attempt context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("openai: %s: %w", what, ctx.Err())
	}
	if attempt.Err() != nil {
		return fmt.Errorf("openai: %s: no answer within %s: %w", what, c.options.Timeout, llm.ErrUnfinished)
	}
	return fmt.Errorf("openai: %s: %w", what, err)
}

// read takes the text and the usage out of an answer with status 200, which
// may still be an error: OpenRouter reports its upstream's failure that way.
func read(answer *openai.ChatCompletion, mask masker) (llm.Reply, error) {
	reply := llm.Reply{Model: answer.Model, Usage: usage(answer.Usage)}
	if raw := answer.JSON.ExtraFields["error"].Raw(); raw != "" && raw != "null" {
		return reply, mask.failure([]byte(raw))
	}
	if len(answer.Choices) == 0 {
		return reply, fmt.Errorf("no choices: %w", llm.ErrEmpty)
	}
	choice := answer.Choices[0]
	if raw := choice.JSON.ExtraFields["error"].Raw(); raw != "" && raw != "null" {
		return reply, mask.failure([]byte(raw))
	}
	if refusal := choice.Message.Refusal; refusal != "" {
		return reply, fmt.Errorf("it refuses: %s: %w", mask.words(refusal), llm.ErrEmpty)
	}
	if strings.TrimSpace(choice.Message.Content) == "" {
		return reply, fmt.Errorf("finished with %q: %w", mask.words(choice.FinishReason), llm.ErrEmpty)
	}
	reply.Text = choice.Message.Content
	reply.Truncated = choice.FinishReason == "length"
	return reply, nil
}

func usage(u openai.CompletionUsage) llm.Usage {
	// OpenRouter tells the price of the call, as a number or a string.
	cost, err := strconv.ParseFloat(strings.Trim(u.JSON.ExtraFields["cost"].Raw(), `"`), 64)
	if err != nil || !(cost >= 0 && cost < 1e6) { // also not a NaN
		cost = 0
	}
	return llm.Usage{
		PromptTokens: max(int(u.PromptTokens), 0),
		OutputTokens: max(int(u.CompletionTokens), 0),
		CostUSD:      cost,
	}
}
