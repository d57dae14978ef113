package catalogue_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/catalogue"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

func TestAResolvedTicketThatMovedIsForgottenAndTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		account string
		want    []string
	}{
		"to another tenant": {"Globex Ltd", []string{"drop acme/shared [7]", "audit acme foreign_ticket"}},
		"to nobody":         {"Initech", []string{"drop acme/shared [7]", "unmapped shared/Initech"}},
		"to no account":     {"", []string{"drop acme/shared [7]", "unmapped shared/"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &desk{ticket: ticket.Ticket{Key: "7", Account: c.account, Resolution: "restarted", Closed: true}}
			err := newCatalogue(d).Handle(t.Context(), resolved(t, ticket.Told{}))
			if err == nil || outcome(err) != queue.Done || len(d.stored) > 0 {
				t.Errorf("err = %v, stored %v", err, d.stored)
			}
			if c.account != "" && strings.Contains(err.Error(), c.account) || strings.Contains(err.Error(), "globex") {
				t.Errorf("acme's log and dead letters name another client: %v", err)
			}
			if diff := cmp.Diff(c.want, d.told); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestATicketThatCannotBeForgottenIsTriedAgainBeforeTheAlarm(t *testing.T) {
	t.Parallel()
	d := &desk{ticket: ticket.Ticket{Key: "7", Account: "Globex Ltd", Closed: true}, failCut: errors.New("the database is down")}
	if err := newCatalogue(d).Handle(t.Context(), resolved(t, ticket.Told{})); outcome(err) != queue.Again {
		t.Errorf("err = %v", err)
	}
	if diff := cmp.Diff([]string{"drop acme/shared [7]"}, d.told); diff != "" {
		t.Error(diff)
	}
}

func TestAStoredTicketIsNoOtherTenantsOfTheConnection(t *testing.T) {
	t.Parallel()
	d := &desk{ticket: ticket.Ticket{Key: "7", Account: "Acme Ltd", Resolution: "restarted", Closed: true}}
	if err := newCatalogue(d).Handle(t.Context(), resolved(t, ticket.Told{})); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"drop globex/shared [7]"}, d.told); diff != "" {
		t.Error(diff)
	}
	d.failCut = errors.New("the database is down")
	if err := newCatalogue(d).Handle(t.Context(), resolved(t, ticket.Told{})); outcome(err) != queue.Again {
		t.Errorf("err = %v", err)
	}
}

func TestAnImportForgetsWhatIsOthers(t *testing.T) {
	t.Parallel()
	d := &desk{pages: []ticketing.Page{{Tickets: []ticket.Ticket{{Key: "1", Account: "Acme Ltd"}, {Key: "2", Account: "Globex Ltd"}, {Key: "3"}}}}}
	sum, err := newCatalogue(d).Import(t.Context(), "acme", catalogue.Span{}, func(catalogue.Progress, []error) {})
	if err != nil || sum.Foreign != 2 {
		t.Errorf("%+v, %v", sum, err)
	}
	if diff := cmp.Diff([]string{"drop globex/shared [1]", "drop acme/shared [2 3]"}, d.told); diff != "" {
		t.Error(diff)
	}
}

func TestARefreshKeepsWhatTheListingHas(t *testing.T) {
	t.Parallel()
	d := &desk{}
	if err := newCatalogue(d).Refresh(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"keep articles acme/shared [1 3]", "keep systems acme/shared [s1]"}, d.told); diff != "" {
		t.Error(diff)
	}
	broken := &desk{failPut: errors.New("disk full")}
	if err := newCatalogue(broken).Refresh(t.Context(), "acme"); err == nil || len(broken.told) > 0 {
		t.Errorf("a listing that did not come to its end: %v, %v", err, broken.told)
	}
}

func TestWhatCameFromAnAccountThatIsAnothersNowIsForgotten(t *testing.T) {
	t.Parallel()
	d := &desk{origins: []catalogue.Origin{
		{Connection: "shared", Account: "Acme Ltd"},
		{Connection: "shared", Account: "Globex Ltd"},
		{Connection: "shared", Account: "Initech"},
		{Connection: "shared"},
		{Connection: "_canary"},
		{Connection: "does not open", Account: "Acme Ltd"},
		{Connection: "own", Account: "whatever"},
		{Connection: "given"},
	}}
	c := newCatalogue(d)
	c.Directory().Connections["own"] = tenant.Connection{ID: "own", Tool: "sdp", Disabled: true, Routes: map[string]tenant.ID{"": "acme"}}
	c.Directory().Connections["given"] = tenant.Connection{ID: "given", Tool: "sdp", Routes: map[string]tenant.ID{"": "globex"}}
	message := queue.Message{ID: "reconcile/acme", Tenant: "acme", Kind: "reconcile", Sent: time.Now()}
	if err := c.Handle(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	want := []string{"forget acme {shared Globex Ltd} true", "forget acme {shared Initech} true", "forget acme {shared } true", "forget acme {given } true"}
	if diff := cmp.Diff(want, d.told); diff != "" {
		t.Error(diff)
	}
	for _, broken := range []*desk{{readErr: errors.New("down")}, {failCut: errors.New("down"), origins: d.origins}} {
		if err := newCatalogue(broken).Handle(t.Context(), message); outcome(err) != queue.Again {
			t.Errorf("err = %v", err)
		}
	}
}
