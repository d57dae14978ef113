package page_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/feedback"
	"github.com/deskhand/deskhand/shared/feedback/page"
	votes "github.com/deskhand/deskhand/shared/postgres/feedback"
	"github.com/deskhand/deskhand/shared/postgres/ledger"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is the page on a real database: acme and globex with a note each, and
// gone, a tenant that is disabled.
type world struct {
	*page.Page
	db   pgtest.DB
	jobs map[tenant.ID]string
	log  *bytes.Buffer
}

const hostile = `<script>alert("x")</script>`

func newWorld(t *testing.T) world {
	t.Helper()
	db := pgtest.New(t)
	db.AddTenants(t, "acme", "globex", "gone")
	directory := tenant.NewDirectory(map[tenant.ID]tenant.Tenant{
		"acme": {ID: "acme"}, "globex": {ID: "globex", Settings: tenant.Settings{Language: "de-AT"}}, "gone": {ID: "gone", Disabled: true},
	}, nil, now)
	w := world{db: db, jobs: map[tenant.ID]string{}, log: &bytes.Buffer{}}
	w.Page = &page.Page{
		Keys: feedback.Keys{secret.New(strings.Repeat("k", 32))}, Store: votes.Store{DB: db.App(t)}, Now: func() time.Time { return now },
		Directory: func() tenant.Directory { return directory }, Limit: func(*http.Request) (bool, time.Duration) { return true, 0 },
		Log: slog.New(slog.NewJSONHandler(w.log, nil)),
	}
	for _, id := range []tenant.ID{"acme", "globex", "gone"} {
		w.jobs[id] = w.note(t, id)
	}
	return w
}

// note lets a job complete with a note.
func (w world) note(t *testing.T, id tenant.ID) string {
	t.Helper()
	l := ledger.Ledger{DB: w.db.App(t)}
	ref := ticket.Ref{Tenant: id, Tool: "sdp", Connection: "desk", Key: "7"}
	ev := ticket.Event{Job: ticket.JobID(ref, ticket.Created, "d"), Ref: ref, Kind: ticket.Created, Received: now}
	a, err := l.Begin(t.Context(), ev, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	err = l.Save(t.Context(), a, enhance.Enhancement{Status: enhance.Completed, Note: "A note", NoteID: "1", Bundle: evidence.Bundle{Items: []evidence.Item{
		{ID: "T1", Kind: evidence.PastTicket, Ref: "#1042", Title: "Printer offline in " + string(id)},
		{ID: "T2", Kind: evidence.PastTicket, Ref: "1043", Title: hostile},
		{ID: "A1", Kind: evidence.Article, Ref: "KB7", Title: "Printers\u202e and password: hunter2hunter2"},
		{ID: "S1", Kind: evidence.System, Ref: "PRN-01", Title: "PRN-01"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return ev.Job
}

func (w world) token(id tenant.ID) string {
	return w.Keys.Token(feedback.NewBallot(id, w.jobs[id], feedback.Useless, now))
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	text   string
}

func (w world) call(t *testing.T, method, token, body string, headers ...string) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, feedback.Path+token, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	w.ServeHTTP(recorder, r)
	return answer{recorder.Code, recorder.Header(), recorder.Body.String()}
}

// want fails where the status is another one, or the page lacks the text.
func (a answer) want(t *testing.T, status int, texts ...string) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.text)
	}
	for _, text := range texts {
		if !strings.Contains(a.text, text) {
			t.Errorf("the page lacks %q:\n%s", text, a.text)
		}
	}
	if a.header.Get("Set-Cookie") != "" || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Referrer-Policy") != "no-referrer" ||
		!strings.HasPrefix(a.header.Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-") {
		t.Errorf("headers %v", a.header)
	}
	return a
}

// rows describes all that a vote may write.
func (w world) rows(t *testing.T) string {
	t.Helper()
	var all string
	err := w.db.Owner(t).QueryRow(t.Context(), `
SELECT coalesce(string_agg(line, E'\n' ORDER BY line), '') FROM (
    SELECT format('vote %s %s %s %s', tenant_id, vote, reasons, comment) FROM feedback_votes
    UNION ALL SELECT format('muted %s %s %s %s %s', tenant_id, connection_id, ticket_id, kind, ref) FROM muted_pairs
    UNION ALL SELECT format('event %s %s %s %s', tenant_id, ticket_id, operation, actor) FROM audit_events WHERE operation = 'feedback_given') x (line)`).Scan(&all)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func form(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

// TestLookingWritesNothing does what mail scanners do, a hundred times.
func TestLookingWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Store = votes.Store{DB: w.db.App(t).ReadOnly()} // the server refuses to write
	for range 100 {
		w.call(t, http.MethodGet, w.token("acme"), "").want(t, 200, `value="useless" id="useless" checked`)
	}
	w.call(t, http.MethodHead, w.token("acme"), "").want(t, 200)
	w.call(t, http.MethodGet, w.token("acme")+"?vote=useful&comment=x", "").want(t, 200)
	if got := w.rows(t); got != "" {
		t.Errorf("it was written: %s", got)
	}
	if w.log.Len() > 0 {
		t.Errorf("it is logged: %s", w.log)
	}
}

func TestAVoteIsStoredOnceAndCanBeChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	down := form("vote", "useless", "wrong", "T1", "wrong", "A1", "reason", "outdated", "comment", " Not\r\nthis one. ")
	w.call(t, http.MethodPost, w.token("acme"), down).want(t, 200, "Thank you. Your answer is stored.", "not suggested for this ticket again")
	const stored = "event acme 7 feedback_given feedback-link\nmuted acme desk 7 article KB7\nmuted acme desk 7 ticket #1042\n" +
		"vote acme useless {wrong_ticket,wrong_article,outdated} Not\nthis one."
	if diff := cmp.Diff(stored, w.rows(t)); diff != "" {
		t.Fatal(diff)
	}
	for range 3 { // a reload sends it again
		w.call(t, http.MethodPost, w.token("acme"), down).want(t, 200, "stored already")
	}
	if diff := cmp.Diff(stored, w.rows(t)); diff != "" {
		t.Error(diff)
	}
	got := w.call(t, http.MethodGet, w.token("acme"), "").want(t, 200, "There is an answer already", `value="T1" checked`, `value="outdated" checked`, "Not\nthis one.</textarea>")
	if strings.Contains(got.text, `value="T2" checked`) {
		t.Error("a ticket is checked that nobody called wrong")
	}
	w.call(t, http.MethodPost, w.token("acme"), form("vote", "useful", "wrong", "T1")).want(t, 200, "Your answer is changed.")
	const changed = "event acme 7 feedback_given feedback-link\nevent acme 7 feedback_given feedback-link\nvote acme useful {} "
	if diff := cmp.Diff(changed, w.rows(t)); diff != "" {
		t.Error(diff)
	}
	if log := w.log.String(); strings.Count(log, "a technician voted") != 2 || strings.Contains(log, w.token("acme")) || strings.Contains(log, "this one") {
		t.Errorf("log: %s", log)
	}
}

// TestTheStyleIsTheOneThatThePolicyAllows reckons as a browser does.
func TestTheStyleIsTheOneThatThePolicyAllows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.call(t, http.MethodGet, w.token("acme"), "").want(t, 200)
	_, style, _ := strings.Cut(got.text, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	if want := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; style == "" || !strings.Contains(got.header.Get("Content-Security-Policy"), want) {
		t.Errorf("the policy %s lacks %s", got.header.Get("Content-Security-Policy"), want)
	}
	for _, bad := range []string{"style=", "http://", "https://", "onclick"} {
		if strings.Contains(got.text, bad) {
			t.Errorf("%q is on the page", bad)
		}
	}
}

// TestWhatIsNotValidLooksTheSame has links that are forged, too old, of another
// key, of a job of another tenant, of a tenant that is disabled, erased or never
// was, and of a job without a note.
func TestWhatIsNotValidLooksTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sign := func(id tenant.ID, job string, at time.Time) string {
		return w.Keys.Token(feedback.NewBallot(id, job, feedback.Useful, at))
	}
	other := feedback.Keys{secret.New(strings.Repeat("x", 32))}
	want := w.call(t, http.MethodGet, "", "").want(t, 404, "This link is not valid", "30 days")
	for name, token := range map[string]string{
		"nothing":                 "x",
		"deeper":                  w.token("acme") + "/x",
		"cut":                     w.token("acme")[:40],
		"too old":                 sign("acme", w.jobs["acme"], now.AddDate(0, 0, -31)),
		"another key":             other.Token(feedback.NewBallot("acme", w.jobs["acme"], feedback.Useful, now)),
		"another tenant's job":    sign("globex", w.jobs["acme"], now),
		"a disabled tenant's job": sign("gone", w.jobs["gone"], now),
		"no tenant":               sign("nobody", w.jobs["acme"], now),
		"no job":                  sign("acme", "7d444840-9dc0-11d1-b245-5ffdce74fad2", now),
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			body := ""
			if method == http.MethodPost {
				body = form("vote", "useful")
			}
			if diff := cmp.Diff(want, w.call(t, method, token, body), cmp.AllowUnexported(answer{})); diff != "" {
				t.Errorf("%s of %s is told apart:\n%s", method, name, diff)
			}
		}
	}
	if got := w.rows(t); got != "" {
		t.Errorf("it was written: %s", got)
	}
}

func TestTextOfOthersIsNoMarkUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(t, http.MethodPost, w.token("acme"), form("vote", "useless", "comment", "</textarea>"+hostile+" password: hunter2hunter2")).want(t, 200)
	got := w.call(t, http.MethodGet, w.token("acme"), "").want(t, 200, "#1042 Printer offline in acme", "#1043 &lt;script&gt;", "Printers and password: [redacted", "&lt;/textarea&gt;&lt;script&gt;")
	for _, bad := range []string{"<script", "hunter2", "\u202e", "globex", "PRN-01", "##"} {
		if strings.Contains(got.text, bad) {
			t.Errorf("%q is on the page:\n%s", bad, got.text)
		}
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token("acme")
	for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"} {
		if got := w.call(t, method, token, "").want(t, 405); got.header.Get("Allow") != "GET, HEAD, POST" {
			t.Errorf("%s: Allow %q", method, got.header.Get("Allow"))
		}
	}
	w.call(t, http.MethodPost, token, form("vote", "useful", "comment", strings.Repeat("x", 20_000))).want(t, 413)
	w.call(t, http.MethodPost, token, "").want(t, 400)
	w.call(t, http.MethodPost, token, form("vote", "maybe")).want(t, 400)
	w.call(t, http.MethodPost, token, "vote=%zz").want(t, 400)
	w.call(t, http.MethodPost, token, `{"vote":"useful"}`, "Content-Type", "application/json").want(t, 400)
	w.call(t, http.MethodPost, token+"?vote=useful", "").want(t, 400)
	if got := w.rows(t); got != "" {
		t.Errorf("it was written: %s", got)
	}
	w.Limit = func(*http.Request) (bool, time.Duration) { return false, 1500 * time.Millisecond }
	if got := w.call(t, http.MethodGet, token, "").want(t, 429); got.header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}
}

// broken is a store that is down.
type broken struct{ feedback.Store }

func (broken) Note(context.Context, tenant.ID, string) (feedback.Note, error) {
	return feedback.Note{}, errors.New("the database is down")
}

// half is a store that goes down, or whose tenant goes, while somebody votes.
type half struct {
	feedback.Store
	err error
}

func (h half) Put(context.Context, tenant.ID, string, feedback.Answer) error { return h.err }

func TestADatabaseThatIsDownIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	store := w.Store
	w.Store = broken{}
	w.call(t, http.MethodGet, w.token("acme"), "").want(t, 503, "cannot be done right now")
	w.Store = half{store, errors.New("the database is down")}
	w.call(t, http.MethodPost, w.token("acme"), form("vote", "useful")).want(t, 503)
	w.Store = half{store, fmt.Errorf("gone: %w", feedback.ErrUnknown)}
	w.call(t, http.MethodPost, w.token("acme"), form("vote", "useful")).want(t, 404)
	if log := w.log.String(); strings.Count(log, "the database is down") != 2 || strings.Contains(log, w.token("acme")) {
		t.Errorf("log: %s", log)
	}
}

func TestThePageSpeaksTheTenantsLanguageElseTheBrowsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		id              tenant.ID
		accepts, speaks string
	}{
		{"globex", "fr", "de"}, {"acme", "pt-BR;q=1, es-MX;q=0.9, en", "es"}, {"acme", "FR", "fr"}, {"acme", "ja", "en"}, {"acme", "", "en"}, {"acme", ";;,--", "en"},
	} {
		w.call(t, http.MethodGet, w.token(c.id), "", "Accept-Language", c.accepts).want(t, 200, `<html lang="`+c.speaks+`">`)
	}
	// Who has no valid link does not learn the tenant's language.
	w.call(t, http.MethodGet, "x", "", "Accept-Language", "es").want(t, 404, `<html lang="es">`)
}
