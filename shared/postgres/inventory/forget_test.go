package inventory

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/catalogue"
	"github.com/deskhand/deskhand/shared/ticketing"
)

func TestOnlySystemsOfTheListingAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, site...)
	w.put(t, globex, site...)
	if n, err := w.KeepSystems(t.Context(), acme, "desk", []string{" 2", "4"}); n != len(site)-2 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	if n, err := w.KeepSystems(t.Context(), acme, "another desk", nil); n != 0 || err != nil {
		t.Errorf("removed %d of another connection, %v", n, err)
	}
	const all = "10.0.0.5, 10.0.0.6, 10.0.2.1, 192.0.2.9"
	if got := refs(w.ask(t, acme, all, "")); got != "srv-sql02 4" {
		t.Errorf("acme finds %q", got)
	}
	if got := len(w.ask(t, globex, all, "")); got != 4 {
		t.Errorf("globex finds %d", got)
	}
	var addresses int
	if err := w.DB.InTenant(t.Context(), acme, func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), "SELECT count(*) FROM system_addresses").Scan(&addresses)
	}); err != nil || addresses != 3 {
		t.Errorf("%d addresses are left, %v; want 3", addresses, err)
	}
}

func TestSystemsOfAnAccountAreForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, ticketing.System{Key: "1", Hostname: "srv-a", Account: "Acme GmbH"}, ticketing.System{Key: "2", Hostname: "srv-b"})
	w.put(t, globex, ticketing.System{Key: "1", Hostname: "srv-a", Account: "Acme GmbH"})
	origins, err := w.Origins(t.Context(), acme)
	gmbh := catalogue.Origin{Connection: "desk", Account: "Acme GmbH"}
	if diff := cmp.Diff(map[catalogue.Origin]bool{gmbh: true, {Connection: "desk"}: true}, set(origins)); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if n, err := w.Forget(t.Context(), acme, gmbh, time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("forgot %d that were stored later, %v", n, err)
	}
	if n, err := w.Forget(t.Context(), acme, gmbh, time.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("forgot %d, %v; want 1", n, err)
	}
	if got := refs(w.ask(t, acme, "srv-a and srv-b", "")); got != "srv-b" {
		t.Errorf("acme finds %q", got)
	}
	if got := refs(w.ask(t, globex, "srv-a and srv-b", "")); got != "srv-a" {
		t.Errorf("globex finds %q", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, errForget := w.Forget(ctx, acme, gmbh, time.Now())
	_, errOrigins := w.Origins(ctx, acme)
	for _, err := range []error{errForget, errOrigins} {
		if err == nil || !strings.Contains(err.Error(), "acme") {
			t.Errorf("err = %v", err)
		}
	}
}

func set(origins []catalogue.Origin) map[catalogue.Origin]bool {
	found := map[catalogue.Origin]bool{}
	for _, o := range origins {
		found[o] = true
	}
	return found
}
