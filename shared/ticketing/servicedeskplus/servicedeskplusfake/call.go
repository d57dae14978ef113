package servicedeskplusfake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Call is one API call, as the journal has it. Credentials are not in it.
type Call struct {
	At     time.Time
	Method string
	Path   string
	Route  string // as in Fault.Route
	Input  string // the input_data
	Status int    // 0 where the connection was dropped
}

// maxCalls is how many calls the journal keeps.
const maxCalls = 20_000

// Calls gives the journal, oldest call first.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// Count tells how many calls a route had.
func (s *Server) Count(route string) int {
	n := 0
	for _, c := range s.Calls() {
		if c.Route == route {
			n++
		}
	}
	return n
}

// call is one API call while it is answered.
type call struct {
	r      *http.Request
	form   url.Values
	status int
	header http.Header
	body   []byte
}

// api puts a route of the API on the paths that this edition has.
func (s *Server) api(route string, handle func(*call)) {
	method, path, _ := strings.Cut(route, " ")
	guarded := func(c *call) {
		if s.admit(c) {
			handle(c)
		}
	}
	s.handle(method+" /api/v3/"+path, route, guarded)
	if s.cloud() {
		s.handle(method+" /app/{portal}/api/v3/"+path, route, guarded)
	}
}

// handle answers pattern with handle, under the lock, with whatever fault is
// due on the route.
func (s *Server) handle(pattern, route string, handle func(*call)) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		c := &call{r: r, header: http.Header{}}
		entry := Call{At: s.o.Now(), Method: r.Method, Path: r.URL.Path, Route: route}
		if err := c.readForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		entry.Input = c.form.Get("input_data")
		if s.o.Before != nil {
			s.o.Before(r)
		}
		defer func() {
			s.record(entry)
			if s.o.After != nil {
				s.o.After(r)
			}
		}()
		f := s.due(route)
		s.later(f, c, handle)
		if f.before(c) {
			s.locked(func() { handle(c) })
		}
		f.after(c)
		entry.Status = c.status
		for name, values := range c.header {
			w.Header()[name] = values
		}
		w.WriteHeader(c.status)
		_, _ = w.Write(c.body)
	})
}

func (s *Server) locked(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

func (s *Server) record(entry Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) >= maxCalls {
		s.calls = append(s.calls[:0], s.calls[maxCalls/2:]...)
	}
	s.calls = append(s.calls, entry)
}

// readForm reads the parameters of the query, and of a form in the body.
func (c *call) readForm() error {
	c.form = c.r.URL.Query()
	body, err := io.ReadAll(io.LimitReader(c.r.Body, 16<<20))
	if err != nil {
		return err
	}
	if strings.HasPrefix(c.r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		posted, err := url.ParseQuery(string(body))
		if err != nil {
			return err
		}
		for name, values := range posted {
			c.form[name] = append(c.form[name], values...)
		}
	}
	return nil
}

// object is a JSON object of the API.
type object map[string]any

// shape says which keys an object may have; nil for a value that is not looked into.
type shape map[string]shape

// input reads input_data, which has to have only the keys of want: the product
// refuses every other one. It answers the call and returns false where it
// cannot be used.
func (c *call) input(want shape) (object, bool) {
	raw := c.form.Get("input_data")
	if raw == "" {
		c.fail(http.StatusBadRequest, 4012, "input_data is missing", "input_data")
		return nil, false
	}
	var in object
	d := json.NewDecoder(bytes.NewReader([]byte(raw)))
	d.UseNumber()
	if err := d.Decode(&in); err != nil {
		c.fail(http.StatusBadRequest, 4000, "invalid JSON in input_data")
		return nil, false
	}
	if extra := extraKey(in, want); extra != "" {
		c.fail(http.StatusBadRequest, 4001, "Extra key found in JSON", extra)
		return nil, false
	}
	return in, true
}

// extraKey gives the path of a key that the shape does not have.
func extraKey(in object, want shape) string {
	for key, v := range in {
		inner, ok := want[key]
		if !ok {
			return key
		}
		if child, isObject := v.(map[string]any); isObject && inner != nil {
			if extra := extraKey(child, inner); extra != "" {
				return key + "." + extra
			}
		}
	}
	return ""
}

// inner gives the object at key, or an empty one.
func (o object) inner(key string) object {
	m, _ := o[key].(map[string]any)
	return m
}

// str gives the text, number or name at key.
func (o object) str(key string) string {
	switch v := o[key].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case map[string]any:
		return object(v).str("name")
	case object:
		return v.str("name")
	}
	return ""
}

// one answers with a single record.
func (c *call) one(status int, key string, record any) {
	c.reply(status, object{key: record, "response_status": object{"status_code": 2000, "status": "success"}})
}

// fail answers with an error: a generic code outside, the specific one inside.
func (c *call) fail(status, code int, words string, fields ...string) {
	m := object{"status_code": code, "type": "failed"}
	if words != "" {
		m["message"] = words
	}
	switch len(fields) {
	case 0:
	case 1:
		m["field"] = fields[0]
	default:
		m["fields"] = fields
	}
	c.reply(status, object{"response_status": object{"status_code": 4000, "status": "failed", "messages": []object{m}}})
}

func (c *call) reply(status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("servicedeskplusfake: encode an answer: %v", err)) // a mistake of the fake
	}
	c.status, c.body = status, b
	c.header.Set("Content-Type", "application/vnd.manageengine.sdp.v3+json;charset=UTF-8")
}

func (c *call) html(status int, page string) {
	c.status, c.body = status, []byte(page)
	c.header.Set("Content-Type", "text/html;charset=UTF-8")
}

// unknownRoute answers what the edition does not have: the cloud with HTML.
func (s *Server) unknownRoute(c *call) {
	if s.cloud() {
		c.html(http.StatusUnauthorized, loginPage)
		return
	}
	c.fail(http.StatusNotFound, 4007, "Invalid URL")
}

const loginPage = `<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>`
