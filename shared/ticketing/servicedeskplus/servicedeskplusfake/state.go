package servicedeskplusfake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// ErrUnknown says that the fake has no such record.
var ErrUnknown = errors.New("no such record")

// state is everything that is kept over a restart.
type state struct {
	Last    map[string]int64 `json:"last"` // the last id of every sort of record
	Tickets []*stored        `json:"tickets"`
	// The fields of articles and systems that nothing changes are kept as seeded.
	Articles []ticketing.Article `json:"articles"`
	Systems  []ticketing.System  `json:"systems"`
}

// stored is a request with its notes.
type stored struct {
	Ticket ticket.Ticket `json:"ticket"`
	HTML   string        `json:"html"` // the description
	Notes  []*storedNote `json:"notes"`
	Hidden bool          `json:"hidden,omitempty"` // not visible to the API's user
}

type storedNote struct {
	ID      string    `json:"id"`
	HTML    string    `json:"html"`
	Public  bool      `json:"public"`
	Added   time.Time `json:"added"`
	Updated time.Time `json:"updated,omitzero"`
}

// next gives the next id of a sort of record.
func (st *state) next(sort string) int64 {
	if st.Last == nil {
		st.Last = map[string]int64{}
	}
	st.Last[sort]++
	return st.Last[sort]
}

// firstID keeps the ids of different sorts of record apart.
var firstID = map[string]int64{"request": 1000, "note": 600, "solution": 300, "asset": 9000}

// newID gives an id in the manner of the edition: short, or the cloud's long one.
func (s *Server) newID(sort string) string {
	n := firstID[sort] + s.state.next(sort)
	if s.cloud() {
		n += 153_000_000_000_000
	}
	return strconv.FormatInt(n, 10)
}

// AddTicket adds a ticket and gives its key. Its Key is taken where it is a
// number that is free, and its Number in the cloud; times that it does not have
// are now, and a closed one without a status is Closed. The text is plain, as
// everywhere in ticket.Ticket. No webhook is sent.
func (s *Server) AddTicket(t ticket.Ticket) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(t, toHTML(t.Description)).Ticket.Key
}

func (s *Server) add(t ticket.Ticket, html string) *stored {
	if !isNumber(t.Key) || s.find(t.Key) != nil {
		t.Key = s.newID("request")
		for s.find(t.Key) != nil {
			t.Key = s.newID("request")
		}
	}
	if !s.cloud() {
		t.Number = t.Key
	} else if t.Number == "" {
		t.Number = strconv.FormatInt(100+s.state.next("number"), 10)
	}
	if t.Created.IsZero() {
		t.Created = s.o.Now()
	}
	if t.Updated.IsZero() {
		t.Updated = t.Created
	}
	record := &stored{Ticket: t, HTML: html}
	s.settle(record)
	s.state.Tickets = append(s.state.Tickets, record)
	return record
}

// settle makes status, closed and resolved agree.
func (s *Server) settle(record *stored) {
	t := &record.Ticket
	if t.Status == "" {
		t.Status = "Open"
		if t.Closed {
			t.Status = "Closed"
		}
	}
	t.Closed = t.Closed || t.Status == "Closed" || t.Status == "Resolved"
	if t.Closed && t.Resolved.IsZero() {
		t.Resolved = s.o.Now()
	}
}

// AddArticle adds an approved solution and gives its key.
func (s *Server) AddArticle(a ticketing.Article) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !isNumber(a.Key) {
		a.Key = s.newID("solution")
	}
	if a.Updated.IsZero() {
		a.Updated = s.o.Now()
	}
	s.state.Articles = append(s.state.Articles, a)
	return a.Key
}

// AddSystem adds an asset and gives its key.
func (s *Server) AddSystem(y ticketing.System) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !isNumber(y.Key) {
		y.Key = s.newID("asset")
	}
	s.state.Systems = append(s.state.Systems, y)
	return y.Key
}

// Change changes a ticket, as a technician would; the key and number stay. It
// sends no webhook: Fire does.
func (s *Server) Change(key string, change func(*ticket.Ticket)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.find(key)
	if record == nil {
		return fmt.Errorf("change request %s: %w", key, ErrUnknown)
	}
	t := record.Ticket
	change(&t)
	if t.Description != record.Ticket.Description {
		record.HTML = toHTML(t.Description)
	}
	t.Key, t.Number, t.Updated = record.Ticket.Key, record.Ticket.Number, s.o.Now()
	record.Ticket = t
	s.settle(record)
	return nil
}

// Hide makes a ticket invisible to the API's user.
func (s *Server) Hide(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.find(key)
	if record == nil {
		return fmt.Errorf("hide request %s: %w", key, ErrUnknown)
	}
	record.Hidden = true
	return nil
}

// Delete takes a ticket away.
func (s *Server) Delete(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Tickets = slices.DeleteFunc(s.state.Tickets, func(r *stored) bool { return r.Ticket.Key == key })
}

// Tickets gives all tickets, oldest first.
func (s *Server) Tickets() []ticket.Ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	tickets := make([]ticket.Ticket, len(s.state.Tickets))
	for i, r := range s.state.Tickets {
		tickets[i] = r.Ticket
	}
	return tickets
}

// Notes gives the notes of a ticket as they are stored, oldest first.
func (s *Server) Notes(key string) []ticketing.PostedNote {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.find(key)
	if record == nil {
		return nil
	}
	notes := make([]ticketing.PostedNote, len(record.Notes))
	for i, n := range record.Notes {
		notes[i] = ticketing.PostedNote{ID: n.ID, Body: n.HTML, Public: n.Public}
	}
	return notes
}

// AddNote adds a note, as a technician would, and gives its id.
func (s *Server) AddNote(key, html string, public bool) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.find(key)
	if record == nil {
		return "", fmt.Errorf("add note to request %s: %w", key, ErrUnknown)
	}
	return s.note(record, html, public).ID, nil
}

// DeleteNote deletes a note, as a technician would.
func (s *Server) DeleteNote(key, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if record := s.find(key); record != nil {
		record.Notes = slices.DeleteFunc(record.Notes, func(n *storedNote) bool { return n.ID == id })
	}
}

func (s *Server) note(record *stored, html string, public bool) *storedNote {
	n := &storedNote{ID: s.newID("note"), HTML: html, Public: public || s.leak, Added: s.o.Now()}
	record.Notes = append(record.Notes, n)
	return n
}

func (s *Server) find(key string) *stored {
	for _, r := range s.state.Tickets {
		if r.Ticket.Key == key {
			return r
		}
	}
	return nil
}

// Save writes the state as JSON.
func (s *Server) Save(w io.Writer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	if err := e.Encode(s.state); err != nil {
		return fmt.Errorf("servicedeskplusfake: save: %w", err)
	}
	return nil
}

// Load replaces the state by what Save wrote.
func (s *Server) Load(r io.Reader) error {
	var loaded state
	if err := json.NewDecoder(r).Decode(&loaded); err != nil {
		return fmt.Errorf("servicedeskplusfake: load: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = loaded
	return nil
}

func isNumber(s string) bool { return s != "" && len(s) < 19 && strings.Trim(s, "0123456789") == "" }
