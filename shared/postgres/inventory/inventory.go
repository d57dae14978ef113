// Package inventory keeps a tenant's systems with their addresses, and is the
// evidence source that tells which of them a ticket names.
package inventory

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// The limits of what is stored.
const (
	maxLine      = 500 // characters of a name
	maxAddresses = 256 // of one system
	chunk        = 100 // systems in one transaction
)

// Store keeps systems. It is safe for concurrent use.
type Store struct{ DB *postgres.DB }

const upsertSystem = `
INSERT INTO systems (tenant_id, connection_id, system_id, hostname, role, client, location, account)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (tenant_id, connection_id, system_id) DO UPDATE SET
    hostname = EXCLUDED.hostname, role = EXCLUDED.role, client = EXCLUDED.client, location = EXCLUDED.location,
    account = EXCLUDED.account, ingested_at = now()
RETURNING id`

const replaceAddresses = `
WITH gone AS (
    DELETE FROM system_addresses WHERE system = ANY($2) AND NOT EXISTS (
        SELECT FROM unnest($3::bigint[], $4::inet[]) n (system, address)
        WHERE n.system = system_addresses.system AND n.address = system_addresses.address)
)
INSERT INTO system_addresses (tenant_id, system, address)
SELECT $1, * FROM unnest($3::bigint[], $4::inet[])
ON CONFLICT DO NOTHING`

// PutSystems stores systems of a connection, new or again, with the addresses
// that they have now. What is no IP address ("DHCP", a MAC address) is left
// out, as is a network's length: "10.0.0.5/24" is the system at 10.0.0.5. A
// system without a host name is called by its key. Every hundred systems are
// one transaction; the same call again is harmless.
func (s Store) PutSystems(ctx context.Context, id tenant.ID, connection string, systems []ticketing.System) error {
	// One order for all writers, so that none waits for another in a circle.
	systems = slices.Clone(systems)
	slices.SortStableFunc(systems, func(a, b ticketing.System) int { return cmp.Compare(a.Key, b.Key) })
	for part := range slices.Chunk(systems, chunk) {
		err := s.DB.InTenant(ctx, id, func(tx pgx.Tx) error { return write(ctx, tx, id, connection, part) })
		if err != nil {
			return fmt.Errorf("inventory: store systems %s to %s of %s/%s: %w",
				part[0].Key, part[len(part)-1].Key, id, connection, err)
		}
	}
	return nil
}

func write(ctx context.Context, tx pgx.Tx, id tenant.ID, connection string, systems []ticketing.System) error {
	addresses := map[int64][]netip.Addr{} // of a system that is listed twice, the last
	rows := &pgx.Batch{}
	for _, sys := range systems {
		host := cmp.Or(clean(sys.Hostname), clean(sys.Key))
		args := []any{string(id), connection, clean(sys.Key), host, clean(sys.Role), clean(sys.Client), clean(sys.Location), postgres.Account(sys.Account)}
		rows.Queue(upsertSystem, args...).QueryRow(func(row pgx.Row) error {
			var at int64
			err := row.Scan(&at)
			addresses[at] = parse(sys.Addresses)
			return err
		})
	}
	if err := tx.SendBatch(ctx, rows).Close(); err != nil {
		return err
	}
	var all, owners []int64
	var list []netip.Addr
	for at, addrs := range addresses {
		all = append(all, at)
		for _, a := range addrs {
			owners, list = append(owners, at), append(list, a)
		}
	}
	_, err := tx.Exec(ctx, replaceAddresses, string(id), all, owners, list)
	return err
}

// parse gives the different addresses of a list as a tool writes them.
func parse(written []string) []netip.Addr {
	var found []netip.Addr
	for _, s := range written {
		s, _, _ = strings.Cut(strings.TrimSpace(s), "/")
		s, _, _ = strings.Cut(s, "%")
		a, err := netip.ParseAddr(s)
		if err != nil || a.IsUnspecified() {
			continue
		}
		if a = a.Unmap(); !slices.Contains(found, a) && len(found) < maxAddresses {
			found = append(found, a)
		}
	}
	return found
}

// clean makes a name storable: one line of valid UTF-8 without NUL, of bounded
// length.
func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, " "), "\x00", " ")
	s = strings.Join(strings.Fields(s), " ")
	n := 0
	for i := range s {
		if n == maxLine {
			return s[:i]
		}
		n++
	}
	return s
}
