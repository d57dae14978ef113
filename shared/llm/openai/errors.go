package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/openai/openai-go/v3/option"

	"github.com/deskhand/deskhand/shared/llm"
)

const (
	maxAnswer = 4 << 20 // bytes of an answer; a thousand tokens are about four thousand
	maxError  = 8 << 10 // bytes of an error's body
	maxWords  = 300     // characters of the endpoint's words in our error
	shingle   = 4       // words in a row that count as a quotation of the prompt
)

// statusError is an answer that is an error.
type statusError struct {
	status int
	words  string // the endpoint's, bounded and masked
	after  time.Duration
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("%v: status %d", e.Unwrap(), e.status)
	if e.words != "" {
		text += ": " + e.words
	}
	return text
}

// Unwrap sorts the status into the port's errors.
func (e *statusError) Unwrap() error {
	switch {
	case e.status >= 500, e.status == http.StatusRequestTimeout, e.status == http.StatusConflict, e.status == http.StatusTooManyRequests:
		return llm.ErrUnavailable
	default:
		return llm.ErrRejected
	}
}

// RetryAfter is the pause that the endpoint asked for; 0 where it did not.
func (e *statusError) RetryAfter() time.Duration { return e.after }

// masker writes errors that can be shown: without the key, and without what
// an endpoint quotes of the prompt.
type masker struct {
	key, prompt string
	most        int64 // bytes of an answer that are read
}

// middleware bounds what is read, and turns every status but 2xx into a
// statusError before the SDK reads it.
func (m masker) middleware(r *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	response, err := next(r)
	if err != nil {
		return response, err
	}
	if response.StatusCode < 300 {
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(response.Body, m.most), response.Body}
		return response, nil
	}
	defer func() { _ = response.Body.Close() }()
	// A body that breaks off still tells something.
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxError))
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return nil, &statusError{
		status: response.StatusCode,
		words:  m.words(message(body)),
		after:  time.Duration(min(max(seconds, 0), 86400)) * time.Second,
	}
}

// failure reads an error object that came with status 200.
func (m masker) failure(raw []byte) error {
	var code struct{ Code json.Number }
	_ = json.Unmarshal(raw, &code) // a code that is no number is no status
	status, err := strconv.Atoi(code.Code.String())
	if err != nil || status < 400 || status > 599 {
		status = http.StatusBadGateway
	}
	return &statusError{status: status, words: m.words(message(raw[:min(len(raw), maxError)]))}
}

// error sorts what the SDK returned: our own statusError, or a connection or an
// answer that broke, which another try may mend.
func (m masker) error(err error) error {
	if status, ok := errors.AsType[*statusError](err); ok {
		return status
	}
	kind := llm.ErrUnavailable
	if _, unknown := errors.AsType[*net.DNSError](err); unknown || errors.Is(err, syscall.ECONNREFUSED) {
		kind = llm.ErrRefused
	}
	return fmt.Errorf("%w: %s", kind, m.words(err.Error()))
}

// message gives the part of an error's body that is for people: OpenAI's
// {"error":{"message"}}, the forms that others made of it, or the text itself.
func message(body []byte) string {
	var fields struct{ Error, Message, Detail json.RawMessage }
	if json.Unmarshal(body, &fields) == nil {
		for _, raw := range []json.RawMessage{fields.Error, fields.Message, fields.Detail} {
			var text string
			if json.Unmarshal(raw, &text) == nil && text != "" {
				return text
			}
			if bytes.HasPrefix(raw, []byte("{")) {
				return message(raw)
			}
		}
	}
	return string(body)
}

// words makes foreign text fit for one line of a log.
func (m masker) words(text string) string {
	if m.key != "" {
		text = strings.ReplaceAll(text, m.key, "[secret]")
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	words := strings.Fields(text)
	if len(words) > maxWords {
		words = words[:maxWords]
	}
	text = strings.Join(m.unquoted(words), " ")
	if runes := []rune(text); len(runes) > maxWords {
		text = string(runes[:maxWords]) + "…"
	}
	return text
}

// unquoted replaces every run of words that also stands in the prompt.
func (m masker) unquoted(words []string) []string {
	prompt := " " + strings.Join(strings.Fields(m.prompt), " ") + " "
	quoted := make([]bool, len(words))
	for i := 0; i+shingle <= len(words); i++ {
		if strings.Contains(prompt, strings.Join(words[i:i+shingle], " ")) {
			for j := i; j < i+shingle; j++ {
				quoted[j] = true
			}
		}
	}
	kept := []string{}
	for i, word := range words {
		switch {
		case !quoted[i]:
			kept = append(kept, word)
		case i == 0 || !quoted[i-1]:
			kept = append(kept, "[prompt]")
		}
	}
	return kept
}
