package tenants_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/tenant"
)

// TestATenantsTransactionCannotTouchAnothersConnection tries every verb as
// admin_user, who may do the most, and first of all to route another tenant's connection to itself.
func TestATenantsTransactionCannotTouchAnothersConnection(t *testing.T) {
	t.Parallel()
	s, db := newStore(t)
	put(t, s, acme, globex, single, msp) // acme-sdp is acme's alone, msp is shared
	before := directory(t, s).Connections
	for _, sql := range []string{
		"INSERT INTO connection_tenants VALUES ('globex', 'acme-sdp', 'x')",
		"INSERT INTO connection_tenants VALUES ('acme', 'acme-sdp', 'x')",
		"INSERT INTO connection_tenants VALUES ('globex', 'acme-sdp', '') ON CONFLICT (connection_id, account) DO UPDATE SET tenant_id = 'globex'",
		"SELECT FROM connection_tenants WHERE connection_id = 'acme-sdp' OR tenant_id = 'acme'",
		"UPDATE connection_tenants SET connection_id = 'acme-sdp', account = 'x'",
		"UPDATE connection_tenants SET tenant_id = 'globex' WHERE tenant_id = 'acme'",
		"DELETE FROM connection_tenants WHERE tenant_id = 'acme'",
		"DELETE FROM connection_tenants",
		"TRUNCATE connection_tenants",
		"SELECT FROM connections",
		"INSERT INTO connections (id, tool, sealed_values, sealed_signing) VALUES ('new', 'jira', '', '')",
		"INSERT INTO connections (id, tool, sealed_values, sealed_signing) VALUES ('acme-sdp', 'jira', '', '') ON CONFLICT (id) DO UPDATE SET tool = 'jira'",
		"UPDATE connections SET disabled = true",
		"DELETE FROM connections",
		"TRUNCATE connections CASCADE",
		"SET LOCAL ROLE directory_writer",
		"SET LOCAL ROLE directory_reader",
	} {
		var rows int64
		err := s.DB.InTenant(t.Context(), globex.ID, func(tx pgx.Tx) error {
			tag, err := tx.Exec(t.Context(), sql)
			rows = tag.RowsAffected()
			return err
		})
		if err == nil && (rows > 0 || sql[:3] == "SET") {
			t.Errorf("in globex this went through, with %d rows: %s", rows, sql)
		}
	}
	wantSame(t, before, directory(t, s).Connections)
	wantSame(t, map[string]tenant.Connection{"acme-sdp": single, "msp": msp}, before)

	var version int
	if err := db.Owner(t).QueryRow(t.Context(), "SELECT version FROM connections WHERE id = 'acme-sdp'").Scan(&version); err != nil || version != 1 {
		t.Errorf("acme's connection has version %d, %v; want 1", version, err)
	}
}
