package servicedeskplus

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/ticketing"
)

// failure is an answer that is no success, or the lack of one.
type failure struct {
	class  error // of the port
	cause  error // of the transport, where there was no answer
	status int   // of HTTP
	code   int64 // of the product, 0 where it told none
	words  string
	// unknown says that a write may have happened nevertheless, or may still be
	// happening.
	unknown bool
}

// Error implements error.
func (f *failure) Error() string {
	var b strings.Builder
	b.WriteString(f.class.Error())
	if f.status != 0 {
		fmt.Fprintf(&b, " (HTTP %d", f.status)
		if f.code != 0 {
			fmt.Fprintf(&b, ", code %d", f.code)
		}
		b.WriteString(")")
	}
	if f.words != "" {
		b.WriteString(": " + f.words)
	}
	return b.String()
}

// Unwrap gives the sentinel of the port, and the cause.
func (f *failure) Unwrap() []error {
	if f.cause == nil {
		return []error{f.class}
	}
	return []error{f.class, f.cause}
}

// The codes of the product that are told apart.
const (
	codeExtraKey   = 4001 // also: value unknown
	codeForbidden  = 4002
	codeInternal   = 4004
	codeNotFound   = 4007
	codeLimited    = 4015
	codeBadKey     = 4022
	codeUnlicensed = 7001
)

// throttled are the texts by which the product says that there were too many
// calls, in answers of any status, and how long it means.
var throttled = []struct {
	text  string
	after time.Duration
}{
	{"URL_ROLLING_THROTTLES_LIMIT_EXCEEDED", 5 * time.Minute},
	{"too many requests continuously", 5 * time.Minute},
	{"maximum access limit exceeded", time.Minute},
}

// answer is an HTTP answer, read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// failure maps what the product answered to the errors of the port: the one
// place where that is decided. It returns nil for a success.
func (a answer) failure(now time.Time) *failure {
	code, words, isJSON := a.verdict()
	f := &failure{status: a.status, code: code, words: words}
	success := isJSON && a.status/100 == 2 && (code == 0 || code/1000 == 2)
	if success {
		return nil
	}
	told := code >= 4000 // by the product itself, and not by a proxy that gave up on it
	if wait := a.limit(code, now); wait > 0 {
		f.class, f.unknown = &ticketing.LimitedError{After: wait}, a.status == http.StatusServiceUnavailable && !told
		return f
	}
	switch {
	case !isJSON, a.status >= 500, a.status/100 == 3, a.status == http.StatusRequestTimeout, code == codeInternal:
		f.class, f.unknown = ticketing.ErrUnavailable, !told
	case code == codeNotFound, a.status == http.StatusNotFound:
		f.class = ticketing.ErrNotFound
	case code == codeForbidden, code == codeBadKey, code == codeUnlicensed,
		a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		f.class = ticketing.ErrDenied
	default:
		f.class = ticketing.ErrRejected
	}
	return f
}

// limit tells how long to wait where the answer is about too many calls.
func (a answer) limit(code int64, now time.Time) time.Duration {
	told := retryAfter(a.header.Get("Retry-After"), now)
	for _, t := range throttled {
		if bytes.Contains(a.body, []byte(t.text)) {
			return max(told, t.after)
		}
	}
	if a.status == http.StatusTooManyRequests || code == codeLimited || (a.status == http.StatusServiceUnavailable && told > 0) {
		return cmp.Or(told, time.Minute)
	}
	return 0
}

// retryAfter reads the header: seconds or a date, at most an hour.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(seconds, 0), 3600)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), time.Hour)
	}
	return 0
}

// verdict reads the response status: the first specific code, else the outer
// one, 0 where there is none; and the product's words, or the first 200 bytes
// of an answer that is not JSON.
func (a answer) verdict() (code int64, words string, isJSON bool) {
	var envelope struct {
		Status json.RawMessage `json:"response_status"`
	}
	switch body := bytes.TrimSpace(a.body); {
	case len(body) > 0 && strings.ContainsRune("{[\"", rune(body[0])):
		if json.Unmarshal(body, &envelope) != nil {
			return 0, fmt.Sprintf("broken JSON, %d bytes", len(body)), false // it may be a ticket: not for the log
		}
	default:
		return 0, fmt.Sprintf("not JSON, it begins with %q", cut(string(body), 200)), false
	}
	var s responseStatus
	var many []responseStatus // lists answer with an array
	if json.Unmarshal(envelope.Status, &many) == nil && len(many) > 0 {
		s = many[0]
	} else {
		_ = json.Unmarshal(envelope.Status, &s)
	}
	code = s.Code.int()
	if s.Status == "failed" && code/1000 == 2 {
		code = 4000
	}
	var parts []string
	for i, m := range s.Messages {
		if inner := m.Code.int(); i == 0 && inner >= 4000 {
			code = inner
		}
		parts = append(parts, m.String())
	}
	return code, line(cut(strings.Join(parts, "; "), 500)), true
}

type responseStatus struct {
	Code     text      `json:"status_code"`
	Status   text      `json:"status"`
	Messages []message `json:"messages"`
}

type message struct {
	Code    text   `json:"status_code"`
	Message text   `json:"message"`
	Field   text   `json:"field"`
	Fields  []text `json:"fields"`
}

// String says what the message has to say: text, fields, or only its code.
func (m message) String() string {
	words := cmp.Or(string(m.Message), "no explanation")
	if m.Field != "" {
		m.Fields = append(m.Fields, m.Field)
	}
	for _, f := range m.Fields {
		words += " [" + string(f) + "]"
	}
	return words
}

// noAnswer is the failure of a call that got no answer.
func noAnswer(err error) *failure {
	cause := err
	if u, ok := errors.AsType[*url.Error](err); ok {
		cause = u.Err // without the address: the caller names the subject
	}
	dial, _ := errors.AsType[*net.OpError](err)
	return &failure{
		class: ticketing.ErrUnavailable, cause: err, words: cause.Error(),
		unknown: dial == nil || (dial.Op != "dial" && dial.Op != "proxyconnect"),
	}
}

// has tells whether err comes from an answer with one of these codes.
func has(err error, codes ...int64) bool {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		return false
	}
	for _, code := range codes {
		if f.code == code {
			return true
		}
	}
	return false
}
