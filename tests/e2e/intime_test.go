package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/secret"
)

// arrivals sends webhooks for n tickets of acme at once, and gives how long
// each waited for its first note.
func (w *world) arrivals(n int) (keys []string, waited []time.Duration) {
	w.t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range n {
		key := w.desks["acme"].AddTicket(printing)
		keys = append(keys, key)
		sent := time.Now()
		w.created("acme", key)
		wg.Go(func() {
			for len(w.desks["acme"].Notes(key)) == 0 && time.Since(sent) < 2*time.Minute {
				time.Sleep(5 * time.Millisecond)
			}
			mu.Lock()
			defer mu.Unlock()
			waited = append(waited, time.Since(sent))
		})
	}
	wg.Wait()
	slices.Sort(waited)
	return keys, waited
}

// oneNote fails the test where a ticket does not have exactly one note that
// says want, when all work on it is done.
func (w *world) oneNote(keys []string, want string) {
	w.t.Helper()
	for _, key := range keys {
		says := func() bool {
			notes := w.desks["acme"].Notes(key)
			return len(notes) == 1 && strings.Contains(notes[0].Body, want)
		}
		w.eventually(fmt.Sprintf("one note on %s that says %q", key, want), 2*time.Minute, says)
	}
}

// Whatever becomes of the model's endpoint, each ticket gets one note, in time.
func TestEachTicketGetsOneNoteInTimeWhateverBecomesOfTheModel(t *testing.T) {
	t.Parallel()
	many := func(a llmtest.Answer) []llmtest.Answer { return slices.Repeat([]llmtest.Answer{a}, 40) }
	for name, c := range map[string]struct {
		answers []llmtest.Answer
		want    string
		limit   time.Duration // of the first note
	}{
		"slowed":     {many(llmtest.Delay(12 * time.Second)), "claims", 11 * time.Second},
		"black hole": {many(llmtest.Hang()), "did not answer", 11 * time.Second},
		"dropped":    {many(llmtest.Drop()), "did not answer", 4 * time.Second},
		"limited":    {many(llmtest.Status(429, "slow down")), "did not answer", 4 * time.Second},
		"garbage":    {many(llmtest.Garbage()), "evidence alone", 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			w.knows("acme")
			w.model.Next(c.answers...)
			keys, waited := w.arrivals(4) // as many as there are workers
			if last := waited[len(waited)-1]; last > c.limit {
				t.Errorf("a ticket waited %s for its note", last)
			}
			w.oneNote(keys, c.want)
			t.Logf("first notes after %s to %s", waited[0].Round(time.Millisecond), waited[len(waited)-1].Round(time.Millisecond))
		})
	}
}

// With the endpoint dead, every ticket gets its note, and nearly all of them as
// if there were no model. On a machine that is busy with other tests, a burst may
// take over 2 s either way: then it may take twice what it takes without a model.
func TestWithADeadEndpointNotesComeAtOnce(t *testing.T) {
	t.Parallel()
	const tickets = 60
	burst := func(name, says string, with func(*world)) (*world, time.Duration) {
		w := build(t)
		with(w)
		w.run()
		w.knows("acme")
		keys, waited := w.arrivals(tickets)
		w.oneNote(keys, says)
		p50, p95 := waited[tickets/2], waited[tickets*95/100]
		t.Logf("%s: %d of %d tickets have their note; webhook to note p50 %s, p95 %s", name, len(keys), tickets, p50.Round(time.Millisecond), p95.Round(time.Millisecond))
		return w, p95
	}
	_, floor := burst("no model", "no language model", func(w *world) { w.cfg.OpenAIKey = secret.Text{} })
	w, p95 := burst("dead endpoint", "did not answer", func(w *world) { w.cfg.OpenAIBaseURL = "http://" + freeAddr(t) + "/v1" })
	if limit := max(2*time.Second, 2*floor); p95 > limit {
		t.Errorf("p95 is %s, want under %s", p95, limit)
	}
	var improvements int
	w.eventually("the tries of later are queued", 10*time.Second, func() bool {
		improvements = strings.Count(w.log.String(), "the note will be tried again")
		return improvements == tickets
	})
}
