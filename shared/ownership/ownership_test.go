package ownership_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/ownership"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

var (
	shared = tenant.Connection{ID: "msp", Routes: map[string]tenant.ID{"Acme GmbH": "acme", "Globex": "globex"}}
	own    = tenant.Connection{ID: "own", Routes: map[string]tenant.ID{"": "acme"}}
	given  = tenant.Connection{ID: "own", Routes: map[string]tenant.ID{"": "globex"}}
)

func TestATicketIsHeldToTheTenantOfItsEvent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		conn    tenant.Connection
		account string
		told    []string // nil: it is acme's
		log     string
	}{
		"its own account":        {shared, "Acme GmbH", nil, ""},
		"one client":             {own, "whatever", nil, ""},
		"another tenant's":       {shared, "Globex", []string{"audit acme 7 foreign_ticket"}, "foreign_tenant=globex"},
		"whole connection given": {given, "Acme GmbH", []string{"audit acme 7 foreign_ticket"}, "foreign_tenant=globex"},
		"nobody's":               {shared, "Initech", []string{"unmapped msp/Initech"}, ""},
		"no account":             {shared, "", []string{"unmapped msp/"}, ""},
	} {
		for _, down := range []error{nil, errors.New("the database is down")} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var log bytes.Buffer
				var told []string
				guard := ownership.Guard{
					Unmapped: func(_ context.Context, connection, account string) error {
						told = append(told, "unmapped "+connection+"/"+account)
						return down
					},
					Audit: func(_ context.Context, ev ticket.Event, kind string) error {
						told = append(told, "audit "+string(ev.Ref.Tenant)+" "+ev.Ref.Key+" "+kind)
						return down
					},
					Log: slog.New(slog.NewTextHandler(&log, nil)),
				}
				ev := ticket.Event{Ref: ticket.Ref{Tenant: "acme", Connection: c.conn.ID, Key: "7"}}
				err := guard.Check(t.Context(), c.conn, ev, c.account)
				if diff := cmp.Diff(c.told, told); diff != "" {
					t.Error(diff)
				}
				if c.told == nil {
					if err != nil || log.Len() > 0 {
						t.Errorf("err = %v, log: %s", err, &log)
					}
					return
				}
				if v := queue.DefaultPolicy.Decide(queue.Message{Sent: time.Now()}, err, time.Now()); err == nil || v.Action != queue.Done {
					t.Fatalf("err = %v, want a discard", err)
				}
				if text := err.Error(); strings.Contains(text, "lobex") || strings.Contains(text, "Initech") {
					t.Errorf("acme's records would name another client: %v", err)
				}
				if !strings.Contains(log.String(), c.log) || down != nil && !strings.Contains(log.String(), down.Error()) {
					t.Errorf("log: %s", &log)
				}
			})
		}
	}
}
