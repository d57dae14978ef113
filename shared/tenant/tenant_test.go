package tenant_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/tenant"
)

func TestParseIDTakesNamesAndRefusesTheRest(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "acme", "acme-2", "0", strings.Repeat("a", 63)} {
		if id, err := tenant.ParseID(good); err != nil || string(id) != good {
			t.Errorf("ParseID(%q) = %q, %v", good, id, err)
		}
	}
	for _, bad := range []string{"", "-a", "a-", "Acme", "a b", "a/b", "ä", "a'; --", "a\n", strings.Repeat("a", 64)} {
		if _, err := tenant.ParseID(bad); err == nil {
			t.Errorf("ParseID(%q) took it", bad)
		}
	}
}

var directory = tenant.NewDirectory(
	map[tenant.ID]tenant.Tenant{
		"acme": {ID: "acme"}, "globex": {ID: "globex"}, "gone": {ID: "gone", Disabled: true},
	},
	map[string]tenant.Connection{
		"acme":   {ID: "acme", Tool: "sdp", Routes: map[string]tenant.ID{"": "acme"}},
		"acme-2": {ID: "acme-2", Tool: "sdp", Routes: map[string]tenant.ID{"": "acme"}},
		"shared": {ID: "shared", Tool: "sdp", Routes: map[string]tenant.ID{"Globex Ltd": "globex", "Acme Ltd": "acme"}},
		"mixed":  {ID: "mixed", Tool: "mixed", Routes: map[string]tenant.ID{"": "acme", "Globex Ltd": "globex"}},
		"off":    {ID: "off", Tool: "sdp", Disabled: true, Routes: map[string]tenant.ID{"": "globex"}},
		"off-2":  {ID: "off-2", Tool: "jira", Disabled: true, Routes: map[string]tenant.ID{"": "globex"}},
		"left":   {ID: "left", Tool: "sdp", Routes: map[string]tenant.ID{"Gone": "gone", "Nobody": "nobody"}},
	},
	time.Unix(1, 0),
)

func TestTheDirectoryKnowsOnlyWhatIsActive(t *testing.T) {
	t.Parallel()
	if got, err := directory.Tenant("acme"); err != nil || got.ID != "acme" {
		t.Errorf("Tenant = %v, %v", got, err)
	}
	for _, id := range []tenant.ID{"gone", "nobody"} {
		if _, err := directory.Tenant(id); !errors.Is(err, tenant.ErrUnknown) {
			t.Errorf("Tenant(%s) = %v", id, err)
		}
	}
	for _, c := range [][2]string{{"sdp", "off"}, {"sdp", "none"}, {"jira", "acme"}} {
		if _, err := directory.Connection(c[0], c[1]); !errors.Is(err, tenant.ErrUnknown) {
			t.Errorf("Connection(%v) = %v", c, err)
		}
	}
	if got, err := directory.Connection("sdp", "shared"); err != nil || got.ID != "shared" {
		t.Errorf("Connection = %v, %v", got.ID, err)
	}
}

func TestATenantsStatusesTakeThePlaceOfTheConnections(t *testing.T) {
	t.Parallel()
	for _, values := range []integration.Values{nil, {"closed_status": "Closed", "base_url": "https://x.example"}} {
		conn := tenant.Connection{ID: "acme", Values: values}
		own := conn.For(tenant.Settings{ClosedStatuses: []string{"Fixed", "Done"}})
		if own.Values[tenant.ClosedStatus] != "Fixed,Done" || own.Values["base_url"] != values["base_url"] {
			t.Errorf("%v became %v", values, own.Values)
		}
		if got := conn.For(tenant.Settings{}); got.Values[tenant.ClosedStatus] != values[tenant.ClosedStatus] {
			t.Errorf("without statuses of its own, %v became %v", values, got.Values)
		}
	}
	s := tenant.Settings{ClosedStatuses: []string{"Fixed"}}
	for status, want := range map[string]bool{"FIXED": true, "": true, "Open": false} {
		if s.Solved(status) != want || !(tenant.Settings{}).Solved(status) {
			t.Errorf("status %q: solved %v", status, !want)
		}
	}
}

func TestForTenantAlwaysGivesTheSameConnection(t *testing.T) {
	t.Parallel()
	for range 20 {
		if got, err := directory.ForTenant("sdp", "acme"); err != nil || got.ID != "acme" {
			t.Fatalf("ForTenant(acme) = %v, %v", got.ID, err)
		}
	}
	if got, err := directory.ForTenant("sdp", "globex"); err != nil || got.ID != "shared" {
		t.Errorf("ForTenant(globex) = %v, %v", got.ID, err)
	}
	for _, c := range []struct {
		tool string
		id   tenant.ID
	}{{"jira", "acme"}, {"jira", "globex"}, {"sdp", "gone"}, {"sdp", "nobody"}, {"", ""}} {
		if _, err := directory.ForTenant(c.tool, c.id); !errors.Is(err, tenant.ErrUnknown) {
			t.Errorf("ForTenant(%s) of %q = %v", c.id, c.tool, err)
		}
	}
}

func TestRouteGivesATenantOnlyToItsAccounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		connection, account string
		want                tenant.ID
		ok                  bool
	}{
		{"shared", "Globex Ltd", "globex", true},
		{"shared", "Acme Ltd", "acme", true},
		{"shared", "Initech", "", false},
		{"shared", "", "", false},
		{"mixed", "Initech", "", false}, // never the catch-all's, once accounts are told apart
		{"mixed", "", "", false},
		{"acme", "whatever", "acme", true},
	} {
		got, ok := directory.Connections[c.connection].Route(c.account)
		if got != c.want || ok != c.ok {
			t.Errorf("%s: Route(%q) = %q, %v", c.connection, c.account, got, ok)
		}
	}
}

func TestRoutesAreOneForAllOrOneForEachAccount(t *testing.T) {
	t.Parallel()
	for id, good := range map[string]bool{"acme": true, "shared": true, "mixed": false, "none": false} {
		if err := directory.Connections[id].CheckRoutes(); (err == nil) != good {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestSettingsSwitchSourcesOff(t *testing.T) {
	t.Parallel()
	s := tenant.Settings{SourcesOff: []string{"history"}}
	if !s.Off("history") || s.Off("inventory") {
		t.Error("the wrong source is off")
	}
}
