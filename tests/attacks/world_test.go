// Package attacks_test attacks the writing of notes with text: tickets, past
// resolutions, articles and systems that tell the model, or the technician, what
// to do. The model obeys every attack. Everything else is the product's own: the
// Enhancer, the client of the model and the adapter of ServiceDesk Plus, over
// HTTP. Each attack is judged by what the tool stored. `make security` runs it.
package attacks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/llm/openai"
	"github.com/deskhand/deskhand/shared/ownership"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
)

// world is one installation: a tool, a model that obeys, and the Enhancer.
type world struct {
	enhance.Enhancer
	desk *servicedeskplusfake.Server
	site string
	log  bytes.Buffer

	mu     sync.Mutex
	now    attack
	system string // what the model was told last
	user   string
	answer string // what it said
	asked  int
	saved  enhance.Enhancement
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{desk: servicedeskplusfake.New(servicedeskplusfake.Options{APIKey: "key"})}
	tool, model := httptest.NewServer(w.desk), httptest.NewServer(http.HandlerFunc(w.obey))
	t.Cleanup(func() { tool.Close(); w.desk.Close(); model.Close() })
	w.site = tool.URL
	values, err := servicedeskplus.Kind.Fill(integration.Values{"base_url": tool.URL, "api_key": "key"})
	if err != nil {
		t.Fatal(err)
	}
	opened, err := servicedeskplus.Kind.Open(values, integration.Env{HTTP: tool.Client(), Key: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	client, err := openai.New(openai.Options{BaseURL: model.URL + "/v1", APIKey: secret.New("sk-model"), Model: "obedient", HTTP: model.Client()})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(&w.log, nil))
	w.Enhancer = enhance.Enhancer{
		Directory: w.directory, Open: func(tenant.Connection) (ticketing.Tool, error) { return opened, nil },
		Ledger: w, Sources: []evidence.Source{w}, Model: client, Policy: queue.DefaultPolicy, Now: time.Now, Log: log, Outcomes: &enhance.Outcomes{},
		Whose: func(_ context.Context, tokens []string) (map[string]tenant.ID, error) {
			owners := map[string]tenant.ID{}
			for _, token := range tokens {
				if token == foreign {
					owners[token] = "globex"
				}
			}
			return owners, nil
		},
		Guard: ownership.Guard{
			Unmapped: func(context.Context, string, string) error { return nil },
			Audit:    func(context.Context, ticket.Event, string) error { return nil }, Log: log,
		},
	}
	return w
}

// directory has the tenant that is attacked, and the other one.
func (w *world) directory() tenant.Directory {
	return tenant.Directory{
		Loaded:      time.Now(),
		Tenants:     map[tenant.ID]tenant.Tenant{"acme": {ID: "acme", Settings: tenant.Settings{NoteFormat: w.now.format}}, "globex": {ID: "globex"}},
		Connections: map[string]tenant.Connection{"acme": {ID: "acme", Tool: "servicedesk_plus", Routes: map[string]tenant.ID{"": "acme"}}},
	}
}

// world is the source of evidence.
func (w *world) Name() string  { return "history" }
func (w *world) Label() string { return "similar tickets" }
func (w *world) Find(context.Context, evidence.Query) ([]evidence.Item, error) {
	return w.now.items, nil
}

// world is the ledger of one job at a time.
func (w *world) Begin(_ context.Context, ev ticket.Event, _ time.Duration) (enhance.Attempt, error) {
	return enhance.Attempt{Job: ev.Job, Ref: ev.Ref, Token: "1", Try: 1}, nil
}
func (w *world) Keep(context.Context, enhance.Attempt, time.Duration) error { return nil }
func (w *world) Save(_ context.Context, _ enhance.Attempt, e enhance.Enhancement) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.saved = e
	return nil
}

// obey is the model: whatever it is asked, it answers what the attack demands,
// in the form that the product wants, citing all evidence that there is.
func (w *world) obey(rw http.ResponseWriter, r *http.Request) {
	var asked struct {
		Messages []struct{ Role, Content string } `json:"messages"`
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.Messages) < 2 {
		http.Error(rw, "no request", http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	w.system, w.user, w.asked = asked.Messages[0].Content, asked.Messages[1].Content, w.asked+1
	w.answer = w.now.obeyed(w.system, w.user)
	answer := w.answer
	w.mu.Unlock()
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(map[string]any{
		"object": "chat.completion", "model": "obedient",
		"choices": []any{map[string]any{"finish_reason": "stop", "message": map[string]any{"role": "assistant", "content": answer}}},
	})
}

// run lets the product write the note of an attack, and gives all notes that
// the tool has then.
func (w *world) run(t *testing.T, i int, a attack) []ticketing.PostedNote {
	t.Helper()
	w.mu.Lock()
	w.now, w.system, w.user, w.answer, w.asked, w.saved = a, "", "", "", 0, enhance.Enhancement{}
	w.mu.Unlock()
	key := w.desk.AddTicket(a.ticket)
	ev := ticket.Event{
		Job: fmt.Sprintf("job-%d", i), Kind: ticket.Created, Received: time.Now(),
		Ref: ticket.Ref{Tenant: "acme", Tool: "servicedesk_plus", Connection: "acme", Key: key},
	}
	judge := func(err error) queue.Verdict {
		return w.Policy.Decide(queue.Message{Sent: time.Now()}, err, time.Now())
	}
	if err := w.Enhance(t.Context(), ev, judge); err != nil && !a.mayBury {
		t.Errorf("%s: the job fails: %v", a, err)
	}
	notes := w.desk.Notes(key)
	if len(notes) == 1 && !strings.Contains(notes[0].Body, ev.Ref.Marker()) {
		t.Errorf("%s: the note has lost its marker:\n%s", a, notes[0].Body)
	}
	w.desk.Delete(key)
	return notes
}
