package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/deskhand/deskhand/shared/app"
	"github.com/deskhand/deskhand/shared/canary"
	"github.com/deskhand/deskhand/shared/catalogue"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
)

// msp is a ServiceDesk Plus that both tenants share, beside their own ones.
type msp struct {
	*world
	desk *servicedeskplusfake.Server
	// reading is called with the key of a ticket before it is read, posting
	// before a note is written.
	reading, posting atomic.Pointer[func(key string)]
	values           integration.Values
}

var mspSecret = secret.New("signing-secret-of-the-msp")

// shared runs the product with a connection msp, where "Acme GmbH" is acme's
// and "Globex" is globex'. Both tenants know of a past ticket.
func shared(t *testing.T) *msp {
	t.Helper()
	m := &msp{world: build(t)}
	m.desk = servicedeskplusfake.New(servicedeskplusfake.Options{APIKey: "key-of-msp", Before: m.before})
	m.desks["msp"] = m.desk // its notes are looked through at the end, too
	s := httptest.NewServer(m.desk)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close(); m.desk.Close() })
	m.values = integration.Values{"base_url": s.URL, "api_key": "key-of-msp"}
	a, err := app.New(t.Context(), m.cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close(context.Background())
	m.route(a, map[string]tenant.ID{"Acme GmbH": "acme", "Globex": "globex"})
	m.run()
	for _, id := range []tenant.ID{"acme", "globex"} {
		m.remember(id, printing.Subject+" on PRN-03", "Emptied the spool folder. Secret of "+string(id)+".")
	}
	m.planted() // else nothingLeaked has nothing to find
	return m
}

func (m *msp) before(r *http.Request) {
	call := &m.reading
	if r.Method != http.MethodGet {
		call = &m.posting
	}
	if do := call.Load(); do != nil {
		(*do)(path.Base(r.URL.Path))
	}
}

// route maps the accounts of the connection msp.
func (m *msp) route(a *app.App, routes map[string]tenant.ID) {
	m.t.Helper()
	c := tenant.Connection{ID: "msp", Tool: "servicedesk_plus", Signing: []secret.Text{mspSecret}, Routes: routes, Values: m.values}
	if _, _, err := a.Office().EnsureConnection(m.t.Context(), a.AtTheDesk(), c.ID, func(stored *tenant.Connection) error { *stored = c; return nil }); err != nil {
		m.t.Fatal(err)
	}
}

// remap does so while the product runs, and makes it effective.
func (m *msp) remap(routes map[string]tenant.ID) {
	m.t.Helper()
	m.route(m.app, routes)
	if err := m.app.Load(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
}

// remember stores a past ticket of a tenant.
func (m *msp) remember(id tenant.ID, subject, resolution string) {
	m.t.Helper()
	account := map[tenant.ID]string{"acme": "Acme GmbH", "globex": "Globex"}[id] // what no account has, the next reconcile forgets
	past := ticket.Ticket{Key: "700", Account: account, Subject: subject, Description: printing.Description, Closed: true, Resolution: resolution, Resolved: time.Now().AddDate(0, 0, -3)}
	if err := m.app.Catalogue().Library.PutTickets(m.t.Context(), id, "msp", catalogue.FromImport, []ticket.Ticket{past}); err != nil {
		m.t.Fatal(err)
	}
}

// add puts a ticket of an account into the shared tool.
func (m *msp) add(account string) (key string) {
	t := printing
	t.Account = account
	return m.desk.AddTicket(t)
}

// move gives a ticket to another account.
func (m *msp) move(key, account string) {
	if err := m.desk.Change(key, func(t *ticket.Ticket) { t.Account = account }); err != nil {
		m.t.Error(err)
	}
}

// says is the webhook of a ticket, which names its account.
func (m *msp) says(event, key, account string) delivery {
	return delivery{path: "/webhook/servicedesk/msp", key: mspSecret, body: fmt.Sprintf(`{"event":%q,"request_id":%q,"account":%q}`, event, key, account)}
}

// wantNoteOf wants one note on the ticket, from the knowledge of id and nobody else.
func (m *msp) wantNoteOf(id tenant.ID, key string) {
	m.t.Helper()
	other := map[tenant.ID]string{"acme": "Secret of globex", "globex": "Secret of acme"}[id]
	note := m.note("msp", key)
	if !strings.Contains(note.Body, "Secret of "+string(id)) || strings.Contains(note.Body, other) {
		m.t.Errorf("the note of %s:\n%s", id, note.Body)
	}
	if n := len(m.desk.Notes(key)); n != 1 {
		m.t.Errorf("%d notes on ticket %s", n, key)
	}
}

// wantBlocked wants that the job ended without a note, that its record keeps
// nothing of what was found, and that the security event was told: in the log,
// the metric and the audit trail.
func (m *msp) wantBlocked(job, key, why, event string) {
	m.t.Helper()
	if r := m.ended(job); r.Status != "failed" || !strings.Contains(r.Error, why) || strings.Contains(r.Error, "globex") {
		m.t.Errorf("record: %+v, want %q", r, why)
	}
	if notes := m.desk.Notes(key); len(notes) > 0 {
		m.t.Errorf("ticket %s got the note\n%s", key, notes[0].Body)
	}
	var kept, audited int
	err := m.owner.QueryRow(m.t.Context(), `SELECT (SELECT count(*) FROM enhancement_history WHERE job_id = $1 AND (note <> '' OR context::text LIKE '%Secret of%')),
		(SELECT count(*) FROM audit_events WHERE correlation_id = $1::text AND tenant_id = 'acme' AND status = 'blocked')`, job).Scan(&kept, &audited)
	if err != nil || kept > 0 || event != "" && audited != 1 {
		m.t.Errorf("%d records keep what was found, %d audit events, %v", kept, audited, err)
	}
	told := 0
	for _, line := range m.log.of(m.t, job) {
		if line["security_event"] == event && line["foreign_tenant"] == "globex" {
			told++
		}
	}
	if event == "" {
		return
	}
	if told != 1 {
		m.t.Errorf("the log tells %d times of %s", told, event)
	}
	if _, page := m.get("/metrics"); !strings.Contains(page, `security_events_total{kind="`+event+`"`) {
		m.t.Errorf("no metric of %s", event)
	}
}

func TestTwoTenantsOnOneConnectionGetTheirOwnNotes(t *testing.T) {
	t.Parallel()
	m := shared(t)
	mine, theirs := m.add("Acme GmbH"), m.add("Globex")
	m.taken(m.says("request.created", mine, "Acme GmbH"))
	m.taken(m.says("request.created", theirs, "Globex"))
	m.wantNoteOf("acme", mine)
	m.wantNoteOf("globex", theirs)
	// A webhook that names the one tenant and the account of the other is refused.
	d := m.says("request.created", theirs, "Globex")
	d.header = map[string]string{"X-Tenant-ID": "acme"}
	if code, answer, _ := m.send(d); code != http.StatusBadRequest {
		t.Errorf("acme's header, globex' account: %d %v", code, answer)
	}
}

// TestTwoConnectionsOfOneToolDoNotMeet has the same ticket number in both.
func TestTwoConnectionsOfOneToolDoNotMeet(t *testing.T) {
	t.Parallel()
	m := shared(t)
	shared, own := printing, printing
	shared.Key, own.Key, shared.Account = "5001", "5001", "Acme GmbH"
	m.desk.AddTicket(shared)
	m.desks["acme"].AddTicket(own)
	one, two := m.taken(m.says("request.created", "5001", "Acme GmbH")), m.created("acme", "5001")
	if one == two {
		t.Fatal("two tickets have one job")
	}
	m.wantNoteOf("acme", "5001")
	if first, second := m.note("msp", "5001").Body, m.note("acme", "5001").Body; ref(first) == ref(second) || ref(first) == "" {
		t.Errorf("both notes have the marker %q", ref(first))
	}
}

// ref gives the marker of a note.
func ref(note string) string {
	_, marker, _ := strings.Cut(note, "DH-")
	return marker[:min(len(marker), 16)]
}

func TestATicketThatMovedGetsNoNote(t *testing.T) {
	t.Parallel()
	for name, moves := range map[string]func(*msp, string){
		"between the webhook and the reading": func(m *msp, key string) {
			read := func(string) { m.move(key, "Globex") }
			m.reading.Store(&read)
		},
		"while the model writes": func(m *msp, key string) {
			m.model.Next(llmtest.Delay(2 * time.Second))
			go func() {
				m.eventually("the model is asked", 30*time.Second, m.asked)
				m.move(key, "Globex")
			}()
		},
		"with its account, while the model writes": func(m *msp, _ string) {
			m.model.Next(llmtest.Delay(2 * time.Second))
			go func() {
				m.eventually("the model is asked", 30*time.Second, m.asked)
				m.remap(map[string]tenant.ID{"Acme GmbH": "globex", "Acme AG": "acme"})
			}()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := shared(t)
			key := m.add("Acme GmbH")
			moves(m, key)
			job := m.taken(m.says("request.created", key, "Acme GmbH"))
			m.wantBlocked(job, key, "does not belong to tenant acme", "foreign_ticket")
		})
	}
}

func TestAnUnmappedAccountGetsNoNoteAndIsListed(t *testing.T) {
	t.Parallel()
	m := shared(t)
	if out := m.cli("tenant", "list"); strings.Contains(out, "No tenant has") {
		t.Errorf("before anything came:\n%s", out)
	}
	// The webhook tells the account.
	code, answer, _ := m.send(m.says("request.created", m.add("Initech"), "Initech"))
	if code != http.StatusBadRequest || !strings.Contains(fmt.Sprint(answer), "no tenant has this account") {
		t.Errorf("%d %v", code, answer)
	}
	// The webhook tells a tenant's account, and the tool another one, that nobody has.
	key := m.add("Umbrella")
	m.wantBlocked(m.taken(m.says("request.created", key, "Acme GmbH")), key, "no tenant has its account", "")
	// A stranger's webhook fills nothing.
	stranger := m.says("request.created", "1", "Stranger")
	stranger.key = secret.New("guessed")
	if code, _, _ := m.send(stranger); code != http.StatusUnauthorized {
		t.Errorf("a stranger was told %d", code)
	}
	out := m.cli("tenant", "list")
	if !strings.Contains(out, `"Initech"`) || !strings.Contains(out, `"Umbrella"`) || strings.Contains(out, "Stranger") {
		t.Errorf("listed:\n%s", out)
	}
	// Mapped, the same ticket gets its note, and the account is listed no more.
	m.remap(map[string]tenant.ID{"Acme GmbH": "acme", "Globex": "globex", "Umbrella": "globex"})
	m.taken(m.says("request.reopened", key, "Umbrella"))
	m.wantNoteOf("globex", key)
	if out := m.cli("tenant", "list"); strings.Contains(out, "Umbrella") {
		t.Errorf("listed although it is mapped:\n%s", out)
	}
}

func TestARemappedAccountGetsNotesOfItsNewTenantOnly(t *testing.T) {
	t.Parallel()
	m := shared(t)
	key := m.add("Acme GmbH")
	m.remap(map[string]tenant.ID{"Acme GmbH": "globex", "Acme AG": "acme"})
	m.taken(m.says("request.created", key, "Acme GmbH"))
	m.wantNoteOf("globex", key)
}

// planted waits for the decoys of both tenants, and gives their canaries.
func (m *msp) planted() (acme, globex string) {
	m.t.Helper()
	m.eventually("the decoys are planted", 60*time.Second, func() bool {
		err := m.owner.QueryRow(m.t.Context(), `SELECT (SELECT token FROM canaries WHERE tenant_id = 'acme'), (SELECT token FROM canaries WHERE tenant_id = 'globex')
			FROM ticket_history h JOIN articles a USING (tenant_id, connection_id) JOIN systems s USING (tenant_id, connection_id)
			WHERE connection_id = $1 GROUP BY connection_id HAVING count(*) = 2`, canary.Connection).Scan(&acme, &globex)
		return err == nil
	})
	return acme, globex
}

// bait is a ticket that every decoy is like.
func bait(account string) ticket.Ticket {
	t := canary.Bait()
	t.Key, t.Account, t.Status = "", account, "Open"
	return t
}

func TestATenantsOwnDecoysNeverShow(t *testing.T) {
	t.Parallel()
	m := shared(t)
	key := m.desk.AddTicket(bait("Acme GmbH"))
	m.taken(m.says("request.created", key, "Acme GmbH"))
	for _, id := range []tenant.ID{"acme", "globex"} {
		if err := m.app.Catalogue().Probe(t.Context(), id); err != nil {
			t.Errorf("with sound isolation: %v", err)
		}
	}
	note := m.note("msp", key) // nothingLeaked looks through all of them
	if !strings.Contains(note.Body, "Nothing like this is known") || strings.Contains(note.Body, "decoy") {
		t.Errorf("the note shows a decoy:\n%s", note.Body)
	}
}

// rowOfAnother is a breach that planting anew mends.
const rowOfAnother = "a row under the wrong tenant"

// sabotage changes the database as its owner, while the product works on it: of
// two that wait for each other, Postgres ends one.
func (w *world) sabotage(sql string) {
	w.t.Helper()
	const deadlock = "40P01"
	for try := 1; ; try++ {
		_, err := w.owner.Exec(w.t.Context(), sql)
		if failed, ok := errors.AsType[*pgconn.PgError](err); ok && failed.Code == deadlock && try < 5 {
			continue
		}
		if err != nil {
			w.t.Fatal(err)
		}
		return
	}
}

// TestWhereIsolationFailsTheCanariesStopTheNote takes row-level security away,
// as no operator may: the search then sees the rows of both tenants.
func TestWhereIsolationFailsTheCanariesStopTheNote(t *testing.T) {
	t.Parallel()
	for name, breach := range map[string]string{
		"tickets":  "ALTER TABLE ticket_history DISABLE ROW LEVEL SECURITY; ALTER TABLE postings DISABLE ROW LEVEL SECURITY; DELETE FROM articles; DELETE FROM systems",
		"articles": "ALTER TABLE articles DISABLE ROW LEVEL SECURITY; ALTER TABLE postings DISABLE ROW LEVEL SECURITY; DELETE FROM ticket_history; DELETE FROM systems",
		"systems":  "ALTER TABLE systems DISABLE ROW LEVEL SECURITY; ALTER TABLE system_addresses DISABLE ROW LEVEL SECURITY; DELETE FROM ticket_history; DELETE FROM articles",
		rowOfAnother: `UPDATE articles a SET body = g.body FROM articles g WHERE a.tenant_id = 'acme' AND g.tenant_id = 'globex'
			AND a.connection_id = '_canary' AND g.connection_id = '_canary'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := shared(t)
			m.sabotage(breach)
			// No ticket has come, and the probe of the next hour knows.
			err := m.app.Catalogue().Handle(t.Context(), queue.Message{ID: "decoys/acme", Tenant: "acme", Kind: "decoys", Sent: time.Now()})
			if name != rowOfAnother && (err == nil || !strings.Contains(err.Error(), "another tenant's data was found")) {
				t.Errorf("the probe: %v", err)
			}
			m.sabotage(breach) // the probe planted anew
			key := m.desk.AddTicket(bait("Acme GmbH"))
			job := m.taken(m.says("request.created", key, "Acme GmbH"))
			m.wantBlocked(job, key, "another tenant's data was found", "foreign_canary")
			m.eventually("it is a dead letter that says why", 10*time.Second, func() bool {
				out := m.cli("queue", "peek", "--dead")
				return strings.Contains(out, job) && strings.Contains(out, "another tenant's data was found")
			})
			if m.asked() {
				t.Error("the model was asked")
			}
		})
	}
}

// TestAForeignCanaryInTheTicketIsNotSentToTheModel stands for data that comes
// into the prompt by another way than the evidence.
func TestAForeignCanaryInTheTicketIsNotSentToTheModel(t *testing.T) {
	t.Parallel()
	m := shared(t)
	_, globex := m.planted()
	told := printing
	told.Account, told.Description = "Acme GmbH", printing.Description+" "+strings.ToUpper(globex)
	key := m.desk.AddTicket(told)
	m.wantBlocked(m.taken(m.says("request.created", key, "Acme GmbH")), key, "another tenant's data was found", "foreign_canary")
	if m.asked() {
		t.Error("the model was asked")
	}
	// What only looks like a canary stops nothing.
	told.Description = printing.Description + " " + canary.New()
	harmless := m.desk.AddTicket(told)
	m.taken(m.says("request.created", harmless, "Acme GmbH"))
	m.note("msp", harmless)
}

// TestTheQueuesSchemaIsClosedToTheApplication asks the catalogue of a whole
// installation, so that what River adds is looked at, too.
func TestTheQueuesSchemaIsClosedToTheApplication(t *testing.T) {
	t.Parallel()
	w := build(t)
	var open []string
	var looked int
	err := w.owner.QueryRow(t.Context(), `
SELECT count(*), coalesce(array_agg(c.oid::regclass::text) FILTER (WHERE has_schema_privilege('app_user', n.oid, 'USAGE')
    OR c.relkind = 'S' AND has_sequence_privilege('app_user', c.oid, 'USAGE, SELECT, UPDATE')
    OR c.relkind IN ('r', 'p', 'v', 'm') AND has_table_privilege('app_user', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')), '{}')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('public', 'information_schema', 'pg_catalog', 'pg_toast') AND c.relkind IN ('r', 'p', 'v', 'm', 'S')`).Scan(&looked, &open)
	if err != nil || looked < 4 || len(open) > 0 {
		t.Errorf("app_user may use %v of %d, %v", open, looked, err)
	}
	for _, sql := range []string{"SELECT FROM river.river_job", "SELECT nextval('river.river_job_id_seq')", "DELETE FROM river.river_job"} {
		if _, err := w.db.App(t).Pool.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// nothingLeaked looks for canaries, whosever they are, at the end of every
// test: in the notes on all tickets, the prompts, the log and the cache. No
// text that leaves the database may have one.
func (w *world) nothingLeaked() {
	for id, desk := range w.desks {
		for _, ticket := range desk.Tickets() {
			for _, note := range desk.Notes(ticket.Key) {
				w.noCanary("a note on a ticket of "+string(id), note.Body)
			}
		}
	}
	for _, call := range w.model.Calls() {
		w.noCanary("a prompt", fmt.Sprint(call.Body.Messages))
	}
	w.noCanary("the log", w.log.String())
	w.noCanary("the cache", w.redis.Dump())
}

func (w *world) noCanary(where, text string) {
	var owners []string
	if found := canary.Find(text); len(found) > 0 {
		if err := w.owner.QueryRow(context.Background(), "SELECT coalesce(array_agg(tenant_id), '{}') FROM canaries WHERE token = ANY($1)", found).Scan(&owners); err != nil || len(owners) > 0 {
			w.t.Errorf("%s has the canaries of %v, %v", where, owners, err)
		}
	}
}
