package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/deskhand/deskhand/shared/metric"
)

// maxValues is how many values of one metric a line may have.
const maxValues = 100

// emf writes counters and histograms as lines in CloudWatch's embedded metric
// format, from which CloudWatch makes metrics:
// docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
// Gauges are left out: AWS itself knows how deep its queues are and how many
// functions run. So are the libraries' own metrics: CloudWatch bills each.
type emf struct {
	reader  *sdkmetric.ManualReader
	service string
	out     io.Writer
	now     func() time.Time
}

func newEMF(service string, out io.Writer) *emf {
	// CloudWatch adds up what it is sent: each flush tells what is new.
	delta := func(sdkmetric.InstrumentKind) metricdata.Temporality { return metricdata.DeltaTemporality }
	return &emf{reader: sdkmetric.NewManualReader(sdkmetric.WithTemporalitySelector(delta)), service: service, out: out, now: time.Now}
}

// flush writes what was measured since the last flush, one line for all that
// has the same attributes.
func (e *emf) flush(ctx context.Context) error {
	var all metricdata.ResourceMetrics
	if err := e.reader.Collect(ctx, &all); err != nil {
		return fmt.Errorf("collect metrics: %w", err)
	}
	lines := lines{}
	for _, scope := range all.ScopeMetrics {
		if scope.Scope.Name != metric.Scope {
			continue
		}
		for _, m := range scope.Metrics {
			lines.add(m)
		}
	}
	for _, l := range lines {
		b, err := json.Marshal(l.document(e.service, e.now()))
		if err != nil {
			return fmt.Errorf("write metrics: %w", err)
		}
		if _, err := e.out.Write(append(b, '\n')); err != nil {
			return fmt.Errorf("write metrics: %w", err)
		}
	}
	return nil
}

// line is the metrics of one set of attributes.
type line struct {
	attributes attribute.Set
	definition []definition
	values     map[string]any // a number, or a list of at most maxValues
}

// definition is how CloudWatch is told of a metric.
type definition struct {
	Name string
	Unit string `json:",omitempty"`
}

// lines are keyed by their attributes.
type lines map[attribute.Distinct]*line

func (l lines) add(m metricdata.Metrics) {
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		if data.IsMonotonic {
			for _, p := range data.DataPoints {
				l.put(p.Attributes, definition{m.Name, "Count"}, p.Value)
			}
		}
	case metricdata.Sum[float64]:
		if data.IsMonotonic {
			for _, p := range data.DataPoints {
				l.put(p.Attributes, definition{Name: m.Name}, p.Value)
			}
		}
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			l.put(p.Attributes, definition{m.Name, "Seconds"}, values(p))
		}
	}
}

func (l lines) put(attributes attribute.Set, d definition, value any) {
	key := attributes.Equivalent()
	if l[key] == nil {
		l[key] = &line{attributes: attributes, values: map[string]any{}}
	}
	l[key].definition = append(l[key].definition, d)
	l[key].values[d.Name] = value
}

// values are the measurements of a histogram as far as it knows them: one is
// exact, several are as exact as its buckets, like a quantile of Prometheus.
// Of more than maxValues every nth is told.
func values(p metricdata.HistogramDataPoint[float64]) []float64 {
	if p.Count == 1 {
		return []float64{p.Sum}
	}
	top, known := p.Max.Value()
	var list []float64
	every, n := (p.Count+maxValues-1)/maxValues, uint64(0)
	for bucket, count := range p.BucketCounts {
		at := top
		if bucket < len(p.Bounds) && (!known || p.Bounds[bucket] < top) {
			at = p.Bounds[bucket]
		}
		for range count {
			if n++; n%every == 0 {
				list = append(list, at)
			}
		}
	}
	return list
}

// document is the line as CloudWatch reads it. What is told by tenant is told
// for the service as a whole besides: an alarm cannot add up tenants that it
// does not know.
func (l *line) document(service string, now time.Time) map[string]any {
	document := map[string]any{"service": service}
	names := make([]string, 0, l.attributes.Len())
	for _, a := range l.attributes.ToSlice() {
		names = append(names, string(a.Key))
		document[string(a.Key)] = a.Value.String()
	}
	for name, value := range l.values {
		document[name] = value
	}
	dimensions := [][]string{names}
	if i := slices.Index(names, metric.LabelTenant); i >= 0 {
		dimensions = append(dimensions, append(slices.Delete(slices.Clone(names), i, i+1), "service"))
	}
	document["_aws"] = map[string]any{
		"Timestamp": now.UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace": metric.Namespace, "Dimensions": dimensions, "Metrics": l.definition,
		}},
	}
	return document
}
