// Package telemetry installs what the process tells of itself: JSON log lines,
// traces where OTEL_TRACES_EXPORTER asks for them, and metrics: at /metrics for
// Prometheus, or among the log lines for CloudWatch. The instruments themselves
// are in package metric.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/lmittmann/tint"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/deskhand/deskhand/shared/metric"
)

// Telemetry is what Setup installed.
type Telemetry struct {
	Log     *slog.Logger
	Metrics http.Handler // GET /metrics; nil for CloudWatch
	// Flush sends the traces that wait, and writes CloudWatch's metrics; for a
	// process that may be frozen.
	Flush func(context.Context) error
	// Close flushes traces; call it before the process ends.
	Close func(context.Context) error
}

// Options say what a process tells, and where.
type Options struct {
	Service string    // "webhook", "enhance", ...
	Level   string    // LOG_LEVEL: debug, info, warn or error
	Format  string    // LOG_FORMAT: json or text
	Out     io.Writer // of the log
	// Traces is OTEL_TRACES_EXPORTER: otlp sends them by HTTP to where
	// OTEL_EXPORTER_OTLP_ENDPOINT says; none, or nothing, sends none.
	Traces string
	// CloudWatch has Flush write the metrics into the log, in the format that
	// CloudWatch reads; nobody fetches them then.
	CloudWatch bool
}

// Setup installs the global OpenTelemetry providers and makes the logger.
func Setup(ctx context.Context, o Options) (Telemetry, error) {
	log, err := NewLog(o)
	if err != nil {
		return Telemetry{}, err
	}

	about := resource.NewSchemaless(attribute.String("service.name", o.Service))
	tel := Telemetry{Log: log}
	reader, flush, err := tel.metrics(o)
	if err != nil {
		return Telemetry{}, err
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithResource(about))
	otel.SetMeterProvider(meters)

	// Without a place to send them, spans have their ids all the same: log lines
	// have them.
	tracing := sdktrace.WithSampler(sdktrace.NeverSample())
	switch o.Traces {
	case "", "none":
	case "otlp":
		spans, err := otlptracehttp.New(ctx)
		if err != nil {
			return Telemetry{}, fmt.Errorf("traces: %w (check the OTEL_ variables)", err)
		}
		tracing = sdktrace.WithBatcher(spans)
	default:
		return Telemetry{}, fmt.Errorf("OTEL_TRACES_EXPORTER %q: want otlp or none", o.Traces)
	}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithResource(about), tracing)
	otel.SetTracerProvider(tracers)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("telemetry", "operation", "telemetry", "error", err.Error())
	}))

	tel.Flush = func(ctx context.Context) error { return errors.Join(flush(ctx), tracers.ForceFlush(ctx)) }
	tel.Close = func(ctx context.Context) error {
		return errors.Join(tracers.Shutdown(ctx), meters.Shutdown(ctx))
	}
	return tel, nil
}

// metrics makes what collects them: for Prometheus to fetch, or for flush to
// write.
func (t *Telemetry) metrics(o Options) (reader sdkmetric.Reader, flush func(context.Context) error, err error) {
	if o.CloudWatch {
		e := newEMF(o.Service, o.Out)
		return e.reader, e.flush, nil
	}
	registry := prometheus.NewRegistry()
	reader, err = otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, nil, fmt.Errorf("metrics: %w", err)
	}
	t.Metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return reader, func(context.Context) error { return nil }, nil
}

// NewLog makes a logger alone: of Options it takes service, level, format and
// destination.
func NewLog(o Options) (*slog.Logger, error) {
	handler, err := logTo(o)
	if err != nil {
		return nil, err
	}
	return slog.New(about{handler}).With("service", o.Service), nil
}

// logTo is the handler of the log.
func logTo(o Options) (slog.Handler, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.Level)); err != nil {
		return nil, fmt.Errorf("LOG_LEVEL %q: want debug, info, warn or error", o.Level)
	}
	switch o.Format {
	case "json":
		return slog.NewJSONHandler(o.Out, &slog.HandlerOptions{Level: level}), nil
	case "text":
		return tint.NewTextHandler(o.Out, &tint.Options{Level: level, TimeFormat: time.TimeOnly}), nil
	}
	return nil, fmt.Errorf("LOG_FORMAT %q: want json or text", o.Format)
}

// about adds to every line what the work is about (metric.About) and the trace.
type about struct{ slog.Handler }

func (h about) Handle(ctx context.Context, r slog.Record) error {
	for _, m := range baggage.FromContext(ctx).Members() {
		r.AddAttrs(slog.String(m.Key(), m.Value()))
	}
	if s := trace.SpanContextFromContext(ctx); s.IsValid() {
		r.AddAttrs(slog.String("trace_id", s.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h about) WithAttrs(attrs []slog.Attr) slog.Handler { return about{h.Handler.WithAttrs(attrs)} }
func (h about) WithGroup(name string) slog.Handler       { return about{h.Handler.WithGroup(name)} }

// Transport logs and measures every outgoing call: method, host, path, status
// and duration, never query, headers or body. Next defaults to
// http.DefaultTransport.
type Transport struct {
	Next http.RoundTripper
	Log  *slog.Logger
}

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	next := t.Next
	if next == nil {
		next = http.DefaultTransport
	}
	start := time.Now()
	resp, err := next.RoundTrip(r)
	took := time.Since(start)
	ctx := r.Context()
	fields := []any{"operation", "outgoing_call", "method", r.Method, "host", r.URL.Host, "path", r.URL.Path, "duration_ms", took.Milliseconds()}
	status := "error"
	if err != nil {
		t.Log.WarnContext(ctx, "outgoing call failed", append(fields, "error", err.Error())...)
	} else {
		status = fmt.Sprintf("%dxx", resp.StatusCode/100)
		t.Log.InfoContext(ctx, "outgoing call", append(fields, "status", resp.StatusCode)...)
	}
	metric.OutgoingDuration.Record(ctx, took.Seconds(), metric.With(metric.Operation(r.Method), metric.Status(status)))
	return resp, err
}
