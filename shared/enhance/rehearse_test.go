package enhance

import (
	"errors"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// TestARehearsalWritesTheNoteAndNothingElse has a tool that takes no note, and
// no ledger at all.
func TestARehearsalWritesTheNoteAndNothingElse(t *testing.T) {
	t.Parallel()
	g := newGuarded()
	g.items = []evidence.Item{{Kind: evidence.PastTicket, Ref: "12", Title: "Printer", Text: "Restart the spooler"}}
	g.reply = llmtest.Sections{Similar: []string{"Restart the spooler [T1]"}}.Answer()
	r, err := g.Rehearse(t.Context(), eventOn("msp"))
	if err != nil || g.asked != 1 || !strings.Contains(r.Note, "Restart the spooler") || len(r.Bundle.Items) != 1 || r.Revision == "" {
		t.Errorf("asked %d times: %+v, %v", g.asked, r, err)
	}
}

func TestARehearsalIsHeldToTheTenantToo(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*guarded){
		"gone":              func(g *guarded) { g.readErr = ticketing.ErrNotFound },
		"another tenant's":  func(g *guarded) { g.account = "Globex" },
		"a foreign canary":  func(g *guarded) { g.items = []evidence.Item{{Kind: evidence.PastTicket, Title: foreign}} },
		"no such tenant":    func(g *guarded) { delete(g.dir.Tenants, "acme") },
		"no answer at read": func(g *guarded) { g.readErr = errors.New("down") },
	} {
		g := newGuarded()
		change(g)
		if r, err := g.Rehearse(t.Context(), eventOn("msp")); err == nil || r.Note != "" || g.asked != 0 {
			t.Errorf("%s: %+v, %v; asked %d times", name, r, err, g.asked)
		}
	}
}
