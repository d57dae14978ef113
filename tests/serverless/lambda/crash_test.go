package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/localstack/lambdaruntime"
	"github.com/deskhand/deskhand/shared/llm/llmtest"
)

// watched keeps what a function was asked and what it answered.
type watched struct {
	lambdaruntime.Invoker

	mu       sync.Mutex
	payloads [][]byte
	answers  []string
}

// Invoke implements lambdaruntime.Invoker.
func (w *watched) Invoke(ctx context.Context, payload []byte) (lambdaruntime.Result, error) {
	r, err := w.Invoker.Invoke(ctx, payload)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.payloads, w.answers = append(w.payloads, payload), append(w.answers, string(r.Payload))
	return r, err
}

// seen gives the payloads and answers so far.
func (w *watched) seen() (payloads [][]byte, answers []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.payloads), slices.Clone(w.answers)
}

func TestAPoisonMessageIsDeadAfterFourTriesAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	w := build(t)
	w.line.hurry(delay, time.Second)
	g := lambdaruntime.Gateway{Function: w.deploy("webhook")}
	acme := w.desks["acme"]
	poison := acme.AddTicket(printing)
	acme.ail(poison, true)
	job := w.created(g, "acme", poison)
	w.attach(w.enhancing, w.deploy("enhance"), lambdaruntime.Mapping{Concurrency: 2})
	for id, d := range w.desks {
		key := d.AddTicket(printing)
		w.once(id, key, w.created(g, id, key))
	}
	r := w.ended(job)
	if r.Status != "failed" || r.Tries != 4 || !strings.Contains(r.Error, "failed 4 times") || len(acme.Notes(poison)) != 0 {
		t.Errorf("record %+v, %d notes", r, len(acme.Notes(poison)))
	}
	w.eventually("the dead letter", 20*time.Second, func() bool {
		s, err := w.enhancing.Stats(t.Context())
		return err == nil && s.Dead == 1 && s.Depth+s.Running == 0
	})
	letters, err := w.enhancing.List(t.Context(), 10)
	if err != nil || len(letters) != 1 || letters[0].Message.ID != job || letters[0].Message.Tenant != "acme" || letters[0].Message.Errors != 4 ||
		!strings.Contains(letters[0].Reason, "failed 4 times") || !strings.Contains(letters[0].Reason, "500") {
		t.Errorf("dead letters %+v, %v", letters, err)
	}
	if n := w.log.count(job, "enhancement started"); n != 4 {
		t.Errorf("%d tries", n)
	}
	// SQS was asked for the pauses of the policy; only here they were shorter.
	asked := w.line.waits(delay)
	for i, want := range []float64{5, 20, 80} {
		if len(asked) != 3 || asked[i] < want*0.8 || asked[i] > want*1.2+1 {
			t.Errorf("pauses of %v s, want 5, 20 and 80, within 20%%", asked)
			break
		}
	}
	acme.ail(poison, false)
	if n, err := w.enhancing.Redrive(t.Context(), job); err != nil || n != 1 {
		t.Errorf("redriven %d, %v", n, err)
	}
	w.eventually("the note of what was redriven", 30*time.Second, func() bool { return len(acme.Notes(poison)) > 0 })
	w.empty(w.enhancing)
	w.once("acme", poison, job)
}

func TestOfABatchOnlyWhatCannotBeSettledComesAgain(t *testing.T) {
	t.Parallel()
	w := build(t)
	w.line.hurry(visibility, 10*time.Second)
	g := lambdaruntime.Gateway{Function: w.deploy("webhook")}
	acme := w.desks["acme"]
	var keys, jobs []string
	for range 3 {
		keys = append(keys, acme.AddTicket(printing))
		jobs = append(jobs, w.created(g, "acme", keys[len(keys)-1]))
	}
	// The second fails, and SQS refuses the copy by which it would be tried again.
	acme.ail(keys[1], true)
	w.line.breakWhen(func(operation string, body []byte) bool {
		return operation == "SendMessageBatch" && bytes.Contains(body, []byte(jobs[1]))
	})
	f := &watched{Invoker: w.deploy("enhance")}
	w.attach(w.enhancing, f, lambdaruntime.Mapping{Concurrency: 1})
	var payloads [][]byte
	var answers []string
	w.eventually("the first batch", 60*time.Second, func() bool {
		payloads, answers = f.seen()
		return len(answers) > 0
	})
	acme.ail(keys[1], false)
	w.line.breakWhen(nil)

	ids := map[string]string{} // message id by job
	for _, r := range batch(t, payloads[0]) {
		ids[*r.MessageAttributes["id"].StringValue] = r.MessageId
	}
	want := fmt.Sprintf(`{"batchItemFailures":[{"itemIdentifier":%q}]}`, ids[jobs[1]])
	if diff := cmp.Diff(want, answers[0]); diff != "" || len(ids) != 3 {
		t.Errorf("a batch of %d was answered with %s", len(ids), diff)
	}
	for i, job := range jobs {
		w.once("acme", keys[i], job)
	}
	w.empty(w.enhancing)
	payloads, _ = f.seen()
	for _, p := range payloads[1:] {
		for _, r := range batch(t, p) {
			if *r.MessageAttributes["id"].StringValue != jobs[1] {
				t.Errorf("message %s came again", r.MessageId)
			}
		}
	}
}

// batch reads the records of an event.
func batch(t *testing.T, payload []byte) []events.SQSMessage {
	t.Helper()
	var e events.SQSEvent
	if err := json.Unmarshal(payload, &e); err != nil {
		t.Fatal(err)
	}
	return e.Records
}

func TestAFunctionThatHangsOrDiesWhileItAsksTheModelLeavesOneNote(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		hit  func(*lambdaruntime.Function) int
		want lambdaruntime.Stats
		kind string
	}{
		{"it hangs, and Lambda kills it", (*lambdaruntime.Function).Freeze, lambdaruntime.Stats{Timeouts: 1}, "Sandbox.Timedout"},
		{"kill -9", (*lambdaruntime.Function).Kill, lambdaruntime.Stats{Crashes: 1}, "Runtime.ExitError"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := build(t)
			w.line.hurry(visibility, 10*time.Second)
			w.line.hurry(delay, time.Second)
			w.model.Next(llmtest.Hang())
			g := lambdaruntime.Gateway{Function: w.deploy("webhook")}
			key := w.desks["globex"].AddTicket(printing)
			job := w.created(g, "globex", key)
			enhance := w.deploy("enhance")
			enhance.Timeout = 8 * time.Second
			f := &watched{Invoker: enhance}
			w.attach(w.enhancing, f, lambdaruntime.Mapping{Concurrency: 1})
			w.eventually("the model is asked", 30*time.Second, func() bool { return len(w.model.Calls()) > 0 })
			if n := tt.hit(enhance); n != 1 {
				t.Fatalf("%d instances were hit", n)
			}
			hit := time.Now()
			w.once("globex", key, job)
			t.Logf("recovered in %s", time.Since(hit).Round(time.Millisecond))
			w.empty(w.enhancing)
			w.once("globex", key, job)
			if s := enhance.Stats(); s.Timeouts != tt.want.Timeouts || s.Crashes != tt.want.Crashes {
				t.Errorf("%+v", s)
			}
			if _, answers := f.seen(); !strings.Contains(answers[0], tt.kind) {
				t.Errorf("the first answer is %s, want a %s", answers[0], tt.kind)
			}
			if hidden := w.line.waits(visibility); len(hidden) == 0 || hidden[0] != 150 {
				t.Errorf("the message was to be hidden for %v s, want 150", hidden)
			}
		})
	}
}
