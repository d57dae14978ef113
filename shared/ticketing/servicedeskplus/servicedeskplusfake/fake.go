// Package servicedeskplusfake is a stateful stand-in for ServiceDesk Plus, for
// tests and for the demo: the v3 API with the vendor's quirks, the pages that
// people open, and the webhooks that the product sends. Faults can be put on
// every route, and its state can be saved and loaded.
package servicedeskplusfake

import (
	"cmp"
	"net/http"
	"sync"
	"time"
)

// Dialect is the edition and build that the fake behaves like.
type Dialect string

// The dialects.
const (
	OnPrem      Dialect = "onprem"      // builds before 15100: the old routes of assets
	OnPrem15100 Dialect = "onprem15100" // the new routes of assets
	Cloud       Dialect = "cloud"       // OAuth, long ids, HTML for unknown routes
)

// The keys of a note that a build may accept.
const (
	WrapNote        = "note"
	WrapRequestNote = "request_note"
	WrapBoth        = "both"
)

// Options say how the fake behaves. The zero value is an on-premises build
// whose API key is "demo-api-key".
type Options struct {
	Dialect Dialect
	APIKey  string // on-premises

	ClientID, ClientSecret, RefreshToken string // cloud
	Portal                               string // cloud; "itdesk" by default

	Wrapper           string // of notes; the dialect's own by default
	Throttle          int    // calls to one URL in one minute; 0 for no limit
	RefreshQuota      int    // access tokens in one minute; 5 by default
	Unlicensed        bool   // the module of assets is not licensed
	RejectLargeCounts bool   // refuses a row_count over 100 instead of giving 100

	// Now is the clock, time.Now by default.
	Now func() time.Time
	// Before and After are called around every API call, outside of all locks,
	// so that a test can stop at a step.
	Before, After func(*http.Request)
}

// Server is the fake: an http.Handler, safe for concurrent use.
type Server struct {
	o   Options
	mux *http.ServeMux

	mu        sync.Mutex
	state     state
	leak      bool
	faults    []*Fault
	calls     []Call
	tokens    map[string]time.Time // access token -> its end
	refreshes []time.Time
	hits      map[string][]time.Time // by URL, for the throttle

	hook       Webhook
	deliveries []Delivery
	closed     bool
	closing    chan struct{}
	sending    sync.WaitGroup
}

// New makes an empty fake.
func New(o Options) *Server {
	o.Dialect = cmp.Or(o.Dialect, OnPrem)
	o.APIKey = cmp.Or(o.APIKey, "demo-api-key")
	o.ClientID = cmp.Or(o.ClientID, "demo-client")
	o.ClientSecret = cmp.Or(o.ClientSecret, "demo-client-secret")
	o.RefreshToken = cmp.Or(o.RefreshToken, "demo-refresh-token")
	o.Portal = cmp.Or(o.Portal, "itdesk")
	o.RefreshQuota = cmp.Or(o.RefreshQuota, 5)
	if o.Wrapper == "" {
		o.Wrapper = WrapNote
		if o.Dialect == Cloud {
			o.Wrapper = WrapRequestNote
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{o: o, mux: http.NewServeMux(), tokens: map[string]time.Time{}, hits: map[string][]time.Time{}, closing: make(chan struct{})}
	s.routes()
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Close sends no more webhooks, waits for those on their way, and serves now
// the calls that were to be served later.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.closed {
		close(s.closing)
	}
	s.closed = true
	s.mu.Unlock()
	s.sending.Wait()
}

// LeakNotes makes the fake show every new or edited note to the requester,
// whatever the call says, or ends that.
func (s *Server) LeakNotes(leak bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leak = leak
}

func (s *Server) cloud() bool { return s.o.Dialect == Cloud }

// routes lists everything that the fake answers.
func (s *Server) routes() {
	s.api("GET requests", s.listRequests)
	s.api("POST requests", s.createRequest)
	s.api("GET requests/{id}", s.getRequest)
	s.api("PUT requests/{id}", s.updateRequest)
	s.api("GET requests/{id}/resolutions", s.getResolution)
	s.api("POST requests/{id}/resolutions", s.setResolution)
	s.api("GET requests/{id}/notes", s.listNotes)
	s.api("POST requests/{id}/notes", s.addNote)
	s.api("GET requests/{id}/notes/{note}", s.getNote)
	s.api("PUT requests/{id}/notes/{note}", s.editNote)
	s.api("DELETE requests/{id}/notes/{note}", s.deleteNote)
	s.api("GET solutions", s.listSolutions)
	s.api("GET solutions/{id}", s.getSolution)
	switch s.o.Dialect {
	case OnPrem15100:
		s.api("PUT requests/{id}/close", s.closeRequest)
		s.api("PUT requests/{id}/resolutions", s.setResolution)
		s.api("GET asset_assets", s.listAssets)
		s.api("GET asset_assets/{id}", s.getAsset)
	case Cloud:
		s.api("PUT requests/{id}/_close", s.closeRequest)
		s.api("GET assets", s.listAssets)
		s.api("GET assets/{id}", s.getAsset)
		s.handle("POST /oauth/v2/token", "POST /oauth/v2/token", s.issueToken)
	default:
		s.api("PUT requests/{id}/close", s.closeRequest)
		s.api("PUT requests/{id}/resolutions", s.setResolution)
		s.api("GET assets", s.listAssets)
		s.api("GET assets/{id}", s.getAsset)
	}
	s.handle("/api/v3/", "unknown", s.unknownRoute)
	if s.cloud() {
		s.handle("/app/{portal}/api/v3/", "unknown", s.unknownRoute)
	}
	s.pages()
}
