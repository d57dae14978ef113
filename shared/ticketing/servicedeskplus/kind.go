// Package servicedeskplus connects ManageEngine ServiceDesk Plus, on-premises
// and cloud, through its v3 API. What the vendor's editions do differently is
// either configuration (Kind.Form) or found out from the answers; nothing here
// was tried on a live instance, so every doubtful detail can be set.
package servicedeskplus

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// The editions.
const (
	onPremises = "onprem"
	cloud      = "cloud"
)

// Kind is ServiceDesk Plus as something that can be connected. Its tool also
// is a ticketing.Lister, Librarian, Inventory and Rehearsal.
var Kind = integration.Kind[ticketing.Tool]{
	Name:  "servicedesk_plus",
	Path:  "servicedesk",
	Label: "ServiceDesk Plus",
	Form: []integration.Field{
		{Name: "edition", Label: "Edition", Help: "Whether the product runs on your own server or at the vendor's.", Options: []string{onPremises, cloud}, Default: onPremises},
		{Name: "base_url", Label: "Address", Help: "Where people open the product, without /api/v3.", URL: true, Required: true},
		{Name: "portal", Label: "Portal", Help: "Cloud: the name after /app/ in the address. On-premises: the portal id, where there are several."},
		{Name: "api_key", Label: "API key", Help: "On-premises: the key of a technician who may read requests and add notes.", Secret: true},
		{Name: "client_id", Label: "OAuth client id", Help: "Cloud: of a self client in the Zoho API console."},
		{Name: "client_secret", Label: "OAuth client secret", Help: "Cloud: of the same client.", Secret: true},
		{Name: "refresh_token", Label: "OAuth refresh token", Help: "Cloud: with the scopes requests, solutions and assets.", Secret: true},
		{Name: "accounts_url", Label: "Accounts address", Help: "Cloud: of your data centre, such as https://accounts.zoho.eu.", URL: true},
		{Name: "note_wrapper", Label: "Note key", Help: "How this build names a note in its API; the other name is tried once if it is refused.", Options: []string{wrapNote, wrapRequestNote}},
		{Name: "closed_status", Label: "Closed statuses", Help: "The names of the statuses that end a request, separated by commas.", Default: "Closed,Resolved"},
		{Name: "open_status", Label: "Open statuses", Help: "The names of the statuses of a request that nobody has begun with, separated by commas.", Default: "Open,New"},
		{Name: "account_field", Label: "Account field", Help: "Path of the field of a request that says which client it belongs to.", Default: "account.name", Routes: true},
		{Name: "ticket_url", Label: "Request link", Help: "Page of a request for people; {base}, {portal}, {id} and {number} are put in. Empty: the product's usual page."},
		{Name: "article_url", Label: "Solution link", Help: "Page of a solution for people, as above."},
	},
	Open: open,
}

// tool is an open connection.
type tool struct {
	env        integration.Env
	cloud      bool
	base       string // for people
	api        string // base and path of the API, with a slash at the end
	portal     string
	key        string
	oauth      oauth
	closed     []string
	fresh      []string // statuses of what nobody has begun with
	account    string
	ticketURL  string
	articleURL string

	// wrapper is the key of a note that this build is known or believed to want.
	wrapper atomic.Value // string
	// pauses lie between the tries of one call; there is one try more. Story
	// 2.10 wants three tries with pauses of 1, 2 and 4 s: three tries have two
	// pauses, so the third is never waited for.
	pauses []time.Duration
	// patience is the longest limit that is waited for inside a call.
	patience time.Duration
}

func open(v integration.Values, env integration.Env) (ticketing.Tool, error) {
	base := strings.TrimSuffix(strings.TrimRight(v["base_url"], "/"), "/api/v3")
	t := &tool{
		env:      env,
		cloud:    v["edition"] == cloud,
		base:     base,
		api:      base + "/api/v3/",
		portal:   v["portal"],
		key:      v["api_key"],
		oauth:    oauth{strings.TrimRight(v["accounts_url"], "/"), v["client_id"], v["client_secret"], v["refresh_token"]},
		closed:   list(cmp.Or(v["closed_status"], "Closed,Resolved")),
		fresh:    list(cmp.Or(v["open_status"], "Open,New")),
		account:  cmp.Or(v["account_field"], "account.name"),
		pauses:   []time.Duration{time.Second, 2 * time.Second},
		patience: 5 * time.Second,
	}
	if env.Now == nil {
		t.env.Now = time.Now
	}
	if env.Tokens == nil {
		t.env.Tokens = unshared{}
	}
	wrapper := wrapNote
	t.ticketURL = "{base}/WorkOrder.do?woMode=viewWO&woID={id}"
	t.articleURL = "{base}/AddSolution.do?submitaction=viewsolution&fromListView=true&solutionID={id}"
	if t.cloud {
		wrapper = wrapRequestNote
		home := "{base}"
		if t.portal != "" {
			t.api = base + "/app/" + url.PathEscape(t.portal) + "/api/v3/"
			home = "{base}/app/{portal}"
		}
		t.ticketURL, t.articleURL = home+"/ui/requests/{id}/details", home+"/ui/solutions/{id}/details"
	}
	t.wrapper.Store(cmp.Or(v["note_wrapper"], wrapper))
	t.ticketURL = cmp.Or(v["ticket_url"], t.ticketURL)
	t.articleURL = cmp.Or(v["article_url"], t.articleURL)
	if err := t.check(v); err != nil {
		return nil, fmt.Errorf("servicedeskplus: %w", err)
	}
	// A client of our own would go wherever the address leads.
	if env.HTTP == nil {
		return nil, errors.New("servicedeskplus: no HTTP client was given, and no call is made without the one that guards where it goes")
	}
	return t, nil
}

// check reports every field that this edition needs and does not have, and
// every link that is none.
func (t *tool) check(v integration.Values) error {
	needed := []string{"base_url", "api_key"}
	if t.cloud {
		needed = []string{"base_url", "client_id", "client_secret", "refresh_token", "accounts_url"}
	}
	var errs []error
	for _, name := range needed {
		if v[name] == "" {
			errs = append(errs, fmt.Errorf("%s: required in the edition %s", name, cmp.Or(v["edition"], onPremises)))
		}
	}
	if len(t.closed) == 0 {
		errs = append(errs, errors.New("closed_status: want at least one name"))
	}
	for name, template := range map[string]string{"ticket_url": t.ticketURL, "article_url": t.articleURL} {
		u, err := url.Parse(t.link(template, "1", "1"))
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			errs = append(errs, fmt.Errorf("%s: want an absolute http or https URL once {base}, {portal}, {id} and {number} are put in", name))
		}
	}
	return errors.Join(errs...)
}

// link fills a template for a link that people open.
func (t *tool) link(template, id, number string) string {
	return strings.NewReplacer("{base}", t.base, "{portal}", url.PathEscape(t.portal),
		"{id}", url.QueryEscape(id), "{number}", url.QueryEscape(number)).Replace(template)
}

// list splits a comma-separated list and drops what is empty.
func list(s string) []string {
	var items []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
