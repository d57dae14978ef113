package cli_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/evaluate"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

const small = "../evaluate/testdata"

// past is the history of tenants, by tenant.
type past map[tenant.ID][]ticket.Ticket

func (p past) EachTicket(_ context.Context, id tenant.ID, do func(string, ticket.Ticket) error) error {
	for _, t := range p[id] {
		if err := do("desk", t); err != nil {
			return err
		}
	}
	return nil
}

func (past) EachArticle(context.Context, tenant.ID, func(ticketing.Article) error) error { return nil }

// extend has the desk know it.
func (p past) extend(d *operator.Desk) { d.Past = p }

// file writes a file of the test.
func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.json")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestRetrievalIsMeasuredOnAFolder(t *testing.T) {
	t.Parallel()
	w := newWorld()
	if code := w.run(t, "eval", "retrieval", "--data", small); code != 0 || w.closed != 0 {
		t.Fatalf("exit code %d: %s", code, w.err.String())
	}
	for _, want := range []string{"desk/small: 12 tickets, 10 of them can be found; 3 articles", "+ citations *", "bugs/Desk: 4 tickets", "paired bootstrap"} {
		if !strings.Contains(w.out.String(), want) {
			t.Errorf("%q is not in\n%s", want, w.out.String())
		}
	}
	for _, want := range []string{"left out: desk/tickets_en_small.jsonl.gz:6:", "Measuring desk/small: 3 of 3 queries"} {
		if !strings.Contains(w.err.String(), want) {
			t.Errorf("%q is not in\n%s", want, w.err.String())
		}
	}
}

func TestAMeasurementIsKeptAndComparedWith(t *testing.T) {
	t.Parallel()
	kept := filepath.Join(t.TempDir(), "baseline.json")
	w := newWorld()
	if code := w.run(t, "eval", "retrieval", "--data", small, "--write-baseline", kept); code != 0 {
		t.Fatal(w.err.String())
	}
	w = newWorld()
	if code := w.run(t, "eval", "retrieval", "--data", small, "--baseline", kept, "--json"); code != 0 {
		t.Fatal(w.err.String())
	}
	var reports []evaluate.Report
	if err := json.Unmarshal(w.out.Bytes(), &reports); err != nil {
		t.Fatalf("%v\n%s", err, w.out.String())
	}
	compared := 0
	for _, rep := range reports {
		for _, row := range rep.Rows {
			if row.Stored != nil {
				compared++
				if d := row.Stored.Differences["MRR@10"]; row.Stored.Left != 0 || row.Stored.Queries != row.Queries || d != (evaluate.Difference{}) {
					t.Errorf("%s, %s: %+v", rep.Set, row.Corpus, row.Stored)
				}
			}
		}
	}
	if len(reports) != 2 || compared != 3 {
		t.Errorf("%d reports, %d comparisons", len(reports), compared)
	}
}

func TestAMissedFloorEndsWithOne(t *testing.T) {
	t.Parallel()
	for floors, c := range map[string]struct {
		code int
		want string
	}{
		`{"desk/small":{"tickets":{"R@5":0.5}}}`:  {0, "floors: all are reached"},
		`{"desk/small":{"tickets":{"R@5":1.01}}}`: {1, "below the floor: desk/small, tickets, + meaning: R@5 is"},
		`{"other":{"tickets":{"R@5":1}}}`:         {0, "floors: there is none for these sets"},
		`not JSON`:                                {1, "file.json: invalid character"},
	} {
		w := newWorld()
		if code := w.run(t, "eval", "retrieval", "--data", small, "--floors", file(t, floors)); code != c.code || !strings.Contains(w.err.String(), c.want) {
			t.Errorf("%s: exit code %d, want %d and %q\n%s", floors, code, c.code, c.want, w.err.String())
		}
	}
}

func TestWhatCannotBeMeasuredIsRefused(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 2, "--data=DIR or --tenant=ID"},
		{[]string{"--data", small, "--tenant", "acme"}, 2, "can't be used together"},
		{[]string{"--data", empty}, 1, "looked, in all folders below, for tickets_*.jsonl.gz"},
		{[]string{"--data", filepath.Join(empty, "nowhere")}, 1, "nowhere"},
		{[]string{"--data", small, "--baseline", filepath.Join(empty, "none.json")}, 1, "none.json"},
		{[]string{"--data", small, "--write-baseline", filepath.Join(empty, "none", "b.json")}, 1, "keep the baseline"},
		{[]string{"--tenant", "nobody"}, 1, "unknown tenant"},
		{[]string{"--tenant", "No!"}, 1, "tenant id"},
		{[]string{"--help"}, 0, ""},
	} {
		w := newWorld()
		if code := w.run(t, append([]string{"eval", "retrieval"}, c.args...)...); code != c.code || !strings.Contains(w.err.String(), c.want) {
			t.Errorf("%q: exit code %d, want %d and %q\n%s", c.args, code, c.code, c.want, w.err.String())
		}
	}
}

func TestRetrievalIsMeasuredOnATenantsOwnPast(t *testing.T) {
	t.Parallel()
	w := newWorld()
	past := past{"acme": nil, "gone": {{Key: "g", Subject: "Theirs", Created: start}}}
	for day, resolution := range []string{"Spooler restarted", "Same as #1000", "Toner"} {
		past["acme"] = append(past["acme"], ticket.Ticket{
			Key: string(rune('a' + day)), Number: "100" + string(rune('0'+day)), Subject: "Printer offline", Description: "accounting cannot print",
			Created: start.AddDate(0, 0, day), Resolution: resolution, Resolved: start.AddDate(0, 0, day).Add(time.Hour),
		})
	}
	w.past = past
	if code := w.run(t, "eval", "retrieval", "--tenant", "acme"); code != 0 || w.closed != 1 {
		t.Fatalf("exit code %d: %s", code, w.err.String())
	}
	if out := w.out.String(); !strings.Contains(out, "acme: 3 tickets, 3 of them can be found") || !strings.Contains(out, "tickets (1)") {
		t.Error(out)
	}
	w = newWorld()
	w.past = past
	if code := w.run(t, "eval", "retrieval", "--tenant", "gone"); code != 0 || !strings.Contains(w.out.String(), "nothing can be measured") {
		t.Errorf("exit code %d: %s%s", code, w.out.String(), w.err.String())
	}
}

func TestOnATerminalABarIsDrawn(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.program()
	p.Wide = true
	if code := p.Run(t.Context(), []string{"eval", "retrieval", "--data", small}); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	if got := w.err.String(); !strings.Contains(got, "Measuring desk/small") || strings.Contains(got, "of 3 queries") {
		t.Errorf("%q", got)
	}
}
