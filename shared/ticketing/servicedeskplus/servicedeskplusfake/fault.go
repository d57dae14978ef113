package servicedeskplusfake

import (
	"net/http"
	"time"
)

// Fault is what goes wrong with the next calls of a route. Without any of the
// fields below Delay the call is served as usual, after the delay.
type Fault struct {
	Route string // "POST requests/{id}/notes"; "" is every route
	Times int    // how many calls; 0 means one, below 0 all until Heal
	Delay time.Duration

	Status    int    // answer with this status and Body, without doing anything
	Body      string // "" with a Status is an empty body
	Header    http.Header
	HTML      bool // answer 200 with a login page, without doing anything
	Drop      bool // drop the connection, without doing anything
	DropAfter bool // do it, then drop the connection
	Empty     bool // do it, then answer with an empty body
	Truncate  bool // do it, then answer with half of the JSON

	// Later does it after all, this long after a Status, HTML or Drop: a proxy
	// gave up on the product, which goes on.
	Later time.Duration
}

// Fail puts a fault on a route. Faults on the same route take turns: the first
// is used up before the second.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Times == 0 {
		f.Times = 1
	}
	s.faults = append(s.faults, &f)
}

// Heal takes all faults away.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// due takes the fault that is due on a route; none is the zero Fault.
func (s *Server) due(route string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.Times != 0 && (f.Route == "" || f.Route == route) {
			f.Times--
			return *f
		}
	}
	return Fault{}
}

// before does what comes before a call is served, and tells whether it is.
func (f Fault) before(c *call) bool {
	time.Sleep(f.Delay) // whoever waits may give up; the product goes on
	switch {
	case f.Drop:
		panic(http.ErrAbortHandler)
	case f.HTML:
		c.html(http.StatusOK, loginPage)
		return false
	case f.Status != 0:
		c.status, c.body = f.Status, []byte(f.Body)
		c.header.Set("Content-Type", "application/json")
		for name, values := range f.Header {
			c.header[name] = values
		}
		return false
	}
	return true
}

// later serves a call again behind the answer that it got, where the fault says
// so, or when the fake is closed.
func (s *Server) later(f Fault, c *call, handle func(*call)) {
	s.locked(func() {
		if f.Later <= 0 || s.closed {
			return
		}
		behind := &call{r: c.r, form: c.form, header: http.Header{}}
		s.sending.Go(func() {
			select {
			case <-time.After(f.Later):
			case <-s.closing:
			}
			s.locked(func() { handle(behind) })
		})
	})
}

// after does what comes after a call was served.
func (f Fault) after(c *call) {
	switch {
	case f.DropAfter:
		panic(http.ErrAbortHandler)
	case f.Empty:
		c.body = nil
	case f.Truncate:
		c.body = c.body[:len(c.body)/2]
	}
}
