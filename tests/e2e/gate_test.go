package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/llm/llmtest"
)

// hold arranges that a worker is held up somewhere, and gives when one is
// there, and how what it leaves behind goes on after its death.
type hold func(*world) (reached func() bool, open func())

// gate holds up the first of some calls to a stand-in until the caller dies or
// gives up: before the stand-in does what it says, and then it never does; or
// after it did, and then the caller never hears of it.
type gate struct {
	when    string // before or after
	call    string // "POST notes", "DeleteMessage"
	reached atomic.Bool
}

const before, after = "before", "after"

// atGate holds a worker up at a call to the ticketing tool, or to SQS.
func atGate(when, call string) hold {
	return func(w *world) (func() bool, func()) {
		g := &gate{when: when, call: call}
		w.gate.Store(g)
		return g.reached.Load, func() {}
	}
}

// pass is a stand-in's hook: calls go through the gate that is closed then.
func (w *world) pass(when string) func(*http.Request) {
	return func(r *http.Request) {
		call := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
		if call == "" {
			call = r.Method + " " + path.Base(r.URL.Path)
		}
		g := w.gate.Load()
		if g == nil || g.when != when || g.call != call || !g.reached.CompareAndSwap(false, true) {
			return
		}
		<-r.Context().Done()
		if when == before {
			panic(http.ErrAbortHandler)
		}
	}
}

// atModel holds a worker up while the model thinks.
func atModel(w *world) (func() bool, func()) {
	w.model.Next(llmtest.Hang())
	return w.asked, func() {}
}

func (w *world) asked() bool { return len(w.model.Calls()) > 0 }

// lockKey is what the database's walls lock on.
const lockKey = 20260322

// atWall makes the first statement on a table wait, in the database, inside
// the statement's own transaction.
func atWall(table, event, when string) hold {
	return func(w *world) (func() bool, func()) {
		w.t.Helper()
		conn, err := pgx.Connect(w.t.Context(), w.db.OwnerURL)
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { _ = conn.Close(context.Background()) })
		for _, sql := range []string{
			fmt.Sprintf("SELECT pg_advisory_lock(%d)", lockKey),
			fmt.Sprintf(`CREATE FUNCTION public.wall() RETURNS trigger LANGUAGE plpgsql AS $$
				BEGIN PERFORM pg_advisory_xact_lock(%d); RETURN NEW; END $$`, lockKey),
			"GRANT EXECUTE ON FUNCTION public.wall() TO PUBLIC",
			fmt.Sprintf("CREATE TRIGGER wall BEFORE %s ON %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION public.wall()", event, table, when),
		} {
			if _, err := conn.Exec(w.t.Context(), sql); err != nil {
				w.t.Fatal(err)
			}
		}
		reached := func() bool {
			var waits bool
			err := w.owner.QueryRow(w.t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`, lockKey).Scan(&waits)
			return err == nil && waits
		}
		return reached, func() {
			if _, err := conn.Exec(context.Background(), "SELECT pg_advisory_unlock_all()"); err != nil {
				w.t.Error(err)
			}
		}
	}
}

// lost ends the statement that waits at a wall in place of letting it commit.
func lost(at hold) hold {
	return func(w *world) (func() bool, func()) {
		reached, open := at(w)
		return reached, func() {
			_, err := w.owner.Exec(w.t.Context(), `SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, lockKey)
			if err != nil {
				w.t.Error(err)
			}
			open()
		}
	}
}

// front is SQS as one process sees it: the stand-in behind the world's gate.
// It remembers what the process received.
type front struct {
	*httptest.Server
	mu       sync.Mutex
	received []receipt
}

// receipt is what SQS knows a delivery by.
type receipt struct {
	QueueURL      string `json:"QueueUrl"`
	ReceiptHandle string
}

func (w *world) front() *front {
	f := &front{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the process is dead
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		w.pass(before)(r)
		answer := httptest.NewRecorder()
		queues().ServeHTTP(answer, r)
		f.remember(body, answer.Body.Bytes())
		w.pass(after)(r)
		maps.Copy(rw.Header(), answer.Header())
		rw.WriteHeader(answer.Code)
		_, _ = rw.Write(answer.Body.Bytes()) // the process may be dead
	}))
	w.t.Cleanup(f.end)
	return f
}

// end waits until nothing of a dead process is under way any more: SQS gives
// messages to polls whose caller died, too.
func (f *front) end() {
	f.CloseClientConnections()
	f.Close()
}

func (f *front) remember(asked, answered []byte) {
	var call receipt
	var answer struct{ Messages []receipt }
	if json.Unmarshal(asked, &call) != nil || json.Unmarshal(answered, &answer) != nil {
		return // no call that receives
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range answer.Messages {
		f.received = append(f.received, receipt{call.QueueURL, m.ReceiptHandle})
	}
}

// runOut makes what the process received visible, as the end of its visibility
// does.
func (f *front) runOut(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.received {
		body := fmt.Sprintf(`{"QueueUrl":%q,"ReceiptHandle":%q,"VisibilityTimeout":0}`, m.QueueURL, m.ReceiptHandle)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "AmazonSQS.ChangeMessageVisibility")
		queues().ServeHTTP(httptest.NewRecorder(), r) // what is done is not in flight
	}
}
