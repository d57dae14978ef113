package e2e_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
)

// The queues that the product runs on.
const (
	onPostgres = "Postgres"
	onSQS      = "SQS"
)

// scenario is trouble with one ticket, after which there has to be one note on
// it and one job completed with it, whichever queue the product runs on.
type scenario struct {
	name    string
	trouble map[string]trouble // by queue
	jobs    int                // how many events the webhooks told of
}

type trouble func(*world)

func both(do trouble) map[string]trouble {
	return map[string]trouble{onPostgres: do, onSQS: do}
}

// untroubled is the matrix's first scenario, and none of a mutant's: what is
// broken altogether proves nothing.
var untroubled = scenario{"no trouble", both(func(w *world) {
	job := w.created("acme", w.ticket)
	w.start("enhance")
	w.ended(job)
}), 1}

// matrix is all the trouble: the worker is killed (-9) between any two steps,
// everything comes twice, and the tool keeps the outcome to itself.
var matrix = []scenario{
	untroubled,
	{"killed: taken, before it knows of it", map[string]trouble{
		onPostgres: killed(atWall("river.river_job", "UPDATE", "NEW.state = 'running'")),
		onSQS:      killed(atGate(after, "ReceiveMessage")),
	}, 1},
	{"killed: taken, before the lease", both(killed(atWall("ticket_leases", "INSERT", "true"))), 1},
	{"killed: leased, before the record", both(killed(atWall("enhancement_history", "INSERT", "true"))), 1},
	{"killed: begun, before the ticket is read", both(killed(atGate(before, "GET 1001"))), 1},
	{"killed: read, before the model answers", both(killed(atModel)), 1},
	{"killed: asked, before posting is recorded", both(killed(atWall("enhancement_history", "UPDATE", "NEW.posting AND NOT OLD.posting"))), 1},
	{"killed: posting, and the note never arrives", both(killed(atGate(before, "POST notes"))), 1},
	{"killed: written, and the tool hangs", both(killed(atGate(after, "POST notes"))), 1},
	{"killed: answered, before the record is completed", both(killed(atWall("enhancement_history", "UPDATE", "NEW.status = 'completed'"))), 1},
	{"killed: completed, before the queue knows", map[string]trouble{
		onPostgres: killed(lost(atWall("river.river_job", "UPDATE", "NEW.state = 'completed'"))),
		onSQS:      killed(atGate(before, "DeleteMessage")),
	}, 1},
	{"killed: failed, before the queue knows", map[string]trouble{
		onPostgres: killed(failing(lost(atWall("river.river_job", "UPDATE", "OLD.state = 'running' AND NEW.state <> 'running'")))),
		onSQS:      killed(failing(atGate(before, "SendMessageBatch"))),
	}, 1},
	{"killed: copied for the next try, before the original is deleted", map[string]trouble{
		onSQS: killed(failing(atGate(before, "DeleteMessage"))),
	}, 1},
	{"killed: queued, before the sender is told", map[string]trouble{
		onPostgres: sentAgain(atWall("river.river_job", "INSERT", "true")),
		onSQS:      sentAgain(atGate(after, "SendMessageBatch")),
	}, 1},
	{"killed: note written, and the next event is worked on first", both(overtaken), 2},
	{"the same webhook many times at once", both(sentAtOnce("request.created")), 1},
	{"two events at once", both(sentAtOnce("request.created", "request.reopened")), 2},
	{"the queue gives the message to two workers", both(deliveredTwice), 1},
	{"the tool writes the note and hangs", both(worked(func(w *world) { atGate(after, "POST notes")(w) })), 1},
	{"the tool writes the note and the connection breaks", both(worked(notesFault(servicedeskplusfake.Fault{DropAfter: true}))), 1},
	{"the connection breaks and the tool writes the note later", both(worked(notesFault(servicedeskplusfake.Fault{Drop: true, Later: 2500 * time.Millisecond}))), 1},
}

func TestNoTroubleLosesOrDoublesATicket(t *testing.T) {
	t.Parallel()
	for _, s := range matrix {
		for queue := range s.trouble {
			t.Run(queue+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				if wrong := s.run(t, queue, sound); wrong != "" {
					t.Error(wrong)
				}
			})
		}
	}
}

// run brings the product, as built, into the trouble, and tells what is wrong
// at the end; "" for nothing.
func (s scenario) run(t *testing.T, queue string, built binaries) string {
	t.Helper()
	w := buildFor(t, queue)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log:\n%s", w.log)
		}
	})
	w.built = built
	w.receiver = w.takesWebhooks()
	w.ticket = w.desks["acme"].AddTicket(printing)
	s.trouble[queue](w)
	return w.wrong(s.jobs)
}

// buildFor builds a world for a queue.
func buildFor(t *testing.T, queue string) *world {
	t.Helper()
	w := build(t)
	if queue == onSQS {
		w.onSQS()
	}
	return w
}

// killed kills a worker that is held up, and starts another.
func killed(at hold) trouble {
	return func(w *world) {
		w.t.Helper()
		w.created("acme", w.ticket)
		reached, open := at(w)
		worker := w.start("enhance", "WORKER_CONCURRENCY=1") // it does not poll while it stands there
		w.eventually("the worker is at the step", 30*time.Second, reached)
		w.idle(time.Second) // one that acknowledges too early does so now
		w.bury(worker, open)
		w.start("enhance")
	}
}

// failing makes the first try end in an error, for which the tool's refusal of
// its credential stands, and then holds the worker up.
func failing(at hold) hold {
	return func(w *world) (func() bool, func()) {
		w.desks["acme"].Fail(servicedeskplusfake.Fault{
			Route: "GET requests/{id}", Status: http.StatusUnauthorized,
			Body: `{"response_status":{"status_code":4000,"status":"failed","messages":[{"status_code":4022,"type":"failed"}]}}`,
		})
		return at(w)
	}
}

// overtaken kills a worker that has written the note, and has the ticket's
// next event worked on before the message of the dead comes again.
func overtaken(w *world) {
	w.t.Helper()
	w.created("acme", w.ticket)
	reached, open := atWall("enhancement_history", "UPDATE", "NEW.status = 'completed'")(w)
	dead := w.start("enhance", "WORKER_CONCURRENCY=1")
	w.eventually("the note is written", 30*time.Second, reached)
	dead.kill()
	open()
	w.leasesRunOut()
	next := w.taken(said("acme", "request.reopened", w.ticket))
	w.start("enhance")
	w.ended(next)
	w.messagesRunOut(dead)
}

// sentAgain kills who takes the webhook, which the sender sends again.
func sentAgain(at hold) trouble {
	return func(w *world) {
		w.t.Helper()
		reached, open := at(w)
		var sender sync.WaitGroup
		sender.Go(func() {
			if code, _, _, err := w.post(said("acme", "request.created", w.ticket)); err == nil && code == http.StatusAccepted {
				w.t.Errorf("the sender was told %d", code)
			}
		})
		w.eventually("the webhook is at the step", 30*time.Second, reached)
		w.bury(w.receiver, open)
		sender.Wait()
		w.takesWebhooks()
		w.created("acme", w.ticket)
		w.start("enhance")
	}
}

// sentAtOnce lets two workers have many webhooks of the same events.
func sentAtOnce(events ...string) trouble {
	return func(w *world) {
		w.model.Next(llmtest.Delay(2*time.Second), llmtest.Delay(2*time.Second))
		w.start("enhance")
		w.start("enhance")
		w.atOnce(events...)
	}
}

// deliveredTwice gives the message to a second worker while the first has it,
// as SQS may by its contract, and River where a worker lost its session.
func deliveredTwice(w *world) {
	w.t.Helper()
	w.model.Next(llmtest.Delay(3*time.Second), llmtest.Delay(3*time.Second))
	w.created("acme", w.ticket)
	workers := []*process{w.start("enhance", "WORKER_CONCURRENCY=1"), w.start("enhance", "WORKER_CONCURRENCY=1")}
	w.eventually("a worker has it", 30*time.Second, w.asked)
	for _, p := range workers {
		if p.sqs != nil {
			p.sqs.runOut(w.t)
		}
	}
	if _, err := w.owner.Exec(w.t.Context(), "UPDATE river.river_job SET state = 'available', scheduled_at = now() WHERE state = 'running'"); err != nil {
		w.t.Fatal(err)
	}
}

// worked has a worker go through it.
func worked(through trouble) trouble {
	return func(w *world) {
		w.t.Helper()
		through(w)
		w.created("acme", w.ticket)
		w.start("enhance")
	}
}

func notesFault(f servicedeskplusfake.Fault) trouble {
	f.Route = "POST requests/{id}/notes"
	return func(w *world) { w.desks["acme"].Fail(f) }
}

// wrong waits until the queue has nothing left to do, and tells what is not as
// it must be then: one note, one job completed with it, the others of the
// ticket completed without one, no dead letter.
func (w *world) wrong(jobs int) string {
	w.t.Helper()
	w.idle(90 * time.Second)
	var written, skipped, all int
	err := w.owner.QueryRow(w.t.Context(), `SELECT count(*) FILTER (WHERE status = 'completed' AND skipped = ''),
		count(*) FILTER (WHERE status = 'completed' AND skipped <> ''), count(*) FROM enhancement_history`).Scan(&written, &skipped, &all)
	if err != nil {
		w.t.Fatal(err)
	}
	notes := len(w.desks["acme"].Notes(w.ticket))
	todo, dead := w.left()
	if notes == 1 && written == 1 && skipped == jobs-1 && all == jobs && todo == 0 && dead == 0 {
		return ""
	}
	return fmt.Sprintf("%d notes; %d jobs, %d of them completed with a note and %d without; %d left on the queue, %d dead",
		notes, all, written, skipped, todo, dead)
}

// idle waits until the queue has nothing left to do, or the limit is over.
func (w *world) idle(limit time.Duration) {
	w.t.Helper()
	deadline := time.Now().Add(limit)
	for todo, _ := w.left(); todo > 0 && time.Now().Before(deadline); todo, _ = w.left() {
		time.Sleep(50 * time.Millisecond)
	}
}

// left counts what the queue of enhancements still has to do, and its dead
// letters.
func (w *world) left() (todo, dead int) {
	w.t.Helper()
	if w.cfg.QueueURL != "" {
		return w.stored(w.cfg.QueueURL), w.stored(w.cfg.QueueDeadURL)
	}
	err := w.owner.QueryRow(w.t.Context(), `SELECT count(*) FILTER (WHERE state NOT IN ('completed', 'cancelled', 'discarded')),
		count(*) FILTER (WHERE state IN ('cancelled', 'discarded')) FROM river.river_job WHERE queue = 'enhancement'`).Scan(&todo, &dead)
	if err != nil {
		w.t.Fatal(err)
	}
	return todo, dead
}
