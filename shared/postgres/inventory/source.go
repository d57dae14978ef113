package inventory

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/retrieval"
)

// The limits of one question.
const (
	maxFound = 10
	maxNames = 500 // different words of a ticket that are looked up as host names
	// Wider networks are looked up as the one address that is written: "all of
	// 10.0.0.0/8" names no system.
	widest4 = 16
	widest6 = 48
)

// Source is the evidence source of systems.
type Source struct{ Store Store }

// Name implements evidence.Source.
func (Source) Name() string { return "inventory" }

// Label implements evidence.Source.
func (Source) Label() string { return "system inventory" }

// findSystems takes ranges of addresses and host names. Every comparison is
// leakproof, or row-level security would keep the indexes from being used. A
// system that is named exactly comes before one whose network is named.
const findSystems = `
SELECT s.id, s.hostname, s.role, s.client, s.location, f.why
FROM (
    SELECT a.system, host(a.address) AS why, CASE WHEN r.low = r.high THEN 1 ELSE 3 END AS place
    FROM unnest($1::inet[], $2::inet[]) AS r (low, high), LATERAL (
        SELECT system, address FROM system_addresses WHERE address BETWEEN r.low AND r.high ORDER BY address LIMIT $4) a
    UNION ALL
    SELECT id, name, 2 FROM systems WHERE name = ANY($3)
) f JOIN systems s ON s.id = f.system
ORDER BY f.place, f.why, s.id
LIMIT 10 * $4`

// Find gives up to ten systems that the ticket names by address, by a network
// that they are in, or by host name.
func (src Source) Find(ctx context.Context, q evidence.Query) ([]evidence.Item, error) {
	text := q.Ticket.Text()
	low, high := ranges(retrieval.Addresses(text))
	names := words(text)
	if len(low) == 0 && len(names) == 0 {
		return nil, nil
	}
	var items []evidence.Item
	err := src.Store.DB.InTenant(ctx, q.Tenant, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, findSystems, low, high, names, maxFound)
		if err != nil {
			return err
		}
		items, err = read(rows)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("systems at %d addresses and of %d names in %s/%s: %w",
			len(low), len(names), q.Tenant, q.Ticket.Key, err)
	}
	return items, nil
}

// read gives one item for each system: it may be named in many ways.
func read(rows pgx.Rows) ([]evidence.Item, error) {
	var items []evidence.Item
	seen := map[int64]bool{}
	var id int64
	var hostname, role, client, location, why string
	_, err := pgx.ForEachRow(rows, []any{&id, &hostname, &role, &client, &location, &why}, func() error {
		if seen[id] || len(items) == maxFound {
			return nil
		}
		seen[id] = true
		about := slices.DeleteFunc([]string{role, client, location}, func(s string) bool { return s == "" })
		items = append(items, evidence.Item{
			Kind: evidence.System, Ref: hostname, Title: hostname, Text: strings.Join(about, ", "), Why: why,
		})
		return nil
	})
	return items, err
}

// ranges gives the first and the last address of each prefix.
func ranges(prefixes []netip.Prefix) (low, high []netip.Addr) {
	for _, p := range prefixes {
		widest := widest4
		if p.Addr().Is6() {
			widest = widest6
		}
		if p.Bits() < widest {
			p = netip.PrefixFrom(p.Addr(), p.Addr().BitLen())
		}
		low, high = append(low, p.Masked().Addr()), append(high, last(p))
	}
	return low, high
}

// last gives the last address of a prefix.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

var wordPattern = regexp.MustCompile(`[\pL\pN][\pL\pN._-]{2,}`)

// words gives what may be a host name, in lower case: each word, and of a
// domain name the first label.
func words(text string) []string {
	var found []string
	seen := map[string]bool{}
	add := func(w string) {
		if len(w) >= 3 && len(w) <= 253 && !seen[w] && len(found) < maxNames {
			seen[w] = true
			found = append(found, w)
		}
	}
	for _, w := range wordPattern.FindAllString(text, -1) {
		w = strings.ToLower(strings.TrimRight(w, "._-"))
		add(w)
		if label, _, dotted := strings.Cut(w, "."); dotted {
			add(label)
		}
	}
	return found
}
