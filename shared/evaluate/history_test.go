package evaluate

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// past is the history of tenants, in memory: tickets by connection.
type past struct {
	tickets  map[tenant.ID]map[string][]ticket.Ticket
	articles map[tenant.ID][]ticketing.Article
	err      error
}

func (p past) EachTicket(_ context.Context, id tenant.ID, do func(string, ticket.Ticket) error) error {
	for connection, list := range p.tickets[id] {
		for _, t := range list {
			if err := do(connection, t); err != nil {
				return err
			}
		}
	}
	return p.err
}

func (p past) EachArticle(_ context.Context, id tenant.ID, do func(ticketing.Article) error) error {
	for _, a := range p.articles[id] {
		if err := do(a); err != nil {
			return err
		}
	}
	return p.err
}

func TestATenantsOwnResolutionsSayWhatHelped(t *testing.T) {
	t.Parallel()
	march := at("2026-03-01 08:00:00")
	p := past{
		tickets: map[tenant.ID]map[string][]ticket.Ticket{
			"acme": {"desk": {
				{Key: "k1", Number: "1041", Subject: "Printer offline", Resolution: "Spooler", Created: march},
				{
					Key: "k2", Number: "1042", Subject: "Printer", Created: march.AddDate(0, 0, 1), URL: "https://desk.example/k2",
					Resolution: "As #1041 and https://desk.example/k1, not https://other.example/k3; https://wiki.example/KB0010023",
				},
				{Key: "k3", Number: "1043", Subject: "Later", Resolution: "x", Created: march.AddDate(0, 0, 2)},
				{Key: "k4", Number: "1044", Subject: "When?", Resolution: "#1041"},
				{Key: "k5", Number: "1045", Subject: "Points ahead", Resolution: "#1046 #2000 #1045", Created: march},
				{Key: "k6", Number: "1046", Subject: "Open", Created: march.AddDate(0, 0, 3)},
			}},
			"globex": {"desk": {{Key: "g1", Number: "1041", Subject: "Theirs", Resolution: "#1042", Created: march}}},
		},
		articles: map[tenant.ID][]ticketing.Article{"acme": {{Key: "KB0010023", Title: "Spooler", Text: "Restart it"}}},
	}
	s, err := History(t.Context(), p, tenant.Tenant{ID: "acme", Settings: tenant.Settings{RecencyDays: 7}})
	if err != nil {
		t.Fatal(err)
	}
	want := []Query{{Ticket: "desk/k2", Tickets: []string{"desk/k1", "desk/k1"}, Articles: []string{"KB0010023"}}}
	if diff := cmp.Diff(want, s.Queries); diff != "" {
		t.Error(diff)
	}
	if s.Name != "acme" || s.Settings.RecencyDays != 7 || len(s.Tickets) != 5 || len(s.Articles) != 1 || len(s.Left) != 1 || !strings.Contains(s.Left[0], "1 tickets without a time") {
		t.Errorf("%+v", s)
	}
	if s, err = History(t.Context(), p, tenant.Tenant{ID: "globex"}); err != nil || len(s.Tickets) != 1 || len(s.Queries)+len(s.Articles) != 0 {
		t.Errorf("globex: %+v, %v", s, err)
	}
}

func TestAHistoryThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	if _, err := History(t.Context(), past{err: down}, tenant.Tenant{ID: "acme"}); !errors.Is(err, down) || !strings.Contains(err.Error(), "tenant acme") {
		t.Error(err)
	}
}
