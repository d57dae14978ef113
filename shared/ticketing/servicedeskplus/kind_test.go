package servicedeskplus

import (
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/ticketing"
)

var _ interface {
	ticketing.Tool
	ticketing.Lister
	ticketing.Librarian
	ticketing.Inventory
	ticketing.Rehearsal
} = (*tool)(nil)

func TestKindIsComplete(t *testing.T) {
	t.Parallel()
	if err := (integration.Set[ticketing.Tool]{Kind}).Check(); err != nil {
		t.Error(err)
	}
	for _, f := range Kind.Form {
		if f.Label == "" || f.Help == "" {
			t.Errorf("field %s has no label or help", f.Name)
		}
	}
}

func TestOpenNamesEveryFieldThatTheEditionMisses(t *testing.T) {
	t.Parallel()
	base := integration.Values{"base_url": "https://desk.example.test"}
	for name, test := range map[string]struct {
		values integration.Values
		want   []string
	}{
		"on-premises":    {base, []string{"api_key"}},
		"cloud":          {with(base, "edition", "cloud"), []string{"client_id", "client_secret", "refresh_token", "accounts_url"}},
		"no address":     {integration.Values{"api_key": "k"}, []string{"base_url", "ticket_url", "article_url"}},
		"no status":      {with(values("https://desk.example.test", ""), "closed_status", " , "), []string{"closed_status"}},
		"link to script": {with(values("https://desk.example.test", ""), "ticket_url", "javascript:alert({id})"), []string{"ticket_url"}},
		"relative link":  {with(values("https://desk.example.test", ""), "article_url", "/solutions/{id}"), []string{"article_url"}},
	} {
		_, err := Kind.Open(test.values, integration.Env{})
		if err == nil {
			t.Errorf("%s: opened", name)
			continue
		}
		if got := strings.Count(err.Error(), "\n") + 1; got != len(test.want) {
			t.Errorf("%s: %d problems, want %d: %v", name, got, len(test.want), err)
		}
		for _, field := range test.want {
			if !strings.Contains(err.Error(), field+":") {
				t.Errorf("%s: %v does not name %s", name, err, field)
			}
		}
	}
}

func TestNothingOpensWithoutAGuardedClient(t *testing.T) {
	t.Parallel()
	if _, err := Kind.Open(values("https://desk.example.test", ""), integration.Env{}); err == nil || !strings.Contains(err.Error(), "no HTTP client") {
		t.Errorf("err = %v", err)
	}
}

func TestLinksFollowEditionAndTemplate(t *testing.T) {
	t.Parallel()
	onprem := values("https://desk.example.test:8080/", "")
	hosted := values("https://desk.example.test", "cloud")
	for name, test := range map[string]struct {
		values          integration.Values
		ticket, article string
	}{
		"on-premises": {
			onprem, "https://desk.example.test:8080/WorkOrder.do?woMode=viewWO&woID=17",
			"https://desk.example.test:8080/AddSolution.do?submitaction=viewsolution&fromListView=true&solutionID=17",
		},
		"with API path": {
			with(onprem, "base_url", "https://desk.example.test/api/v3"), "https://desk.example.test/WorkOrder.do?woMode=viewWO&woID=17",
			"https://desk.example.test/AddSolution.do?submitaction=viewsolution&fromListView=true&solutionID=17",
		},
		"cloud": {
			hosted, "https://desk.example.test/app/itdesk/ui/requests/17/details",
			"https://desk.example.test/app/itdesk/ui/solutions/17/details",
		},
		"cloud without portal": {
			with(hosted, "portal", ""), "https://desk.example.test/ui/requests/17/details", "https://desk.example.test/ui/solutions/17/details",
		},
		"own template": {
			with(with(onprem, "ticket_url", "https://help.example.test/{number}?id={id}"), "article_url", "{base}/kb/{id}"),
			"https://help.example.test/17?id=17", "https://desk.example.test:8080/kb/17",
		},
	} {
		made := openTool(t, test.values)
		if got := made.link(made.ticketURL, "17", "17"); got != test.ticket {
			t.Errorf("%s: ticket is at %s, want %s", name, got, test.ticket)
		}
		if got := made.link(made.articleURL, "17", "17"); got != test.article {
			t.Errorf("%s: article is at %s, want %s", name, got, test.article)
		}
	}
}
