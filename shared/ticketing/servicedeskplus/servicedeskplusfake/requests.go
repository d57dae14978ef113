package servicedeskplusfake

import (
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/ticket"
)

// moment gives a time as the API does, null for none. People see it in the
// locale of the API's user, so nobody should read that.
func moment(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return object{"display_value": at.UTC().Format("Jan 2, 2006 03:04 PM"), "value": strconv.FormatInt(at.UnixMilli(), 10)}
}

// named gives a reference to another record by its name, null for none.
func named(name string) any {
	if name == "" {
		return nil
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return object{"id": strconv.FormatUint(uint64(h.Sum32()%9000), 10), "name": name}
}

// orNull is how the product tells a text that nobody filled in.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// request gives a ticket as the API shows it in detail. What nobody filled in
// is null.
func (s *Server) request(record *stored) object {
	t := record.Ticket
	status := object{"id": "2", "name": t.Status, "color": "#0066ff"}
	if t.Closed {
		status["id"], status["color"] = "3", "#006600"
	}
	o := object{
		"id": t.Key, "subject": t.Subject, "description": record.HTML, "status": status,
		"priority": named(t.Priority), "site": named(t.Site), "requester": nil,
		"urgency": nil, "impact": nil, "level": nil, "mode": nil, "request_type": nil, "category": nil,
		"subcategory": nil, "item": nil, "technician": named(t.Assignee), "group": nil, "department": nil,
		"created_time": moment(t.Created), "last_updated_time": moment(t.Updated), "assigned_time": nil,
		"responded_time": nil, "due_by_time": nil, "first_response_due_by_time": nil,
		"resolved_time": nil, "completed_time": nil, "resolution": nil,
		"has_notes": len(record.Notes) > 0, "has_attachments": false, "attachments": []any{},
		"udf_fields": object{"udf_sline_301": nil}, "is_service_request": false, "is_trashed": false,
		"time_elapsed": "0", "unreplied_count": 0,
	}
	if t.Requester != "" {
		o["requester"] = object{"id": "7", "name": t.Requester, "email_id": orNull(t.Email)}
	}
	if t.Account != "" {
		o["account"] = named(t.Account)
	}
	if t.Started { // with an answer to the requester, whatever the status
		o["responded_time"] = moment(t.Updated)
	}
	if t.Closed {
		if t.Status == "Resolved" {
			o["resolved_time"] = moment(t.Resolved)
		} else {
			o["completed_time"] = moment(t.Resolved)
		}
	}
	if s.cloud() {
		o["display_id"] = t.Number
		status["internal_name"], status["in_progress"], status["stop_timer"] = t.Status, !t.Closed, t.Closed
		if t.Resolution != "" {
			o["resolution"] = object{"content": toHTML(t.Resolution)}
		}
	}
	return o
}

func (s *Server) listRequests(c *call) {
	rows := []object{}
	for _, record := range s.state.Tickets {
		if !record.Hidden {
			rows = append(rows, s.request(record))
		}
	}
	s.list(c, "requests", rows, "description", "resolution")
}

// visible gives the request of the path, or answers the call.
func (s *Server) visible(c *call) *stored {
	record := s.find(c.r.PathValue("id"))
	switch {
	case record == nil:
		c.fail(http.StatusNotFound, 4007, "Invalid URL or no such resource")
		return nil
	case record.Hidden:
		c.fail(http.StatusForbidden, 4002, "You are not authorized to view this request")
		return nil
	}
	return record
}

func (s *Server) getRequest(c *call) {
	if record := s.visible(c); record != nil {
		c.one(http.StatusOK, "request", s.request(record))
	}
}

var requestShape = shape{"request": {
	"subject": nil, "description": nil, "requester": nil, "priority": nil, "status": nil, "site": nil, "account": nil,
	"urgency": nil, "impact": nil, "category": nil, "subcategory": nil, "item": nil, "group": nil, "technician": nil,
	"mode": nil, "request_type": nil, "template": nil, "udf_fields": nil, "update_reason": nil, "status_change_comments": nil,
}}

func (s *Server) createRequest(c *call) {
	in, ok := c.input(requestShape)
	if !ok {
		return
	}
	given := in.inner("request")
	if strings.TrimSpace(given.str("subject")) == "" {
		c.fail(http.StatusBadRequest, 4012, "", "subject")
		return
	}
	if len([]rune(given.str("subject"))) > 250 {
		c.fail(http.StatusBadRequest, 4001, "subject is longer than 250 characters", "subject")
		return
	}
	var t ticket.Ticket
	fill(&t, given)
	record := s.add(t, given.str("description"))
	c.one(http.StatusCreated, "request", s.request(record))
	s.emit(record, "request.created")
}

// fill takes over the fields that were given.
func fill(t *ticket.Ticket, given object) {
	if _, ok := given["description"]; ok {
		t.Description = toText(given.str("description"))
	}
	for key, field := range map[string]*string{
		"subject": &t.Subject, "priority": &t.Priority, "status": &t.Status,
		"site": &t.Site, "account": &t.Account, "requester": &t.Requester, "technician": &t.Assignee,
	} {
		if _, ok := given[key]; ok {
			*field = given.str(key)
		}
	}
}

func (s *Server) updateRequest(c *call) {
	record := s.visible(c)
	if record == nil {
		return
	}
	in, ok := c.input(requestShape)
	if !ok {
		return
	}
	given := in.inner("request")
	was := record.Ticket.Closed
	fill(&record.Ticket, given)
	if _, ok := given["description"]; ok {
		record.HTML = given.str("description")
	}
	if given["status"] != nil {
		record.Ticket.Closed, record.Ticket.Resolved = false, time.Time{}
	}
	s.change(c, record, was)
}

func (s *Server) closeRequest(c *call) {
	if record := s.visible(c); record != nil {
		was := record.Ticket.Closed
		record.Ticket.Status = "Closed"
		s.change(c, record, was)
	}
}

// change ends a change of a ticket: the answer and the webhook.
func (s *Server) change(c *call, record *stored, wasClosed bool) {
	record.Ticket.Updated = s.o.Now()
	s.settle(record)
	c.one(http.StatusOK, "request", s.request(record))
	if record.Ticket.Closed && !wasClosed {
		s.emit(record, "request."+strings.ToLower(record.Ticket.Status))
		return
	}
	s.updated(record)
}

// getResolution answers with nulls where there is no resolution.
func (s *Server) getResolution(c *call) {
	record := s.visible(c)
	if record == nil {
		return
	}
	resolution := object{"content": nil, "submitted_by": nil, "submitted_on": nil, "resolution_attachments": []any{}}
	if t := record.Ticket; t.Resolution != "" {
		resolution["content"] = toHTML(t.Resolution)
		resolution["submitted_on"] = moment(t.Resolved)
	}
	c.one(http.StatusOK, "resolution", resolution)
}

func (s *Server) setResolution(c *call) {
	record := s.visible(c)
	if record == nil {
		return
	}
	in, ok := c.input(shape{"resolution": {"content": nil, "add_to_linked_requests": nil}})
	if !ok {
		return
	}
	record.Ticket.Resolution = toText(in.inner("resolution").str("content"))
	record.Ticket.Updated = s.o.Now()
	s.getResolution(c)
}
