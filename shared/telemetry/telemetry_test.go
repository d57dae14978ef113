package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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
	} {
		if _, err := telemetry.Setup(t.Context(), c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.options, err)
		}
	}
}
