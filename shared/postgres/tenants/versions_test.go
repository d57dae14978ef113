package tenants_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/admin"
	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/postgres/tenants"
	"github.com/deskhand/deskhand/shared/tenant"
)

var change = audit.Event{Operation: audit.TenantChanged, Actor: "token:1", Status: audit.Success}

func TestATenantIsWrittenOnlyOverTheVersionThatWasRead(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	o := tenants.Office{Store: s}
	write := func(v admin.Version[tenant.Tenant]) (int, error) { return o.WriteTenant(t.Context(), v, change) }
	if n, err := write(admin.Version[tenant.Tenant]{Value: acme}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if _, err := write(admin.Version[tenant.Tenant]{Value: acme}); !errors.Is(err, admin.ErrExists) {
		t.Errorf("added twice: %v", err)
	}
	v, err := o.ReadTenant(t.Context(), "acme")
	if diff := cmp.Diff(admin.Version[tenant.Tenant]{Value: acme, Number: 1}, v); diff != "" || err != nil {
		t.Error(err, diff)
	}
	v.Value.Disabled = true
	if n, err := write(v); n != 2 || err != nil {
		t.Error(n, err)
	}
	for name, bad := range map[string]admin.Version[tenant.Tenant]{
		"too old": v, "too new": {Value: acme, Number: 9}, "not there": {Value: globex, Number: 1},
	} {
		if _, err := write(bad); !errors.Is(err, admin.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, id := range []tenant.ID{"globex", "N O", ""} {
		if _, err := o.ReadTenant(t.Context(), id); !errors.Is(err, tenant.ErrUnknown) {
			t.Errorf("read %q: %v", id, err)
		}
	}
}

func TestAConnectionIsWrittenOnlyOverTheVersionThatWasRead(t *testing.T) {
	t.Parallel()
	s, db := newStore(t)
	put(t, s, acme, globex)
	o := tenants.Office{Store: s}
	changed := audit.Event{Operation: audit.ConnectionChanged, Actor: "token:1", Ticket: "msp", Status: audit.Success}
	write := func(v admin.Version[tenant.Connection]) (int, error) {
		return o.WriteConnection(t.Context(), v, changed)
	}
	if n, err := write(admin.Version[tenant.Connection]{Value: msp}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	v, err := o.ReadConnection(t.Context(), "msp")
	if err != nil || v.Number != 1 {
		t.Fatal(v.Number, err)
	}
	wantSame(t, msp, v.Value)
	v.Value.Routes = map[string]tenant.ID{"": "globex"}
	if n, err := write(v); n != 2 || err != nil {
		t.Error(n, err)
	}
	if _, err := write(v); !errors.Is(err, admin.ErrConflict) {
		t.Errorf("too old: %v", err)
	}
	if _, err := write(admin.Version[tenant.Connection]{Value: msp}); !errors.Is(err, admin.ErrExists) {
		t.Errorf("added twice: %v", err)
	}
	v.Number, v.Value.Routes = 2, map[string]tenant.ID{"": "initech"}
	if _, err := write(v); !errors.Is(err, tenant.ErrUnknown) {
		t.Errorf("a route to nobody: %v", err)
	}
	if again, err := o.ReadConnection(t.Context(), "msp"); err != nil || again.Number != 2 || again.Value.Routes[""] != "globex" {
		t.Errorf("what failed changed something: %d, %v", again.Number, err)
	}
	for _, id := range []string{"nothing", "", "\x00"} {
		if _, err := o.ReadConnection(t.Context(), id); !errors.Is(err, tenant.ErrUnknown) {
			t.Errorf("read %q: %v", id, err)
		}
	}
	// acme was served before, and is told that it is not any more.
	var trail string
	err = db.Owner(t).QueryRow(t.Context(), "SELECT string_agg(tenant_id, ' ' ORDER BY id) FROM audit_events WHERE ticket_id = 'msp'").Scan(&trail)
	if err != nil || trail != "acme globex acme globex" {
		t.Errorf("trail %q, %v", trail, err)
	}
}

func TestAConnectionThatCannotBeOpenedHasItsRoutesAndNoSecret(t *testing.T) {
	t.Parallel()
	s, db := newStore(t)
	put(t, s, acme, globex, msp)
	if _, err := db.Owner(t).Exec(t.Context(), "UPDATE connections SET sealed_signing = 'damaged'"); err != nil {
		t.Fatal(err)
	}
	v, err := tenants.Office{Store: s}.ReadConnection(t.Context(), msp.ID)
	if !errors.Is(err, admin.ErrDamaged) || errors.Is(err, tenant.ErrUnknown) || !strings.Contains(err.Error(), msp.ID) {
		t.Errorf("err = %v", err)
	}
	want := msp
	want.Values, want.Signing = nil, nil
	wantSame(t, want, v.Value)
	if v.Number != 1 {
		t.Errorf("version %d", v.Number)
	}
}
