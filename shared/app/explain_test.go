package app

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/cli"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/doctor"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/ticket"
)

// noted has a note written on a new ticket of acme, and gives the event.
func noted(t *testing.T, w *ward) (*App, ticket.Event) {
	t.Helper()
	a, err := New(t.Context(), w.cfg, w.app.Telemetry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.pool.Close)
	t.Cleanup(a.db.Close)
	t.Cleanup(a.adminDB.Close)
	if err := a.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	tool, err := a.tools.open(a.watch.Current().Connections["acme"])
	if err != nil {
		t.Fatal(err)
	}
	key, err := tool.(interface {
		Create(context.Context, string, string) (string, error)
	}).Create(t.Context(), "Printer PRN-03", "does not print")
	if err != nil {
		t.Fatal(err)
	}
	ref := ticket.Ref{Tenant: "acme", Tool: "servicedesk_plus", Connection: "acme", Key: key}
	ev := ticket.Event{Job: ticket.JobID(ref, ticket.Created, "d"), Ref: ref, Kind: ticket.Created, Received: time.Now()}
	handle(t, a, ev)
	return a, ev
}

func handle(t *testing.T, a *App, ev ticket.Event) {
	t.Helper()
	body, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Enhance()(t.Context(), queue.Message{ID: ev.Job, Tenant: ev.Ref.Tenant, Kind: string(ev.Kind), Body: body, Sent: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

// command runs a command line on the ward's configuration.
func (w *ward) command(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	p := cli.New(Program("test", func() (config.Config, error) { return w.cfg, nil }))
	var b bytes.Buffer
	p.Out, p.Err = &b, &b
	code = p.Run(t.Context(), args)
	return code, b.String()
}

func TestExplainFindsTheJobByItsIdOrItsTicket(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	_, ev := noted(t, w)
	for _, args := range [][]string{{ev.Job}, {strings.ToUpper(ev.Job), "--tenant", "acme"}, {ev.Ref.Key, "--tenant", "acme"}} {
		code, out := w.command(t, append([]string{"explain"}, args...)...)
		if code != 0 || !strings.Contains(out, "Ticket") || !strings.Contains(out, ev.Ref.Key+" of tenant acme") || !strings.Contains(out, "completed") {
			t.Errorf("%v: exit code %d: %s", args, code, out)
		}
	}
	for _, args := range [][]string{{ev.Job, "--tenant", "globex"}, {ev.Ref.Key}, {ev.Ref.Key, "--tenant", "globex"}, {ev.Job, "--tenant", "nobody"}} {
		if code, out := w.command(t, append([]string{"explain"}, args...)...); code != 1 || strings.Contains(out, "PRN-03") {
			t.Errorf("%v: exit code %d: %s", args, code, out)
		}
	}
	code, out := w.command(t, "audit", "export", "--tenant", "acme", "--since", "2026-01-01")
	if n := strings.Count(out, `"operation":"job_explained"`); code != 0 || n != 3 || !strings.Contains(out, `"correlation_id":"`+ev.Job+`"`) {
		t.Errorf("exit code %d, %d explained: %s", code, n, out)
	}
}

func TestAReplayWritesNothingUnlessTold(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	a, ev := noted(t, w)
	before := rowsOf(t, a)
	code, out := w.command(t, "replay", ev.Job)
	if code != 0 || !strings.Contains(out, "Nothing was written") {
		t.Fatalf("exit code %d: %s", code, out)
	}
	after := rowsOf(t, a)
	const trail = "public.audit_events"
	if after[trail] == before[trail] {
		t.Error("the trail does not tell of it")
	}
	maps.DeleteFunc(after, func(table, _ string) bool { return table == trail })
	delete(before, trail)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("it changed tables: %s", diff)
	}

	if code, out = w.command(t, "replay", ev.Job, "--post"); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	waiting, err := a.enhancing.Peek(t.Context(), 9)
	if err != nil || len(waiting) != 1 || !strings.Contains(out, waiting[0].ID) || waiting[0].ID == ev.Job {
		t.Fatalf("waiting %+v, %v; said %s", waiting, err, out)
	}
	again := ev
	again.Job, again.Kind = waiting[0].ID, ticket.Kind(waiting[0].Kind)
	handle(t, a, again)
	first, err := a.Ledger.Find(t.Context(), "acme", ev.Job)
	if err != nil {
		t.Fatal(err)
	}
	second, err := a.Ledger.Find(t.Context(), "acme", again.Job)
	if err != nil || second.Skipped != "" || second.NoteID != first.NoteID || second.NoteID == "" {
		t.Errorf("%+v, %v; want another go at note %q", second, err, first.NoteID)
	}
}

func TestAReplayNeedsTheWorkersModel(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	a, ev := noted(t, w)
	owner := pgtest.DB{OwnerURL: w.cfg.DatabaseOwnerURL.Reveal()}.Owner(t)
	if _, err := owner.Exec(t.Context(), "UPDATE enhancement_history SET model = 'small'"); err != nil {
		t.Fatal(err)
	}
	w.cfg.OpenAIKey = config.Config{}.OpenAIKey
	if code, out := w.command(t, "replay", ev.Job); code != 1 || !strings.Contains(out, "--post") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if waiting, err := a.enhancing.Peek(t.Context(), 9); err != nil || len(waiting) != 0 {
		t.Errorf("waiting: %v, %v", waiting, err)
	}
}

// TestDoctorNamesModelsThatABudgetCannotReckonWith has a budget in dollars, and
// three models of which one has a price.
func TestDoctorNamesModelsThatABudgetCannotReckonWith(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.cfg.ModelPrices = "sm*=1/2"
	wantVerdict(t, w.examine(t), "prices", doctor.OK, "every model")
	if code, out := w.command(t, "tenant", "edit", "acme", "monthly_usd=5", "model_rules=evidence:thin=strong", "fallback_models=other"); code != 0 {
		t.Fatal(out)
	}
	results := of(w.examine(t), "prices")
	got := make([]string, len(results))
	for i, r := range results {
		got[i] = string(r.Verdict) + " " + r.Subject + " " + r.Detail
	}
	slices.Sort(got)
	want := []string{"warn acme no price for the model other", "warn acme no price for the model strong"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	bad := config.Config{ModelPrices: "x=1"}
	if _, err := New(t.Context(), bad, w.app.Telemetry); err == nil || !strings.Contains(err.Error(), "MODEL_PRICES") {
		t.Errorf("prices that are none: %v", err)
	}
}
