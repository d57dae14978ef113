// Package telemetry installs what the process tells of itself: JSON log lines,
// traces where OTEL_* variables name a destination, and metrics at /metrics.
// The instruments themselves are in package metric.
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
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
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
	Metrics http.Handler // GET /metrics
	// Flush sends the traces that wait; for a process that may be frozen.
	Flush func(context.Context) error
	// Close flushes traces; call it before the process ends.
	Close func(context.Context) error
}

// Setup installs the global OpenTelemetry providers and makes the logger. The
// level is debug, info, warn or error; the format json or text.
func Setup(ctx context.Context, service, level, format string, out io.Writer) (Telemetry, error) {
	var lvl slog.Level
	if err := lvl.UnmarshalText([]byte(level)); err != nil {
		return Telemetry{}, fmt.Errorf("LOG_LEVEL %q: want debug, info, warn or error", level)
	}
	var handler slog.Handler
	switch format {
	case "json":
		handler = slog.NewJSONHandler(out, &slog.HandlerOptions{Level: lvl})
	case "text":
		handler = tint.NewTextHandler(out, &tint.Options{Level: lvl, TimeFormat: time.TimeOnly})
	default:
		return Telemetry{}, fmt.Errorf("LOG_FORMAT %q: want json or text", format)
	}
	log := slog.New(about{handler}).With("service", service)

	about := resource.NewSchemaless(attribute.String("service.name", service))
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return Telemetry{}, fmt.Errorf("metrics: %w", err)
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithResource(about))
	otel.SetMeterProvider(meters)

	spans, err := autoexport.NewSpanExporter(ctx, autoexport.WithFallbackSpanExporter(noSpans))
	if err != nil {
		return Telemetry{}, fmt.Errorf("traces: %w (check the OTEL_ variables)", err)
	}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithBatcher(spans))
	otel.SetTracerProvider(tracers)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("telemetry", "operation", "telemetry", "error", err.Error())
	}))

	return Telemetry{
		Log:     log,
		Metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		Flush:   tracers.ForceFlush,
		Close: func(ctx context.Context) error {
			return errors.Join(tracers.Shutdown(ctx), meters.Shutdown(ctx))
		},
	}, nil
}

// noSpans is the exporter where nobody asked for traces.
func noSpans(context.Context) (sdktrace.SpanExporter, error) { return discard{}, nil }

type discard struct{}

func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                             { return nil }

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
