package servicedeskplus

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/ticketing"
	fake "github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
)

func TestArticlesAreApprovedSolutions(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects {
		i := connect(t, fake.Options{Dialect: dialect})
		missing := map[string]ticketing.Article{}
		for n := range 105 {
			a := ticketing.Article{Title: fmt.Sprintf("Article %d", n), Text: "Lower the MTU\nof <tunnel0>", Updated: january, Account: []string{"", "acme"}[n%2]}
			a.Key = i.AddArticle(a)
			a.URL = i.link(i.articleURL, a.Key, a.Key)
			missing[a.Key] = a
		}
		for at := ""; ; {
			articles, next, err := i.Articles(t.Context(), at)
			if err != nil {
				t.Fatalf("%s: %v", dialect, err)
			}
			for _, a := range articles {
				if diff := cmp.Diff(missing[a.Key], a); diff != "" {
					t.Errorf("%s (-want +got):\n%s", dialect, diff)
				}
				delete(missing, a.Key)
			}
			if at = next; at == "" {
				break
			}
		}
		if len(missing) > 0 {
			t.Errorf("%s: %d articles are missing", dialect, len(missing))
		}
	}
}

func TestArticlesThatWentAwayAreLeftOut(t *testing.T) {
	t.Parallel()
	desk := canned(t, map[string]string{
		"GET solutions":   `{"solutions":[{"id":"1","title":"a"},{"id":"2","title":"b"},{"id":"x"},{"id":"3","title":"c","description":"<p>here</p>","created_time":{"value":"1767225600000"}}],"list_info":{"has_more_rows":false}}`,
		"GET solutions/2": `{"solution":{"id":"2","title":"b","description":"there"}}`,
	})
	articles, next, err := desk.Articles(t.Context(), "")
	if err != nil || next != "" || len(articles) != 2 || articles[0].Text != "there" || articles[1].Text != "here" || !articles[1].Updated.Equal(january) {
		t.Errorf("%+v, %q, %v", articles, next, err)
	}
	if _, _, err := desk.Articles(t.Context(), "0"); !errors.Is(err, ticketing.ErrRejected) {
		t.Errorf("bad cursor: %v", err)
	}
}

func TestSystemsComeByTheRouteOfTheBuild(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects {
		i := connect(t, fake.Options{Dialect: dialect})
		missing := map[string]ticketing.System{}
		for n := range 102 {
			y := ticketing.System{Hostname: fmt.Sprintf("vpn-%d", n), Role: "Router", Location: "Lisbon", Addresses: []string{fmt.Sprintf("10.20.0.%d", n), "2001:db8::1"}, Account: "acme", Client: "acme"}
			y.Key = i.AddSystem(y)
			missing[y.Key] = y
		}
		for at := ""; ; {
			systems, next, err := i.Systems(t.Context(), at)
			if err != nil {
				t.Fatalf("%s: %v", dialect, err)
			}
			for _, y := range systems {
				if diff := cmp.Diff(missing[y.Key], y); diff != "" {
					t.Errorf("%s (-want +got):\n%s", dialect, diff)
				}
				delete(missing, y.Key)
			}
			if at = next; at == "" {
				break
			}
		}
		if len(missing) > 0 {
			t.Errorf("%s: %d systems are missing", dialect, len(missing))
		}
	}
}

func TestSystemsWithoutLicenceAreNone(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects {
		i := connect(t, fake.Options{Dialect: dialect, Unlicensed: true})
		i.AddSystem(ticketing.System{Hostname: "vpn"})
		if systems, next, err := i.Systems(t.Context(), ""); len(systems) != 0 || next != "" || err != nil {
			t.Errorf("%s: %v, %q, %v", dialect, systems, next, err)
		}
	}
}

func TestSystemsTellWhatFailed(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{})
	i.AddSystem(ticketing.System{Hostname: "no address"})
	if systems, _, err := i.Systems(t.Context(), ""); err != nil || len(systems) != 1 || len(systems[0].Addresses) != 0 {
		t.Errorf("without an address: %+v, %v", systems, err)
	}
	i.Fail(fake.Fault{Route: "GET assets/{id}", Status: http.StatusNotFound, Body: envelope("4007", "gone")})
	if systems, _, err := i.Systems(t.Context(), ""); err != nil || len(systems) != 1 {
		t.Errorf("gone meanwhile: %+v, %v", systems, err)
	}
	i.Fail(fake.Fault{Route: "GET assets/{id}", Times: -1, Status: 500})
	if _, _, err := i.Systems(t.Context(), ""); !errors.Is(err, ticketing.ErrUnavailable) {
		t.Errorf("down: %v", err)
	}
	for _, at := range []string{"users.1", "assets.x", "assets."} {
		if _, _, err := i.Systems(t.Context(), at); !errors.Is(err, ticketing.ErrRejected) && at != "assets." {
			t.Errorf("cursor %s: %v", at, err)
		}
	}
	i.Heal()
	i.Fail(fake.Fault{Times: -1, Status: 403, Body: envelope("4002", "no")})
	if _, _, err := i.Systems(t.Context(), ""); !errors.Is(err, ticketing.ErrDenied) {
		t.Errorf("forbidden: %v", err)
	}
}
