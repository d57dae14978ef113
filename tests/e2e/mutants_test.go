package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// mutant is the product with one defence taken out of its source, and the
// scenario of the matrix that it must fail.
type mutant struct {
	name     string
	function string // which of the functions runs mutated
	file     string // below shared/
	change   []string
	scenario string
}

var mutants = []mutant{
	{
		name: "acknowledges before the work is done", function: "enhance", file: "app/run.go",
		change:   []string{"q.Receive(ctx, h)", "q.Receive(ctx, func(ctx context.Context, m queue.Message) error { go h(context.WithoutCancel(ctx), m); return nil })"},
		scenario: "killed: read, before the model answers",
	},
	{
		name: "does not look for the marker", function: "enhance", file: "enhance/brief.go",
		change:   []string{"Search: j.attempt.Posting", "Search: false"},
		scenario: "killed: answered, before the record is completed",
	},
	{
		name: "takes no lease", function: "enhance", file: "postgres/ledger/ledger.go",
		change: []string{
			"return &busy, nil", `a.Token = "00000000-0000-0000-0000-000000000000"; return nil, nil`,
			"err == nil && tag.RowsAffected() == 0 {\n\t\terr = enhance.ErrLost", "err == nil && tag.RowsAffected() < 0 {\n\t\terr = enhance.ErrLost",
		},
		scenario: "two events at once",
	},
	{
		name: "gives every delivery a job of its own", function: "webhook", file: "ticket/ticket.go",
		change:   []string{"string(kind), delivery))", "string(kind), delivery, time.Now().String()))"},
		scenario: "the same webhook many times at once",
	},
}

// TestEveryDefenceIsNeeded takes the defences out one by one: a scenario of
// the matrix that the product passes, the mutant fails, on either queue. A
// matrix that passes with a mutant proves nothing.
func TestEveryDefenceIsNeeded(t *testing.T) {
	t.Parallel()
	for _, m := range mutants {
		i := slices.IndexFunc(matrix, func(s scenario) bool { return s.name == m.scenario })
		if i < 0 {
			t.Fatalf("the matrix has no scenario %q: correct the mutant", m.scenario)
		}
		overlay := m.overlay(t)
		built := sound.with(m.function, sync.OnceValues(func() (string, error) { return buildFunction(m.function, "-overlay", overlay) }))
		for queue := range matrix[i].trouble {
			t.Run(queue+"/"+m.name, func(t *testing.T) {
				t.Parallel()
				if wrong := untroubled.run(t, queue, built); wrong != "" {
					t.Errorf("without trouble: %s", wrong)
				}
				wrong := matrix[i].run(t, queue, built)
				if wrong == "" {
					t.Errorf("it passes %q", m.scenario)
				}
				t.Logf("noticed: %s", wrong)
			})
		}
	}
}

// overlay writes the mutated file and gives go build's description of it.
func (m mutant) overlay(t *testing.T) string {
	t.Helper()
	original, err := filepath.Abs("../../shared/" + m.file)
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	text := string(source)
	for i := 0; i < len(m.change); i += 2 {
		if strings.Count(text, m.change[i]) != 1 {
			t.Fatalf("%s has %q %d times, want once: correct the mutant", m.file, m.change[i], strings.Count(text, m.change[i]))
		}
		text = strings.Replace(text, m.change[i], m.change[i+1], 1)
	}
	dir := t.TempDir()
	mutated, description := filepath.Join(dir, "mutated.go"), filepath.Join(dir, "overlay.json")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: mutated}})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{mutated: []byte(text), description: overlay} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return description
}
