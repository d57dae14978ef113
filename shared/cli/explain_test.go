package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/receipts"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

var update = flag.Bool("update", false, "write the golden files again")

// kept is the ledger of a world, with one job.
type kept struct {
	record   enhance.Record
	asked    string // tenant/job
	fresh    enhance.Enhancement
	replayed int
	err      error
}

// extend has the desk know it.
func (k *kept) extend(d *operator.Desk) {
	d.Explain = func(_ context.Context, id tenant.ID, job string) (enhance.Record, error) {
		k.asked = string(id) + "/" + job
		return k.record, k.err
	}
	d.Rehearse = func(context.Context, enhance.Record) (enhance.Enhancement, error) { return k.fresh, k.err }
	d.Replay = func(context.Context, enhance.Record) (string, error) {
		k.replayed++
		return "job-2", k.err
	}
}

// explained is a job with everything, some of it hostile.
func explained() enhance.Record {
	return enhance.Record{
		Job: "job-1", Kind: ticket.Created, Ref: ticket.Ref{Tenant: "acme", Tool: "servicedesk_plus", Connection: "acme", Key: "1042"},
		Tries: 2, Received: start, Ended: start.Add(4200 * time.Millisecond),
		Enhancement: enhance.Enhancement{
			Status: enhance.Completed, NoteID: "n7", Model: "openai/gpt-4o-mini",
			Note: "**Seen before:** #1031\n\n### Similar Tickets\n\n- Restart the spooler [T1]\n\x1b[31mred\u202e\n",
			Bundle: evidence.Bundle{
				Items: []evidence.Item{
					{ID: "T1", Kind: evidence.PastTicket, Source: "history", Ref: "#1031", Title: "Printer stuck\x1b[2J", Score: 12.345, Why: "spooler, hp", Path: "words, references", Facts: []evidence.Fact{{Kind: evidence.Held, N: 21}}, When: start.AddDate(0, -1, 0)},
					{ID: "A1", Kind: evidence.Article, Source: "articles", Ref: "KB7", Title: "Spooler", Score: 3, Possibly: true},
				},
				Withheld: []evidence.Item{{ID: "T2", Kind: evidence.PastTicket, Source: "history", Ref: "998"}},
				Gaps:     []evidence.Gap{{Source: "inventory", Label: "system inventory", Reason: "no answer within 10s:\n timeout"}},
				Took:     map[string]time.Duration{"history": 20 * time.Millisecond, "articles": 1500 * time.Millisecond},
			},
			Run: enhance.Run{
				Started: start.Add(time.Second), Versions: enhance.Versions{Program: "v1.2", Prompt: "3", Policy: "2"},
				Steps: []enhance.Step{
					{Name: "read", At: 200 * time.Millisecond, Took: 200 * time.Millisecond},
					{Name: "gather", At: 1700 * time.Millisecond, Took: 1500 * time.Millisecond},
					{Name: "ask", At: 3 * time.Second, Took: 1300 * time.Millisecond, Note: "one repair"},
					{Name: "post", At: 3100 * time.Millisecond, Took: 2 * time.Millisecond},
				},
				Calls: []enhance.Call{
					{Model: "openai/gpt-4o-mini", System: "be brief", User: "a printer, [E-MAIL 1]", Error: "the model does not answer: 503", Hidden: map[string]int{"password": 1, "e-mail address": 2}},
					{Model: "openai/gpt-4o", System: "be brief", User: "again", Answer: "{\"claims\":\n []}", Usage: llm.Usage{PromptTokens: 1080, OutputTokens: 210, CostUSD: 0.00482, Latency: 1100 * time.Millisecond}},
				},
				Verdicts: []receipts.Verdict{
					{Section: "Similar Tickets", Text: "Restart the spooler", Cites: []string{"T1", "A1"}, Outcome: receipts.Kept},
					{Section: "Recommended Next Steps", Text: "Call 10.9.9.9", Cites: []string{"T9"}, Outcome: receipts.Removed, Why: "cites T9, which is no evidence of this job"},
					{Section: "Recommended Next Steps", Text: "Keep calm", Outcome: receipts.IsGeneral},
				},
			},
		},
	}
}

// golden compares what was printed with testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s; go test ./shared/cli -update writes it (-want +got):\n%s", file, diff)
	}
}

func TestGoldenExplainSaysWhyTheNoteSaysThat(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"explain.txt":       {"explain", "1042", "--tenant", "acme"},
		"explain_whole.txt": {"explain", "1042", "--tenant", "acme", "--prompt", "--answer"},
	} {
		w := newWorld()
		w.kept.record = explained()
		if code := w.run(t, args...); code != 0 || w.kept.asked != "acme/1042" || w.closed != 1 {
			t.Fatalf("exit code %d, asked %q: %s", code, w.kept.asked, w.err.String())
		}
		golden(t, name, w.out.String())
		if strings.ContainsAny(w.out.String(), "\x1b\u202e") {
			t.Error("a terminal would obey")
		}
	}
}

func TestExplainSaysWhatThereIsNot(t *testing.T) {
	t.Parallel()
	w := newWorld()
	r := explained()
	r.Enhancement = enhance.Enhancement{Status: enhance.Completed, Skipped: "the ticket is closed"}
	w.kept.record = r
	if code := w.run(t, "explain", "job-1"); code != 0 || w.kept.asked != "/job-1" {
		t.Fatalf("exit code %d, asked %q: %s", code, w.kept.asked, w.err.String())
	}
	for _, want := range []string{"the ticket is closed", "Evidence: 0 found; sources that failed: 0", "no steps, calls and claims are kept", "(none)"} {
		if !strings.Contains(w.out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, w.out.String())
		}
	}
	for want, change := range map[string]func(*enhance.Enhancement){
		"from the evidence alone, not on the ticket: shadow mode": func(e *enhance.Enhancement) { e.Shadow, e.EvidenceOnly = true, true },
		"by an unknown model and the evidence, not on the ticket": func(*enhance.Enhancement) {},
		"Error   it said no": func(e *enhance.Enhancement) { e.Error = "it\nsaid no" },
	} {
		w := newWorld()
		w.kept.record = explained()
		w.kept.record.Enhancement = enhance.Enhancement{Status: enhance.Failed, Note: "n"}
		change(&w.kept.record.Enhancement)
		if code := w.run(t, "explain", "job-1"); code != 0 || !strings.Contains(w.out.String(), want) {
			t.Errorf("exit code %d, lacks %q:\n%s", code, want, w.out.String())
		}
	}
}

func TestExplainAsJSONHasAllOfIt(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.kept.record = explained()
	if code := w.run(t, "explain", "job-1", "--json"); code != 0 {
		t.Fatal(w.err.String())
	}
	var got struct {
		Job, Tenant, Ticket, Note string
		Evidence                  evidence.Bundle
		Run                       enhance.Run
	}
	if err := json.Unmarshal(w.out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := explained()
	if diff := cmp.Diff(want.Run, got.Run); diff != "" || got.Ticket != "1042" || got.Note != want.Note || len(got.Evidence.Items) != 2 {
		t.Errorf("%+v (-want +got):\n%s", got, diff)
	}
}

func TestReplayShowsTheDifferenceAndWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.kept.record = explained()
	w.kept.fresh = enhance.Enhancement{Note: "**Seen before:** #1031\n\n### Similar Tickets\n\n- Empty the queue [T1]\n- Wait\n"}
	if code := w.run(t, "replay", "job-1"); code != 0 || w.kept.replayed != 0 {
		t.Fatalf("exit code %d, %d replayed: %s", code, w.kept.replayed, w.err.String())
	}
	for _, want := range []string{"Nothing was written", "  - - Restart the spooler [T1]\n", "  + - Empty the queue [T1]\n  + - Wait\n", "    **Seen before:** #1031\n"} {
		if !strings.Contains(w.out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, w.out.String())
		}
	}
	w = newWorld()
	w.kept.record = explained()
	w.kept.fresh.Note = w.kept.record.Note
	if code := w.run(t, "replay", "job-1"); code != 0 || !strings.Contains(w.out.String(), "It is the same") {
		t.Errorf("exit code %d: %s", code, w.out.String())
	}
}

func TestReplayQueuesOnlyWhereTold(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.kept.record = explained()
	if code := w.run(t, "replay", "job-1", "--post"); code != 0 || w.kept.replayed != 1 || w.out.String() != "queued as job job-2. What becomes of it: deskhand explain job-2 --tenant acme\n" {
		t.Errorf("exit code %d, %d replayed: %s%s", code, w.kept.replayed, w.out.String(), w.err.String())
	}
}

func TestAJobThatIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"explain", "x"}, {"replay", "x"}, {"replay", "x", "--post"}} {
		w := newWorld()
		w.kept.err = errors.New("no tenant has a job \"x\"")
		if code := w.run(t, args...); code != 1 || w.out.Len() > 0 || !strings.Contains(w.err.String(), "no tenant has a job") || w.kept.replayed > 0 {
			t.Errorf("%v: exit code %d: %s%s", args, code, w.out.String(), w.err.String())
		}
		if code := w.run(t, append(args, "--tenant", "Not A Tenant")...); code != 1 || !strings.Contains(w.err.String(), "want 1 to 63") {
			t.Errorf("%v: exit code %d: %s", args, code, w.err.String())
		}
	}
}
