package catalogue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/catalogue"
	"github.com/deskhand/deskhand/shared/ownership"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// desk is a ticketing tool, and what was stored of it.
type desk struct {
	ticket  ticket.Ticket
	readErr error
	pages   []ticketing.Page
	limited int // how many listings are refused first
	stored  []string
	failPut error
	told    []string // by the guard, and what was removed
	failCut error

	compared    []string
	failCompare error
	origins     []catalogue.Origin
}

func (d *desk) cut(format string, args ...any) (int, error) {
	d.told = append(d.told, fmt.Sprintf(format, args...))
	return 1, d.failCut
}

func (d *desk) DropTickets(_ context.Context, id tenant.ID, connection string, keys []string) (int, error) {
	return d.cut("drop %s/%s %v", id, connection, keys)
}

func (d *desk) KeepArticles(_ context.Context, id tenant.ID, connection string, keys []string) (int, error) {
	return d.cut("keep articles %s/%s %v", id, connection, keys)
}

func (d *desk) KeepSystems(_ context.Context, id tenant.ID, connection string, keys []string) (int, error) {
	return d.cut("keep systems %s/%s %v", id, connection, keys)
}

func (d *desk) Origins(context.Context, tenant.ID) ([]catalogue.Origin, error) {
	return d.origins, d.readErr
}

func (d *desk) Forget(_ context.Context, id tenant.ID, from catalogue.Origin, before time.Time) (int, error) {
	return d.cut("forget %s %v %v", id, from, before.Equal(now))
}

func (d *desk) Event(ticketing.Delivery) (ticketing.Announcement, error) {
	return ticketing.Announcement{}, errors.New("not asked here")
}
func (d *desk) Ticket(context.Context, string) (ticket.Ticket, error) { return d.ticket, d.readErr }
func (d *desk) PutNote(context.Context, string, ticket.Note) (string, error) {
	return "", errors.New("the catalogue writes nothing")
}

func (d *desk) Resolved(_ context.Context, _, _ time.Time, cursor string) (ticketing.Page, error) {
	if d.limited > 0 {
		d.limited--
		return ticketing.Page{}, &ticketing.LimitedError{After: time.Minute}
	}
	n := 0
	_, _ = fmt.Sscan(cursor, &n) // "" is the first
	return d.pages[n], nil
}

func (d *desk) Articles(_ context.Context, cursor string) ([]ticketing.Article, string, error) {
	if cursor == "" {
		return []ticketing.Article{{Key: "1", Account: "Acme Ltd"}, {Key: "2", Account: "Globex Ltd"}}, "next", nil
	}
	return []ticketing.Article{{Key: "3", Account: "Acme Ltd"}}, "", nil
}

func (d *desk) Systems(context.Context, string) ([]ticketing.System, string, error) {
	return []ticketing.System{{Key: "s1", Account: "Acme Ltd"}, {Key: "s2"}}, "", nil
}

func (d *desk) PutTickets(_ context.Context, id tenant.ID, connection, source string, tickets []ticket.Ticket) error {
	for _, t := range tickets {
		d.stored = append(d.stored, fmt.Sprintf("%s %s %s ticket %s: %s", id, connection, source, t.Key, t.Resolution))
	}
	return d.failPut
}

func (d *desk) PutArticles(_ context.Context, id tenant.ID, _ string, articles []ticketing.Article) error {
	for _, a := range articles {
		d.stored = append(d.stored, fmt.Sprintf("%s article %s", id, a.Key))
	}
	return d.failPut
}

func (d *desk) PutSystems(_ context.Context, id tenant.ID, _ string, systems []ticketing.System) error {
	for _, s := range systems {
		d.stored = append(d.stored, fmt.Sprintf("%s system %s", id, s.Key))
	}
	return d.failPut
}

// sent is a queue that keeps what it was sent.
type sent struct{ messages []queue.Message }

func (s *sent) Send(_ context.Context, m ...queue.Message) error {
	s.messages = append(s.messages, m...)
	return nil
}

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newCatalogue has two tenants: acme alone on a connection, and both on a
// shared one.
func newCatalogue(d *desk) *catalogue.Catalogue {
	directory := tenant.Directory{
		Loaded:  now,
		Tenants: map[tenant.ID]tenant.Tenant{"acme": {ID: "acme"}, "globex": {ID: "globex"}, "gone": {ID: "gone", Disabled: true}},
		Connections: map[string]tenant.Connection{
			"shared": {ID: "shared", Tool: "sdp", Routes: map[string]tenant.ID{"Acme Ltd": "acme", "Globex Ltd": "globex"}},
		},
	}
	return &catalogue.Catalogue{
		Directory: func() tenant.Directory { return directory },
		Open:      func(tenant.Connection) (ticketing.Tool, error) { return d, nil },
		Guard: ownership.Guard{
			Unmapped: func(_ context.Context, connection, account string) error {
				_, err := d.cut("unmapped %s/%s", connection, account)
				return err
			},
			Audit: func(_ context.Context, ev ticket.Event, kind string) error {
				_, err := d.cut("audit %s %s", ev.Ref.Tenant, kind)
				return err
			},
			Log: slog.New(slog.DiscardHandler),
		},
		Library: d, Articles: d, Systems: d, Memories: []catalogue.Memory{d}, Queue: &sent{},
		Sweep: func(context.Context, tenant.ID, time.Duration) (int, error) { return 1, nil },
		Claim: func(ctx context.Context, _ tenant.ID, _ string, _ time.Time, do func(context.Context) error) error {
			return do(ctx)
		},
		Canary: func(context.Context, tenant.ID) (string, error) { return "dhcanary", nil },
		Probe:  func(context.Context, tenant.ID) error { return nil },
		Learn:  func(context.Context, tenant.ID) error { return nil },
		Compare: func(_ context.Context, ref ticket.Ref, t ticket.Ticket) error {
			d.compared = append(d.compared, fmt.Sprintf("%s: %s", ref, t.Resolution))
			return d.failCompare
		},
		Policy: queue.DefaultPolicy,
		Now:    func() time.Time { return now },
		Log:    slog.New(slog.DiscardHandler),
	}
}

func resolved(t *testing.T, told ticket.Told) queue.Message {
	t.Helper()
	body, err := json.Marshal(ticket.Event{
		Job: "j", Kind: ticket.Resolved, Signed: true, Received: now, Told: told,
		Ref: ticket.Ref{Tenant: "acme", Tool: "sdp", Connection: "shared", Key: "7"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return queue.Message{ID: "j", Tenant: "acme", Kind: "resolved", Body: body, Sent: now}
}

// outcome is what the queue would do with a message whose handler gave err.
func outcome(err error) queue.Action {
	return queue.DefaultPolicy.Decide(queue.Message{Sent: now}, err, now).Action
}

func TestAResolvedOrClosedTicketIsStoredFromTheTool(t *testing.T) {
	t.Parallel()
	for _, kind := range []ticket.Kind{ticket.Resolved, ticket.Closed} {
		d := &desk{ticket: ticket.Ticket{Key: "7", Account: "Acme Ltd", Resolution: "restarted", Closed: true}}
		m := resolved(t, ticket.Told{Resolution: "told"})
		m.Kind = string(kind)
		if err := newCatalogue(d).Handle(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"acme shared webhook_resolved ticket 7: restarted"}, d.stored); diff != "" {
			t.Error(kind, diff)
		}
		if diff := cmp.Diff([]string{"acme/sdp/7: restarted"}, d.compared); diff != "" {
			t.Error(kind, diff)
		}
		d.failCompare = errors.New("the database is down")
		if err := newCatalogue(d).Handle(t.Context(), m); !errors.Is(err, d.failCompare) {
			t.Errorf("%s: it is not compared: %v", kind, err)
		}
	}
}

func TestAnEmptyResolutionIsReadAgainLater(t *testing.T) {
	t.Parallel()
	d := &desk{ticket: ticket.Ticket{Key: "7", Account: "Acme Ltd", Closed: true}}
	c := newCatalogue(d)
	err := c.Handle(t.Context(), resolved(t, ticket.Told{}))
	v := queue.DefaultPolicy.Decide(queue.Message{Sent: now}, err, now)
	if v.Action != queue.Again || v.Failed || v.Delay != 5*time.Minute {
		t.Errorf("verdict %+v", v)
	}
	c.Now = func() time.Time { return now.Add(5 * time.Minute) }
	if err := c.Handle(t.Context(), resolved(t, ticket.Told{})); err != nil {
		t.Errorf("after five minutes: %v", err)
	}
	if diff := cmp.Diff([]string{"acme/sdp/7: "}, d.compared); diff != "" {
		t.Errorf("compared, once there is nothing to wait for: %s", diff)
	}
}

func TestATicketThatStaysOpenIsNoPastTicket(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ own, told string }{
		"without a resolution":           {"", ""},
		"with one that the webhook told": {"", "told"},
		"with one of an earlier time":    {"restarted", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &desk{ticket: ticket.Ticket{Key: "7", Account: "Acme Ltd", Resolution: c.own}}
			catalogue := newCatalogue(d)
			if err := catalogue.Handle(t.Context(), resolved(t, ticket.Told{Resolution: c.told})); outcome(err) != queue.Again {
				t.Errorf("at once: %v", err)
			}
			catalogue.Now = func() time.Time { return now.Add(5 * time.Minute) }
			if err := catalogue.Handle(t.Context(), resolved(t, ticket.Told{Resolution: c.told})); err == nil || outcome(err) != queue.Done || len(d.stored) > 0 {
				t.Errorf("after five minutes: %v, stored %v", err, d.stored)
			}
		})
	}
}

// TestATenantsOwnStatusesReachItsTool has the tool decide by them what is closed.
func TestATenantsOwnStatusesReachItsTool(t *testing.T) {
	t.Parallel()
	d := &desk{ticket: ticket.Ticket{Key: "7", Account: "Acme Ltd", Status: "Fixed", Closed: true, Resolution: "restarted"}}
	c := newCatalogue(d)
	c.Directory().Tenants["acme"] = tenant.Tenant{ID: "acme", Settings: tenant.Settings{ClosedStatuses: []string{"Fixed"}}}
	var opened tenant.Connection
	c.Open = func(conn tenant.Connection) (ticketing.Tool, error) { opened = conn; return d, nil }
	if err := c.Handle(t.Context(), resolved(t, ticket.Told{})); err != nil || len(d.stored) != 1 {
		t.Errorf("stored %v, %v", d.stored, err)
	}
	if opened.Values[tenant.ClosedStatus] != "Fixed" {
		t.Errorf("the tool was opened with the statuses %q", opened.Values[tenant.ClosedStatus])
	}
}

func TestTheWebhookTellsWhatTheToolDoesNotShowYet(t *testing.T) {
	t.Parallel()
	d := &desk{ticket: ticket.Ticket{Key: "7", Account: "Acme Ltd", Closed: true}}
	if err := newCatalogue(d).Handle(t.Context(), resolved(t, ticket.Told{Resolution: "told"})); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"acme shared webhook_resolved ticket 7: told"}, d.stored); diff != "" {
		t.Error(diff)
	}
}

func TestWhatCannotBeReadIsTriedAgainOrDropped(t *testing.T) {
	t.Parallel()
	c := newCatalogue(&desk{readErr: fmt.Errorf("x: %w", ticketing.ErrNotFound)})
	if err := c.Handle(t.Context(), resolved(t, ticket.Told{})); err == nil || outcome(err) != queue.Done {
		t.Errorf("a ticket that is gone: %v", err)
	}
	c = newCatalogue(&desk{readErr: ticketing.ErrUnavailable})
	if err := c.Handle(t.Context(), resolved(t, ticket.Told{Description: "d", Resolution: "r"})); outcome(err) != queue.Again {
		t.Errorf("a tool that is down, on a shared connection: %v", err)
	}
	c = newCatalogue(&desk{readErr: &ticketing.LimitedError{After: time.Minute}})
	if v := queue.DefaultPolicy.Decide(queue.Message{Sent: now}, c.Handle(t.Context(), resolved(t, ticket.Told{})), now); v.Failed || v.Delay != time.Minute {
		t.Errorf("a tool that wants a pause: %+v", v)
	}
	for name, m := range map[string]queue.Message{
		"no JSON":        {Tenant: "acme", Kind: "resolved", Body: []byte("{")},
		"unknown kind":   {Tenant: "acme", Kind: "party"},
		"foreign tenant": {Tenant: "globex", Kind: "resolved", Body: resolved(t, ticket.Told{}).Body},
	} {
		if err := c.Handle(t.Context(), m); err == nil || outcome(err) != queue.Done {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheWebhooksTextStandsInOnAConnectionOfOneClient(t *testing.T) {
	t.Parallel()
	d := &desk{readErr: ticketing.ErrUnavailable}
	c := newCatalogue(d)
	directory := c.Directory()
	directory.Connections["shared"] = tenant.Connection{ID: "shared", Tool: "sdp", Routes: map[string]tenant.ID{"": "acme"}}
	if err := c.Handle(t.Context(), resolved(t, ticket.Told{Subject: "s", Description: "d", Resolution: "told"})); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"acme shared webhook_resolved ticket 7: told"}, d.stored); diff != "" {
		t.Error(diff)
	}
}

func TestAFailedStoreIsTriedAgain(t *testing.T) {
	t.Parallel()
	d := &desk{ticket: ticket.Ticket{Key: "7", Account: "Acme Ltd", Resolution: "r", Closed: true}, failPut: errors.New("disk full")}
	if err := newCatalogue(d).Handle(t.Context(), resolved(t, ticket.Told{})); outcome(err) != queue.Again {
		t.Errorf("err = %v", err)
	}
}

func TestATickSendsOneMessagePerTenantAndSchedule(t *testing.T) {
	t.Parallel()
	c := newCatalogue(&desk{})
	claimed := map[string]bool{}
	c.Claim = func(ctx context.Context, id tenant.ID, schedule string, slot time.Time, do func(context.Context) error) error {
		key := fmt.Sprint(id, schedule, slot)
		if claimed[key] {
			return nil
		}
		claimed[key] = true
		return do(ctx)
	}
	for range 3 {
		if err := c.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	got := c.Queue.(*sent).messages
	if want := 2*len(catalogue.Schedules()) + 1; len(got) != want {
		t.Errorf("%d messages, want %d (two active tenants, and a sweep for the disabled one)", len(got), want)
	}
	for _, m := range got {
		if err := c.Handle(t.Context(), m); err != nil {
			t.Errorf("%s: %v", m.ID, err)
		}
	}
}

func TestDecoysArePlantedAndProbed(t *testing.T) {
	t.Parallel()
	d := &desk{}
	c := newCatalogue(d)
	message := queue.Message{ID: "decoys/acme", Tenant: "acme", Kind: "decoys", Sent: now}
	if err := c.Handle(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"acme _canary bulk_import ticket decoy: dhcanary is a decoy.", "acme article decoy", "acme system decoy"}, d.stored); diff != "" {
		t.Error(diff)
	}
	for name, broken := range map[string]func(*catalogue.Catalogue){
		"a probe that finds another tenant's": func(c *catalogue.Catalogue) {
			c.Probe = func(context.Context, tenant.ID) error { return queue.Bury(errors.New("foreign")) }
		},
		"no canary": func(c *catalogue.Catalogue) {
			c.Canary = func(context.Context, tenant.ID) (string, error) { return "", errors.New("down") }
		},
		"not planted": func(c *catalogue.Catalogue) { c.Articles = &desk{failPut: errors.New("disk full")} },
	} {
		c := newCatalogue(&desk{})
		broken(c)
		if err := c.Handle(t.Context(), message); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestARefreshOfASharedConnectionKeepsOnlyTheTenantsOwn(t *testing.T) {
	t.Parallel()
	d := &desk{}
	c := newCatalogue(d)
	if err := c.Refresh(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"acme article 1", "acme article 3", "acme system s1"}, d.stored); diff != "" {
		t.Error(diff)
	}
}

func TestAnImportStoresEveryPageOnceAndReportsTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{limited: 2, pages: []ticketing.Page{
			{Tickets: []ticket.Ticket{{Key: "1", Account: "Acme Ltd"}, {Key: "2", Account: "Globex Ltd"}}, Invalid: []error{errors.New("ticket 9")}, Total: 4, Next: "1"},
			{Tickets: []ticket.Ticket{{Key: "3", Account: "Acme Ltd"}}, Total: 4},
		}}
		var reports []catalogue.Progress
		sum, err := newCatalogue(d).Import(t.Context(), "acme", catalogue.Span{}, func(p catalogue.Progress, _ []error) { reports = append(reports, p) })
		if err != nil {
			t.Fatal(err)
		}
		want := catalogue.Progress{Stored: 2, Skipped: 1, Foreign: 1, Total: 4}
		if diff := cmp.Diff([]catalogue.Progress{{Stored: 1, Skipped: 1, Foreign: 1, Total: 4}, want}, reports); diff != "" {
			t.Error(diff)
		}
		if sum != want {
			t.Errorf("sum = %+v", sum)
		}
		if diff := cmp.Diff([]string{"acme shared bulk_import ticket 1: ", "acme shared bulk_import ticket 3: "}, d.stored); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAnImportEndsWhereItCannotGoOn(t *testing.T) {
	t.Parallel()
	nothing := func(catalogue.Progress, []error) {}
	c := newCatalogue(&desk{pages: []ticketing.Page{{Next: "0"}}})
	c.Directory().Connections["shared"] = tenant.Connection{ID: "shared", Tool: "sdp", Routes: map[string]tenant.ID{"": "acme"}}
	if _, err := c.Import(t.Context(), "nobody", catalogue.Span{}, nothing); !errors.Is(err, tenant.ErrUnknown) {
		t.Errorf("an unknown tenant: %v", err)
	}
	if _, err := c.Import(t.Context(), "globex", catalogue.Span{}, nothing); err == nil {
		t.Error("a tenant without a connection was imported")
	}
	looping := newCatalogue(&desk{pages: []ticketing.Page{{Next: "1"}, {Next: "1"}}})
	if _, err := looping.Import(t.Context(), "acme", catalogue.Span{}, nothing); err == nil {
		t.Error("a listing that does not advance went on")
	}
	full := newCatalogue(&desk{failPut: errors.New("disk full"), pages: []ticketing.Page{{}}})
	if _, err := full.Import(t.Context(), "acme", catalogue.Span{}, nothing); err == nil {
		t.Error("a store that fails was not reported")
	}
}

// TestATenantThatIsNewToThisProcessIsWaitedFor has the webhook's process know a
// tenant that this one has not read yet: its event must not be lost.
func TestATenantThatIsNewToThisProcessIsWaitedFor(t *testing.T) {
	t.Parallel()
	for read, want := range map[time.Duration]queue.Action{0: queue.Again, time.Minute: queue.Done} {
		c := newCatalogue(&desk{})
		d := c.Directory()
		d.Loaded = now.Add(read)
		delete(d.Tenants, "acme")
		c.Directory = func() tenant.Directory { return d }
		if err := c.Handle(t.Context(), resolved(t, ticket.Told{})); outcome(err) != want {
			t.Errorf("the directory was read %s after the event: %v", read, err)
		}
	}
}
