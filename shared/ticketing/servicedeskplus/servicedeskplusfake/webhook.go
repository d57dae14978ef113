package servicedeskplusfake

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/ticket"
)

// Webhook is what an admin sets up for new and for closed requests, and for
// changes. It is sent once, without retries, as the product does.
type Webhook struct {
	URL         string // for request.created, and for all others without an address of their own; "" sends none
	ResolvedURL string // for request.resolved and request.closed
	Updates     bool   // sends request.updated for each change through the API and each note, ours as well
	Secret      secret.Text
	Header      http.Header       // sent besides
	Tenants     map[string]string // account -> tenant_id; "" for every other
	Thin        bool              // event, tenant, request_id and status only
	Unescaped   bool              // put the text into the JSON as it is, as the product may
	Duplicate   bool              // send everything twice
	Client      *http.Client      // with a timeout of 10 s by default
}

// Delivery is a webhook that was sent.
type Delivery struct {
	Event  string
	Key    string
	Body   string
	Status int    // of the answer; 0 without one
	Error  string // why there was none
}

// SetWebhook sets up the webhook.
func (s *Server) SetWebhook(w Webhook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.Client == nil {
		w.Client = &http.Client{Timeout: 10 * time.Second}
	}
	s.hook = w
}

// Deliveries gives the webhooks that were sent, in the order of their answers.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Delivery(nil), s.deliveries...)
}

// Fire sends the webhook for a ticket, as its event "request.created",
// "request.updated", "request.replied", "request.resolved" or "request.closed"
// would.
func (s *Server) Fire(key, event string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.find(key)
	if record == nil {
		return fmt.Errorf("fire %s of request %s: %w", event, key, ErrUnknown)
	}
	s.emit(record, event)
	return nil
}

// updated sends the webhook of a change, where one is set up. The lock is held.
func (s *Server) updated(record *stored) {
	if s.hook.Updates {
		s.emit(record, "request.updated")
	}
}

// ends tells whether the event is the end of a request.
func ends(event string) bool { return event == "request.resolved" || event == "request.closed" }

// emit sends the webhook in the background. The lock is held.
func (s *Server) emit(record *stored, event string) {
	w := s.hook
	if w.URL == "" || s.closed {
		return
	}
	d := Delivery{Event: event, Key: record.Ticket.Key, Body: w.body(record.Ticket, event)}
	times := 1
	if w.Duplicate {
		times = 2
	}
	for range times {
		s.sending.Go(func() {
			sent := d
			status, err := w.send(d, s.o.Now())
			sent.Status = status
			if err != nil {
				sent.Error = err.Error()
			}
			s.locked(func() { s.deliveries = append(s.deliveries, sent) })
		})
	}
}

// send posts one delivery and gives the status of the answer. The client's
// timeout ends it: it outlives the call that it announces.
func (w Webhook) send(d Delivery, now time.Time) (int, error) {
	address := w.URL
	if ends(d.Event) {
		address = cmp.Or(w.ResolvedURL, w.URL)
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, address, strings.NewReader(d.Body))
	if err != nil {
		return 0, err
	}
	for name, values := range w.Header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/json")
	if !w.Secret.Empty() {
		at := strconv.FormatInt(now.Unix(), 10)
		r.Header.Set("X-ServiceDesk-Timestamp", at)
		r.Header.Set("X-ServiceDesk-Signature", Sign(w.Secret, at, []byte(d.Body)))
	}
	response, err := w.Client.Do(r)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// Sign gives the signature of a webhook: "sha256=" and the hex HMAC-SHA256 of
// timestamp, a dot and the body.
func Sign(key secret.Text, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	_, _ = mac.Write([]byte(timestamp + "."))
	_, _ = mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// body gives what is posted.
func (w Webhook) body(t ticket.Ticket, event string) string {
	tenant, ok := w.Tenants[t.Account]
	if !ok {
		tenant = w.Tenants[""]
	}
	keys := [][2]string{{"event", event}, {"tenant", tenant}, {"request_id", t.Key}, {"status", t.Status}}
	if !w.Thin {
		keys = [][2]string{
			{"ticket_id", t.Key},
			{"tenant_id", tenant},
			{"event", event},
			{"priority", t.Priority},
			{"client", t.Account},
			{"subject", t.Subject},
			{"description", t.Description},
		}
		if ends(event) {
			keys = append(keys, [2]string{"resolved_date", t.Resolved.UTC().Format(time.RFC3339)}, [2]string{"resolution", t.Resolution})
		}
	}
	members := make([]string, len(keys))
	for i, kv := range keys {
		value, _ := json.Marshal(kv[1]) // text always can be
		if w.Unescaped {
			value = []byte(`"` + kv[1] + `"`)
		}
		members[i] = fmt.Sprintf("%q:%s", kv[0], value)
	}
	return "{" + strings.Join(members, ",") + "}"
}
