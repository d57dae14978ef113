package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/llm/llmtest"
)

// enhancer builds the enhancement function once, as it is deployed.
var enhancer = sync.OnceValues(func() (string, error) { return buildFunction("enhance") })

// buildFunction builds a function into a folder of its own, with further flags of go
// build where given.
func buildFunction(function string, flags ...string) (string, error) {
	dir, err := os.MkdirTemp("", "deskhand-e2e-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, function)
	args := append(append([]string{"build"}, flags...), "-o", path, "../../functions/"+function)
	out, err := exec.Command("go", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
}

// worker runs the enhancement function as a process of its own.
func (w *world) worker() *exec.Cmd {
	w.t.Helper()
	path, err := enhancer()
	if err != nil {
		w.t.Fatal(err)
	}
	return w.process(path, freeAddr(w.t))
}

// process runs a built function on the world's configuration.
func (w *world) process(path, addr string) *exec.Cmd {
	w.t.Helper()
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(),
		"DATABASE_URL="+w.cfg.DatabaseURL.Reveal(), "DATABASE_QUEUE_URL="+w.cfg.DatabaseQueueURL.Reveal(), "REDIS_URL="+w.cfg.RedisURL.Reveal(),
		"SEALING_KEY="+w.cfg.SealingKey.Reveal(), "OPENAI_BASE_URL="+w.cfg.OpenAIBaseURL, "OPENAI_API_KEY=k", "HTTP_ADDR="+addr,
	)
	cmd.Stdout, cmd.Stderr = w.log, w.log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

// gate stops whoever passes it until it is opened, and tells that somebody is
// there.
type gate struct {
	reached chan struct{}
	open    chan struct{}
	once    sync.Once
	lost    bool // the call never arrives
}

func newGate() *gate { return &gate{reached: make(chan struct{}), open: make(chan struct{})} }

func (g *gate) pass() {
	first := false
	g.once.Do(func() { first = true })
	if first {
		close(g.reached)
		<-g.open
		if g.lost {
			panic(http.ErrAbortHandler)
		}
	}
}

// hook makes a gate of the tool's API calls of a method and path.
func (g *gate) hook(method, suffix string) func(*http.Request) {
	return func(r *http.Request) {
		if r.Method == method && strings.HasSuffix(r.URL.Path, suffix) {
			g.pass()
		}
	}
}

// lockKey is what the database's gates lock on.
const lockKey = 20260322

// wall makes the first statement on a table wait, in the database, inside the
// statement's own transaction, until the returned function is called.
func (w *world) wall(table, event, when string) (reached func() bool, open func()) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.db.OwnerURL)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	for _, sql := range []string{
		fmt.Sprintf("SELECT pg_advisory_lock(%d)", lockKey),
		fmt.Sprintf(`CREATE FUNCTION public.wall() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
			BEGIN PERFORM pg_advisory_xact_lock(%d); RETURN NEW; END $$`, lockKey),
		"GRANT EXECUTE ON FUNCTION public.wall() TO PUBLIC",
		fmt.Sprintf("CREATE TRIGGER wall BEFORE %s ON %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION public.wall()", event, table, when),
	} {
		if _, err := conn.Exec(w.t.Context(), sql); err != nil {
			w.t.Fatal(err)
		}
	}
	reached = func() bool {
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

// TestAWorkerKilledAnywhereLeavesOneNote kills the worker (-9) between any two
// steps of a job and starts another: within 60 s there is one note, one
// completed record, and nothing left on the queue.
func TestAWorkerKilledAnywhereLeavesOneNote(t *testing.T) {
	t.Parallel()
	for _, step := range []struct {
		name string
		// arrange makes the job stop at the step; reached tells when it did.
		arrange func(t *testing.T) (w *world, reached func() bool, open func())
	}{
		{"fetched, before the lease", behindWall("ticket_leases", "INSERT", "true")},
		{"leased, before the record", behindWall("enhancement_history", "INSERT", "true")},
		{"begun, before the ticket is read", atTool(http.MethodGet, "/requests/1001", false)},
		{"read, before the model answers", atModel},
		{"asked, before posting is recorded", behindWall("enhancement_history", "UPDATE", "NEW.posting AND NOT OLD.posting")},
		{"posting, and the note never arrives", atTool(http.MethodPost, "/notes", false)},
		{"written, before the tool answers", atTool(http.MethodPost, "/notes", true)},
		{"answered, before the record is completed", behindWall("enhancement_history", "UPDATE", "NEW.status = 'completed'")},
		{"completed, before the queue knows", behindWall("river.river_job", "UPDATE", "NEW.state = 'completed' AND NEW.queue = 'enhancement'")},
	} {
		t.Run(step.name, func(t *testing.T) {
			t.Parallel()
			w, reached, open := step.arrange(t)
			key := w.desks["acme"].AddTicket(printing)
			job := w.created("acme", key)
			first := w.worker()
			w.eventually("the job is at the step", 30*time.Second, reached)
			if err := first.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = first.Wait()
			open()
			killed := time.Now()
			w.worker()
			w.eventually("a completed record", 60*time.Second, func() bool { return w.ended(job).Status == "completed" })
			w.empty()
			t.Logf("recovered in %s", time.Since(killed).Round(time.Millisecond))
			if notes := w.desks["acme"].Notes(key); len(notes) != 1 {
				t.Errorf("%d notes", len(notes))
			}
			var rows int
			if err := w.owner.QueryRow(t.Context(), "SELECT count(*) FROM enhancement_history").Scan(&rows); err != nil || rows != 1 {
				t.Errorf("%d records, %v", rows, err)
			}
		})
	}
}

// listening builds a world in which this process takes webhooks, and the
// worker is another process.
func listening(t *testing.T, before, after func(*http.Request)) *world {
	t.Helper()
	w := build(t, before, after)
	w.serve()
	return w
}

func behindWall(table, event, when string) func(*testing.T) (*world, func() bool, func()) {
	return func(t *testing.T) (*world, func() bool, func()) {
		t.Helper()
		w := listening(t, nil, nil)
		reached, open := w.wall(table, event, when)
		return w, reached, open
	}
}

func atTool(method, suffix string, afterwards bool) func(*testing.T) (*world, func() bool, func()) {
	return func(t *testing.T) (*world, func() bool, func()) {
		t.Helper()
		g := newGate()
		g.lost = !afterwards
		before, after := g.hook(method, suffix), (func(*http.Request))(nil)
		if afterwards {
			before, after = nil, before
		}
		return listening(t, before, after), g.isReached, g.release
	}
}

func atModel(t *testing.T) (*world, func() bool, func()) {
	t.Helper()
	w := listening(t, nil, nil)
	w.model.Next(llmtest.Hang())
	return w, func() bool { return len(w.model.Calls()) > 0 }, func() {}
}

func (g *gate) isReached() bool {
	select {
	case <-g.reached:
		return true
	default:
		return false
	}
}

func (g *gate) release() { close(g.open) }

// TestAWorkerDrainsOnSIGTERM tells the worker to stop while it waits for the
// model: the job is done or given back at once, and ends with one note.
func TestAWorkerDrainsOnSIGTERM(t *testing.T) {
	t.Parallel()
	w := listening(t, nil, nil)
	w.model.Next(llmtest.Delay(2 * time.Second))
	key := w.desks["acme"].AddTicket(printing)
	job := w.created("acme", key)
	cmd := w.worker()
	w.eventually("the model is asked", 30*time.Second, func() bool { return len(w.model.Calls()) > 0 })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the worker ended with %v\n%s", err, w.log)
	}
	if r := w.ended(job); r.Status != "completed" || len(w.desks["acme"].Notes(key)) != 1 {
		t.Errorf("record %+v, %d notes", r, len(w.desks["acme"].Notes(key)))
	}
}

// TestAFunctionSaysWhatItLacks starts the built function without any
// configuration.
func TestAFunctionSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	path, err := enhancer()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path)
	cmd.Env = []string{"PATH=/usr/bin"}
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Run(); err == nil {
		t.Fatal("it started")
	}
	for _, name := range []string{"DATABASE_URL", "DATABASE_QUEUE_URL", "SEALING_KEY", "docs/configuration.md"} {
		if !strings.Contains(out.String(), name) {
			t.Errorf("the message does not name %s:\n%s", name, &out)
		}
	}
}
