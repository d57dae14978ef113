package lambdaruntime_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/localstack/lambdaruntime"
)

// scripted is a function in this process.
type scripted func(payload []byte) (lambdaruntime.Result, error)

func (s scripted) Invoke(_ context.Context, payload []byte) (lambdaruntime.Result, error) {
	return s(payload)
}

func says(payload string) (lambdaruntime.Result, error) {
	return lambdaruntime.Result{Payload: []byte(payload)}, nil
}

var broken = lambdaruntime.Result{FunctionError: "Unhandled", Payload: []byte(`{"errorMessage":"boom","errorType":"x"}`)}

// call sends one request through the gateway.
func call(t *testing.T, g lambdaruntime.Gateway, r *http.Request) (*http.Response, string) {
	t.Helper()
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	resp := w.Result()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func post(body, contentType string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://desk.example/webhook/a%20b?site=a&site=b", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Add("X-Two", "one")
	r.Header.Add("X-Two", "two")
	r.Header.Set("Cookie", "a=1; b=2")
	return r
}

func TestTheGatewayMapsARESTRequest(t *testing.T) {
	t.Parallel()
	var e events.APIGatewayProxyRequest
	g := lambdaruntime.Gateway{Binary: []string{"image/png"}, Function: scripted(func(p []byte) (lambdaruntime.Result, error) {
		if err := json.Unmarshal(p, &e); err != nil {
			t.Error(err)
		}
		return says(`{"statusCode":202,"headers":{"x-one":"1"},"multiValueHeaders":{"Set-Cookie":["a=1","b=2"]},"body":"ok"}`)
	})}
	resp, body := call(t, g, post(`{"x":1}`, "application/json"))
	if resp.StatusCode != http.StatusAccepted || body != "ok" || resp.Header.Get("X-One") != "1" || len(resp.Header.Values("Set-Cookie")) != 2 {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
	if e.HTTPMethod != http.MethodPost || e.Path != "/webhook/a%20b" || e.Body != `{"x":1}` || e.IsBase64Encoded || e.Headers["X-Two"] != "two" ||
		e.Headers["Host"] != "desk.example" || e.RequestContext.Identity.SourceIP != "192.0.2.1" || e.RequestContext.AccountID == "" {
		t.Errorf("%+v", e)
	}
	if diff := cmp.Diff([]string{"one", "two"}, e.MultiValueHeaders["X-Two"]) + cmp.Diff([]string{"a", "b"}, e.MultiValueQueryStringParameters["site"]); diff != "" {
		t.Error(diff)
	}
	call(t, g, post("\xff", "image/png"))
	if !e.IsBase64Encoded || e.Body != "/w==" {
		t.Errorf("binary: %+v", e)
	}
}

func TestTheGatewayMapsAnHTTPAPIRequest(t *testing.T) {
	t.Parallel()
	var e events.APIGatewayV2HTTPRequest
	g := lambdaruntime.Gateway{HTTPAPI: true, Function: scripted(func(p []byte) (lambdaruntime.Result, error) {
		if err := json.Unmarshal(p, &e); err != nil {
			t.Error(err)
		}
		return says(`{"statusCode":200,"headers":{"Content-Type":"image/png"},"cookies":["a=1","b=2"],"body":"/w==","isBase64Encoded":true}`)
	})}
	resp, body := call(t, g, post("\xff", "application/octet-stream"))
	if body != "\xff" || len(resp.Header.Values("Set-Cookie")) != 2 || !e.IsBase64Encoded || e.Body != "/w==" {
		t.Errorf("%v %q %+v", resp.Header, body, e)
	}
	if diff := cmp.Diff([]string{"a=1", "b=2"}, e.Cookies); diff != "" || e.Headers["x-two"] != "one,two" || e.Headers["cookie"] != "" ||
		e.Version != "2.0" || e.RawPath != "/webhook/a%20b" || e.RawQueryString != "site=a&site=b" || e.QueryStringParameters["site"] != "a,b" {
		t.Errorf("%+v %s", e, diff)
	}
	call(t, g, post(`{"x":1}`, "application/json; charset=utf-8"))
	if e.IsBase64Encoded || e.Body != `{"x":1}` {
		t.Errorf("%+v", e)
	}
}

func TestTheGatewayAnswersForTheFunction(t *testing.T) {
	t.Parallel()
	slow := deploy(t, &lambdaruntime.Function{})
	for _, tt := range []struct {
		name       string
		function   lambdaruntime.Invoker
		body       int
		rest, http int
	}{
		{"error", scripted(func([]byte) (lambdaruntime.Result, error) { return broken, nil }), 1, 502, 500},
		{"no JSON", scripted(func([]byte) (lambdaruntime.Result, error) { return says("oops") }), 1, 502, 500},
		{"no status", scripted(func([]byte) (lambdaruntime.Result, error) { return says(`{"a":1}`) }), 1, 502, 200},
		{"bad base64", scripted(func([]byte) (lambdaruntime.Result, error) {
			return says(`{"statusCode":200,"isBase64Encoded":true,"body":"*"}`)
		}), 1, 502, 500},
		{"throttled", scripted(func([]byte) (lambdaruntime.Result, error) {
			return lambdaruntime.Result{}, lambdaruntime.ErrThrottled
		}), 1, 429, 429},
		{"over 10 MB", nil, 10<<20 + 1, 413, 413},
		{"over 6 MB", slow, 8 << 20, 413, 413},
		{"slow", slow, 1, 504, 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, v2 := range []bool{false, true} {
				want := tt.rest
				if v2 {
					want = tt.http
				}
				g := lambdaruntime.Gateway{Function: tt.function, HTTPAPI: v2, Timeout: time.Nanosecond, Binary: []string{"*/*"}}
				if resp, body := call(t, g, post(strings.Repeat("x", tt.body), "text/plain")); resp.StatusCode != want {
					t.Errorf("HTTP API %t: %d %s, want %d", v2, resp.StatusCode, body, want)
				}
			}
		})
	}
}

// box is a queue in memory: what is received and not deleted comes back when
// it is made visible.
type box struct {
	mu              sync.Mutex
	waiting, hidden []events.SQSMessage
	deleted         []string
	err             error
}

func (b *box) Receive(ctx context.Context, n int, wait time.Duration) ([]events.SQSMessage, error) {
	for late := time.After(wait); ; {
		b.mu.Lock()
		if b.err != nil {
			b.mu.Unlock()
			return nil, b.err
		}
		n = min(n, len(b.waiting))
		batch := append([]events.SQSMessage(nil), b.waiting[:n]...)
		b.waiting, b.hidden = b.waiting[n:], append(b.hidden, batch...)
		b.mu.Unlock()
		if n > 0 {
			return batch, nil
		}
		n = 10
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-late:
			return nil, nil
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (b *box) Delete(_ context.Context, receipt string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deleted = append(b.deleted, receipt)
	return nil
}

func (b *box) put(ids ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		b.waiting = append(b.waiting, events.SQSMessage{MessageId: id, ReceiptHandle: "r-" + id, Body: "body of " + id})
	}
}

func TestAMappingDeletesWhatSucceeded(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string][]string{
		``:                           {"r-a", "r-b"},
		`null`:                       {"r-a", "r-b"},
		`{}`:                         {"r-a", "r-b"},
		`{"batchItemFailures":[]}`:   {"r-a", "r-b"},
		`{"batchItemFailures":null}`: {"r-a", "r-b"},
		`{"batchItemFailures":[{"itemIdentifier":"a"}]}`:     {"r-b"},
		`{"batchItemFailures":[{"itemIdentifier":""}]}`:      nil,
		`{"batchItemFailures":[{"itemIdentifier":null}]}`:    nil,
		`{"batchItemFailures":[{"itemIdentifier":"other"}]}`: nil,
		`{"batchItemFailures":[{"id":"a"}]}`:                 nil,
		`oops`:                                               nil,
	} {
		synctest.Test(t, func(t *testing.T) {
			b := &box{}
			b.put("a", "b")
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			m := lambdaruntime.Mapping{Queue: b, ARN: "arn:aws:sqs:::q", Concurrency: 1, Log: quiet, Function: scripted(func(p []byte) (lambdaruntime.Result, error) {
				var e events.SQSEvent
				if err := json.Unmarshal(p, &e); err != nil || len(e.Records) != 2 || e.Records[0].EventSource != "aws:sqs" || e.Records[1].EventSourceARN != "arn:aws:sqs:::q" {
					t.Errorf("%s", p)
				}
				return says(answer)
			})}
			if err := m.Run(ctx); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(want, b.deleted); diff != "" {
				t.Errorf("answer %q deletes %s", answer, diff)
			}
		})
	}
}

func TestAMappingBacksOffWhileTheFunctionFails(t *testing.T) {
	t.Parallel()
	for name, function := range map[string]scripted{
		"error":     func([]byte) (lambdaruntime.Result, error) { return broken, nil },
		"throttled": func([]byte) (lambdaruntime.Result, error) { return lambdaruntime.Result{}, lambdaruntime.ErrThrottled },
	} {
		synctest.Test(t, func(t *testing.T) {
			b, calls := &box{}, 0
			b.put(strings.Split(strings.Repeat("x", 99), "")...)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			m := lambdaruntime.Mapping{Queue: b, BatchSize: 1, Concurrency: 1, Log: quiet, MaxBackoff: 2 * time.Second, Function: scripted(func(p []byte) (lambdaruntime.Result, error) {
				calls++
				return function(p)
			})}
			_ = m.Run(ctx)
			// At 0, 0.1, 0.3, 0.7, 1.5, 3.1, 5.1, 7.1 and 9.1 s.
			if calls != 9 || len(b.deleted) != 0 {
				t.Errorf("%s: %d calls, %d deleted", name, calls, len(b.deleted))
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		b := &box{err: errors.New("the queue is down")}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_ = lambdaruntime.Mapping{Queue: b, Log: quiet}.Run(ctx) // does not spin, and ends
	})
}

func TestAMappingKeepsToItsConcurrencyAndFillsBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &box{}
		for range 12 {
			b.put("a", "b", "c", "d")
		}
		var mu sync.Mutex
		running, most, sizes := 0, 0, map[int]int{}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		m := lambdaruntime.Mapping{Queue: b, BatchSize: 12, Window: time.Second, Concurrency: 2, Log: quiet, Function: scripted(func(p []byte) (lambdaruntime.Result, error) {
			var e events.SQSEvent
			_ = json.Unmarshal(p, &e)
			mu.Lock()
			running++
			most = max(most, running)
			sizes[len(e.Records)]++
			mu.Unlock()
			time.Sleep(3 * time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			return says("")
		})}
		_ = m.Run(ctx)
		if most != 2 || len(b.deleted) != 48 || sizes[12] < 3 {
			t.Errorf("at most %d at once, %d deleted, batches %v", most, len(b.deleted), sizes)
		}
	})
}

func TestAScheduleFiresEachPeriodAndTriesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 29*time.Minute)
		defer cancel()
		s := lambdaruntime.Schedule{Name: "tick", Every: 10 * time.Minute, Log: quiet, Function: scripted(func(p []byte) (lambdaruntime.Result, error) {
			var e events.EventBridgeEvent
			if err := json.Unmarshal(p, &e); err != nil || e.DetailType != "Scheduled Event" || !bytes.Contains(p, []byte("rule/tick")) {
				t.Errorf("%s", p)
			}
			at = append(at, time.Since(start))
			if len(at) <= 3 {
				return broken, nil
			}
			return says("null")
		})}
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
		want := []time.Duration{10 * time.Minute, 11 * time.Minute, 13 * time.Minute, 20 * time.Minute}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Error(diff)
		}
	})
}
