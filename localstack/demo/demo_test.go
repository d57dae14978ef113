package demo

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// midnight is the hardest now: nothing may have happened today yet.
var midnight = time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)

func TestClientsAreTheTwoTenantsWithEnoughToSearch(t *testing.T) {
	t.Parallel()
	clients := Clients(midnight)
	var ids []tenant.ID
	for _, c := range clients {
		ids = append(ids, c.ID)
		for what, n := range map[string][3]int{
			"tickets":  {len(c.Tickets), 60, 80},
			"articles": {len(c.Articles), 12, 15},
			"systems":  {len(c.Systems), 30, 40},
			"samples":  {len(c.Samples), 3, 3},
		} {
			if n[0] < n[1] || n[0] > n[2] {
				t.Errorf("%s: %d %s, want %d to %d", c.ID, n[0], what, n[1], n[2])
			}
		}
	}
	if diff := cmp.Diff([]tenant.ID{"acme", "globex"}, ids); diff != "" {
		t.Errorf("tenants (-want +got):\n%s", diff)
	}
}

func TestClientsAreTheSameForTheSameDay(t *testing.T) {
	t.Parallel()
	evening := midnight.Add(23*time.Hour + 59*time.Minute)
	if diff := cmp.Diff(Clients(midnight), Clients(evening)); diff != "" {
		t.Errorf("morning and evening differ:\n%s", diff)
	}
}

func TestEveryKeyIsUniqueAndEveryTextIsThere(t *testing.T) {
	t.Parallel()
	for _, c := range Clients(midnight) {
		seen := map[string]bool{}
		once := func(kind, key string) {
			if key == "" || seen[kind+key] {
				t.Errorf("%s: %s %q is empty or used twice", c.ID, kind, key)
			}
			seen[kind+key] = true
		}
		for _, x := range c.Tickets {
			once("ticket key", x.Key)
			once("ticket number", x.Number)
			within(t, x.Number, "subject", x.Subject, 250)
			within(t, x.Number, "description", x.Description, 10_000)
			within(t, x.Number, "resolution", x.Resolution, 10_000)
			within(t, x.Number, "requester", x.Requester, 100)
			within(t, x.Number, "site", x.Site, 100)
			within(t, x.Number, "priority", x.Priority, 20)
		}
		for _, a := range c.Articles {
			once("article key", a.Key)
			once("article title", a.Title)
			within(t, a.Key, "text", a.Text, 10_000)
		}
		for _, s := range c.Systems {
			once("system key", s.Key)
			once("host", s.Hostname)
			within(t, s.Hostname, "role", s.Role, 100)
			within(t, s.Hostname, "location", s.Location, 100)
		}
	}
}

func within(t *testing.T, where, field, text string, limit int) {
	t.Helper()
	if text == "" || len(text) > limit || text != strings.TrimSpace(text) {
		t.Errorf("%s: %s has %d bytes, want 1 to %d without space around them", where, field, len(text), limit)
	}
}

func TestTicketsAreResolvedInOrderWithinEightMonths(t *testing.T) {
	t.Parallel()
	for _, c := range Clients(midnight) {
		before := midnight.AddDate(0, 0, -250)
		for _, x := range c.Tickets {
			if x.Created.Before(before) || !x.Resolved.After(x.Created) || !x.Resolved.Before(midnight) || !x.Closed {
				t.Errorf("%s: ticket %s: created %s (one before: %s), resolved %s", c.ID, x.Number, x.Created, before, x.Resolved)
			}
			before = x.Created
		}
		for _, a := range c.Articles {
			if a.Updated.IsZero() || a.Updated.After(midnight) {
				t.Errorf("%s: article %s: updated %s", c.ID, a.Key, a.Updated)
			}
		}
	}
}

// Addresses that may be in the data: nobody's.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("fd00::/8"),
}

func TestAddressesParseAndBelongToNobodyElse(t *testing.T) {
	t.Parallel()
	owner := map[netip.Addr]string{}
	for _, c := range Clients(midnight) {
		for _, s := range c.Systems {
			if len(s.Addresses) == 0 || s.Client != c.Name || s.Account != c.Name {
				t.Errorf("%s: %s: want an address, and client and account %q", c.ID, s.Hostname, c.Name)
			}
			for _, text := range s.Addresses {
				a, err := netip.ParseAddr(text)
				if err != nil {
					t.Errorf("%s: %s: %v", c.ID, s.Hostname, err)
					continue
				}
				if !slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(a) }) {
					t.Errorf("%s: %s: %s is a public address", c.ID, s.Hostname, a)
				}
				if other := owner[a]; other != "" {
					t.Errorf("%s: %s belongs to %s already", s.Hostname, a, other)
				}
				owner[a] = s.Hostname
			}
		}
	}
}

// named finds "PS-ACME-01 (10.20.1.25)" in a text.
var named = regexp.MustCompile(`\b([A-Z][A-Z0-9]*(?:-[A-Z0-9]+)+) \(([0-9a-f.:]+)[,)]`)

func TestTextsGiveHostsTheAddressesOfTheInventory(t *testing.T) {
	t.Parallel()
	for _, c := range Clients(midnight) {
		found := 0
		for _, text := range texts(c) {
			for _, m := range named.FindAllStringSubmatch(text, -1) {
				found++
				if !slices.Contains(addresses(c.Systems, m[1]), m[2]) {
					t.Errorf("%s: %q: the inventory gives %s the addresses %v", c.ID, m[0], m[1], addresses(c.Systems, m[1]))
				}
			}
		}
		if found < 50 {
			t.Errorf("%s: only %d hosts are named with their address", c.ID, found)
		}
	}
}

func texts(c Client) []string {
	var all []string
	for _, x := range c.Tickets {
		all = append(all, x.Subject, x.Description, x.Resolution)
	}
	for _, a := range c.Articles {
		all = append(all, a.Title, a.Text)
	}
	for _, s := range c.Samples {
		all = append(all, s.Subject, s.Description)
	}
	return all
}

// addresses gives those of one host, or of all where host is "".
func addresses(systems []ticketing.System, host string) []string {
	var list []string
	for _, s := range systems {
		if host == "" || s.Hostname == host {
			list = append(list, s.Addresses...)
		}
	}
	return list
}

func TestEverySampleIsAnsweredByThePast(t *testing.T) {
	t.Parallel()
	for _, c := range Clients(midnight) {
		for _, s := range c.Samples {
			if !slices.Contains(addresses(c.Systems, ""), s.Address) || !strings.Contains(s.Description, s.Address) {
				t.Errorf("%s: sample %q: address %q is not in the inventory or not in the text", c.ID, s.Subject, s.Address)
			}
			if len(s.Answers) < 2 || s.Requester == "" || s.Site == "" || s.Priority == "" {
				t.Errorf("%s: sample %q: want requester, site, priority and at least two answers", c.ID, s.Subject)
			}
			for _, number := range s.Answers {
				if !slices.ContainsFunc(c.Tickets, func(x ticket.Ticket) bool { return x.Number == number && len(x.Resolution) > 80 }) {
					t.Errorf("%s: sample %q: no ticket %s with a useful resolution", c.ID, s.Subject, number)
				}
			}
		}
	}
}

var domain = regexp.MustCompile(`[A-Za-z0-9.-]+@([A-Za-z0-9-]+\.[A-Za-z0-9.-]*[A-Za-z])`)

func TestMailDomainsAreReserved(t *testing.T) {
	t.Parallel()
	for _, c := range Clients(midnight) {
		for _, text := range texts(c) {
			for _, m := range domain.FindAllStringSubmatch(text, -1) {
				if !strings.HasSuffix(m[1], ".example") && m[1] != "example.com" {
					t.Errorf("%s: %s is somebody's domain", c.ID, m[0])
				}
			}
		}
	}
}

func TestTheUselessIsThereToo(t *testing.T) {
	t.Parallel()
	for _, c := range Clients(midnight) {
		useless := 0
		for _, x := range c.Tickets {
			if len(x.Resolution) < 20 {
				useless++
			}
		}
		if useless < 4 || useless > 10 {
			t.Errorf("%s: %d useless resolutions, want 4 to 10", c.ID, useless)
		}
	}
}

func TestDecodeRefusesWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	row := func(when string) string { return `{"id":"acme","tickets":[{"number":"1",` + when + `}]}` }
	for name, c := range map[string]struct{ raw, want string }{
		"not JSON":          {`tickets: []`, "invalid character"},
		"a misspelt key":    {`{"id":"acme","ticket":[]}`, `unknown field "ticket"`},
		"a misspelt row":    {row(`"solution":["x"]`), `unknown field "solution"`},
		"text for lines":    {row(`"description":"x"`), "cannot unmarshal"},
		"a second client":   {`{"id":"acme"}{"id":"globex"}`, "something follows"},
		"no tenant id":      {`{"name":"Acme"}`, "tenant id"},
		"no time of day":    {row(`"days_ago":3,"at":"9 am","took":"1h"`), "ticket 1: parsing time"},
		"no duration":       {row(`"days_ago":3,"at":"09:00","took":"long"`), "ticket 1: time: invalid duration"},
		"resolved too late": {row(`"days_ago":1,"at":"23:00","took":"1h"`), "not resolved by the start of today"},
		"resolved too soon": {row(`"days_ago":3,"at":"09:00","took":"0s"`), "not resolved by the start of today"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := decode([]byte(c.raw), midnight)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}
