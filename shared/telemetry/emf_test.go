package telemetry

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	names "github.com/deskhand/deskhand/shared/metric"
)

// meters is a meter whose measurements e writes to out.
func meters(t *testing.T) (m metric.Meter, e *emf, out *bytes.Buffer) {
	t.Helper()
	out = &bytes.Buffer{}
	e = newEMF("enhance", out)
	e.now = func() time.Time { return time.UnixMilli(1795000000000) }
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(e.reader))
	library, _ := provider.Meter("library").Int64Counter("queries_total")
	library.Add(t.Context(), 1) // and is not told
	return provider.Meter(names.Scope), e, out
}

// flushed gives the lines of one flush.
func flushed(t *testing.T, e *emf, out *bytes.Buffer) (documents []map[string]any) {
	t.Helper()
	out.Reset()
	if err := e.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		var d map[string]any
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("a line is no JSON: %s", line)
		}
		documents = append(documents, d)
	}
	return documents
}

func TestAFlushTellsCloudWatchWhatIsNew(t *testing.T) {
	t.Parallel()
	m, e, out := meters(t)
	requests, _ := m.Int64Counter("requests_total")
	duration, _ := m.Float64Histogram("duration_seconds", metric.WithExplicitBucketBoundaries(.1, 1, 10))
	of := names.With(names.Tenant("acme"), names.Status("success"))
	requests.Add(t.Context(), 2, of)
	duration.Record(t.Context(), 0.25, of)

	want := map[string]any{
		"_aws": map[string]any{
			"Timestamp": 1795000000000.0,
			"CloudWatchMetrics": []any{map[string]any{
				"Namespace": "Deskhand", "Dimensions": []any{[]any{"status", "tenant_id"}, []any{"status", "service"}},
				"Metrics": []any{
					map[string]any{"Name": "requests_total", "Unit": "Count"},
					map[string]any{"Name": "duration_seconds", "Unit": "Seconds"},
				},
			}},
		},
		"service": "enhance", "tenant_id": "acme", "status": "success",
		"requests_total": 2.0, "duration_seconds": []any{0.25},
	}
	if diff := cmp.Diff([]map[string]any{want}, flushed(t, e, out)); diff != "" {
		t.Errorf("the first flush (-want +got):\n%s", diff)
	}
	if again := flushed(t, e, out); len(again) != 0 {
		t.Errorf("nothing happened, and the second flush tells %v", again)
	}
	requests.Add(t.Context(), 1, of)
	if third := flushed(t, e, out); len(third) != 1 || third[0]["requests_total"] != 1.0 {
		t.Errorf("one more request, and the third flush tells %v", third)
	}
}

func TestTenantsHaveLinesOfTheirOwn(t *testing.T) {
	t.Parallel()
	m, e, out := meters(t)
	requests, _ := m.Int64Counter("requests_total")
	for n, id := range []string{"acme", "globex"} {
		requests.Add(t.Context(), int64(n+1), names.With(names.Tenant(id)))
	}
	got := map[any]any{}
	for _, d := range flushed(t, e, out) {
		got[d["tenant_id"]] = d["requests_total"]
	}
	if diff := cmp.Diff(map[any]any{"acme": 1.0, "globex": 2.0}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestManyMeasurementsAreToldByTheirBuckets(t *testing.T) {
	t.Parallel()
	m, e, out := meters(t)
	duration, _ := m.Float64Histogram("duration_seconds", metric.WithExplicitBucketBoundaries(.1, 1, 10))
	for _, s := range []float64{.05, .06, .5, 2, 30} {
		duration.Record(t.Context(), s)
	}
	d := flushed(t, e, out)
	if diff := cmp.Diff([]any{.1, .1, 1.0, 10.0, 30.0}, d[0]["duration_seconds"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for range 1000 {
		duration.Record(t.Context(), .5)
	}
	if list := flushed(t, e, out)[0]["duration_seconds"].([]any); len(list) != maxValues || list[0] != .5 {
		t.Errorf("a thousand are told by %d values from %v", len(list), list[0])
	}
}

func TestWhatAWSKnowsItselfIsNotSent(t *testing.T) {
	t.Parallel()
	m, e, out := meters(t)
	gauge, _ := m.Int64Gauge("queue_depth")
	active, _ := m.Int64UpDownCounter("worker_active_count")
	gauge.Record(t.Context(), 5)
	active.Add(t.Context(), 1)
	if d := flushed(t, e, out); len(d) != 0 {
		t.Errorf("sent: %v", d)
	}
}
