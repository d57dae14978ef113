package host_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/baggage"

	"github.com/deskhand/deskhand/shared/host"
	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/queue"
)

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "events", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// answer is what API Gateway reads, in both versions.
type answer struct {
	StatusCode        int
	Headers           map[string]string
	MultiValueHeaders map[string][]string
	Cookies           []string
	Body              string
	IsBase64Encoded   bool
}

// request invokes h with the event and gives its answer and what was logged.
func request(t *testing.T, event []byte, h http.HandlerFunc) (answer, string) {
	t.Helper()
	var log bytes.Buffer
	raw, err := host.Lambda{HTTP: h, Log: slog.New(slog.NewJSONHandler(&log, nil))}.Invoke(t.Context(), event)
	if err != nil {
		t.Fatalf("Invoke = %v", err)
	}
	var a answer
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return a, log.String()
}

func TestARequestIsTheSameFromBothVersions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		event  string
		header []string
		cookie []string
	}{
		{"apigw-v1.json", []string{"one", "two"}, []string{"a=1; b=2"}},
		{"apigw-v2.json", []string{"one,two"}, []string{"a=1", "b=2"}},
	} {
		t.Run(tt.event, func(t *testing.T) {
			t.Parallel()
			a, _ := request(t, fixture(t, tt.event), func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || string(body) != `{"event":"request.created","request_id":"42"}` {
					t.Errorf("body %s, %v", body, err)
				}
				if r.Method != http.MethodPost || r.URL.Path != "/webhook/servicedesk/acme" || r.RemoteAddr != "192.0.2.1" || !strings.HasPrefix(r.Host, "abc123.") {
					t.Errorf("%s %s from %s to %s", r.Method, r.URL.Path, r.RemoteAddr, r.Host)
				}
				for what, diff := range map[string]string{
					"query":  cmp.Diff([]string{"a", "b c"}, r.URL.Query()["site"]),
					"header": cmp.Diff(tt.header, r.Header.Values("X-Deskhand-Test")),
					"cookie": cmp.Diff(tt.cookie, r.Header.Values("Cookie")),
				} {
					if diff != "" {
						t.Errorf("%s: %s", what, diff)
					}
				}
				w.Header().Add("Set-Cookie", "c=3")
				w.Header().Add("Set-Cookie", "d=4")
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusAccepted)
				_, _ = io.WriteString(w, `{"job_id":"j"}`)
			})
			cookies := slices.Concat(a.Cookies, a.MultiValueHeaders["Set-Cookie"])
			if diff := cmp.Diff([]string{"c=3", "d=4"}, cookies); diff != "" || a.StatusCode != http.StatusAccepted || a.Body != `{"job_id":"j"}` {
				t.Errorf("%+v %s", a, diff)
			}
		})
	}
}

func TestABinaryAnswerIsBase64(t *testing.T) {
	t.Parallel()
	png := []byte{0x89, 'P', 'N', 'G', 0xff, 0}
	a, _ := request(t, fixture(t, "apigw-v1.json"), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(png)
	})
	if got, err := base64.StdEncoding.DecodeString(a.Body); err != nil || !a.IsBase64Encoded || !bytes.Equal(got, png) {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAFunctionSaysThatItLives(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"apigw-v1.json", "apigw-v2.json"} {
		event := bytes.ReplaceAll(fixture(t, name), []byte("/webhook/servicedesk/acme"), []byte("/healthz"))
		a, _ := request(t, bytes.ReplaceAll(event, []byte("POST"), []byte("GET")), func(http.ResponseWriter, *http.Request) {
			t.Error("the product is asked")
		})
		if a.StatusCode != http.StatusOK || !strings.Contains(a.Body, `"up"`) {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.Body)
		}
	}
}

func TestARequestAlwaysHasAnAnswer(t *testing.T) {
	t.Parallel()
	v2 := string(fixture(t, "apigw-v2.json"))
	for _, tt := range []struct {
		name, event, says string
		handle            http.HandlerFunc
		status            int
	}{
		{"panic", v2, "internal error", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusOK)
			panic("the ticket says hunter2")
		}, http.StatusInternalServerError},
		{"over 6 MB", v2, "too large", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(bytes.Repeat([]byte("x"), 6<<20))
		}, http.StatusInternalServerError},
		{"a path that is none", strings.Replace(v2, `"rawPath": "/`, `"rawPath": "/%zz`, 1), "cannot be read", nil, http.StatusBadRequest},
		{"a method that is none", strings.Replace(v2, `"POST"`, `"PO ST"`, 1), "cannot be read", nil, http.StatusBadRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, log := request(t, []byte(tt.event), tt.handle)
			if a.StatusCode != tt.status || !strings.Contains(a.Body, tt.says) || a.Headers["Content-Type"] != "application/json" || !json.Valid([]byte(a.Body)) {
				t.Errorf("%+v", a)
			}
			if !strings.Contains(log, `"operation":"invoke"`) || strings.Contains(log, "hunter2") {
				t.Errorf("log: %s", log)
			}
		})
	}
}

// batcher gives each record to the handler, as an adapter does, and keeps them.
type batcher struct{ records []queue.Record }

func (b *batcher) Batch(ctx context.Context, records []queue.Record, h queue.Handler) (failed []string) {
	b.records = records
	for _, r := range records {
		if h(ctx, queue.Message{ID: r.ID, Body: []byte(r.Body)}) != nil {
			failed = append(failed, r.ID)
		}
	}
	return failed
}

func TestABatchNamesItsFailuresAlone(t *testing.T) {
	t.Parallel()
	const first, second = "059f36b4-87a3-44ab-83d2-661975830a7d", "2e1424d4-f796-459a-8184-9c92662be6da"
	for _, tt := range []struct {
		name, want string
		work       queue.Handler
	}{
		{"none", `{"batchItemFailures":[]}`, func(context.Context, queue.Message) error { return nil }},
		{"an error", `{"batchItemFailures":[{"itemIdentifier":"` + second + `"}]}`, func(_ context.Context, m queue.Message) error {
			if strings.Contains(string(m.Body), "globex") {
				return errors.New("the tool is down")
			}
			return nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := &batcher{}
			got, err := host.Lambda{Batcher: b, Work: tt.work, Log: slog.New(slog.DiscardHandler)}.Invoke(t.Context(), fixture(t, "sqs.json"))
			if err != nil || string(got) != tt.want {
				t.Errorf("%s, %v", got, err)
			}
			want := queue.Record{
				ID: first, ReceiptHandle: "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a", Body: "sealed for acme", ReceiveCount: 2,
				Attributes: map[string]string{
					"ApproximateReceiveCount": "2", "SentTimestamp": "1775738096000", "SenderId": "AROAIWPX5BD2BHG722MW4:webhook",
					"MessageGroupId": "acme", "ApproximateFirstReceiveTimestamp": "1775738096010",
				},
				MessageAttributes: map[string]string{"kind": "created"},
			}
			if diff := cmp.Diff(want, b.records[0]); diff != "" || len(b.records) != 2 {
				t.Error(diff)
			}
		})
	}
}

func TestATickFailsItsInvocation(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		tick func(context.Context) error
		want string
	}{
		"done":    {func(context.Context) error { return nil }, ""},
		"failed":  {func(context.Context) error { return errors.New("no database") }, "no database"},
		"panic":   {func(context.Context) error { panic("hunter2") }, "panic with a string"},
		"nothing": {nil, "does not take"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := host.Lambda{Tick: tt.tick, Log: slog.New(slog.DiscardHandler)}.Invoke(t.Context(), fixture(t, "scheduled.json"))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Invoke = %v, want %q", err, tt.want)
			}
		})
	}
}

// TestOnlyAnEventOfNoOtherKindIsACommand has events that hold a command, and
// are something else.
func TestOnlyAnEventOfNoOtherKindIsACommand(t *testing.T) {
	t.Parallel()
	l := host.Lambda{
		Log:     slog.New(slog.DiscardHandler),
		HTTP:    http.NotFoundHandler(),
		Command: func(_ context.Context, payload []byte) ([]byte, error) { return payload, nil },
	}
	const order = `{"command":["tenant","list"]}`
	if got, err := l.Invoke(t.Context(), []byte(order)); err != nil || string(got) != order {
		t.Errorf("%s, %v", got, err)
	}
	request := `{"httpMethod":"GET","path":"/","requestContext":{"accountId":"1"},"command":["tenant","list"]}`
	if got, err := l.Invoke(t.Context(), []byte(request)); err != nil || !strings.Contains(string(got), `"statusCode":404`) {
		t.Errorf("%s, %v", got, err)
	}
	l.HTTP = nil
	if got, err := l.Invoke(t.Context(), []byte(request)); err == nil {
		t.Errorf("a function without HTTP takes a request for a command: %s", got)
	}
	l.Command = nil
	if got, err := l.Invoke(t.Context(), []byte(order)); err == nil {
		t.Errorf("a function without commands takes one: %s", got)
	}
}

func TestAFunctionForAnyEventTakesEvery(t *testing.T) {
	t.Parallel()
	l := host.Lambda{Log: slog.New(slog.DiscardHandler), Any: func(_ context.Context, payload []byte) ([]byte, error) {
		if string(payload) == "null" {
			panic("a secret")
		}
		return payload, nil
	}}
	for _, event := range []string{`{"Records":[{"eventSource":"aws:sqs"}]}`, `"text"`, `[]`} {
		if got, err := l.Invoke(t.Context(), []byte(event)); err != nil || string(got) != event {
			t.Errorf("%s: %s, %v", event, got, err)
		}
	}
	if _, err := l.Invoke(t.Context(), []byte("null")); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a panic fails the invocation, without its words: %v", err)
	}
}

func TestEventsOfNoKindAreRefused(t *testing.T) {
	t.Parallel()
	all := host.Lambda{
		HTTP: http.NotFoundHandler(), Batcher: &batcher{}, Tick: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler),
	}
	for _, event := range []string{``, `[]`, `"x"`, `{}`, `{"Records":[]}`, `{"Records":[{"eventSource":"aws:s3"}]}`, `{"requestContext":`} {
		if got, err := all.Invoke(t.Context(), []byte(event)); err == nil {
			t.Errorf("%s is answered with %s", event, got)
		}
	}
}

func TestTheWorkEndsBeforeLambdaKills(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for limit, want := range map[time.Duration]time.Duration{time.Minute: 59 * time.Second, time.Second: 900 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			start := time.Now()
			_, err := host.Lambda{Log: slog.New(slog.DiscardHandler), Tick: func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			}}.Invoke(ctx, fixture(t, "scheduled.json"))
			if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != want {
				t.Errorf("with %s left it took %s: %v", limit, took, err)
			}
			cancel()
		}
	})
}

// A signature is over the bytes that were sent: none of them may change, in
// text with JSON's own escapes and in base64 of what is no text.
func TestTheBodyIsWhatWasSent(t *testing.T) {
	t.Parallel()
	for name, body := range map[string][]byte{
		"text":      []byte("{\"subject\":\"Dr\u00fccker \\u00fc \u2028 <b> & \U0001f5a8\",\r\n\t\"x\":\"\\/\"}"),
		"not UTF-8": {0xff, 0xfe, 0, '{', 0xc3, 0x28, '}', 0x80},
		"empty":     {},
	} {
		for _, version := range []string{"apigw-v1.json", "apigw-v2.json"} {
			var event map[string]any
			if err := json.Unmarshal(fixture(t, version), &event); err != nil {
				t.Fatal(err)
			}
			event["body"], event["isBase64Encoded"] = base64.StdEncoding.EncodeToString(body), true
			if utf8.Valid(body) {
				event["body"], event["isBase64Encoded"] = string(body), false
			}
			raw, err := json.Marshal(event)
			if err != nil {
				t.Fatal(err)
			}
			request(t, raw, func(_ http.ResponseWriter, r *http.Request) {
				if got, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(got, body) {
					t.Errorf("%s in %s: %q, %v, want %q", name, version, got, err, body)
				}
			})
		}
	}
}

func TestTheStageIsNoPartOfThePath(t *testing.T) {
	t.Parallel()
	v1, v2 := string(fixture(t, "apigw-v1.json")), string(fixture(t, "apigw-v2.json"))
	stage := strings.NewReplacer(`"$default"`, `"prod"`, `"/webhook`, `"/prod/webhook`)
	for name, event := range map[string]string{
		"v1":                v1,
		"v2":                v2,
		"v2, a named stage": stage.Replace(v2),
		"v2, a named stage that is not in the path": strings.Replace(v2, `"$default"`, `"web"`, 1),
	} {
		request(t, []byte(event), func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/webhook/servicedesk/acme" {
				t.Errorf("%s: %s", name, r.URL.Path)
			}
		})
	}
}

func TestAFlushThatHangsDoesNotHoldUpTheAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 10 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		start := time.Now()
		hangs := func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		}
		_, err := host.Lambda{Log: slog.New(slog.DiscardHandler), Tick: hangs, Flush: hangs}.Invoke(ctx, fixture(t, "scheduled.json"))
		if took := time.Since(start); err != nil || took > limit-100*time.Millisecond {
			t.Errorf("with %s it took %s: %v, want the answer before Lambda kills", limit, took, err)
		}
	})
}

func TestEachInvocationIsNamedPreparedAndFlushed(t *testing.T) {
	t.Parallel()
	var steps []string
	step := func(name string) func(context.Context) error {
		return func(ctx context.Context) error {
			ctx = metric.About(ctx, "acme", "", "job")
			b := baggage.FromContext(ctx)
			steps = append(steps, name+" "+b.Member(metric.KeyRequest).Value()+" "+b.Member(metric.KeyTenant).Value())
			return errors.New(name)
		}
	}
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "r-1"})
	var log bytes.Buffer
	_, err := host.Lambda{
		Before: func(ctx context.Context) { _ = step("before")(ctx) }, Tick: step("tick"),
		Flush: func(context.Context) error { steps = append(steps, "flush"); return errors.New("no collector") },
		Log:   slog.New(slog.NewJSONHandler(&log, nil)),
	}.Invoke(ctx, fixture(t, "scheduled.json"))
	if diff := cmp.Diff([]string{"before r-1 acme", "tick r-1 acme", "flush"}, steps); diff != "" || err == nil || err.Error() != "tick" {
		t.Errorf("%v %s", err, diff)
	}
	if !strings.Contains(log.String(), "no collector") {
		t.Errorf("log: %s", &log)
	}
}

// FuzzInvoke: whatever event comes, there is an answer or an error, no panic.
func FuzzInvoke(f *testing.F) {
	for _, name := range []string{"apigw-v1.json", "apigw-v2.json", "sqs.json", "scheduled.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", "events", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		l := host.Lambda{
			HTTP: http.NotFoundHandler(), Batcher: &batcher{}, Work: func(context.Context, queue.Message) error { return nil },
			Tick: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler),
		}
		got, err := l.Invoke(t.Context(), event)
		if err == nil && !json.Valid(got) {
			t.Errorf("%q", got)
		}
	})
}

// The fixtures are what the vendor's own types read and write.
func TestTheFixturesAreTheVendorsEvents(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]any{
		"apigw-v1.json": &events.APIGatewayProxyRequest{}, "apigw-v2.json": &events.APIGatewayV2HTTPRequest{},
		"sqs.json": &events.SQSEvent{}, "scheduled.json": &events.EventBridgeEvent{},
	} {
		raw := fixture(t, name)
		if err := json.Unmarshal(raw, event); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		var want, got map[string]any
		if err := errors.Join(json.Unmarshal(raw, &want), json.Unmarshal(again, &got)); err != nil {
			t.Fatal(err)
		}
		if missing := lost("", want, got); len(missing) > 0 {
			t.Errorf("%s has what the vendor's type does not know: %v", name, missing)
		}
	}
}

// lost lists the values of want that got does not have.
func lost(path string, want, got any) (missing []string) {
	switch w := want.(type) {
	case nil:
	case map[string]any:
		g, _ := got.(map[string]any)
		for k, v := range w {
			missing = append(missing, lost(path+"/"+k, v, g[k])...)
		}
	case []any:
		g, _ := got.([]any)
		for i, v := range w {
			if i < len(g) {
				missing = append(missing, lost(path, v, g[i])...)
			} else {
				missing = append(missing, path)
			}
		}
	default:
		if want != false && !cmp.Equal(want, got) { // false may be left out
			missing = append(missing, path)
		}
	}
	return missing
}
