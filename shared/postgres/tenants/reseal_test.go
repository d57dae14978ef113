package tenants_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/postgres/tenants"
	"github.com/deskhand/deskhand/shared/secret"
)

// TestResealGoesOnWhereItEnded has a connection that does not open among
// others, and mends it.
func TestResealGoesOnWhereItEnded(t *testing.T) {
	t.Parallel()
	s, db := newStore(t)
	first, err := keyset.New()
	if err != nil {
		t.Fatal(err)
	}
	s.Box = open(t, first)
	put(t, s, acme, globex, single, msp)
	second, err := keyset.Rotate(first)
	if err != nil {
		t.Fatal(err)
	}
	mark, err := keyset.Mark(second)
	if err != nil {
		t.Fatal(err)
	}
	s.Box = open(t, second)
	office := tenants.Office{Store: s}
	event := audit.Event{Operation: audit.ConnectionChanged, Actor: "cli:anna", Status: audit.Success, Correlation: "rotation"}

	exchange := "UPDATE connections SET sealed_values = (SELECT sealed_signing FROM connections WHERE id = 'msp') WHERE id = 'msp'"
	if _, err := db.Owner(t).Exec(t.Context(), exchange); err != nil {
		t.Fatal(err)
	}
	done, already, err := office.Reseal(t.Context(), mark, event)
	if done != 1 || already != 0 || !errors.Is(err, secret.ErrSealed) || !strings.Contains(err.Error(), "msp") {
		t.Errorf("%d done, %d already, %v", done, already, err)
	}
	put(t, s, msp)
	if done, already, err = office.Reseal(t.Context(), mark, event); done != 0 || already != 2 || err != nil {
		t.Errorf("again: %d done, %d already, %v", done, already, err)
	}
	alone, err := keyset.Retire(second)
	if err != nil {
		t.Fatal(err)
	}
	s.Box = open(t, alone)
	d := directory(t, s)
	wantSame(t, single, d.Connections["acme-sdp"])
	wantSame(t, msp, d.Connections["msp"])

	var events int
	if err := db.Owner(t).QueryRow(t.Context(), "SELECT count(*) FROM audit_events WHERE correlation_id = 'rotation'").Scan(&events); err != nil || events != 1 {
		t.Errorf("%d events in the trail, %v; want one for the tenant of acme-sdp", events, err)
	}
	s.DB.Close()
	if _, _, err := office.Reseal(t.Context(), mark, event); err == nil {
		t.Error("a closed pool is resealed")
	}
}

func open(t *testing.T, key secret.Text) secret.Box {
	t.Helper()
	box, err := keyset.Open(key)
	if err != nil {
		t.Fatal(err)
	}
	return box
}
