package llm_test

import (
	"context"
	"errors"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/deskhand/deskhand/shared/llm"
)

var reader = sdkmetric.NewManualReader()

func TestMain(m *testing.M) {
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	os.Exit(m.Run())
}

func TestPricesAreReadInTheirOrder(t *testing.T) {
	t.Parallel()
	got, err := llm.ParsePrices(" openai/gpt-4o-mini=0.15/0.60, anthropic/claude* = 3 / 15 ,,a=b=0/0")
	want := []llm.Price{{"openai/gpt-4o-mini", 0.15, 0.6}, {"anthropic/claude*", 3, 15}, {"a=b", 0, 0}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := llm.ParsePrices(""); got != nil || err != nil {
		t.Errorf("of nothing: %v, %v", got, err)
	}
	for _, bad := range []string{"x", "x=", "x=1", "x=1/", "x=/1", "=1/2", "x=1/2/3", "x=-1/2", "x=1/NaN", "x=Inf/1"} {
		if got, err := llm.ParsePrices(bad); err == nil {
			t.Errorf("%q gives %v", bad, got)
		}
	}
}

func FuzzPrices(f *testing.F) {
	f.Add("openai/gpt-4o-mini=0.15/0.60,anthropic/claude*=3/15")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := llm.ParsePrices(text)
		if err != nil && list != nil {
			t.Fatalf("%v beside %v", list, err)
		}
		for _, p := range list {
			if p.Pattern == "" || !(p.In >= 0 && p.Out >= 0) || math.IsInf(p.In+p.Out, 0) {
				t.Fatalf("%+v", p)
			}
		}
	})
}

func TestACallCostsWhatTheEndpointTellsElseWhatTheListSays(t *testing.T) {
	t.Parallel()
	p := llm.Prices{Default: "mini", List: []llm.Price{{"mini", 1, 10}, {"big*", 100, 1000}, {"big-never", 1, 1}}}
	used := llm.Usage{PromptTokens: 1000, OutputTokens: 100}
	told := used
	told.CostUSD = 7
	for _, c := range []struct {
		model string
		usage llm.Usage
		want  float64
		known bool
	}{
		{"mini", used, 0.002, true},
		{"", used, 0.002, true},
		{"BIG-never", used, 0.2, true},
		{"other", used, 0, false},
		{"other", told, 7, true},
		{"mini", told, 7, true},
	} {
		if usd, known := p.Cost(c.model, c.usage); math.Abs(usd-c.want) > 1e-12 || known != c.known {
			t.Errorf("%q, %+v: %g, %v; want %g, %v", c.model, c.usage, usd, known, c.want, c.known)
		}
	}
}

// scripted is a model that gives one answer.
type scripted struct {
	reply llm.Reply
	err   error
}

func (s scripted) Complete(context.Context, llm.Request) (llm.Reply, error) { return s.reply, s.err }

func TestACallIsPricedAlsoWhereItGaveNoText(t *testing.T) {
	t.Parallel()
	reply := llm.Reply{Text: "x", Model: "mini-2026", Usage: llm.Usage{PromptTokens: 1000}}
	for _, err := range []error{nil, llm.ErrEmpty} {
		m := llm.Metered{Model: scripted{reply, err}, Prices: llm.Prices{Default: "mini", List: []llm.Price{{"mini", 1, 10}}}}
		got, gotErr := m.Complete(t.Context(), llm.Request{})
		if got.Usage.CostUSD != 0.001 || got.Text != "x" || !errors.Is(gotErr, err) {
			t.Errorf("%+v, %v", got, gotErr)
		}
	}
}

func TestMetricsNameOnlyModelsThatTheOperatorNamed(t *testing.T) {
	t.Parallel()
	prices := llm.Prices{Default: "named/default", List: []llm.Price{{"named/one", 1, 10}, {"named/all-*", 1, 10}}}
	m := llm.Metered{Model: scripted{}, Prices: prices}
	for _, model := range []string{"", "named/default", "named/one", "NAMED/ONE", "named/all-1", "named/all-2", "typed by a tenant", "named/One more"} {
		if _, err := m.Complete(t.Context(), llm.Request{Model: model}); err != nil {
			t.Fatal(err)
		}
	}
	got := labels(t)
	for _, want := range []string{"named/default", "named/one", "named/all-*", "other"} {
		if !slices.Contains(got, want) {
			t.Errorf("no label %q in %q", want, got)
		}
	}
	if len(got) > 5 { // the fifth is the default of another test
		t.Errorf("labels %q", got)
	}
}

// labels are the models that llm_call_duration_seconds names.
func labels(t *testing.T) (names []string) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != "llm_call_duration_seconds" {
				continue
			}
			for _, p := range m.Data.(metricdata.Histogram[float64]).DataPoints {
				if v, _ := p.Attributes.Value("model"); !slices.Contains(names, v.AsString()) {
					names = append(names, v.AsString())
				}
			}
		}
	}
	return names
}
