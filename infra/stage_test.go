package main

import (
	"maps"
	"strings"
	"testing"
)

func TestAStageSaysAllThatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	context, err := readContext()
	if err != nil {
		t.Fatal(err)
	}
	good := context["stages"].(map[string]any)["dev"].(map[string]any)
	for name, c := range map[string]struct {
		change map[string]any
		want   []string
	}{
		"good":        {nil, nil},
		"unknown":     {map[string]any{"zone": "a"}, []string{"unknown field"}},
		"several":     {map[string]any{"region": "", "zones": []string{"a", "b"}, "domain": "x.example.com"}, []string{"region", "zones", "domain, certificate"}},
		"sizes":       {map[string]any{"nat_gateways": 4, "requests_per_source": 1, "concurrency": map[string]any{"webhook": 2}}, []string{"nat_gateways", "requests_per_source", "concurrency"}},
		"cluster":     {map[string]any{"cluster": map[string]any{"admin": "arn:aws:iam::123456789012:role/x", "host": "localhost"}}, []string{"cluster: "}},
		"connections": {map[string]any{"concurrency": map[string]any{"webhook": 300, "enhance": 50, "catalogue": 5, "admin": 5}}, []string{"may open"}},
		"type":        {map[string]any{"nat_gateways": "two"}, []string{"nat_gateways"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stage := maps.Clone(good)
			maps.Copy(stage, c.change)
			_, err := ReadStages(map[string]any{"dev": stage})
			if (err == nil) != (len(c.want) == 0) {
				t.Fatalf("%v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
}

func TestAnUnknownStageIsRefused(t *testing.T) {
	t.Parallel()
	context, err := readContext()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all(); err != nil { // the CDK's runtime does one thing at a time
		t.Fatal(err)
	}
	context["stage"] = "nowhere"
	if _, _, err := newApp(context); err == nil || !strings.Contains(err.Error(), `"nowhere"`) {
		t.Errorf("%v", err)
	}
}
