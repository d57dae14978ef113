package lambdaruntime_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
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
func call(g lambdaruntime.Gateway, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
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
	w := call(g, post(`{"x":1}`, "application/json"))
	if w.Code != http.StatusAccepted || w.Body.String() != "ok" || w.Header().Get("X-One") != "1" || len(w.Header().Values("Set-Cookie")) != 2 {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if e.HTTPMethod != http.MethodPost || e.Path != "/webhook/a%20b" || e.Body != `{"x":1}` || e.IsBase64Encoded || e.Headers["X-Two"] != "two" ||
		e.Headers["Host"] != "desk.example" || e.RequestContext.Identity.SourceIP != "192.0.2.1" || e.RequestContext.AccountID == "" {
		t.Errorf("%+v", e)
	}
	if diff := cmp.Diff([]string{"one", "two"}, e.MultiValueHeaders["X-Two"]) + cmp.Diff([]string{"a", "b"}, e.MultiValueQueryStringParameters["site"]); diff != "" {
		t.Error(diff)
	}
	call(g, post("\xff", "image/png"))
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
	w := call(g, post("\xff", "application/octet-stream"))
	if w.Body.String() != "\xff" || len(w.Header().Values("Set-Cookie")) != 2 || !e.IsBase64Encoded || e.Body != "/w==" {
		t.Errorf("%v %q %+v", w.Header(), w.Body, e)
	}
	if diff := cmp.Diff([]string{"a=1", "b=2"}, e.Cookies); diff != "" || e.Headers["x-two"] != "one,two" || e.Headers["cookie"] != "" ||
		e.Version != "2.0" || e.RawPath != "/webhook/a%20b" || e.RawQueryString != "site=a&site=b" || e.QueryStringParameters["site"] != "a,b" {
		t.Errorf("%+v %s", e, diff)
	}
	call(g, post(`{"x":1}`, "application/json; charset=utf-8"))
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
		}), 1, 500, 500},
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
				if w := call(g, post(strings.Repeat("x", tt.body), "text/plain")); w.Code != want {
					t.Errorf("HTTP API %t: %d %s, want %d", v2, w.Code, w.Body, want)
				}
			}
		})
	}
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

func TestAThrottledScheduleComesLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		s := lambdaruntime.Schedule{Name: "tick", Log: quiet, Function: scripted(func([]byte) (lambdaruntime.Result, error) {
			if at = append(at, time.Since(start)); len(at) <= 4 {
				return lambdaruntime.Result{}, lambdaruntime.ErrThrottled
			}
			return broken, nil
		})}
		if err := s.Fire(t.Context(), start); err == nil {
			t.Error("it did not fail")
		}
		want := []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second, 75 * time.Second, 195 * time.Second}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Error(diff)
		}
		always := lambdaruntime.Schedule{Name: "tick", Function: scripted(func([]byte) (lambdaruntime.Result, error) {
			return lambdaruntime.Result{}, lambdaruntime.ErrThrottled
		})}
		if err := always.Fire(t.Context(), start); !errors.Is(err, lambdaruntime.ErrThrottled) {
			t.Errorf("after hours: %v", err)
		}
	})
}
