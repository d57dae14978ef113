package enhance

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/canary"
	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/ownership"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// The canaries of acme, whose events these are, and of globex; and a word that
// only looks like one.
var ours, foreign, invented = canary.New(), canary.New(), canary.New()

// guarded is an enhancer whose source, model and tool a test decides.
type guarded struct {
	Enhancer
	log     bytes.Buffer
	audited []string
	noted   []string
	items   []evidence.Item
	reply   string
	account string
	readErr error
	asked   int
	dir     tenant.Directory
	whose   error
}

func newGuarded() *guarded {
	g := &guarded{account: "Acme GmbH", dir: tenant.Directory{
		Loaded:  time.Date(2026, 3, 22, 12, 0, 0, 0, time.UTC),
		Tenants: map[tenant.ID]tenant.Tenant{"acme": {ID: "acme"}, "globex": {ID: "globex"}},
		Connections: map[string]tenant.Connection{
			"msp": {ID: "msp", Tool: "jira", Routes: map[string]tenant.ID{"Acme GmbH": "acme", "Globex": "globex"}},
			"own": {ID: "own", Tool: "jira", Routes: map[string]tenant.ID{"": "acme"}},
		},
	}}
	g.Enhancer = Enhancer{
		Directory: func() tenant.Directory { return g.dir },
		Open:      func(tenant.Connection) (ticketing.Tool, error) { return g, nil },
		Sources:   []evidence.Source{g}, Model: g, Now: func() time.Time { return time.Date(2026, 3, 22, 12, 0, 0, 0, time.UTC) },
		Log: slog.New(slog.NewTextHandler(&g.log, nil)),
		Whose: func(_ context.Context, tokens []string) (map[string]tenant.ID, error) {
			owners := map[string]tenant.ID{}
			for _, token := range tokens {
				if owner, ok := map[string]tenant.ID{ours: "acme", foreign: "globex"}[token]; ok {
					owners[token] = owner
				}
			}
			return owners, g.whose
		},
	}
	g.Guard = ownership.Guard{
		Unmapped: func(_ context.Context, connection, account string) error {
			g.noted = append(g.noted, connection+"/"+account)
			return errors.New("the database is down")
		},
		Audit: func(_ context.Context, ev ticket.Event, kind string) error {
			g.audited = append(g.audited, string(ev.Ref.Tenant)+" "+kind)
			return errors.New("the trail is closed")
		},
		Log: g.Log,
	}
	return g
}

// guarded is the source, the model and the tool.
func (g *guarded) Name() string  { return "history" }
func (g *guarded) Label() string { return "similar tickets" }
func (g *guarded) Find(context.Context, evidence.Query) ([]evidence.Item, error) {
	return g.items, nil
}

func (g *guarded) Complete(context.Context, llm.Request) (llm.Reply, error) {
	g.asked++
	return llm.Reply{Text: g.reply, Model: "scripted"}, nil
}

func (g *guarded) Event(ticketing.Delivery) (ticketing.Announcement, error) {
	return ticketing.Announcement{}, errors.New("not asked here")
}

func (g *guarded) Ticket(_ context.Context, key string) (ticket.Ticket, error) {
	return ticket.Ticket{Key: key, Account: g.account}, g.readErr
}

func (g *guarded) PutNote(context.Context, string, ticket.Note) (string, error) {
	return "", errors.New("not asked here")
}

func eventOn(connection string) ticket.Event {
	return ticket.Event{Job: "job-1", Ref: ticket.Ref{Tenant: "acme", Tool: "jira", Connection: connection, Key: "7"}}
}

func fate(err error) queue.Action {
	return queue.DefaultPolicy.Decide(queue.Message{Sent: time.Now()}, err, time.Now()).Action
}

func TestNothingWithAForeignCanaryLeaves(t *testing.T) {
	t.Parallel()
	past := func(text string) evidence.Item {
		return evidence.Item{Kind: evidence.PastTicket, Ref: "12", Title: "Printer", Text: text}
	}
	advice := func(words string) string {
		return llmtest.Sections{Similar: []string{"Restart the spooler [T1]"}, Steps: []string{"Tell the users: " + words}}.Answer()
	}
	for name, c := range map[string]struct {
		items  []evidence.Item
		ticket string
		reply  string
		found  string // where; "" for a note
		asked  int
	}{
		"no canary":           {[]evidence.Item{past("Restart the spooler")}, "", advice("wait"), "", 1},
		"an invented one":     {[]evidence.Item{past("Restart the spooler " + invented)}, invented, advice(invented), "", 1},
		"its own decoy":       {[]evidence.Item{past(ours), past("Restart the spooler")}, ours, strings.ReplaceAll(advice("wait"), "T1", "T2"), "", 1},
		"in the text":         {[]evidence.Item{past("a"), past("b " + strings.ToUpper(foreign))}, "", "", "the evidence of history", 0},
		"in the title":        {[]evidence.Item{{Kind: evidence.Article, Title: foreign}}, "", "", "the evidence of history", 0},
		"in the reference":    {[]evidence.Item{{Kind: evidence.System, Ref: foreign}}, "", "", "the evidence of history", 0},
		"in the link":         {[]evidence.Item{{Kind: evidence.Article, URL: "https://x.example/" + foreign}}, "", "", "the evidence of history", 0},
		"beside its own":      {[]evidence.Item{past(ours + " " + foreign)}, "", "", "the evidence of history", 0},
		"in the ticket":       {nil, "see " + foreign, "", "the prompt", 0},
		"in the model's mind": {[]evidence.Item{past("Restart the spooler")}, "", advice("wait for " + foreign + " [T1]"), "the note", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGuarded()
			g.items, g.reply = c.items, c.reply
			who := client{tenant: g.dir.Tenants["acme"], connection: g.dir.Connections["msp"], tool: g}
			j := newJob(who, eventOn("msp"), Attempt{})
			j.ticket, j.record.Shadow = ticket.Ticket{Key: "7", Subject: "Printer", Description: c.ticket}, true
			err := g.brief(t.Context(), j)
			r := j.record
			if g.asked != c.asked {
				t.Errorf("the model was asked %d times", g.asked)
			}
			if c.found == "" {
				if err != nil || r.Note == "" || strings.Contains(r.Note, ours) || len(g.audited) > 0 {
					t.Errorf("%v, audited %v, note:\n%s", err, g.audited, r.Note)
				}
				return
			}
			if fate(err) != queue.Dead || !strings.Contains(err.Error(), c.found) || strings.Contains(err.Error(), "globex") || strings.Contains(err.Error(), foreign) {
				t.Errorf("err = %v, want a dead letter about %s that does not say whose", err, c.found)
			}
			if r.Note != "" || len(r.Bundle.Items) > 0 {
				t.Errorf("the record keeps %+v", r)
			}
			if log := g.log.String(); !strings.Contains(log, "security_event=foreign_canary") || !strings.Contains(log, "foreign_tenant=globex") ||
				!strings.Contains(log, "the trail is closed") || strings.Contains(strings.ToLower(log), foreign) {
				t.Errorf("log: %s", log)
			}
			if len(g.audited) != 1 || g.audited[0] != "acme foreign_canary" {
				t.Errorf("audited: %v", g.audited)
			}
		})
	}
}

func TestWhatCannotBeLookedUpIsTriedAgain(t *testing.T) {
	t.Parallel()
	g := newGuarded()
	g.whose = errors.New("the database is down")
	if err := g.noForeign(t.Context(), eventOn("msp"), "the note", invented); fate(err) != queue.Again || !errors.Is(err, g.whose) {
		t.Errorf("err = %v", err)
	}
	if err := g.noForeign(t.Context(), eventOn("msp"), "the note", "no canary at all"); err != nil {
		t.Errorf("without a canary: %v", err)
	}
}

func TestATicketIsHeldToItsTenantRightBeforeTheNote(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		connection string
		change     func(*guarded)
		want       queue.Action
		audited    int
		noted      string
		fine       bool
	}{
		"nothing changed":    {"msp", func(*guarded) {}, queue.Done, 0, "", true},
		"one client":         {"own", func(g *guarded) { g.account = "whatever"; g.readErr = errors.New("not read again") }, queue.Done, 0, "", true},
		"moved":              {"msp", func(g *guarded) { g.account = "Globex" }, queue.Done, 1, "", false},
		"moved to nobody":    {"msp", func(g *guarded) { g.account = "Initech" }, queue.Done, 0, "msp/Initech", false},
		"without an account": {"msp", func(g *guarded) { g.account = "" }, queue.Done, 0, "msp/", false},
		"gone":               {"msp", func(g *guarded) { g.readErr = ticketing.ErrNotFound }, queue.Done, 0, "", false},
		"not to be read":     {"msp", func(g *guarded) { g.readErr = ticketing.ErrUnavailable }, queue.Again, 0, "", false},
		"tenant disabled":    {"msp", func(g *guarded) { g.dir.Tenants["acme"] = tenant.Tenant{ID: "acme", Disabled: true} }, queue.Done, 0, "", false},
		"account remapped": {"msp", func(g *guarded) {
			g.dir.Connections["msp"].Routes["Acme GmbH"] = "globex"
			g.dir.Connections["msp"].Routes["Acme AG"] = "acme"
		}, queue.Done, 1, "", false},
		"whole connection given": {"own", func(g *guarded) { g.dir.Connections["own"].Routes[""] = "globex" }, queue.Done, 0, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGuarded()
			ev := eventOn(c.connection)
			who, err := g.client(ev)
			if err != nil {
				t.Fatal(err)
			}
			c.change(g)
			err = g.stillTheirs(t.Context(), who, ev, ticket.Ticket{Key: "7", Account: "Acme GmbH"})
			if (err == nil) != c.fine || err != nil && fate(err) != c.want {
				t.Errorf("err = %v", err)
			}
			if len(g.audited) != c.audited || strings.Join(g.noted, " ") != c.noted {
				t.Errorf("audited %v, noted %v", g.audited, g.noted)
			}
			if c.noted != "" && !strings.Contains(g.log.String(), "an unmapped account is not listed") {
				t.Errorf("log: %s", g.log.String())
			}
		})
	}
}

func TestAProbeFindsTheTenantsOwnDecoysAndNoOther(t *testing.T) {
	t.Parallel()
	decoy := func(kind evidence.Kind, token string) evidence.Item {
		return evidence.Item{Kind: kind, Ref: token, Text: token}
	}
	own := []evidence.Item{decoy(evidence.PastTicket, ours), decoy(evidence.Article, ours), decoy(evidence.System, ours)}
	for name, c := range map[string]struct {
		items   []evidence.Item
		want    string
		audited int
	}{
		"isolated":       {own, "", 0},
		"a leak":         {append([]evidence.Item{decoy(evidence.Article, foreign)}, own...), "another tenant's data", 1},
		"not planted":    {nil, "says nothing", 0},
		"one is missing": {own[:2], "says nothing", 0},
		"invented ones":  {[]evidence.Item{decoy(evidence.PastTicket, invented)}, "says nothing", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGuarded()
			g.items = c.items
			err := g.Probe(t.Context(), "acme")
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || len(g.audited) != c.audited {
				t.Errorf("err = %v, audited %v; want %q", err, g.audited, c.want)
			}
		})
	}
}

// TestATenantThatIsNewToThisProcessIsWaitedFor has the webhook's process know a
// tenant that this one has not read yet: its event must not be lost.
func TestATenantThatIsNewToThisProcessIsWaitedFor(t *testing.T) {
	t.Parallel()
	for name, lacks := range map[string]func(*tenant.Directory){
		"tenant":     func(d *tenant.Directory) { delete(d.Tenants, "acme") },
		"connection": func(d *tenant.Directory) { delete(d.Connections, "msp") },
		"route":      func(d *tenant.Directory) { delete(d.Connections["msp"].Routes, "Acme GmbH") },
	} {
		g := newGuarded()
		lacks(&g.dir)
		ev := eventOn("msp")
		for since, want := range map[time.Duration]queue.Action{time.Second: queue.Again, 0: queue.Again, -time.Minute: queue.Done} {
			ev.Received = g.dir.Loaded.Add(since)
			_, err := g.client(ev)
			if v := queue.DefaultPolicy.Decide(queue.Message{Sent: time.Date(2026, 3, 22, 12, 0, 0, 0, time.UTC)}, err, time.Date(2026, 3, 22, 12, 0, 0, 0, time.UTC)); err == nil || v.Action != want || v.Failed {
				t.Errorf("no %s, an event %s after the directory was read: %+v, %v", name, since, v, err)
			}
		}
	}
}
