package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/app"
	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/tenant"
)

// trail reads the audit trail by the operator's command: "operation status", in
// order, of one ticket or job.
func (w *world) trail(id tenant.ID, about string) (steps []string) {
	w.t.Helper()
	since := time.Now().Add(-24 * time.Hour).UTC().Format(time.DateOnly)
	for line := range strings.Lines(w.cli("audit", "export", "--tenant", string(id), "--since", since)) {
		var e audit.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			w.t.Fatalf("%s: %v", line, err)
		}
		if e.Tenant != id || e.Actor == "" || time.Since(e.Time) > time.Hour {
			w.t.Errorf("event %+v", e)
		}
		if about == e.Ticket || (about != "" && about == e.Correlation) {
			steps = append(steps, string(e.Operation)+" "+string(e.Status))
		}
	}
	return steps
}

func TestTheTrailTellsTheStoryOfATicket(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.knows("acme")
	key := w.desks["acme"].AddTicket(printing)
	job := w.created("acme", key)
	w.ended(job)
	want := "webhook_received accepted, enhancement_started started, note_written started, note_written success, enhancement_completed success"
	if got := strings.Join(w.trail("acme", job), ", "); got != want {
		t.Errorf("the trail is\n%s, want\n%s", got, want)
	}
	for about, want := range map[string]string{
		"":     "tenant_added success, history_imported success", // and then the exports
		"acme": "connection_added success",
	} {
		if got := strings.Join(w.trail("acme", about), ", "); !strings.HasPrefix(got, want) {
			t.Errorf("about %q the trail has %s, want %s", about, got, want)
		}
	}
	gone := w.created("acme", "404404")
	w.empty()
	if got := w.trail("acme", gone); len(got) == 0 || got[len(got)-1] != "event_discarded dropped" {
		t.Errorf("a ticket that is gone: %v", got)
	}
	if raw := w.cli("audit", "export", "--tenant", "acme", "--since", "2026-01-01"); regexp.MustCompile(`(?i)print|stuck|Ana Ruiz|key-of`).MatchString(raw) {
		t.Errorf("the trail quotes a ticket:\n%s", raw)
	}
}

func TestAnErasedTenantIsGoneEverywhereAndTheOtherIsUntouched(t *testing.T) {
	t.Parallel()
	w := start(t)
	for id := range w.desks {
		w.knows(id)
		w.ended(w.created(id, w.desks[id].AddTicket(printing)))
	}
	before := w.export("globex", "before")
	if all := strings.Join(w.export("acme", "all"), "\n"); !strings.Contains(all, "Secret of acme") || strings.Contains(all, "globex") || strings.Contains(all, "key-of") {
		t.Error("the export lacks what is acme's, or has more than that")
	}
	proof := w.cli("tenant", "erase", "acme", "--yes")
	if !regexp.MustCompile(`(?m)^ticket_history +[2-9] +0$`).MatchString(proof) || !regexp.MustCompile(`(?m)^all +\d+ +0$`).MatchString(proof) || !strings.Contains(proof, "Backups") {
		t.Errorf("the proof:\n%s", proof)
	}
	for _, key := range w.redis.Keys() {
		if strings.Contains(key, "acme") {
			t.Errorf("Redis keeps %s", key)
		}
	}
	after := w.export("globex", "after")
	for i, row := range before {
		if !strings.Contains(row, "schedule") && (i >= len(after) || !strings.Contains(strings.Join(after, "\n"), row)) {
			t.Errorf("globex has no longer the row %s", row)
		}
	}
	if list := w.cli("tenant", "list"); strings.Contains(list, "acme") || !strings.Contains(list, "globex") {
		t.Errorf("tenants:\n%s", list)
	}
	if note := w.note("globex", w.createdTicket("globex")); !strings.Contains(note.Body, "Print Spooler") {
		t.Errorf("globex's note has lost its past:\n%s", note.Body)
	}
}

// createdTicket adds a ticket and sends its webhook.
func (w *world) createdTicket(id tenant.ID) (key string) {
	w.t.Helper()
	key = w.desks[id].AddTicket(printing)
	w.created(id, key)
	return key
}

// export gives all rows of a tenant by the operator's command, but for those of
// the trail, which tell of the export itself.
func (w *world) export(id tenant.ID, name string) (rows []string) {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), name)
	if out := w.cli("tenant", "export", string(id), "--out", dir); !strings.Contains(out, "connections.sealed_values") {
		w.t.Errorf("what is left out is not said:\n%s", out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(files) < 8 {
		w.t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		body, err := os.ReadFile(f)
		if err != nil {
			w.t.Fatal(err)
		}
		for row := range strings.Lines(string(body)) {
			if filepath.Base(f) != "audit_events.jsonl" && filepath.Base(f) != "schedule_slots.jsonl" {
				rows = append(rows, strings.TrimSpace(row))
			}
		}
	}
	return rows
}

// TestEventsOfAnErasedTenantAreDiscarded erases while a webhook waits.
func TestEventsOfAnErasedTenantAreDiscarded(t *testing.T) {
	t.Parallel()
	w := build(t)
	w.serve()
	job := w.created("acme", w.desks["acme"].AddTicket(printing))
	w.cli("tenant", "erase", "acme", "--yes")
	w.cold = true
	w.launch((*app.App).RunEnhance)
	w.empty()
	if n := len(w.desks["acme"].Notes("1001")); n != 0 {
		t.Errorf("%d notes of an erased tenant", n)
	}
	var rows int
	if err := w.owner.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM enhancement_history) + (SELECT count(*) FROM audit_events WHERE tenant_id = 'acme')").Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows of job %s, %v", rows, job, err)
	}
}

// TestAToolInAPrivateNetworkNeedsTheSetting takes the setting away.
func TestAToolInAPrivateNetworkNeedsTheSetting(t *testing.T) {
	t.Parallel()
	w := start(t)
	if err := w.app.Office().Install(t.Context(), w.app.AtTheDesk(), tenant.Tenant{ID: "acme", Name: "ACME"}); err != nil {
		t.Fatal(err)
	}
	if err := w.app.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	key := w.desks["acme"].AddTicket(printing)
	job := w.created("acme", key)
	w.eventually("the refusal in the ledger", 30*time.Second, func() bool {
		var text string
		err := w.owner.QueryRow(t.Context(), "SELECT error FROM enhancement_history WHERE job_id = $1", job).Scan(&text)
		return err == nil && strings.Contains(text, "loopback") && strings.Contains(text, "allowed_networks")
	})
	if n := len(w.desks["acme"].Notes(key)); n != 0 {
		t.Errorf("%d notes", n)
	}
	w.note("globex", w.createdTicket("globex")) // who still allows it
}
