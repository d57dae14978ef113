package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/akrylysov/algnhsa"
	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/queue"
)

// Batcher settles a batch that the queue pushed: it opens each record, gives
// it to h, and returns the ids of those that must be delivered again. A panic
// of h fails its message alone.
type Batcher interface {
	Batch(ctx context.Context, records []queue.Record, h queue.Handler) (failed []string)
}

// Lambda runs a process as an AWS Lambda function. What it does is decided by
// the event that comes; a field that is nil refuses its kind of event. All
// functions are called by many invocations at a time where Lambda is told so.
type Lambda struct {
	// HTTP answers requests from API Gateway, all but GET /healthz: REST (payload
	// 1.0) and HTTP APIs (payload 2.0). It sees the path without the stage, and the body as it was
	// sent: for that, a REST API needs the binary media type */*, because it
	// makes text of everything else. A custom domain has to be mapped to the API
	// without a base path, which would stay in the path.
	HTTP http.Handler
	// Batcher and Work take batches from SQS.
	Batcher Batcher
	Work    queue.Handler
	// Tick is called for a scheduled event from EventBridge.
	Tick func(context.Context) error
	// Command runs a command of an operator: an event with a field "command".
	// Only who may invoke the function itself can send one, for API Gateway,
	// SQS and EventBridge write their own events. It gives the answer.
	Command func(ctx context.Context, payload []byte) ([]byte, error)
	// Any takes every event, whatever it is; the other kinds are not looked for
	// then. Its answer is JSON.
	Any func(ctx context.Context, payload []byte) ([]byte, error)
	// Before, where not nil, is called at the start of each invocation: between
	// two of them the process may have been frozen for hours.
	Before func(context.Context)
	// Flush, where not nil, sends telemetry at the end of each invocation, for
	// a second at most and never up to the deadline.
	Flush func(context.Context) error
	Log   *slog.Logger
}

const (
	// maxAnswer is the largest answer that Lambda takes, in bytes of JSON.
	maxAnswer = 6 << 20
	// maxMargin is how long before the deadline the work is cancelled, so that
	// it can still say how it ended; a tenth of the time where that is shorter.
	// Flush ends a tenth of what is left then before it.
	maxMargin = time.Second
	// flushLimit bounds Flush: telemetry never holds an answer back for long.
	flushLimit = time.Second
)

// binary is what answers carry base64-encoded: JSON holds text only.
var binary = []string{"application/octet-stream", "application/zip", "font/woff2", "image/png", "image/webp", "image/x-icon"}

// Serve asks Lambda for events until ctx is done, which is at SIGTERM, and
// returns nil. Lambda sends SIGTERM only while nothing runs, and kills half a
// second later. Where the runtime API fails, the process ends.
func (l Lambda) Serve(ctx context.Context) error {
	// aws-lambda-go writes to the log package, and only what has failed.
	slog.SetLogLoggerLevel(slog.LevelError)
	slog.SetDefault(l.Log)
	// Without the option, Lambda ends a process without SIGTERM.
	go lambda.StartWithOptions(l, lambda.WithEnableSIGTERM())
	<-ctx.Done()
	return nil
}

// event has what tells the kinds of events apart.
type event struct {
	Version        string `json:"version"`
	DetailType     string `json:"detail-type"`
	RawPath        string `json:"rawPath"`
	RequestContext *struct {
		Stage string `json:"stage"`
	} `json:"requestContext"`
	Records []struct {
		EventSource string `json:"eventSource"`
	} `json:"Records"`
	Command json.RawMessage `json:"command"`
}

// Invoke handles one event and gives its answer. An error, and a panic of
// Tick or Any, fail the invocation; a panic of HTTP is answered with 500. The context
// given on ends a little before the invocation's deadline.
func (l Lambda) Invoke(ctx context.Context, payload []byte) (answer []byte, err error) {
	defer l.flush(ctx)
	if c, ok := lambdacontext.FromContext(ctx); ok {
		ctx = metric.Request(ctx, c.AwsRequestID)
	}
	ctx, cancel := guard(ctx)
	defer cancel()
	defer l.caught(ctx, func(p error) { answer, err = nil, p })

	if l.Any != nil {
		return l.Any(ctx, payload)
	}
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, fmt.Errorf("lambda: read the event: %w", err)
	}
	if l.Before != nil {
		l.Before(ctx)
	}
	switch {
	case len(e.Records) > 0 && e.Records[0].EventSource == "aws:sqs" && l.Batcher != nil:
		return l.batch(ctx, payload)
	case e.DetailType == "Scheduled Event" && l.Tick != nil:
		return []byte("null"), l.Tick(ctx)
	case e.RequestContext != nil && l.HTTP != nil:
		return l.request(ctx, e, payload), nil
	case e.RequestContext == nil && e.Command != nil && l.Command != nil:
		return l.Command(ctx, payload)
	}
	return nil, errors.New("lambda: this function does not take such an event; check what invokes it")
}

// guard ends the context before Lambda kills the process.
func guard(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(maxMargin, time.Until(deadline)/10)))
}

func (l Lambda) flush(ctx context.Context) {
	if l.Flush == nil {
		return
	}
	ctx, cancel := guard(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, flushLimit)
	defer cancel()
	if err := l.Flush(ctx); err != nil {
		l.Log.WarnContext(ctx, "telemetry is not sent", "operation", "flush", "error", err.Error())
	}
}

// caught, deferred, turns a panic into an error for failed. The log gets the
// stack; the panic's own text is kept only where the runtime wrote it: any
// other may quote a ticket.
func (l Lambda) caught(ctx context.Context, failed func(error)) {
	var err error
	switch p := recover().(type) {
	case nil:
		return
	case runtime.Error:
		err = fmt.Errorf("panic: %w", p)
	default:
		err = fmt.Errorf("panic with a %T", p)
	}
	l.Log.ErrorContext(ctx, "panic in a Lambda invocation", "operation", "invoke", "error", err.Error(), "stack", string(debug.Stack()))
	failed(err)
}

// request answers an HTTP request. It always has an answer.
func (l Lambda) request(ctx context.Context, e event, payload []byte) (answer []byte) {
	defer l.caught(ctx, func(error) { answer = problem(http.StatusInternalServerError, "internal error") })
	kind, handler := algnhsa.RequestTypeAPIGatewayV1, l.routes()
	if e.Version == "2.0" {
		kind = algnhsa.RequestTypeAPIGatewayV2
		if stage := "/" + e.RequestContext.Stage; strings.HasPrefix(e.RawPath, stage+"/") {
			handler = http.StripPrefix(stage, handler)
		}
	}
	answer, err := algnhsa.New(handler, &algnhsa.Options{RequestType: kind, BinaryContentTypes: binary}).Invoke(ctx, payload)
	if err != nil {
		l.Log.WarnContext(ctx, "request refused", "operation", "invoke", "error", err.Error())
		return problem(http.StatusBadRequest, "the request cannot be read")
	}
	if len(answer) > maxAnswer {
		l.Log.ErrorContext(ctx, "the answer is over the limit of Lambda", "operation", "invoke", "bytes", len(answer), "limit", maxAnswer)
		return problem(http.StatusInternalServerError, "the answer is too large")
	}
	return answer
}

// routes is HTTP, with /healthz as a Server has it.
func (l Lambda) routes() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == "/healthz" {
			healthy(w, r)
			return
		}
		l.HTTP.ServeHTTP(w, r)
	})
}

// problem is an answer that both versions of API Gateway understand.
func problem(status int, text string) []byte {
	return fmt.Appendf(nil, `{"statusCode":%d,"headers":{"Content-Type":"application/json"},"body":%q}`, status, fmt.Sprintf(`{"error":%q}`, text))
}

// batch gives a batch to the queue that it is from. What it answers are the
// failures: SQS deletes the other messages.
func (l Lambda) batch(ctx context.Context, payload []byte) ([]byte, error) {
	var in events.SQSEvent
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, fmt.Errorf("lambda: read the batch: %w", err)
	}
	records := make([]queue.Record, len(in.Records))
	for i, m := range in.Records {
		records[i] = record(m)
	}
	failures := []events.SQSBatchItemFailure{} // never null
	for _, id := range l.Batcher.Batch(ctx, records, l.Work) {
		failures = append(failures, events.SQSBatchItemFailure{ItemIdentifier: id})
	}
	return json.Marshal(events.SQSEventResponse{BatchItemFailures: failures})
}

func record(m events.SQSMessage) queue.Record {
	r := queue.Record{
		ID: m.MessageId, ReceiptHandle: m.ReceiptHandle, Body: m.Body,
		Attributes: m.Attributes, MessageAttributes: make(map[string]string, len(m.MessageAttributes)),
	}
	for name, a := range m.MessageAttributes {
		if a.StringValue != nil {
			r.MessageAttributes[name] = *a.StringValue
		}
	}
	r.ReceiveCount, _ = strconv.Atoi(m.Attributes["ApproximateReceiveCount"]) // SQS wrote it
	return r
}
