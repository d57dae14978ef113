package ledger

import (
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/postgres/pgtest"
)

// TestPlansAsAppUserUseTheirIndex has enough rows of two tenants that reading
// them all would be the worse plan.
func TestPlansAsAppUserUseTheirIndex(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.AddTenants(t, "acme", "globex")
	if _, err := db.Owner(t).Exec(t.Context(), `
INSERT INTO enhancement_history (tenant_id, job_id, tool, connection_id, ticket_id, kind, received_at, status, note_id, ended_at)
SELECT tenant, md5(tenant || n)::uuid, 'jira', 'desk', n / 3, 'created', now(), CASE WHEN n % 500 = 0 THEN 'pending' ELSE 'completed' END, n, now()
FROM unnest('{acme,globex}'::text[]) tenant, generate_series(1, 15000) n;
INSERT INTO ticket_leases SELECT tenant, 'desk', n, gen_random_uuid(), gen_random_uuid(), now()
FROM unnest('{acme,globex}'::text[]) tenant, generate_series(1, 5000) n;
INSERT INTO enhancement_runs (tenant_id, job_id, record) SELECT tenant_id, job_id, '{}' FROM enhancement_history;
ANALYZE`); err != nil {
		t.Fatal(err)
	}
	const job = "7d444840-9dc0-11d1-b245-5ffdce74fad2"
	app := db.App(t)
	for name, c := range map[string]struct {
		sql  string
		args []any
		want string
	}{
		"the ticket's former jobs": {formerSQL, []any{"desk", "42"}, "enhancement_history_ticket"},
		"the lease's holder":       {holderSQL, []any{"desk", "42"}, "ticket_leases_pkey"},
		"the fence":                {fenceSQL, []any{"desk", "42", job}, "ticket_leases_pkey"},
		"release":                  {releaseSQL, []any{"desk", "42", job}, "ticket_leases_pkey"},
		"keep":                     {keepSQL, []any{"desk", "42", job, time.Second}, "ticket_leases_pkey"},
		"settle":                   {settleSQL, []any{"desk", "42"}, "enhancement_history_ticket"},
		"sweep":                    {sweepSQL, []any{time.Minute}, "enhancement_history_pending"},
		"one job":                  {recordSQL + `AND job_id = $1`, []any{job}, "enhancement_history_tenant_id_job_id_key"},
		"its run":                  {runSQL, []any{job}, "enhancement_runs_pkey"},
		"prune":                    {pruneSQL, []any{RunsKept}, "enhancement_runs_age"},
		"recent":                   {recordSQL + `ORDER BY id DESC LIMIT $1`, []any{10}, "enhancement_history_pkey"},
	} {
		plan := pgtest.Plan(t, app, "acme", c.sql, c.args...)
		if !strings.Contains(plan, c.want) || strings.Contains(plan, "Seq Scan") {
			t.Errorf("%s: the plan does not use %s, or reads a whole table:\n%s", name, c.want, plan)
		}
	}
}
