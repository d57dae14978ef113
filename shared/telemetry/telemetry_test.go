package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"

	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/telemetry"
)

// Setup sets what is global, so nothing here is parallel.

func TestALineSaysWhatItIsAbout(t *testing.T) { //nolint:paralleltest // Setup is global
	var out bytes.Buffer
	tel, err := telemetry.Setup(t.Context(), telemetry.Options{Service: "webhook", Level: "info", Format: "json", Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := metric.Tracer.Start(metric.About(t.Context(), "acme", "1042", "job-1"), "work")
	tel.Log.InfoContext(ctx, "worked")
	span.End()
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"service": "webhook", "tenant": "acme", "ticket": "1042", "correlation_id": "job-1", "msg": "worked"} {
		if line[name] != want {
			t.Errorf("%s is %v, want %v", name, line[name], want)
		}
	}
	if id, _ := line["trace_id"].(string); len(id) != 32 {
		t.Errorf("trace_id is %v, also where no traces are sent", line["trace_id"])
	}
	page := httptest.NewRecorder()
	metric.Webhooks.Add(ctx, 1, metric.With(metric.Tenant("acme"), metric.Status("202")))
	tel.Metrics.ServeHTTP(page, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if page.Code != http.StatusOK || !strings.Contains(page.Body.String(), `webhook_requests_total{status="202",tenant_id="acme"} 1`) {
		t.Errorf("/metrics answers %d:\n%s", page.Code, page.Body)
	}
	if err := tel.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if err := tel.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestWhatNobodyCanReadIsRefused(t *testing.T) { //nolint:paralleltest // Setup is global
	for _, c := range []struct {
		options telemetry.Options
		want    string
	}{
		{telemetry.Options{Level: "loud", Format: "json"}, `LOG_LEVEL "loud"`},
		{telemetry.Options{Level: "info", Format: "xml"}, `LOG_FORMAT "xml"`},
		{telemetry.Options{Level: "info", Format: "json", Traces: "zipkin"}, `OTEL_TRACES_EXPORTER "zipkin"`},
	} {
		if _, err := telemetry.Setup(t.Context(), c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.options, err)
		}
	}
}

func TestTracesGoWhereTheyAreAskedToGo(t *testing.T) {
	var calls []string
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls = append(calls, r.URL.Path+" "+string(body))
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	for _, c := range []struct {
		traces string
		want   int
	}{{"otlp", 1}, {"none", 0}, {"", 0}} {
		calls = nil
		tel, err := telemetry.Setup(t.Context(), telemetry.Options{Service: "webhook", Level: "info", Format: "json", Out: io.Discard, Traces: c.traces})
		if err != nil {
			t.Fatal(err)
		}
		_, span := otel.Tracer("test").Start(t.Context(), "webhook_received")
		span.End()
		if !span.SpanContext().HasTraceID() {
			t.Errorf("%q: the span has no id for the log", c.traces)
		}
		if err := tel.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if len(calls) != c.want || (c.want > 0 && !(strings.HasPrefix(calls[0], "/v1/traces ") && strings.Contains(calls[0], "webhook_received"))) {
			t.Errorf("%q: the collector got %q", c.traces, calls)
		}
	}
}
