package tenants_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/tenant"
)

func TestEveryProfileIsKept(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	put(t, s, acme, globex)
	want := map[string]tenant.Connection{}
	for i, v := range tenant.Verifies {
		c := single
		c.ID, c.Verify = fmt.Sprint("conn-", i), v
		put(t, s, c)
		want[c.ID] = c
	}
	wantSame(t, want, directory(t, s).Connections)
	for id, c := range want { // each to the next one, and to another's owner
		c.Verify = tenant.Verifies[(int(id[len(id)-1]-'0')+1)%len(tenant.Verifies)]
		put(t, s, c)
		want[id] = c
	}
	wantSame(t, want, directory(t, s).Connections)
}

// TestProcessesOfTheVersionBeforeReadOn has what such a process reads beside one
// of this version.
func TestProcessesOfTheVersionBeforeReadOn(t *testing.T) {
	t.Parallel()
	s, db := newStore(t)
	put(t, s, acme, globex)
	for id, v := range map[string]tenant.Verify{"ours": tenant.VerifyHMAC, "plain": tenant.VerifyPlain, "jira": tenant.VerifyJira} {
		c := single
		c.ID, c.Verify = id, v
		put(t, s, c)
	}
	before := db.App(t).Pool
	for id, want := range map[string]bool{"ours": false, "plain": true, "jira": false} {
		var plain bool
		err := before.QueryRow(t.Context(), `SELECT allow_plain FROM directory_connections() WHERE id = $1`, id).Scan(&plain)
		if err != nil || plain != want {
			t.Errorf("%s: allow_plain is %v, %v; want %v", id, plain, err, want)
		}
	}
}

func TestProfileOfALaterVersionIsLeftOutAndNamed(t *testing.T) {
	t.Parallel()
	s, db := newStore(t)
	put(t, s, acme, globex, single, msp)
	if _, err := db.Owner(t).Exec(t.Context(), "UPDATE connections SET verify = 'quantum' WHERE id = 'msp'"); err != nil {
		t.Fatal(err)
	}
	d, err := s.Directory(t.Context())
	if err == nil || !strings.Contains(err.Error(), `connection msp: verification profile "quantum"`) {
		t.Errorf("err = %v", err)
	}
	wantSame(t, map[string]tenant.Connection{"acme-sdp": single}, d.Connections)
}
