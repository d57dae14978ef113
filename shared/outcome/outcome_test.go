package outcome_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/outcome"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

func TestAdviceIsWhatTheNoteNamesAndSays(t *testing.T) {
	t.Parallel()
	n := outcome.Note{Markdown: "**Seen before**\n\n### Next\n\n- Try what solved [#1042](https://desk.example/1042): restart \\*all\\*\n", Bundle: evidence.Bundle{Items: []evidence.Item{
		{Kind: evidence.PastTicket, Ref: "1042", Title: "Printer", Text: "Restarted it."},
		{Kind: evidence.Article, Ref: "KB7", Title: "Printers", Text: "Restart."},
		{Kind: evidence.System, Ref: "PRN-01", Text: "print server"},
	}}}
	want := []string{"1042. Restarted it.", "KB7. Printers. Restart.", "Try what solved [#1042]: restart *all*"}
	if diff := cmp.Diff(want, n.Advice()); diff != "" {
		t.Error(diff)
	}
	n.Bundle.Items = n.Bundle.Items[2:]
	if got := n.Advice(); got != nil {
		t.Errorf("a note that knows nothing advises %q", got)
	}
}

// notes has one note.
type notes struct {
	note   outcome.Note
	err    error
	stored []string
}

func (n *notes) Last(context.Context, tenant.ID, string, string) (outcome.Note, error) {
	return n.note, n.err
}

func (n *notes) PutOutcome(_ context.Context, id tenant.ID, job string, v outcome.Verdict, _ float64) error {
	n.stored = append(n.stored, strings.Join([]string{string(id), job, string(v)}, " "))
	return nil
}

func TestATicketWithoutANoteHasNoOutcome(t *testing.T) {
	t.Parallel()
	n := &notes{}
	resolved := func() error {
		return outcome.Judge{Notes: n}.Resolved(t.Context(), ticket.Ref{Tenant: "acme", Key: "7"}, ticket.Ticket{Resolution: "Restarted the spooler"})
	}
	if err := resolved(); err != nil || n.stored != nil {
		t.Errorf("%v, stored %v", err, n.stored)
	}
	n.note.Job = "j"
	if err := resolved(); err != nil || !cmp.Equal(n.stored, []string{"acme j unknown"}) {
		t.Errorf("%v, stored %v", err, n.stored)
	}
	n.err = errors.New("the database is down")
	if err := resolved(); !errors.Is(err, n.err) {
		t.Errorf("Resolved = %v", err)
	}
}

func TestHostileTextsAreCompared(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "\x00\xff", strings.Repeat("not. ", 50_000), strings.Repeat("a", 1<<20), "....", "\u202e;;;"} {
		if v, score := outcome.Compare(text, []string{text, "restart"}, text); v == "" || score < 0 || score > 1.0001 {
			t.Errorf("%.20q: %s %v", text, v, score)
		}
	}
}
