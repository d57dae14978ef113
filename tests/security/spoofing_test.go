package security_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

// claim is a webhook that names tenants in up to three places.
type claim struct{ signer, path, header, body tenant.ID }

// honest tells whether the signer names itself and nobody else.
func (c claim) honest() bool {
	named := false
	for _, id := range []tenant.ID{c.path, c.header, c.body} {
		if id != "" && id != c.signer {
			return false
		}
		named = named || id != ""
	}
	return named && c.signer != ""
}

// claims are all combinations, with nobody's signature, too.
func claims() (all []claim) {
	ids := []tenant.ID{"", "acme", "globex"}
	for _, signer := range ids {
		for _, path := range ids {
			for _, header := range ids {
				for _, body := range ids {
					all = append(all, claim{signer, path, header, body})
				}
			}
		}
	}
	return all
}

// send sends the webhook of a ticket that nobody has.
func (w *world) send(c claim, ticket string) (code int, answer string) {
	w.t.Helper()
	path, body, header := "/webhook/servicedesk", fmt.Sprintf(`{"ticket_id":%q}`, ticket), map[string]string{}
	if c.path != "" {
		path += "/" + string(c.path)
	}
	if c.body != "" {
		body = fmt.Sprintf(`{"ticket_id":%q,"tenant_id":%q}`, ticket, c.body)
	}
	if c.header != "" {
		header["X-Tenant-ID"] = string(c.header)
	}
	key := secret.Text{}
	if c.signer != "" {
		key = signing(c.signer)
	}
	return w.post(path, body, key, header)
}

// TestAPI1_NobodyActsInAnotherTenantsName signs as one tenant, or not at all,
// and names tenants in the path, the header and the body in all combinations.
// What the database has afterwards is the signers' own.
func TestAPI1_NobodyActsInAnotherTenantsName(t *testing.T) {
	t.Parallel()
	w := start(t)
	var c tally
	want := map[string]tenant.ID{}
	for i, cl := range claims() {
		ticket := fmt.Sprint(90_000 + i)
		code, answer := w.send(cl, ticket)
		if cl.honest() {
			want[ticket] = cl.signer
			if code != http.StatusAccepted {
				t.Errorf("the honest %+v is answered %d %s", cl, code, answer)
			}
			continue
		}
		c.attempts++
		if code != http.StatusBadRequest && code != http.StatusUnauthorized && code != http.StatusTooManyRequests {
			c.breach(t, "%+v is answered %d %s", cl, code, answer)
		}
	}
	w.eventually("every honest webhook has its record", func() bool {
		return w.count("SELECT count(*) FROM enhancement_history") >= len(want)
	})
	rows, err := w.owner.Query(t.Context(), "SELECT tenant_id, ticket_id FROM enhancement_history UNION SELECT tenant_id, ticket_id FROM audit_events WHERE ticket_id <> ''")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var owner tenant.ID
		var ticket string
		if err := rows.Scan(&owner, &ticket); err != nil {
			t.Fatal(err)
		}
		if _, isNumber := want[ticket]; (isNumber || ticket >= "90000") && len(ticket) == 5 && want[ticket] != owner {
			c.breach(t, "%s has a row of ticket %s, which %q signed", owner, ticket, want[ticket])
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	c.tell(t)
}
