package valkey

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/tenant"
)

func TestForgetTakesTheTenantsKeysAndNoOthers(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	c := open(t, "redis://"+server.Addr())
	var own, others []string
	key := func(list *[]string, name string) {
		*list = append(*list, name)
		if err := server.Set(name, "1"); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 2500 { // more than a page
		key(&own, (&Seen{}).key("acme", "d"+strings.Repeat("x", n)))
	}
	key(&own, "deskhand:limit:acme")
	key(&own, name("servicedesk_plus/acme-sdp/00ff"))
	for _, other := range []string{
		(&Seen{}).key("acme-2", "d"), (&Seen{}).key("globex", "acme:d"), "deskhand:limit:acme-2", "deskhand:limit:globex",
		name("servicedesk_plus/msp/00ff"), name("servicedesk_plus/acme-sdp-2/00ff"), "acme", "somebody:else:acme",
	} {
		key(&others, other)
	}
	n, err := c.Forget(t.Context(), "acme", "acme-sdp")
	left := server.Keys()
	slices.Sort(others)
	if diff := cmp.Diff(others, left); n != len(own) || err != nil || diff != "" {
		t.Errorf("forgot %d of %d, %v (-want +left):\n%s", n, len(own), err, diff)
	}
	if n, err := c.Forget(t.Context(), "acme", "acme-sdp"); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
}

func TestForgetSaysThatTheServerIsAway(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	c := open(t, "redis://"+server.Addr())
	server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := c.Forget(ctx, "acme"); err == nil || !strings.Contains(err.Error(), "forget tenant acme") {
		t.Errorf("err = %v", err)
	}
	if n, err := open(t, "").Forget(ctx, tenant.ID("acme")); n != 0 || err != nil {
		t.Errorf("without a server: %d, %v", n, err)
	}
}
