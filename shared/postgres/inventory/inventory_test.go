package inventory

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

var _ evidence.Source = Source{}

const (
	acme   tenant.ID = "acme"
	globex tenant.ID = "globex"
)

type world struct {
	Store
	db pgtest.DB
}

func newWorld(t testing.TB) world {
	t.Helper()
	db := pgtest.New(t)
	db.AddTenants(t, acme, globex)
	return world{Store{DB: db.App(t)}, db}
}

func (w world) put(t testing.TB, id tenant.ID, systems ...ticketing.System) {
	t.Helper()
	if err := w.PutSystems(t.Context(), id, "desk", systems); err != nil {
		t.Fatal(err)
	}
}

func (w world) ask(t testing.TB, id tenant.ID, subject, description string) []evidence.Item {
	t.Helper()
	items, err := Source{w.Store}.Find(t.Context(), evidence.Query{
		Tenant: id, Ticket: ticket.Ticket{Key: "7", Subject: subject, Description: description},
	})
	if err != nil {
		t.Fatal(err)
	}
	return items
}

func refs(items []evidence.Item) string {
	list := make([]string, len(items))
	for i, it := range items {
		list[i] = it.Ref
	}
	return strings.Join(list, " ")
}

var site = []ticketing.System{
	{Key: "1", Hostname: "SRV-FS01", Role: "file server", Client: "Acme", Location: "Zurich", Addresses: []string{"10.0.0.5/24", " 2001:db8::5 ", "DHCP", "00:11:22:33:44:55", "10.0.0.5"}},
	{Key: "2", Hostname: "srv-sql02", Role: "database", Location: "Zurich", Addresses: []string{"10.0.0.6", "::ffff:10.0.1.6"}},
	{Key: "3", Hostname: "fw.acme.example", Role: "firewall", Addresses: []string{"10.0.2.1", "fe80::1%eth0"}},
	{Key: "4", Addresses: []string{"192.0.2.9"}},
	{Key: "5", Hostname: "no\x00address\xff", Addresses: []string{"", "0.0.0.0", "10.0.0.300"}},
}

func TestSystemsAreFoundByWhatTheTicketNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, site...)
	w.put(t, acme, site...)
	for text, want := range map[string]string{
		"cannot ping 10.0.0.5":                      "SRV-FS01",
		"http://10.0.0.6:8080/report fails":         "srv-sql02",
		"10.0.1.6 and 2001:DB8:0::5 are down":       "srv-sql02 SRV-FS01",
		"[2001:db8::5]:445 refused":                 "SRV-FS01",
		"fe80::1%eth3 flaps":                        "fw.acme.example",
		"everything in 10.0.0.0/24":                 "SRV-FS01 srv-sql02",
		"10.0.0.6 and all of 10.0.0.0/16":           "srv-sql02 SRV-FS01 fw.acme.example",
		"backup of Srv-Fs01 failed":                 "SRV-FS01",
		`\\srv-fs01.acme.example\share is slow`:     "SRV-FS01",
		"reboot fw.acme.example.":                   "fw.acme.example",
		"192.0.2.9":                                 "4",
		"10.0.0.7, 1.2.3.4.5, 12:30:45, 10.0.0.0/8": "",
		"srv-fs011 and the word srv and 10.0.0.50":  "",
		"":                      "",
		"the printer is broken": "",
		strings.Repeat("x", 2047) + " \xff srv-sql02": "srv-sql02",
	} {
		if got := refs(w.ask(t, acme, "Help", text)); got != want {
			t.Errorf("%.60q: found %q, want %q", text, got, want)
		}
	}
}

func TestASystemSaysWhatItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, site...)
	got := w.ask(t, acme, "10.0.0.5 down", "srv-fs01 (10.0.0.5) and srv-sql02 do not answer")
	want := []evidence.Item{
		{Kind: evidence.System, Ref: "SRV-FS01", Title: "SRV-FS01", Text: "file server, Acme, Zurich", Why: "10.0.0.5"},
		{Kind: evidence.System, Ref: "srv-sql02", Title: "srv-sql02", Text: "database, Zurich", Why: "srv-sql02"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTenantsNeverSeeEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, ticketing.System{Key: "1", Hostname: "srv01", Role: "acme's", Addresses: []string{"10.0.0.5"}})
	w.put(t, globex, ticketing.System{Key: "1", Hostname: "srv01", Role: "globex's", Addresses: []string{"10.0.0.5"}})
	for id, want := range map[tenant.ID]string{acme: "acme's", globex: "globex's"} {
		items := w.ask(t, id, "srv01", "10.0.0.5 and 10.0.0.0/24")
		if len(items) != 1 || items[0].Text != want {
			t.Errorf("%s sees %v", id, items)
		}
	}
}

func TestPutReplacesNameAndAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, site...)
	w.put(t, acme, ticketing.System{Key: "9", Hostname: "old", Addresses: []string{"10.9.9.9"}},
		ticketing.System{Key: "9", Hostname: "renamed", Addresses: []string{"10.0.0.9", "10.0.0.5"}},
		ticketing.System{Key: "1", Hostname: "srv-fs09"})
	for text, want := range map[string]string{
		"10.9.9.9": "", "10.0.0.9": "renamed", "10.0.0.5": "renamed", "2001:db8::5": "", "srv-fs01": "", "srv-fs09": "srv-fs09", "srv-sql02": "srv-sql02",
	} {
		if got := refs(w.ask(t, acme, text, "")); got != want {
			t.Errorf("%q: found %q, want %q", text, got, want)
		}
	}
}

func TestErrorsNameTheSubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.PutSystems(t.Context(), "none", "desk", site); err == nil || !strings.Contains(err.Error(), "none/desk") {
		t.Errorf("unknown tenant: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Source{w.Store}.Find(ctx, evidence.Query{Tenant: acme, Ticket: ticket.Ticket{Key: "7", Subject: "srv01"}})
	if err == nil || !strings.Contains(err.Error(), "acme/7") {
		t.Errorf("cancelled: %v", err)
	}
}

// A tenant of thousands of systems is searched through the indexes, as
// app_user: under row-level security only leakproof comparisons may use them.
func TestManySystemsAreSearchedThroughIndexes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	systems := make([]ticketing.System, 5000)
	for i := range systems {
		systems[i] = ticketing.System{
			Key: fmt.Sprint(i), Hostname: fmt.Sprintf("host-%d", i), Addresses: []string{fmt.Sprintf("10.%d.%d.1", i/200, i%200)},
		}
	}
	w.put(t, acme, systems...)
	w.put(t, globex, systems[:500]...)
	if _, err := w.db.Owner(t).Exec(t.Context(), "ANALYZE"); err != nil {
		t.Fatal(err)
	}
	if got := w.ask(t, acme, "host-77 and host-78", "10.3.0.0/16 and 10.24.199.1"); len(got) != maxFound || refs(got[:3]) != "host-4999 host-77 host-78" {
		t.Errorf("found %s", refs(got))
	}

	low, high := ranges([]netip.Prefix{netip.MustParsePrefix("10.3.0.0/16")})
	var plan []string
	err := w.DB.InTenant(t.Context(), acme, func(tx pgx.Tx) error {
		rows, err := tx.Query(t.Context(), "EXPLAIN "+findSystems, low, high, []string{"host-77"}, maxFound)
		if err == nil {
			plan, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(plan, "\n")
	for _, want := range []string{"system_addresses_pkey", "systems_name", "systems_pkey", "address >= r.low"} {
		if !strings.Contains(text, want) {
			t.Errorf("the plan lacks %s:\n%s", want, text)
		}
	}
	if strings.Contains(text, "Seq Scan") {
		t.Errorf("the plan reads whole tables:\n%s", text)
	}
	var leaky []string
	err = w.db.Owner(t).QueryRow(t.Context(), `SELECT coalesce(array_agg(proname::text), '{}') FROM pg_proc
		WHERE proname IN ('network_eq', 'network_ge', 'network_le', 'texteq', 'int8eq') AND NOT proleakproof`).Scan(&leaky)
	if err != nil || len(leaky) > 0 {
		t.Errorf("not leakproof: %v (%v)", leaky, err)
	}
}

func TestRangesCoverTheNetwork(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]string{
		"10.0.0.5/32": "10.0.0.5 10.0.0.5", "10.0.0.5/24": "10.0.0.0 10.0.0.255", "10.9.8.7/30": "10.9.8.4 10.9.8.7",
		"10.0.0.5/8": "10.0.0.5 10.0.0.5", "2001:db8::1/127": "2001:db8:: 2001:db8::1",
		"2001:db8:0:1::9/64": "2001:db8:0:1:: 2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8::1/32": "2001:db8::1 2001:db8::1",
	} {
		low, high := ranges([]netip.Prefix{netip.MustParsePrefix(prefix)})
		if got := low[0].String() + " " + high[0].String(); got != want {
			t.Errorf("%s: %s, want %s", prefix, got, want)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add(`\\srv-fs01.acme.example\share, http://10.0.0.5/ ._- \xff`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, w := range words(text) {
			if len(w) < 3 || len(w) > 253 || strings.ContainsAny(w, " \x00") {
				t.Errorf("word %q", w)
			}
		}
		low, high := ranges(parsePrefixes(text))
		for i := range low {
			if high[i].Less(low[i]) {
				t.Errorf("range %s to %s", low[i], high[i])
			}
		}
		if c := clean(text); strings.ContainsAny(c, "\x00\n") || len([]rune(c)) > maxLine {
			t.Errorf("clean gives %q", c)
		}
	})
}

func parsePrefixes(text string) (list []netip.Prefix) {
	for _, w := range strings.Fields(text) {
		if p, err := netip.ParsePrefix(w); err == nil {
			list = append(list, p)
		}
	}
	return list
}
