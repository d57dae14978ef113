package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed reference.json
var stored []byte

// reference is what a run is held to.
type reference struct {
	Slack  float64              `json:"slack"`   // .25: a ratio may be worse by a quarter
	Accept map[string]ratios    `json:"accept"`  // by key of the row
	InitMS float64              `json:"init_ms"` // at most, for every function
	BareMS float64              `json:"bare_ms"` // of a function that does nothing, where that holds
	ZipMB  map[string]megabytes `json:"zip_mb"`  // at most, by function
}

// ratios are to the floor of the same run.
type ratios struct {
	Rate float64 `json:"rate"`
	CPU  float64 `json:"cpu"`
}

type megabytes = float64

func readReference() (r reference, err error) {
	if err := json.Unmarshal(stored, &r); err != nil {
		return r, fmt.Errorf("tests/load/reference.json: %w", err)
	}
	return r, nil
}

// initLimit is how long a start may take, in ms, where a function that does
// nothing takes so long: more where the machine is slower than that of the
// reference, or busy.
func (r reference) initLimit(bare float64) float64 { return r.InitMS * max(1, bare/r.BareMS) }

// gate collects what is worse than it may be.
type gate struct{ failures []error }

func (g *gate) fail(format string, args ...any) {
	g.failures = append(g.failures, fmt.Errorf(format, args...))
}

// accepts holds the rows to the ratios; the first row is the floor.
func (g *gate) accepts(rows []measured, ref reference) {
	floor := rows[0].figures
	for _, r := range rows[1:] {
		want, ok := ref.Accept[r.key]
		if !ok {
			g.fail("%s: reference.json has no ratios for %q", r.name, r.key)
			continue
		}
		if have, limit := r.figures.cpu/floor.cpu, want.CPU*(1+ref.Slack); have > limit {
			g.fail("%s: a webhook takes %.2f times the CPU of the floor; %.2f is the reference, %.2f the limit", r.name, have, want.CPU, limit)
		}
		if have, limit := r.figures.rate/floor.rate, want.Rate*(1-ref.Slack); have < limit {
			g.fail("%s: it takes %.2f times the webhooks a second of the floor; %.2f is the reference, %.2f the limit", r.name, have, want.Rate, limit)
		}
	}
}

func (g *gate) functions(rows []function, ref reference) {
	for _, r := range rows {
		if limit := ref.initLimit(r.bare); r.init >= limit {
			g.fail("%s: init takes %.1f ms, want less than %.1f ms: a function that does nothing takes %.1f ms, %.1f on a quiet machine", r.name, r.init, limit, r.bare, ref.BareMS)
		}
		if limit, ok := ref.ZipMB[r.name]; !ok || r.zip > limit {
			g.fail("%s: the zip has %.2f MB, at most %.2f MB is allowed in reference.json", r.name, r.zip, limit)
		}
	}
}
