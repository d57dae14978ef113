package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/llm/llmtest"
)

// mutant is the product with one defence taken out of its source.
type mutant struct {
	name     string
	function string // which of the functions runs mutated
	file     string // below shared/
	change   []string
	// outcome brings the product into the trouble that the defence is for,
	// and tells what a check of notes and records finds wrong; "" for nothing.
	outcome func(w *world, path string) string
}

var mutants = []mutant{
	{
		name: "acknowledges before the work is done", function: "enhance", file: "app/run.go",
		change:  []string{"q.Receive(ctx, h)", "q.Receive(ctx, func(ctx context.Context, m queue.Message) error { go h(context.WithoutCancel(ctx), m); return nil })"},
		outcome: killedWhileAsking,
	},
	{
		name: "does not look for the marker", function: "enhance", file: "enhance/enhance.go",
		change:  []string{"Search: a.Posting", "Search: false"},
		outcome: killedAfterWriting,
	},
	{
		name: "takes no lease", function: "enhance", file: "postgres/ledger/ledger.go",
		change: []string{
			"return &busy, nil", `a.Token = "00000000-0000-0000-0000-000000000000"; return nil, nil`,
			"err == nil && tag.RowsAffected() == 0 {\n\t\terr = enhance.ErrLost", "err == nil && tag.RowsAffected() < 0 {\n\t\terr = enhance.ErrLost",
		},
		outcome: twoEventsAtOnce,
	},
	{
		name: "gives every delivery a job of its own", function: "webhook", file: "ticket/ticket.go",
		change:  []string{"string(kind), delivery))", "string(kind), delivery, time.Now().String()))"},
		outcome: sentTwice,
	},
}

// TestEveryDefenceIsNeeded takes the defences out one by one: the same trouble
// that leaves the product with one note and one record does not leave the
// mutant so. A matrix of crashes that passes with a mutant proves nothing.
func TestEveryDefenceIsNeeded(t *testing.T) {
	t.Parallel()
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			sound, err := buildFunction(m.function)
			if err != nil {
				t.Fatal(err)
			}
			if wrong := m.outcome(build(t, nil, nil), sound); wrong != "" {
				t.Errorf("the product: %s", wrong)
			}
			mutated, err := buildFunction(m.function, "-overlay", m.overlay(t))
			if err != nil {
				t.Fatal(err)
			}
			wrong := m.outcome(build(t, nil, nil), mutated)
			if wrong == "" {
				t.Error("the mutant was not noticed")
			}
			t.Logf("noticed: %s", wrong)
		})
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

// wrong tells what is not as it must be at the end: one note, one completed
// record, nothing on the queue.
func (w *world) wrong(key string) string {
	w.t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for !strings.Contains(w.cli("queue", "depth"), "enhancement  0        0        0") && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	var completed, all int
	err := w.owner.QueryRow(w.t.Context(), "SELECT count(*) FILTER (WHERE status = 'completed' AND skipped = ''), count(*) FROM enhancement_history").Scan(&completed, &all)
	if err != nil {
		w.t.Fatal(err)
	}
	notes := len(w.desks["acme"].Notes(key))
	if notes == 1 && completed == 1 {
		return ""
	}
	return fmt.Sprintf("%d notes, %d completed records of %d", notes, completed, all)
}

func killedWhileAsking(w *world, path string) string {
	w.serve()
	w.model.Next(llmtest.Hang())
	key := w.desks["acme"].AddTicket(printing)
	w.created("acme", key)
	first := w.process(path, freeAddr(w.t))
	w.eventually("the model is asked", 30*time.Second, func() bool { return len(w.model.Calls()) > 0 })
	// What was acknowledged too early is off the queue by now.
	time.Sleep(time.Second)
	_ = first.Process.Kill()
	_ = first.Wait()
	w.process(path, freeAddr(w.t))
	return w.wrong(key)
}

func killedAfterWriting(w *world, path string) string {
	w.serve()
	reached, open := w.wall("enhancement_history", "UPDATE", "NEW.status = 'completed'")
	key := w.desks["acme"].AddTicket(printing)
	w.created("acme", key)
	first := w.process(path, freeAddr(w.t))
	w.eventually("the note is written", 30*time.Second, reached)
	_ = first.Process.Kill()
	_ = first.Wait()
	open()
	w.process(path, freeAddr(w.t))
	return w.wrong(key)
}

func twoEventsAtOnce(w *world, path string) string {
	w.serve()
	w.model.Next(llmtest.Delay(2*time.Second), llmtest.Delay(2*time.Second))
	key := w.desks["acme"].AddTicket(printing)
	w.created("acme", key)
	w.send(delivery{path: "/webhook/servicedesk/acme", key: signing("acme"), body: fmt.Sprintf(`{"event":"request.updated","request_id":%q}`, key)})
	w.process(path, freeAddr(w.t))
	w.note("acme", key)
	return w.wrong(key)
}

func sentTwice(w *world, path string) string {
	addr := freeAddr(w.t)
	w.process(path, addr)
	w.url = "http://" + addr
	w.eventually("the webhook function is ready", 20*time.Second, func() bool {
		code, _ := w.get("/readyz")
		return code == http.StatusOK
	})
	key := w.desks["acme"].AddTicket(printing)
	if first, again := w.created("acme", key), w.created("acme", key); first != again {
		return fmt.Sprintf("the repeat was given job %s, not %s", again, first)
	}
	w.worker()
	w.note("acme", key)
	return w.wrong(key)
}
