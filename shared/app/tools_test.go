package app

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// lines counts the connections that are open to a server.
type lines struct {
	mu   sync.Mutex
	open map[net.Conn]bool
	seen int
}

func (l *lines) state(c net.Conn, s http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch s {
	case http.StateNew:
		l.open[c] = true
		l.seen++
	case http.StateClosed:
		delete(l.open, c)
	default:
	}
}

// none waits until there were some and all are closed.
func (l *lines) none(t *testing.T) {
	t.Helper()
	var open, seen int
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		l.mu.Lock()
		open, seen = len(l.open), l.seen
		l.mu.Unlock()
		if open == 0 && seen > 0 {
			return
		}
	}
	t.Errorf("%d of %d connections are still open", open, seen)
}

// counted is a tool whose connections are counted.
func counted(t *testing.T) (url string, l *lines) {
	t.Helper()
	l = &lines{open: map[net.Conn]bool{}}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"requests":[],"response_status":{"status":"success"}}`))
	}))
	s.Config.ConnState = l.state
	s.Start()
	t.Cleanup(s.Close)
	return s.URL, l
}

// TestWhatTheDirectoryLostIsForgotten erases a tenant while a process has its
// tool open: the process keeps neither its credentials nor its connections.
func TestWhatTheDirectoryLostIsForgotten(t *testing.T) {
	t.Parallel()
	a := instances(t, 1)[0]
	url, l := counted(t)
	err := a.Office().Install(t.Context(), a.AtTheDesk(),
		tenant.Tenant{ID: "acme", Name: "Acme", Settings: tenant.Settings{AllowedNetworks: []string{"127.0.0.0/8"}}},
		tenant.Connection{
			ID: "acme", Tool: "servicedesk_plus", Routes: map[string]tenant.ID{"": "acme"}, Signing: []secret.Text{secret.New("signing-acme")},
			Values: integration.Values{"base_url": url, "api_key": "k"},
		})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"acme", "globex"} {
		tool, err := a.tools.open(a.watch.Current().Connections[id])
		if err != nil {
			t.Fatal(err)
		}
		if id == "acme" {
			_ = tool.(ticketing.Checker).Check(t.Context())
		}
	}
	if err := a.Load(t.Context()); err != nil || len(a.tools.tools) != 2 {
		t.Errorf("%d tools while both connections are there, %v", len(a.tools.tools), err)
	}
	if _, _, err := a.erase(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if err := a.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, found := a.tools.tools[opening{connection: "acme"}]; found || len(a.tools.tools) != 1 {
		t.Errorf("the process has the tools %v", a.tools.tools)
	}
	l.none(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Load(ctx); err == nil || len(a.tools.tools) != 1 {
		t.Errorf("a directory that cannot be read took %d tools, %v", 1-len(a.tools.tools), err)
	}
}

func TestAnExaminationLeavesNoConnectionOpen(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	url, l := counted(t)
	_, _, err := w.app.Office().EnsureConnection(t.Context(), w.app.AtTheDesk(), "acme", func(conn *tenant.Connection) error {
		conn.Values = integration.Values{"base_url": url, "api_key": "k"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.app.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	v := visits{app: w.app}
	if found := v.all(t.Context()); len(found) != 1 {
		t.Fatalf("%+v", found)
	}
	l.none(t)
}
