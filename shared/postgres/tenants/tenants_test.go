package tenants_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deskhand/deskhand/shared/admin"
	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/postgres/tenants"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

var (
	acme   = tenant.Tenant{ID: "acme", Name: "Acme & Söhne", Settings: tenant.Settings{NoteFormat: "markdown", SourcesOff: []string{"inventory"}, ShadowMode: true}}
	globex = tenant.Tenant{ID: "globex", Name: "Globex", Disabled: true}
	single = tenant.Connection{
		ID: "acme-sdp", Tool: "servicedesk_plus", Verify: tenant.VerifyPlain, Routes: map[string]tenant.ID{"": "acme"},
		Values:  integration.Values{"url": "https://sdp.example.com", "token": "hunter2"},
		Signing: []secret.Text{secret.New("newest"), secret.New("former")},
	}
	msp = tenant.Connection{
		ID: "msp", Tool: "servicedesk_plus", Disabled: true, Values: integration.Values{"token": "hunter2"},
		Routes: map[string]tenant.ID{"Acme GmbH": "acme", "Globex": "globex", "Globex 2": "globex"},
	}
)

func TestDirectoryHasWhatWasPut(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	put(t, s, acme, globex)
	for range 2 { // to put the same again changes nothing
		put(t, s, single, msp, acme)
		d := directory(t, s)
		wantSame(t, map[tenant.ID]tenant.Tenant{"acme": acme, "globex": globex}, d.Tenants)
		wantSame(t, map[string]tenant.Connection{"acme-sdp": single, "msp": msp}, d.Connections)
	}
}

func TestEmptyInstallationIsLoaded(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	if d := directory(t, s); d.Loaded.IsZero() || len(d.Tenants)+len(d.Connections) > 0 {
		t.Errorf("directory = %+v, want empty and loaded", d)
	}
}

func TestChangesAreSeen(t *testing.T) {
	t.Parallel()
	s, db := newStore(t)
	put(t, s, acme, globex, single, msp)

	renamed, moved := acme, msp
	renamed.Name, renamed.Settings = "Acme", tenant.Settings{}
	moved.Disabled, moved.Verify, moved.Tool = false, tenant.VerifyJira, "jira"
	moved.Values = integration.Values{"token": "changed"}
	moved.Signing = []secret.Text{secret.New("new")}
	moved.Routes = map[string]tenant.ID{"Acme GmbH": "globex", "Globex": "acme"} // exchanged, and one gone
	put(t, s, renamed, moved)
	d := directory(t, s)
	wantSame(t, renamed, d.Tenants["acme"])
	wantSame(t, moved, d.Connections["msp"])
	wantSame(t, single, d.Connections["acme-sdp"])

	var versions []int
	err := db.Owner(t).QueryRow(t.Context(), "SELECT array_agg(version ORDER BY tenant_id) FROM tenant_configs").Scan(&versions)
	if err != nil || !cmp.Equal(versions, []int{2, 1}) {
		t.Errorf("versions = %v, %v; want 2 for acme, 1 for globex", versions, err)
	}
}

func TestConnectionIsPutWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	put(t, s, acme, globex, msp)
	for name, tc := range map[string]struct {
		change func(*tenant.Connection)
		want   string
	}{
		"no route":       {func(c *tenant.Connection) { c.Routes = nil }, "it has no route"},
		"unknown tenant": {func(c *tenant.Connection) { c.Routes = map[string]tenant.ID{"a": "acme", "b": "initech"} }, "add the tenant first"},
		"bad tenant":     {func(c *tenant.Connection) { c.Routes = map[string]tenant.ID{"a": "A'"} }, "tenant A' is not there"},
		"bad id":         {func(c *tenant.Connection) { c.ID = "Not an id" }, "check constraint"},
		"reserved id":    {func(c *tenant.Connection) { c.ID = "resolved" }, "check constraint"},
		"bad account":    {func(c *tenant.Connection) { c.Routes = map[string]tenant.ID{"\xff": "acme"} }, "invalid byte sequence"},
	} {
		c := msp
		c.Tool = "changed"
		tc.change(&c)
		err := putConnection(t, s, c)
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		if errors.Is(err, tenant.ErrUnknown) != strings.Contains(name, "tenant") {
			t.Errorf("%s: %v, want tenant.ErrUnknown for a tenant that is not there, and only then", name, err)
		}
	}
	if err := putTenant(t, s, tenant.Tenant{ID: "No"}); err == nil {
		t.Error("a bad tenant id was put")
	}
	wantSame(t, map[string]tenant.Connection{"msp": msp}, directory(t, s).Connections)
}

// TestOfConcurrentChangesOneCounts has all of them read the same version.
func TestOfConcurrentChangesOneCounts(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	put(t, s, acme, globex, msp)
	o := tenants.Office{Store: s}
	var wg sync.WaitGroup
	var written atomic.Int32
	for i := range 8 {
		wg.Go(func() {
			c := msp
			c.Tool = fmt.Sprint("tool", i)
			c.Routes = map[string]tenant.ID{"a": "acme", "g": "globex", c.Tool: "acme"}
			_, err := o.WriteConnection(t.Context(), admin.Version[tenant.Connection]{Value: c, Number: 1}, change)
			if err == nil {
				written.Add(1)
			} else if !errors.Is(err, admin.ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := directory(t, s).Connections["msp"]
	if got.Routes[got.Tool] != "acme" || len(got.Routes) != 3 || written.Load() != 1 {
		t.Errorf("%d were written; tool %s has routes %v", written.Load(), got.Tool, got.Routes)
	}
}

func TestWhatDoesNotOpenIsLeftOutAndNamed(t *testing.T) {
	t.Parallel()
	s, db := newStore(t)
	put(t, s, acme, globex, single, msp)
	other := msp
	other.ID = "odd"
	put(t, s, other)
	owner := db.Owner(t)
	for _, sql := range []string{
		// The seal is bound to the connection: a row's values do not open for another.
		"UPDATE connections SET sealed_values = (SELECT sealed_values FROM connections WHERE id = 'acme-sdp') WHERE id = 'msp'",
		"UPDATE connections SET sealed_signing = sealed_values WHERE id = 'odd'",
		"UPDATE tenant_configs SET settings = '[]' WHERE tenant_id = 'globex'",
	} {
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	d, err := s.Directory(t.Context())
	if !errors.Is(err, secret.ErrSealed) {
		t.Fatalf("err = %v, want secret.ErrSealed", err)
	}
	for _, want := range []string{"connection/msp/values", "connection/odd/signing", "settings of tenant globex"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("err = %v, does not name %s", err, want)
		}
	}
	if d.Loaded.IsZero() {
		t.Error("the directory is not usable")
	}
	wantSame(t, map[tenant.ID]tenant.Tenant{"acme": acme}, d.Tenants)
	wantSame(t, map[string]tenant.Connection{"acme-sdp": single}, d.Connections)
}

func TestAnotherKeyOpensNothing(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	put(t, s, acme, single)
	s.Box = newBox(t)
	d, err := s.Directory(t.Context())
	if !errors.Is(err, secret.ErrSealed) || len(d.Tenants) != 1 || len(d.Connections) != 0 {
		t.Errorf("directory = %v, %v", d, err)
	}
}

func TestDamagedValuesAreNotQuoted(t *testing.T) {
	t.Parallel()
	s, db := newStore(t)
	put(t, s, acme, single)
	sealed, err := s.Box.Seal([]byte(`{"token": "hunter2`), "connection/acme-sdp/values")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Owner(t).Exec(t.Context(), "UPDATE connections SET sealed_values = $1", sealed); err != nil {
		t.Fatal(err)
	}
	d, err := s.Directory(t.Context())
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "connection acme-sdp") || len(d.Connections) != 0 {
		t.Errorf("directory = %v, %v", d, err)
	}
}

func TestCredentialsAreSealedInTheDatabase(t *testing.T) {
	t.Parallel()
	s, db := newStore(t)
	put(t, s, acme, single)
	var row string
	if err := db.Owner(t).QueryRow(t.Context(), "SELECT encode(sealed_values, 'escape') || encode(sealed_signing, 'escape') FROM connections").Scan(&row); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"hunter2", "sdp.example.com", "newest"} {
		if strings.Contains(row, text) {
			t.Errorf("%s is readable in the database", text)
		}
	}
}

func TestDirectoryWithoutDatabaseIsNotLoaded(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	s.DB.Close()
	if d, err := s.Directory(t.Context()); err == nil || !d.Loaded.IsZero() {
		t.Errorf("directory = %v, %v", d, err)
	}
}

func newStore(t *testing.T) (tenants.Store, pgtest.DB) {
	t.Helper()
	db := pgtest.New(t)
	return tenants.Store{DB: db.Admin(t), Box: newBox(t)}, db
}

func newBox(t *testing.T) secret.Box {
	t.Helper()
	key, err := keyset.New()
	if err != nil {
		t.Fatal(err)
	}
	box, err := keyset.Open(key)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// put puts tenants and connections, in the order given.
func put(t *testing.T, s tenants.Store, all ...any) {
	t.Helper()
	for _, one := range all {
		var err error
		switch v := one.(type) {
		case tenant.Tenant:
			err = putTenant(t, s, v)
		case tenant.Connection:
			err = putConnection(t, s, v)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func putTenant(t *testing.T, s tenants.Store, v tenant.Tenant) error {
	t.Helper()
	o := tenants.Office{Store: s}
	before, err := o.ReadTenant(t.Context(), v.ID)
	if err != nil && !errors.Is(err, tenant.ErrUnknown) {
		return err
	}
	_, err = o.WriteTenant(t.Context(), admin.Version[tenant.Tenant]{Value: v, Number: before.Number}, audit.Event{Operation: audit.TenantChanged, Actor: "cli:anna", Status: audit.Success})
	return err
}

// putConnection writes over whatever is there.
func putConnection(t *testing.T, s tenants.Store, c tenant.Connection) error {
	t.Helper()
	o := tenants.Office{Store: s}
	before, err := o.ReadConnection(t.Context(), c.ID)
	if err != nil && !errors.Is(err, tenant.ErrUnknown) && !errors.Is(err, admin.ErrDamaged) {
		return err
	}
	e := audit.Event{Ticket: c.ID, Operation: audit.ConnectionChanged, Actor: "cli:anna", Status: audit.Success}
	_, err = o.WriteConnection(t.Context(), admin.Version[tenant.Connection]{Value: c, Number: before.Number}, e)
	return err
}

func directory(t *testing.T, s tenants.Store) tenant.Directory {
	t.Helper()
	d, err := s.Directory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func wantSame(t *testing.T, want, got any) {
	t.Helper()
	reveal := cmp.Comparer(func(a, b secret.Text) bool { return a.Reveal() == b.Reveal() })
	if diff := cmp.Diff(want, got, reveal, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
