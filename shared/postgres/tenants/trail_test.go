package tenants_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/tenant"
)

// TestChangesAreInTheTrailOfWhomTheyConcern: who a shared connection no longer
// serves is told, too; what fails is not recorded.
func TestChangesAreInTheTrailOfWhomTheyConcern(t *testing.T) {
	t.Parallel()
	s, db := newStore(t)
	initech := tenant.Tenant{ID: "initech", Name: "Initech"}
	put(t, s, acme, globex, initech)
	moved := msp
	moved.Routes = map[string]tenant.ID{"Initech": "initech", "Globex": "globex"}
	put(t, s, msp, moved)
	bad := msp
	bad.Routes = map[string]tenant.ID{"a": "nobody"}
	if err := putConnection(t, s, bad); err == nil {
		t.Error("a connection of nobody was put")
	}
	var got []string
	err := db.Owner(t).QueryRow(t.Context(), `
SELECT array_agg(concat_ws(' ', tenant_id, operation, ticket_id, actor, status) ORDER BY id) FROM audit_events`).Scan(&got)
	want := []string{
		"acme tenant_changed  cli:anna success", "globex tenant_changed  cli:anna success", "initech tenant_changed  cli:anna success",
		"acme connection_changed msp cli:anna success", "globex connection_changed msp cli:anna success",
		"acme connection_changed msp cli:anna success", "globex connection_changed msp cli:anna success", "initech connection_changed msp cli:anna success",
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
