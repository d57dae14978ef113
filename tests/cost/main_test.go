package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const context = "../../infra/cdk.context.json"

func TestThePageIsFresh(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	if err := run(&got, "inputs.json", context); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../docs/cost.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("make generate writes another docs/cost.md:\n%s", diff)
	}
}

func TestInputsThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile("inputs.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, wrong, want string }{
		{`"model_input"`, `"model_inputs"`, "no price for [model_input"},
		{`"db.m7g.xlarge"`, `"db.m8g.xlarge"`, "no price for [db.m7g.xlarge"},
		{`"tenants"`, `"tenant"`, "unknown field"},
		{`"stage": "prod"`, `"stage": "moon"`, `stage "moon" is not in`},
	} {
		t.Run(c.wrong, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "inputs.json")
			if err := os.WriteFile(file, bytes.Replace(good, []byte(c.old), []byte(c.wrong), 1), 0o600); err != nil {
				t.Fatal(err)
			}
			err := run(&bytes.Buffer{}, file, context)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestABillIsReckonedByHand holds the sums to ones that a person can follow.
func TestABillIsReckonedByHand(t *testing.T) {
	t.Parallel()
	b := &Bill{}
	b.Prices.List = map[string]Price{"lambda_requests": {USD: 2}, "lambda_seconds": {USD: 0.5}, "sqs_requests": {USD: 1e6}}
	if got := b.invocation(3, 2); got != 3+2e-6 {
		t.Errorf("3 s with 2 GB at 0.50 and a request: %v", got)
	}
	if one, three := b.message(1), b.message(3); one != 5 || three != 3 {
		t.Errorf("a message is %v requests, in batches of three %v", one, three)
	}
	b.Assumed.Tenants = 2
	if got := b.ticks(); got < 2*hours*60 || got > 2*hours*75 {
		t.Errorf("%v ticks of two tenants: the sweep alone is one a minute", got)
	}
	if grouped(1234567) != "1,234,567" || grouped(999) != "999" {
		t.Error(grouped(1234567), grouped(999))
	}
}
