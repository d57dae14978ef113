// Package page serves what the links at a note's foot lead to: a form for one
// vote, without script, cookie or sign-in. Start with Page.
//
// The token in the link is the capability: whoever has it may vote on this one
// note, and do nothing else. A forged request from another site would need the
// token, so there is nothing for a CSRF token to add.
package page

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/feedback"
	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/tenant"
)

// maxBody is how many bytes a form may have: twice what a full one needs.
const maxBody = 16 << 10

// maxTitle is how many characters of an item's title are shown.
const maxTitle = 80

var (
	//go:embed page.html
	source string
	//go:embed page.css
	style string

	// policy allows the page its own style, to send its form back, and nothing else.
	policy = "default-src 'none'; style-src 'sha256-" + digest(style) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

var (
	parsed *template.Template
	parse  sync.Once
)

// layout parses the page when it is first shown: a program that shows none does
// not carry it.
func layout() *template.Template {
	parse.Do(func() { parsed = template.Must(template.New("page").Parse(source)) })
	return parsed
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Page serves feedback.Path. It is safe for concurrent use.
type Page struct {
	Keys      feedback.Keys
	Store     feedback.Store
	Directory func() tenant.Directory
	// Limit takes one request of the caller's share, or tells after what time there
	// is one.
	Limit func(*http.Request) (ok bool, after time.Duration)
	Now   func() time.Time
	Log   *slog.Logger // never has a token
}

// ServeHTTP shows the form on GET, which writes nothing: mail scanners follow
// links, and must not vote. POST votes. A link that is forged, too old, or about
// what is no longer there, gets one and the same answer.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer") // the address has the token
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("Cache-Control", "no-store")
	spoken := r.Header.Get("Accept-Language")
	if ok, after := p.Limit(r); !ok {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
		p.say(w, http.StatusTooManyRequests, speak(spoken), func(t texts) (string, string) { return t.SlowDown, "" })
		return
	}
	if !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost}, r.Method) {
		h.Set("Allow", "GET, HEAD, POST")
		p.say(w, http.StatusMethodNotAllowed, speak(spoken), func(t texts) (string, string) { return t.BadForm, "" })
		return
	}
	b, ok := p.Keys.Open(strings.TrimPrefix(r.URL.Path, feedback.Path), p.Now())
	var who tenant.Tenant
	var note feedback.Note
	err := feedback.ErrUnknown
	if ok {
		if who, err = p.Directory().Tenant(b.Tenant); err == nil {
			note, err = p.Store.Note(r.Context(), b.Tenant, b.Job)
		}
	}
	switch {
	case errors.Is(err, feedback.ErrUnknown), errors.Is(err, tenant.ErrUnknown):
		// Not in the tenant's language: that would tell whose link it once was.
		p.say(w, http.StatusNotFound, speak(spoken), func(t texts) (string, string) { return t.Gone, t.GoneWhy })
	case err != nil:
		p.unavailable(w, r, speak(spoken), err)
	case r.Method == http.MethodPost:
		p.vote(w, r, b, note, speak(who.Settings.Language, spoken))
	default:
		p.show(w, http.StatusOK, newForm(b, note, speak(who.Settings.Language, spoken)))
	}
}

// vote takes the form. The same form a second time changes nothing, and says so.
func (p *Page) vote(w http.ResponseWriter, r *http.Request, b feedback.Ballot, note feedback.Note, t texts) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		status := http.StatusBadRequest
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			status = http.StatusRequestEntityTooLarge
		}
		p.say(w, status, t, func(t texts) (string, string) { return t.BadForm, "" })
		return
	}
	form := r.PostForm
	a, ok := feedback.NewAnswer(note, feedback.Vote(form.Get("vote")), form["wrong"], form["reason"], form.Get("comment"))
	if !ok {
		p.say(w, http.StatusBadRequest, t, func(t texts) (string, string) { return t.BadForm, "" })
		return
	}
	if a.Is(note.Answer) {
		p.say(w, http.StatusOK, t, func(t texts) (string, string) { return t.Already, t.ThanksMore })
		return
	}
	err := p.Store.Put(r.Context(), b.Tenant, b.Job, a)
	if errors.Is(err, feedback.ErrUnknown) { // erased meanwhile
		p.say(w, http.StatusNotFound, t, func(t texts) (string, string) { return t.Gone, t.GoneWhy })
		return
	}
	if err != nil {
		p.unavailable(w, r, t, err)
		return
	}
	p.count(r.Context(), b, note.Answer, a)
	p.say(w, http.StatusOK, t, func(t texts) (string, string) {
		title, more := t.Thanks, t.ThanksMore
		if note.Answer.Vote != "" {
			title = t.Changed
		}
		if len(a.Wrong) > 0 {
			more = t.Muted
		}
		return title, more
	})
}

// count counts and logs a vote: whose, on which job, and never the token.
func (p *Page) count(ctx context.Context, b feedback.Ballot, before, a feedback.Answer) {
	if before.Vote != a.Vote {
		metric.FeedbackVotes.Add(ctx, 1, metric.With(metric.Tenant(string(b.Tenant)), metric.Vote(string(a.Vote))))
	}
	ctx = metric.About(ctx, string(b.Tenant), "", b.Job)
	p.Log.InfoContext(ctx, "a technician voted on a note", "operation", "feedback", "vote", string(a.Vote), "before", string(before.Vote), "muted", len(a.Wrong))
}

func (p *Page) unavailable(w http.ResponseWriter, r *http.Request, t texts, err error) {
	if !errors.Is(err, context.Canceled) {
		p.Log.ErrorContext(r.Context(), "feedback is not available", "operation", "feedback", "error", err.Error())
	}
	w.Header().Set("Retry-After", "5")
	p.say(w, http.StatusServiceUnavailable, t, func(t texts) (string, string) { return t.Later, "" })
}

// view is what the template shows: a form, or one message.
type view struct {
	T           texts
	Style       template.CSS
	Title, More string
	Form        *form
}

type form struct {
	Vote              feedback.Vote
	Before            bool // there is an answer already, which is shown
	Tickets, Articles []choice
	Reasons           []choice
	Comment           string
	MaxComment        int
}

// choice is one check box.
type choice struct {
	Value, Label string
	Checked      bool
}

func newForm(b feedback.Ballot, n feedback.Note, t texts) view {
	f := &form{Vote: b.Vote, Before: n.Answer.Vote != "", Comment: n.Answer.Comment, MaxComment: feedback.MaxComment}
	for _, it := range n.Items {
		c := choice{it.ID, feedback.Line(it.Title, maxTitle), slices.Contains(n.Answer.Wrong, feedback.Pair{Kind: it.Kind, Ref: it.Ref})}
		if it.Kind == evidence.PastTicket {
			c.Label = "#" + strings.TrimPrefix(feedback.Line(it.Ref, maxTitle), "#") + " " + c.Label
			f.Tickets = append(f.Tickets, c)
		} else {
			f.Articles = append(f.Articles, c)
		}
	}
	for i, reason := range feedback.Choices {
		f.Reasons = append(f.Reasons, choice{string(reason), []string{t.Outdated, t.NotUseful, t.Other}[i], slices.Contains(n.Answer.Reasons, reason)})
	}
	return view{T: t, Title: t.Title, Form: f}
}

// say shows a page with one message.
func (p *Page) say(w http.ResponseWriter, status int, t texts, what func(texts) (title, more string)) {
	title, more := what(t)
	p.show(w, status, view{T: t, Title: title, More: more})
}

func (p *Page) show(w http.ResponseWriter, status int, v view) {
	v.Style = template.CSS(style) //nolint:gosec // our own
	var b bytes.Buffer
	if err := layout().Execute(&b, v); err != nil {
		p.Log.Error("the feedback page cannot be written", "operation", "feedback", "error", err.Error())
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client is gone: nobody to tell
}
