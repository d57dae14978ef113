package enhance

import (
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

// TestATicketThatNeedsNoNoteIsSkippedForTheFirstReason adds one reason after the
// other, the last one first: each stands before those that were there.
func TestATicketThatNeedsNoNoteIsSkippedForTheFirstReason(t *testing.T) {
	t.Parallel()
	s := tenant.Settings{QuietWhenAssigned: true, Skip: []string{"subject:automatic*"}}
	for _, kind := range []ticket.Kind{ticket.Created, ticket.Updated, ticket.Replied} {
		ev := ticket.Event{Kind: kind}
		tk, a := ticket.Ticket{Subject: "Printer stuck", Description: "All jobs wait."}, Attempt{}
		for _, step := range []struct {
			change       func()
			kind, reason string
		}{
			{func() {}, "", ""},
			{func() { tk.Started = true }, "", ""},
			{func() { tk.Assignee = "Kim" }, "assigned", "a technician is at work on the ticket"},
			{func() { tk.Subject = "Auto-reply: Printer" }, "noise", "the ticket is an automatic reply"},
			{func() { a.Revision = tk.Revision() }, "unchanged", "did not change"},
			{func() { tk.Subject = "Automatic reply: x"; a.Revision = tk.Revision() }, "rule", "subject:automatic*"},
			{func() { tk.Closed = true }, "closed", "the ticket is closed"},
		} {
			step.change()
			got, reason := needless(s, ev, tk, a)
			if got != step.kind || (reason == "") != (got == "") || !strings.Contains(reason, step.reason) {
				t.Errorf("%s: skipped as %q, %q; want %q, %q", kind, got, reason, step.kind, step.reason)
			}
		}
		improve := ticket.Event{Kind: ticket.Improve}
		if got, _ := needless(s, improve, tk, a); got != "closed" {
			t.Errorf("what is to be improved and closed is skipped as %q", got)
		}
		tk.Closed = false
		if got, _ := needless(s, improve, tk, a); got != "" {
			t.Errorf("what is to be improved is skipped as %q", got)
		}
	}
}

func TestWhatATenantWantsIsNotSkipped(t *testing.T) {
	t.Parallel()
	noise := ticket.Ticket{Subject: "Automatic reply: x", Assignee: "Kim", Started: true}
	changed, unchanged := ticket.Ticket{Subject: "VPN"}, Attempt{Revision: ticket.Ticket{Subject: "VPN"}.Revision()}
	for name, c := range map[string]struct {
		settings tenant.Settings
		ticket   ticket.Ticket
		attempt  Attempt
		want     string
	}{
		"noise, kept":                {tenant.Settings{KeepNoise: true}, noise, Attempt{}, ""},
		"at work, noise kept":        {tenant.Settings{KeepNoise: true, QuietWhenAssigned: true}, noise, Attempt{}, "assigned"},
		"assigned only":              {tenant.Settings{QuietWhenAssigned: true}, ticket.Ticket{Subject: "VPN", Assignee: "Kim"}, Attempt{}, ""},
		"begun by nobody":            {tenant.Settings{QuietWhenAssigned: true}, ticket.Ticket{Subject: "VPN", Started: true}, Attempt{}, ""},
		"unchanged":                  {tenant.Settings{}, changed, unchanged, "unchanged"},
		"unchanged, perhaps written": {tenant.Settings{}, changed, Attempt{Revision: unchanged.Revision, Posting: true}, ""},
		"changed":                    {tenant.Settings{}, ticket.Ticket{Subject: "VPN", Replies: []string{"still"}}, unchanged, ""},
	} {
		if got, reason := needless(c.settings, ticket.Event{Kind: ticket.Updated}, c.ticket, c.attempt); got != c.want {
			t.Errorf("%s: skipped as %q, %q", name, got, reason)
		}
	}
}

// A note that is not done yet is finished, whatever became of the ticket: it may
// still say that the model is being asked.
func TestANoteThatIsNotDoneIsFinished(t *testing.T) {
	t.Parallel()
	tk := ticket.Ticket{Subject: "Automatic reply: x", Closed: true, Assignee: "Kim", Started: true}
	if kind, _ := needless(tenant.Settings{QuietWhenAssigned: true}, ticket.Event{Kind: ticket.Updated}, tk, Attempt{Posting: true}); kind != "" {
		t.Errorf("it is skipped as %q", kind)
	}
}

func TestInShadowModeAnUnchangedTicketIsNotAskedAboutAgain(t *testing.T) {
	t.Parallel()
	tk := ticket.Ticket{Subject: "Printer stuck", Description: "All jobs wait."}
	a := Attempt{ShadowRevision: tk.Revision()}
	for shadow, want := range map[bool]string{true: "unchanged", false: ""} { // leaving it, the first note is written
		if kind, _ := needless(tenant.Settings{ShadowMode: shadow}, ticket.Event{Kind: ticket.Updated}, tk, a); kind != want {
			t.Errorf("shadow mode %t: skipped as %q, want %q", shadow, kind, want)
		}
	}
}
