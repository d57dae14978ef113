package e2e_test

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/localstack/demo"
	"github.com/deskhand/deskhand/shared/ticket"
)

// TestATicketTakesWhatTheCostsAreReckonedWith measures the demo's new tickets:
// their prompts, the scripted answers, the log. A token is four bytes, which
// overstates English a little.
func TestATicketTakesWhatTheCostsAreReckonedWith(t *testing.T) {
	t.Parallel()
	var inputs struct {
		Ticket struct {
			PromptTokens float64 `json:"prompt_tokens"`
			OutputTokens float64 `json:"output_tokens"`
			LogBytes     float64 `json:"log_bytes"`
		} `json:"measured"`
	}
	text, err := os.ReadFile("../cost/inputs.json")
	if err == nil {
		err = json.Unmarshal(text, &inputs)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := start(t)
	var prompted, answered, logged, tickets float64
	for _, c := range demo.Clients(time.Now()) {
		desk := w.desks[c.ID]
		for _, past := range c.Tickets {
			desk.AddTicket(past)
		}
		for _, a := range c.Articles {
			desk.AddArticle(a)
		}
		for _, s := range c.Systems {
			desk.AddSystem(s)
		}
		w.cli("import", "--tenant", string(c.ID), "--days", "365")
		if err := w.app.Catalogue().Refresh(t.Context(), c.ID); err != nil {
			t.Fatal(err)
		}
		before := len(w.log.String())
		for _, s := range c.Samples {
			w.ended(w.created(c.ID, desk.AddTicket(ticket.Ticket{
				Subject: s.Subject, Description: s.Description, Requester: s.Requester, Site: s.Site, Priority: s.Priority, Status: "Open",
			})))
			tickets++
		}
		logged += float64(len(w.log.String()) - before)
	}
	for line := range strings.Lines(w.log.String()) {
		var call struct {
			Operation string  `json:"operation"`
			Prompt    float64 `json:"prompt_tokens"`
			Output    float64 `json:"output_tokens"`
		}
		if json.Unmarshal([]byte(line), &call) == nil && call.Operation == "llm_call" {
			prompted, answered = prompted+call.Prompt, answered+call.Output
		}
	}
	for what, n := range map[string][2]float64{
		"prompt_tokens": {prompted / tickets, inputs.Ticket.PromptTokens},
		"output_tokens": {answered / tickets, inputs.Ticket.OutputTokens},
		"log_bytes":     {logged / tickets, inputs.Ticket.LogBytes},
	} {
		t.Logf("%s: %.0f a ticket, of %.0f tickets", what, n[0], tickets)
		if math.Abs(n[0]-n[1]) > 0.15*n[1] {
			t.Errorf("%s: %.0f a ticket, but tests/cost/inputs.json has %.0f: put the new figure there, then make generate", what, n[0], n[1])
		}
	}
}
