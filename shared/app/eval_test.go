package app

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/cli"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

func TestRetrievalIsMeasuredOnTheTenantsOwnTicketsAlone(t *testing.T) {
	t.Parallel()
	a := instances(t, 1)[0]
	run := func(args ...string) string {
		p := cli.New(Program("test", func() (config.Config, error) { return a.Config, nil }))
		var out bytes.Buffer
		p.Out, p.Err = &out, &out
		if code := p.Run(t.Context(), args); code != 0 {
			t.Fatalf("exit code %d: %s", code, out.String())
		}
		return out.String()
	}
	march := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for id, resolutions := range map[tenant.ID][]string{"acme": {"Spooler restarted", "Same as #1000"}, "globex": {"Toner", "Paper", "Drum"}} {
		run("tenant", "add", string(id), "--connection", string(id), "--set", "base_url=https://s.example.com", "--set", "api_key=k")
		var tickets []ticket.Ticket
		for i, resolution := range resolutions {
			created := march.AddDate(0, 0, i)
			tickets = append(tickets, ticket.Ticket{
				Key: string(rune('a' + i)), Number: "100" + string(rune('0'+i)), Subject: "Printer offline", Description: "accounting cannot print",
				Resolution: resolution, Created: created, Resolved: created.Add(time.Hour),
			})
		}
		if err := a.search().PutTickets(t.Context(), id, string(id), "bulk_import", tickets); err != nil {
			t.Fatal(err)
		}
	}
	if out := run("eval", "retrieval", "--tenant", "acme"); !strings.Contains(out, "acme: 2 tickets, 2 of them") || !strings.Contains(out, "tickets (1)") {
		t.Error(out)
	}
	if out := run("eval", "retrieval", "--tenant", "globex"); !strings.Contains(out, "globex: 3 tickets") || !strings.Contains(out, "nothing can be measured") {
		t.Error(out)
	}
}
