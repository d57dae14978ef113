package e2e_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/llm/llmtest"
)

// TestAKilledWorkerIsReplacedWithinAMinute lets the time pass by itself for
// which a dead worker's message and lease are still its own.
func TestAKilledWorkerIsReplacedWithinAMinute(t *testing.T) {
	t.Parallel()
	for _, queue := range []string{onPostgres, onSQS} {
		t.Run(queue, func(t *testing.T) {
			t.Parallel()
			w := buildFor(t, queue)
			w.slowly = true
			w.takesWebhooks()
			w.ticket = w.desks["acme"].AddTicket(printing)
			killed(atModel)(w)
			killed := time.Now()
			if wrong := w.wrong(1); wrong != "" {
				t.Errorf("%s\nlog:\n%s", wrong, w.log)
			}
			took := time.Since(killed).Round(time.Millisecond)
			if took > time.Minute {
				t.Errorf("recovered in %s", took)
			}
			t.Logf("recovered in %s", took)
		})
	}
}

// TestAWorkerDrainsOnSIGTERM tells the worker to stop while it waits for the
// model: the job is done or given back at once, and ends with one note.
func TestAWorkerDrainsOnSIGTERM(t *testing.T) {
	t.Parallel()
	for _, queue := range []string{onPostgres, onSQS} {
		t.Run(queue, func(t *testing.T) {
			t.Parallel()
			drains(t, queue)
		})
	}
}

func drains(t *testing.T, queue string) {
	t.Helper()
	w := buildFor(t, queue)
	w.serve()
	w.model.Next(llmtest.Delay(2 * time.Second))
	key := w.desks["acme"].AddTicket(printing)
	job := w.created("acme", key)
	worker := w.start("enhance")
	w.eventually("the model is asked", 30*time.Second, w.asked)
	if err := worker.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := worker.Wait(); err != nil {
		t.Errorf("the worker ended with %v\n%s", err, w.log)
	}
	if r := w.ended(job); r.Status != "completed" || len(w.desks["acme"].Notes(key)) != 1 {
		t.Errorf("record %+v, %d notes", r, len(w.desks["acme"].Notes(key)))
	}
}

// TestAFunctionSaysWhatItLacks starts the built function without any
// configuration.
func TestAFunctionSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	path, err := sound["enhance"]()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path)
	cmd.Env = []string{"PATH=/usr/bin"}
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Run(); err == nil {
		t.Fatal("it started")
	}
	for _, name := range []string{"DATABASE_URL", "DATABASE_QUEUE_URL", "SEALING_KEY", "docs/configuration.md"} {
		if !strings.Contains(out.String(), name) {
			t.Errorf("the message does not name %s:\n%s", name, &out)
		}
	}
}
