package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
)

const deskKey = "the-key-of-the-desk"

// noteLimit is how long a note may take before the run is given up.
const noteLimit = 10 * time.Second

// noted is one row of webhook to note.
type noted struct {
	name     string
	p50, p95 float64
}

// desk is the ServiceDesk Plus stand-in of all tenants, and the model's.
type desk struct {
	fake  *servicedeskplusfake.Server
	url   string
	model string
	notes chan time.Time // when a note was put on a ticket
}

// desks starts the stand-ins in this process.
func (w *world) desks(context.Context) error {
	d := &desk{notes: make(chan time.Time, 100)}
	d.fake = servicedeskplusfake.New(servicedeskplusfake.Options{APIKey: deskKey, After: func(r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/notes") {
			d.notes <- time.Now()
		}
	}})
	var err error
	if d.url, err = w.serve(d.fake); err != nil {
		return err
	}
	d.model, err = w.serve(&llmtest.Server{})
	w.stops = append(w.stops, d.fake.Close)
	w.desk = d
	return err
}

func (w *world) serve(h http.Handler) (url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once, or not at all
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(l) }() // ends with Close
	w.stops = append(w.stops, func() { _ = server.Close() })
	return "http://" + l.Addr().String(), nil
}

// notes measures from webhook to note on both queues.
func (w *world) notes(ctx context.Context, n int) ([]noted, error) {
	if err := w.empty(ctx); err != nil {
		return nil, err
	}
	var rows []noted
	for _, q := range []struct {
		name string
		env  []string
	}{
		{"queue on Postgres", nil},
		{"SQS stand-in", queueEnv(w.sqs, "note")},
	} {
		env := append([]string{"OPENAI_BASE_URL=" + w.desk.model, "OPENAI_API_KEY=scripted", "OPENAI_MODEL=scripted"}, q.env...)
		hook, err := w.spawn(ctx, w.product("webhook", env...))
		if err != nil {
			return nil, err
		}
		if _, err := w.spawn(ctx, w.product("enhance", env...)); err != nil {
			return nil, err
		}
		progress("webhook to note: %s", q.name)
		var times []time.Duration
		for i := range n + 3 {
			took, err := w.desk.note(ctx, hook, i%tenants)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", q.name, err)
			}
			if i >= 3 { // the first find cold caches
				times = append(times, took)
			}
		}
		slices.Sort(times)
		rows = append(rows, noted{q.name, millis(percentile(times, 50)), millis(percentile(times, 95))})
	}
	return rows, nil
}

// note creates a ticket, sends its webhook, and waits for the note.
func (d *desk) note(ctx context.Context, hook process, n int) (time.Duration, error) {
	key := d.fake.AddTicket(ticket.Ticket{
		Subject: "Print jobs wait", Description: "The print queue on PRN-03 (10.20.4.31) is stuck, all jobs wait.", Requester: "Ana Ruiz", Status: "Open",
	})
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", hook.addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	start := time.Now()
	if _, err := conn.Write(post(n, fmt.Sprintf(`{"event":"request.created","request_id":%q}`, key))); err != nil {
		return 0, err
	}
	if err := answer(bufio.NewReader(conn)); err != nil {
		return 0, err
	}
	select {
	case at := <-d.notes:
		return at.Sub(start), nil
	case <-time.After(noteLimit):
		return 0, fmt.Errorf("no note on ticket %s within %s", key, noteLimit)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
