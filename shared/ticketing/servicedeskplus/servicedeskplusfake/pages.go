package servicedeskplusfake

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"slices"
	"time"
)

//go:embed pages
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"stored": func(html string) template.HTML { return template.HTML(html) }, //nolint:gosec // a note is shown as it was posted; the policy below stops scripts
	"day":    func(at time.Time) string { return at.UTC().Format("2 Jan 2006 15:04") },
}).ParseFS(files, "pages/*.html"))

// contentPolicy lets the pages load their own style and nothing else: what was
// posted as a note is shown as HTML, and must not run.
const contentPolicy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pages are what people open: the list of requests, a request, a solution.
func (s *Server) pages() {
	s.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		tickets := make([]*stored, len(s.state.Tickets))
		copy(tickets, s.state.Tickets)
		slices.Reverse(tickets)
		page := render("list.html", map[string]any{"Tickets": tickets})
		s.mu.Unlock()
		show(w, page)
	})
	s.mux.HandleFunc("GET /WorkOrder.do", func(w http.ResponseWriter, r *http.Request) {
		s.ticketPage(w, r, r.URL.Query().Get("woID"))
	})
	s.mux.HandleFunc("GET /AddSolution.do", func(w http.ResponseWriter, r *http.Request) {
		s.articlePage(w, r, r.URL.Query().Get("solutionID"))
	})
	s.mux.HandleFunc("GET /app/{portal}/ui/requests/{id}/details", func(w http.ResponseWriter, r *http.Request) {
		s.ticketPage(w, r, r.PathValue("id"))
	})
	s.mux.HandleFunc("GET /app/{portal}/ui/solutions/{id}/details", func(w http.ResponseWriter, r *http.Request) {
		s.articlePage(w, r, r.PathValue("id"))
	})
	s.mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, files, "pages/style.css")
	})
}

func (s *Server) ticketPage(w http.ResponseWriter, r *http.Request, id string) {
	var page []byte
	s.locked(func() {
		if record := s.find(id); record != nil {
			page = render("ticket.html", record)
		}
	})
	if page == nil {
		http.NotFound(w, r)
		return
	}
	show(w, page)
}

func (s *Server) articlePage(w http.ResponseWriter, r *http.Request, id string) {
	var page []byte
	s.locked(func() {
		for _, a := range s.state.Articles {
			if a.Key == id {
				page = render("article.html", a)
			}
		}
	})
	if page == nil {
		http.NotFound(w, r)
		return
	}
	show(w, page)
}

func render(name string, data any) []byte {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, data); err != nil {
		panic("servicedeskplusfake: " + err.Error()) // a mistake in a template
	}
	return b.Bytes()
}

func show(w http.ResponseWriter, page []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(page)
}
