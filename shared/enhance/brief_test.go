package enhance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/ownership"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// desk is an installation in memory, in whose time nothing has to be waited
// for: ledger, source, model, tool and queue of one Enhancer.
type desk struct {
	Enhancer
	settings tenant.Settings
	began    time.Time

	source    time.Duration               // until the source answers
	answers   []reply                     // of the model, one for each call; the last stays
	immutable bool                        // the tool cannot edit
	refuse    func(markdown string) error // what PutNote does before it writes; nil: nothing
	searched  int                         // how often PutNote was asked to look for the marker
	former    Attempt

	mu     sync.Mutex
	asked  []string // the models that were asked, and when
	notes  []string // what was put on the ticket, and when
	page   map[string]string
	saved  []Enhancement
	later  []queue.Message
	stolen bool // another try has the lease
}

// reply is what the model does with a call.
type reply struct {
	after time.Duration
	text  string
	err   error
	panic bool
}

const useful = `{"similar_tickets":[{"text":"The spooler was restarted.","evidence":["T1"]}],"relevant_documentation":[],"system_information":[],"recommended_next_steps":[]}`

func newDesk(answers ...reply) *desk {
	d := &desk{answers: answers, page: map[string]string{}, began: time.Now()}
	directory := func() tenant.Directory {
		return tenant.Directory{
			Loaded:      d.began,
			Tenants:     map[tenant.ID]tenant.Tenant{"acme": {ID: "acme", Settings: d.settings}},
			Connections: map[string]tenant.Connection{"own": {ID: "own", Tool: "jira", Routes: map[string]tenant.ID{"": "acme"}}},
		}
	}
	d.Enhancer = Enhancer{
		Directory: directory, Open: func(tenant.Connection) (ticketing.Tool, error) { return d, nil },
		Ledger: d, Sources: []evidence.Source{d}, Model: d, Policy: queue.DefaultPolicy, Now: time.Now,
		Log: slog.New(slog.DiscardHandler), Outcomes: &Outcomes{}, Queue: d,
		Guard: ownership.Guard{Log: slog.New(slog.DiscardHandler)},
		Whose: func(context.Context, []string) (map[string]tenant.ID, error) { return nil, nil },
	}
	return d
}

func (d *desk) at() time.Duration { return time.Since(d.began) }

func (d *desk) Begin(_ context.Context, ev ticket.Event, _ time.Duration) (Attempt, error) {
	a := d.former
	a.Job, a.Ref, a.Token, a.Try = ev.Job, ev.Ref, "1", 1
	return a, nil
}

func (d *desk) Keep(context.Context, Attempt, time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stolen {
		return ErrLost
	}
	return nil
}

func (d *desk) Save(_ context.Context, _ Attempt, e Enhancement) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.saved = append(d.saved, e)
	return nil
}

func (d *desk) last() Enhancement {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.saved[len(d.saved)-1]
}

func (d *desk) Name() string  { return "history" }
func (d *desk) Label() string { return "similar tickets" }
func (d *desk) Find(ctx context.Context, _ evidence.Query) ([]evidence.Item, error) {
	if !wait(ctx, d.source) {
		return nil, ctx.Err()
	}
	return []evidence.Item{{Kind: evidence.PastTicket, Ref: "12", Title: "Printer", Text: "Restarted the spooler."}}, nil
}

func (d *desk) Complete(ctx context.Context, r llm.Request) (llm.Reply, error) {
	d.mu.Lock()
	d.asked = append(d.asked, fmt.Sprintf("%s at %s", r.Model, d.at()))
	a := d.answers[0]
	if len(d.answers) > 1 {
		d.answers = d.answers[1:]
	}
	d.mu.Unlock()
	if a.panic {
		panic("the ticket's text")
	}
	if !wait(ctx, a.after) {
		return llm.Reply{}, ctx.Err()
	}
	return llm.Reply{Text: a.text, Model: r.Model, Usage: llm.Usage{PromptTokens: 10, OutputTokens: 5, CostUSD: .25}}, a.err
}

func (d *desk) Event(ticketing.Delivery) (ticketing.Announcement, error) {
	return ticketing.Announcement{}, errors.New("not asked here")
}

func (d *desk) Ticket(_ context.Context, key string) (ticket.Ticket, error) {
	return ticket.Ticket{Key: key, Subject: "Printer"}, nil
}

func (d *desk) PutNote(_ context.Context, _ string, n ticket.Note) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	what := "evidence alone"
	switch {
	case strings.Contains(n.Markdown, "spooler was restarted"):
		what = "with the model"
	case strings.Contains(n.Markdown, "still being asked"):
		what = "pending"
	}
	if n.Search {
		d.searched++
	}
	if d.refuse != nil {
		if err := d.refuse(n.Markdown); err != nil {
			return "", err
		}
	}
	if n.ID != "" && d.immutable {
		return "", ticketing.ErrImmutable
	}
	verb := "edit"
	if n.ID == "" {
		verb, n.ID = "add", fmt.Sprintf("n%d", len(d.page)+1)
	}
	d.page[n.ID] = n.Markdown
	d.notes = append(d.notes, fmt.Sprintf("%s %s at %s: %s", verb, n.ID, d.at(), what))
	return n.ID, nil
}

func (d *desk) Send(_ context.Context, m ...queue.Message) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.later = append(d.later, m...)
	return nil
}

// enhance runs one event, in a time of its own.
func (d *desk) enhance(ctx context.Context, kind ticket.Kind, improvements int) error {
	ev := ticket.Event{
		Job: "job-1", Kind: kind, Received: d.began, Improvements: improvements,
		Ref: ticket.Ref{Tenant: "acme", Tool: "jira", Connection: "own", Key: "7"},
	}
	return d.Enhance(ctx, ev, func(err error) queue.Verdict {
		return queue.DefaultPolicy.Decide(queue.Message{Sent: d.began}, err, time.Now())
	})
}

// timely is how the model or a source behaves, and what comes of it.
type timely struct {
	answers   []reply
	fallbacks []string
	source    time.Duration
	notes     []string
	asked     []string
	later     time.Duration // of the next try
}

func unavailable(after time.Duration) reply { return reply{after: after, err: llm.ErrUnavailable} }

var timelyCases = map[string]timely{
	"the model answers": {
		answers: []reply{{after: 2 * time.Second, text: useful}},
		notes:   []string{"add n1 at 2s: with the model"}, asked: []string{" at 0s"},
	},
	"it answers late": {
		answers: []reply{{after: 20 * time.Second, text: useful}},
		notes:   []string{"add n1 at 8s: pending", "edit n1 at 20s: with the model"}, asked: []string{" at 0s"},
	},
	"its endpoint is dead": {
		answers: []reply{{err: llm.ErrRefused}},
		notes:   []string{"add n1 at 0s: evidence alone"}, asked: []string{" at 0s"}, later: time.Minute,
	},
	"it is known not to answer": {
		answers: []reply{{err: llm.ErrOpen}},
		notes:   []string{"add n1 at 0s: evidence alone"}, asked: []string{" at 0s"}, later: time.Minute,
	},
	"it is overloaded": {
		answers: []reply{unavailable(0)},
		notes:   []string{"add n1 at 1s: evidence alone"}, asked: []string{" at 0s", " at 1s"}, later: time.Minute,
	},
	"it answers the second time": {
		answers: []reply{unavailable(0), {text: useful}},
		notes:   []string{"add n1 at 1s: with the model"}, asked: []string{" at 0s", " at 1s"},
	},
	"it hangs": {
		answers: []reply{unavailable(30 * time.Second)},
		notes:   []string{"add n1 at 8s: pending", "edit n1 at 1m0s: evidence alone"}, asked: []string{" at 0s", " at 31s"}, later: time.Minute,
	},
	"it rejects us": {
		answers: []reply{{err: llm.ErrRejected}},
		notes:   []string{"add n1 at 0s: evidence alone"}, asked: []string{" at 0s"},
	},
	"a fallback answers": {
		answers: []reply{{err: llm.ErrRejected}, unavailable(0), {text: useful}}, fallbacks: []string{"second", "third", "fourth"},
		notes: []string{"add n1 at 0s: with the model"}, asked: []string{" at 0s", "second at 0s", "third at 0s"},
	},
	"it repairs its answer": {
		answers: []reply{{text: "As an AI, I think"}, {text: useful}},
		notes:   []string{"add n1 at 0s: with the model"}, asked: []string{" at 0s", " at 0s"},
	},
	"it cannot repair its answer": {
		answers: []reply{{text: "{}"}},
		notes:   []string{"add n1 at 0s: evidence alone"}, asked: []string{" at 0s", " at 0s"},
	},
	"a source is slow": {
		answers: []reply{{text: useful}}, source: 9 * time.Second,
		notes: []string{"add n1 at 8s: pending", "edit n1 at 9s: with the model"}, asked: []string{" at 9s"},
	},
	"a source hangs": {
		answers: []reply{{after: time.Second, text: useful}}, source: time.Hour,
		notes: []string{"add n1 at 8s: pending", "edit n1 at 11s: evidence alone"}, asked: []string{" at 10s"},
	},
}

func TestThereIsAlwaysANoteInTime(t *testing.T) {
	t.Parallel()
	for name, c := range timelyCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(c.answers...)
				d.source, d.settings.Fallbacks = c.source, c.fallbacks
				if err := d.enhance(t.Context(), ticket.Created, 0); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.notes, d.notes); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(c.asked, d.asked); diff != "" {
					t.Error(diff)
				}
				end := d.last()
				if end.Status != Completed || end.NoteID != "n1" || end.Note != d.page["n1"] || len(end.Run.Calls) != len(c.asked) {
					t.Errorf("recorded: %s %s, %d calls, error %q, note:\n%s", end.Status, end.NoteID, len(end.Run.Calls), end.Error, end.Note)
				}
				var later time.Duration
				for _, m := range d.later {
					later += m.Delay
				}
				if later != c.later {
					t.Errorf("tried again in %s, want %s", later, c.later)
				}
			})
		})
	}
}

func TestAnImprovementOnlyMakesANoteBetter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer  reply
		former  Attempt
		count   int
		notes   []string
		skipped string
		later   []time.Duration
	}{
		"the model answers now": {
			answer: reply{text: useful}, former: Attempt{NoteID: "n9", EvidenceOnly: true}, count: 1,
			notes: []string{"edit n9 at 0s: with the model"},
		},
		"it does not": {
			answer: reply{err: llm.ErrRefused}, former: Attempt{NoteID: "n9", EvidenceOnly: true}, count: 1,
			skipped: "the note stays as it is: unanswered", later: []time.Duration{5 * time.Minute},
		},
		"it is slow": {
			answer: reply{after: 20 * time.Second, text: useful}, former: Attempt{NoteID: "n9", EvidenceOnly: true}, count: 3,
			notes: []string{"edit n9 at 20s: with the model"},
		},
		"it does not for the last time": {
			answer: reply{err: llm.ErrRefused}, former: Attempt{NoteID: "n9", EvidenceOnly: true}, count: 3,
			skipped: "the note stays as it is: unanswered",
		},
		"another event did it": {
			answer: reply{text: useful}, former: Attempt{NoteID: "n9"}, count: 2,
			skipped: "the last note has the model's answer already",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(c.answer)
				d.former = c.former
				d.former.Revision = (ticket.Ticket{Subject: "Printer"}).Revision()
				if err := d.enhance(t.Context(), ticket.Improve, c.count); err != nil {
					t.Fatal(err)
				}
				var later []time.Duration
				for _, m := range d.later {
					var ev ticket.Event
					if err := json.Unmarshal(m.Body, &ev); err != nil || ev.Improvements != c.count+1 || ev.Job != m.ID || ev.Job == "job-1" {
						t.Errorf("%+v, %v", ev, err)
					}
					later = append(later, m.Delay)
				}
				if diff := cmp.Diff(c.notes, d.notes) + cmp.Diff(c.skipped, d.last().Skipped) + cmp.Diff(c.later, later); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestAToolThatCannotEditGetsASecondNoteOnlyForMore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer reply
		notes  []string
	}{
		"more":      {reply{after: 20 * time.Second, text: useful}, []string{"add n1 at 8s: pending", "add n2 at 20s: with the model"}},
		"no more":   {reply{after: 20 * time.Second, err: llm.ErrRejected}, []string{"add n1 at 8s: pending"}},
		"the first": {reply{text: useful}, []string{"add n1 at 0s: with the model"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(c.answer)
				d.immutable = true
				if err := d.enhance(t.Context(), ticket.Created, 0); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.notes, d.notes); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestInShadowModeEverythingHappensAndNothingIsWritten(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]reply{"quick": {text: useful}, "slow": {after: 20 * time.Second, text: useful}, "dead": {err: llm.ErrRefused}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(answer)
				d.settings.ShadowMode = true
				if err := d.enhance(t.Context(), ticket.Created, 0); err != nil {
					t.Fatal(err)
				}
				if end := d.last(); len(d.notes)+len(d.later) > 0 || end.Note == "" || !end.Shadow || len(end.Run.Calls) == 0 || end.Posting {
					t.Errorf("put %v, recorded %+v", d.notes, end)
				}
			})
		})
	}
}

func TestATryThatMustStopLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stop func(d *desk, cancel func())
		want error
	}{
		"the process is told to stop": {func(_ *desk, cancel func()) { cancel() }, context.Canceled},
		"another try has the lease":   {func(d *desk, _ func()) { d.mu.Lock(); d.stolen = true; d.mu.Unlock() }, ErrLost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(reply{after: 25 * time.Second, text: useful})
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(12*time.Second, func() { c.stop(d, cancel) })
				if err := d.enhance(ctx, ticket.Created, 0); !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
				if took := d.at(); took > 20*time.Second || len(d.notes) != 1 {
					t.Errorf("stopped after %s, notes %v", took, d.notes)
				}
			}) // which fails where a goroutine is left
		})
	}
}

func TestAPanicWhileAskingCostsTheModelsPartAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(reply{panic: true})
		if err := d.enhance(t.Context(), ticket.Created, 0); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"add n1 at 0s: evidence alone"}, d.notes); diff != "" {
			t.Error(diff)
		}
	})
}

// A tool that fails when the note is due does not cost the model's answer, and
// what it may have stored is looked for.
func TestAToolThatFailsWhenTheNoteIsDueGetsTheLastOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(reply{after: 20 * time.Second, text: useful})
		d.refuse = func(markdown string) error {
			if strings.Contains(markdown, "still being asked") {
				return ticketing.ErrIndeterminate
			}
			return nil
		}
		if err := d.enhance(t.Context(), ticket.Created, 0); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"add n1 at 20s: with the model"}, d.notes); diff != "" || d.searched != 1 || len(d.asked) != 1 {
			t.Errorf("%s; searched %d times, asked %v", diff, d.searched, d.asked)
		}
	})
}

func TestWhatTheToolDoesNotTakeIsWrittenFromTheEvidence(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{"at once": 0, "in the edit": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(reply{after: after, text: useful})
				d.refuse = func(markdown string) error {
					if strings.Contains(markdown, "spooler was restarted") {
						return ticketing.ErrRejected
					}
					return nil
				}
				if err := d.enhance(t.Context(), ticket.Created, 0); err != nil {
					t.Fatal(err)
				}
				if len(d.page) != 1 || strings.Contains(d.page["n1"], "still being asked") || !strings.Contains(d.page["n1"], "did not take") {
					t.Errorf("notes %v:\n%s", d.notes, d.page["n1"])
				}
			})
		})
	}
}

// A note that is there is not taken back while the model is asked about a change.
func TestAnUpdateEditsTheNoteOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(reply{after: 20 * time.Second, text: useful})
		d.former = Attempt{NoteID: "n9", Revision: (ticket.Ticket{Subject: "Printer stuck"}).Revision()}
		if err := d.enhance(t.Context(), ticket.Updated, 0); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"edit n9 at 20s: with the model"}, d.notes); diff != "" || !strings.Contains(d.page["n9"], "the subject changed") {
			t.Errorf("%s\n%s", diff, d.page["n9"])
		}
	})
}

func TestAPauseThatTheEndpointAsksForIsKept(t *testing.T) {
	t.Parallel()
	for asked, want := range map[time.Duration][]string{3 * time.Second: {" at 0s", " at 3s"}, 30 * time.Second: {" at 0s"}} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(reply{err: limitedError(asked)}, reply{text: useful})
			if err := d.enhance(t.Context(), ticket.Created, 0); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, d.asked); diff != "" {
				t.Errorf("%s: %s", asked, diff)
			}
		})
	}
}

// limitedError is of an endpoint that asks for a pause.
type limitedError time.Duration

func (e limitedError) Error() string             { return "429" }
func (e limitedError) Unwrap() error             { return llm.ErrUnavailable }
func (e limitedError) RetryAfter() time.Duration { return time.Duration(e) }

func TestTheRunRecordSaysWhatHappenedWhen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(reply{text: "no JSON"}, reply{after: 10 * time.Second, text: useful})
		d.Version = "v1.2.3"
		if err := d.enhance(t.Context(), ticket.Created, 0); err != nil {
			t.Fatal(err)
		}
		r := d.last()
		var steps []string
		for _, s := range r.Run.Steps {
			steps = append(steps, fmt.Sprintf("%s %s", s.Name, s.At))
		}
		want := []string{"read 0s", "gather 0s", "write 8s", "post 8s", "ask 10s", "write 10s", "post 10s"}
		if !slices.Equal(steps, want) {
			t.Errorf("steps %v, want %v", steps, want)
		}
		if r.Usage.CostUSD != .5 || r.Run.Versions.Program != "v1.2.3" || r.Run.Versions.Prompt == "" || r.Run.Versions.Policy == "" {
			t.Errorf("usage %+v, versions %+v", r.Usage, r.Run.Versions)
		}
		if len(r.Run.Calls) != 2 || r.Run.Calls[0].Answer != "no JSON" || r.Run.Calls[1].User == r.Run.Calls[0].User || len(r.Run.Verdicts) != 1 {
			t.Errorf("%d calls, verdicts %+v", len(r.Run.Calls), r.Run.Verdicts)
		}
	})
}
