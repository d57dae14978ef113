package slots

import (
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/postgres/pgtest"
)

// TestAClaimUsesTheKey shows that the one statement here finds its row by the
// table's key: there is no other plan for ON CONFLICT.
func TestAClaimUsesTheKey(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.AddTenants(t, "acme", "globex")
	plan := pgtest.Plan(t, db.App(t), "acme", claim, "acme", "articles", time.Now())
	if !strings.Contains(plan, "Conflict Arbiter Indexes: schedule_slots_pkey") || strings.Contains(plan, "Scan") {
		t.Errorf("the plan:\n%s", plan)
	}
}
