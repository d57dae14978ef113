package security_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/deskhand/deskhand/shared/webhook"
)

// endless is a body without an end, which counts what was taken of it.
type endless struct{ taken atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.taken.Add(int64(len(p)))
	return len(p), nil
}

// bomb is 64 MB of spaces in 64 KB.
func bomb(t *testing.T) io.Reader {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for range 64 {
		if _, err := z.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

// TestAPI4_WhatIsTooLargeCostsLittleAndStopsNobody sends what is too long, too
// deep, too wide or without an end over a socket, without a secret; the genuine
// sender behind the same address is served in between.
func TestAPI4_WhatIsTooLargeCostsLittleAndStopsNobody(t *testing.T) {
	t.Parallel()
	w := start(t)
	var c tally
	stream := &endless{}
	many := http.Header{}
	for i := range 300 {
		many.Set(fmt.Sprint("X-Many-", i), "x")
	}
	for name, a := range map[string]struct {
		body   io.Reader
		header http.Header
	}{
		"two megabytes":        {strings.NewReader(strings.Repeat("x", 2<<20)), nil},
		"a body without end":   {stream, nil},
		"a compressed bomb":    {bomb(t), http.Header{"Content-Encoding": {"gzip"}}},
		"very deep":            {strings.NewReader(strings.Repeat("[", 500_000)), nil},
		"very wide":            {strings.NewReader("[" + strings.Repeat("0,", 400_000) + "0]"), nil},
		"one key, very often":  {strings.NewReader("{" + strings.Repeat(`"ticket_id":1,`, 60_000) + `"a":1}`), nil},
		"a number of a digit":  {strings.NewReader(`{"ticket_id":1` + strings.Repeat("0", 900_000) + `}`), nil},
		"a form of fields":     {strings.NewReader(strings.Repeat("a=1&", 200_000)), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}},
		"many headers":         {strings.NewReader("{}"), many},
		"a header of 30 KB":    {strings.NewReader("{}"), http.Header{"X-Large": {strings.Repeat("x", 30<<10)}}},
		"a header of 1 MB":     {strings.NewReader("{}"), http.Header{"X-Large": {strings.Repeat("x", 1<<20)}}},
		"a signature of 20 KB": {strings.NewReader("{}"), http.Header{webhook.SignatureHeader: {"sha256=" + strings.Repeat("0", 20<<10)}}},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/webhook/servicedesk/acme", a.body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		for header, values := range a.header {
			r.Header[header] = values
		}
		c.attempts++
		if code, answer := w.do(r); code != 0 && (code < 400 || code >= 500) { // 0: the connection was closed
			c.breach(t, "%s is answered %d %.200s", name, code, answer)
		}
		if code, answer := w.post("/webhook/servicedesk/acme", fmt.Sprintf(`{"ticket_id":"%d"}`, 5000+c.attempts), signing("acme"), nil); code != http.StatusAccepted {
			c.breach(t, "after %s the genuine sender is answered %d %.200s", name, code, answer)
		}
	}
	if n := stream.taken.Load(); n > 16<<20 { // what sockets hold is more than what is read
		c.breach(t, "%d bytes of a body without end were taken", n)
	}
	c.tell(t)
}
