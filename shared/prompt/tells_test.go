package prompt_test

import (
	"testing"

	"github.com/deskhand/deskhand/shared/prompt"
	"github.com/deskhand/deskhand/shared/ticket"
)

func TestAnAnswerThatTellsTheRulesIsKnown(t *testing.T) {
	t.Parallel()
	r := prompt.Build(prompt.Input{Ticket: ticket.Ticket{Number: "7", Subject: "Cannot print"}, Nonce: "K3QW5ZRT7MNB2XCV4LKJH6GFDS"})
	for text, want := range map[string]bool{
		"": false, "Restart the spooler, and use only facts from the evidence.": false,
		"The mark is k3qw5zrt7mnb2xcv4lkjh6gfds.": true,
		"=== TICKET K3QW5ZRT7MNB2XCV4LKJH6GFDS":   true,
		"K3QW5ZRT7MNB2XCV4LKJH6GFD":               false,
		r.System:                                  true,
		"Note: USE only facts from the evidence, that the claim cites and from the ticket, copy identifiers exactly!": true,
	} {
		if got := prompt.Tells(r, "A claim.", text); got != want {
			t.Errorf("%.60q: %t, want %t", text, got, want)
		}
	}
}
