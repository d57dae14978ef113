package console_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/postgres/console"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/tenant"
)

var added = audit.Event{Ticket: "aaaaaaaa", Operation: audit.TokenAdded, Actor: "cli:anna", Status: audit.Success}

func token(id string, role access.Role, ids ...tenant.ID) access.Token {
	return access.Token{ID: id, Name: "für Anna", Role: role, Tenants: ids, CreatedBy: "cli:anna", Expires: time.Now().Add(time.Hour).Truncate(time.Second)}
}

func TestATokenSignsInUntilItEnds(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.AddTenants(t, "acme", "globex")
	s, owner := console.Store{DB: db.Admin(t)}, db.Owner(t)
	_, hash := access.NewToken()
	_, other := access.NewToken()
	one := token("aaaaaaaa", access.Operator, "acme", "globex")
	if err := s.AddToken(t.Context(), one, hash, added); err != nil {
		t.Fatal(err)
	}
	want := access.Principal{Name: "token:aaaaaaaa", Tenants: map[tenant.ID]access.Role{"acme": access.Operator, "globex": access.Operator}}
	for range 2 {
		got, err := s.SignIn(t.Context(), hash)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Error(err, diff)
		}
	}
	list, err := s.ListTokens(t.Context())
	if err != nil || len(list) != 1 || list[0].LastUsed == nil {
		t.Fatalf("list %v, %v", list, err)
	}
	if diff := cmp.Diff(one, list[0], cmpopts.IgnoreFields(access.Token{}, "Created", "LastUsed"), cmpopts.EquateApproxTime(0)); diff != "" {
		t.Error(diff)
	}
	for name, sql := range map[string]string{
		"expired": "UPDATE api_tokens SET created_at = now() - interval '2 hours', expires_at = now() - interval '1 second'",
		"revoked": "UPDATE api_tokens SET expires_at = now() + interval '1 hour', revoked_at = now()",
	} {
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		if p, err := s.SignIn(t.Context(), hash); !errors.Is(err, access.ErrUnauthorized) || p.Highest() != access.None {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
	if _, err := s.SignIn(t.Context(), other); !errors.Is(err, access.ErrUnauthorized) {
		t.Errorf("a token that is not there: %v", err)
	}
}

func TestATokenForAllTenantsIsForThoseToCome(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	s := console.Store{DB: db.Admin(t)}
	_, hash := access.NewToken()
	if err := s.AddToken(t.Context(), token("aaaaaaaa", access.Admin), hash, added); err != nil {
		t.Fatal(err)
	}
	if p, err := s.SignIn(t.Context(), hash); err != nil || p.On("not-there-yet") != access.Admin {
		t.Errorf("%v, %v", p, err)
	}
	// No tenant's trail tells of it, so the installation's does.
	var trail string
	if err := db.Owner(t).QueryRow(t.Context(), "SELECT concat_ws(' ', operation, subject, actor) FROM installation_events").Scan(&trail); err != nil || trail != "token_added aaaaaaaa cli:anna" {
		t.Errorf("trail %q, %v", trail, err)
	}
	if err := s.AddToken(t.Context(), token("bbbbbbbb", access.Admin, "not-there-yet"), hash, added); !errors.Is(err, tenant.ErrUnknown) {
		t.Errorf("a token that waits for a tenant: %v", err)
	}
}

func TestARevokedTokenStaysRevokedAndTheTrailTells(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.AddTenants(t, "acme", "globex")
	s := console.Store{DB: db.Admin(t)}
	_, hash := access.NewToken()
	one := token("aaaaaaaa", access.Viewer, "acme", "globex")
	if err := s.AddToken(t.Context(), one, hash, added); err != nil {
		t.Fatal(err)
	}
	revoked := audit.Event{Operation: audit.TokenRevoked, Actor: "cli:bert", Status: audit.Success}
	for _, want := range []error{nil, tenant.ErrUnknown} {
		if err := s.RevokeToken(t.Context(), one, revoked); !errors.Is(err, want) {
			t.Errorf("revoke: %v, want %v", err, want)
		}
	}
	if _, err := s.SignIn(t.Context(), hash); !errors.Is(err, access.ErrUnauthorized) {
		t.Errorf("sign in: %v", err)
	}
	list, err := s.ListTokens(t.Context())
	if err != nil || list[0].Revoked == nil || list[0].RevokedBy != "cli:bert" {
		t.Errorf("list %+v, %v", list, err)
	}
	var trail string
	err = db.Owner(t).QueryRow(t.Context(), "SELECT string_agg(tenant_id || ' ' || operation, ', ' ORDER BY id) FROM audit_events").Scan(&trail)
	if err != nil || trail != "acme token_added, globex token_added, acme token_revoked, globex token_revoked" {
		t.Errorf("trail %q, %v", trail, err)
	}
}

// The administrators' role must be able to make and to check tokens, but neither
// to read hashes nor to change what a token may do.
func TestAdminUserHasNoOtherWayToTokens(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	app := db.Admin(t)
	for _, sql := range []string{
		"SELECT hash FROM api_tokens", "SELECT id FROM api_tokens", "UPDATE api_tokens SET revoked_at = NULL", "DELETE FROM api_tokens",
		"INSERT INTO api_tokens (id, hash, name, role, created_by, expires_at) VALUES ('aaaaaaaa', sha256('x'), 'x', 'admin', 'x', now() + interval '1 day')",
		"SET ROLE directory_writer", "UPDATE installation_events SET actor = 'x'", "DELETE FROM installation_events",
	} {
		if _, err := app.Pool.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	_, hash := access.NewToken()
	s := console.Store{DB: app}
	for name, bad := range map[string]access.Token{
		"role":    token("aaaaaaaa", access.None),
		"id":      token("A", access.Viewer),
		"expired": {ID: "aaaaaaaa", Name: "x", Role: access.Viewer, Expires: time.Now().Add(-time.Hour)},
	} {
		if err := s.AddToken(t.Context(), bad, hash, added); err == nil || !strings.Contains(err.Error(), "check constraint") {
			t.Errorf("%s: %v", name, err)
		}
	}
	app.Close()
	if _, err := s.SignIn(t.Context(), hash); err == nil || errors.Is(err, access.ErrUnauthorized) {
		t.Errorf("a database that is down says %v: it must not look like a bad token", err)
	}
}
