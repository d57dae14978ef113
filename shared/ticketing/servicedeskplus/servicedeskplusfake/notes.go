package servicedeskplusfake

import (
	"net/http"
	"slices"
)

var noteShape = shape{
	"description": nil, "show_to_requester": nil, "notify_technician": nil,
	"mark_first_response": nil, "add_to_linked_requests": nil,
}

// noteInput reads a note by the keys that this build accepts, and gives the
// key that was used.
func (s *Server) noteInput(c *call) (object, string, bool) {
	accepted := shape{}
	for _, key := range []string{WrapNote, WrapRequestNote} {
		if s.o.Wrapper == key || s.o.Wrapper == WrapBoth {
			accepted[key] = noteShape
		}
	}
	in, ok := c.input(accepted)
	if !ok {
		return nil, "", false
	}
	for key := range accepted {
		if note, given := in[key].(map[string]any); given {
			return note, key, true
		}
	}
	c.fail(http.StatusBadRequest, 4012, "", "note")
	return nil, "", false
}

func (s *Server) addNote(c *call) {
	record := s.visible(c)
	if record == nil {
		return
	}
	in, key, ok := s.noteInput(c)
	if !ok {
		return
	}
	if in.str("description") == "" {
		c.fail(http.StatusBadRequest, 4012, "", "description")
		return
	}
	n := s.note(record, in.str("description"), in["show_to_requester"] == true)
	c.one(http.StatusCreated, key, s.noteObject(record, n))
	s.updated(record)
}

func (s *Server) editNote(c *call) {
	record, n := s.theNote(c)
	if n == nil {
		return
	}
	in, key, ok := s.noteInput(c)
	if !ok {
		return
	}
	if html, given := in["description"].(string); given {
		n.HTML = html
	}
	if public, given := in["show_to_requester"].(bool); given {
		n.Public = public || s.leak
	}
	n.Updated = s.o.Now()
	c.one(http.StatusOK, key, s.noteObject(record, n))
	s.updated(record)
}

func (s *Server) getNote(c *call) {
	if record, n := s.theNote(c); n != nil {
		c.one(http.StatusOK, s.noteKey(), s.noteObject(record, n))
	}
}

func (s *Server) deleteNote(c *call) {
	record, n := s.theNote(c)
	if n == nil {
		return
	}
	record.Notes = slices.DeleteFunc(record.Notes, func(other *storedNote) bool { return other == n })
	c.reply(http.StatusOK, object{"response_status": object{"status_code": 2000, "status": "success"}})
}

// listNotes leaves the descriptions out on-premises.
func (s *Server) listNotes(c *call) {
	record := s.visible(c)
	if record == nil {
		return
	}
	rows := []object{}
	for _, n := range record.Notes {
		rows = append(rows, s.noteObject(record, n))
	}
	if s.cloud() {
		s.list(c, s.noteKey()+"s", rows)
		return
	}
	s.list(c, s.noteKey()+"s", rows, "description")
}

// noteKey is the key of answers that do not echo the one of the call.
func (s *Server) noteKey() string {
	if s.o.Wrapper == WrapBoth {
		return WrapNote
	}
	return s.o.Wrapper
}

// theNote gives the note of the path, or answers the call.
func (s *Server) theNote(c *call) (*stored, *storedNote) {
	record := s.visible(c)
	if record == nil {
		return nil, nil
	}
	for _, n := range record.Notes {
		if n.ID == c.r.PathValue("note") {
			return record, n
		}
	}
	c.fail(http.StatusNotFound, 4007, "Invalid URL or no such resource")
	return nil, nil
}

// noteObject gives a note as the API does: the editions name author and time
// differently.
func (s *Server) noteObject(record *stored, n *storedNote) object {
	o := object{
		"id": n.ID, "description": n.HTML, "show_to_requester": n.Public, "notify_technician": false,
		"last_updated_time": moment(n.Updated), "request": object{"id": record.Ticket.Key},
	}
	by, when := "added_by", "added_time"
	if s.cloud() {
		by, when = "created_by", "created_time"
	}
	o[by], o[when] = object{"id": "4", "name": "Deskhand"}, moment(n.Added)
	return o
}
