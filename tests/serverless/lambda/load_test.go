package lambda_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/localstack/lambdaruntime"
	"github.com/deskhand/deskhand/shared/app"
	"github.com/deskhand/deskhand/shared/cli"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

// What else runs on the machine makes starts slower and never faster: the
// quickest third of coldStarts tells what the function itself takes.
const (
	coldStarts = 15
	quickest   = coldStarts / 3
)

// limits are the times that functions are held to, in ms.
type limits struct {
	Init  float64            `json:"init_ms"`
	Bare  float64            `json:"bare_ms"`  // of a function that does nothing, where these hold
	First map[string]float64 `json:"first_ms"` // of the first request after it, by function
}

func readLimits(t *testing.T) (l limits) {
	t.Helper()
	text, err := os.ReadFile("../../load/reference.json")
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	if err != nil || l.Init == 0 || l.Bare == 0 {
		t.Fatalf("tests/load/reference.json: %v, %+v", err, l)
	}
	return l
}

// TestColdAndWarmTimes starts each function many times, in turn with one that
// does nothing: where that is slower than on the machine of the limits, or the
// machine is busy, the limit of a start is higher by as much. The first request of
// an instance makes its connections and asks its first queries; of enhance it
// is a message that was worked on before, so that neither tool nor model counts.
//
//nolint:paralleltest // alone on the machine: it measures
func TestColdAndWarmTimes(t *testing.T) {
	w, most := build(t), readLimits(t)
	for _, name := range []string{"webhook", "enhance", "catalogue", "admin"} {
		payload := w.example(name)
		f := w.deploy(name)
		inits, firsts, bares := w.starts(f, payload)
		init, first, bare := inits[quickest-1], firsts[quickest-1], bares[quickest-1]
		var warm []time.Duration
		for n := range 51 {
			if r := w.invoke(f, payload); n > 0 {
				warm = append(warm, r.Duration)
			}
		}
		slices.Sort(warm)
		t.Logf("%-9s init %s (quickest third), median %s, slowest %s, bare %s; first request %s, median %s, slowest %s; warm median %s, p95 %s", name,
			short(init), short(inits[coldStarts/2]), short(inits[coldStarts-1]), short(bare), short(first), short(firsts[coldStarts/2]), short(firsts[coldStarts-1]), short(warm[25]), short(warm[47]))
		if limit := most.Init * max(1, ms(bare)/most.Bare); ms(init) >= limit {
			t.Errorf("%s: a cold start takes %s, at most %.1f ms", name, short(init), limit)
		}
		if limit, ok := most.First[name]; !ok || ms(first) >= limit {
			t.Errorf("%s: the first request takes %s, at most %.0f ms (first_ms in tests/load/reference.json)", name, short(first), limit)
		}
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// starts gives the times of cold starts, of the requests after them, and of cold
// starts of a function that does nothing, each in order.
func (w *world) starts(f *lambdaruntime.Function, payload []byte) (inits, firsts, bares []time.Duration) {
	w.t.Helper()
	bare := w.deploy(nothing)
	cold := func(f *lambdaruntime.Function) lambdaruntime.Result {
		r := w.invoke(f, payload)
		if !r.Cold {
			w.t.Fatal("no cold start")
		}
		f.Kill()
		return r
	}
	for range coldStarts {
		bares = append(bares, cold(bare).Init)
		r := cold(f)
		inits, firsts = append(inits, r.Init), append(firsts, r.Duration)
	}
	slices.Sort(inits)
	slices.Sort(firsts)
	slices.Sort(bares)
	return inits, firsts, bares
}

func (w *world) invoke(f *lambdaruntime.Function, payload []byte) lambdaruntime.Result {
	w.t.Helper()
	r, err := f.Invoke(w.t.Context(), payload)
	if err != nil || r.FunctionError != "" {
		w.t.Fatalf("%s: %s, %v\n%s", f.Name, r.Payload, err, w.log)
	}
	return r
}

func short(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// example gives an event of the function: a signed webhook, the message that it
// made, a tick. It has been worked on once.
func (w *world) example(name string) []byte {
	w.t.Helper()
	f := &watched{Invoker: w.deploy(name)}
	switch name {
	case "webhook":
		w.created(lambdaruntime.Gateway{Function: f}, "acme", w.desks["acme"].AddTicket(printing))
	case "enhance":
		stop := w.attach(w.enhancing, f, lambdaruntime.Mapping{Concurrency: 1})
		w.eventually("a message is worked on", 30*time.Second, func() bool { payloads, _ := f.seen(); return len(payloads) > 0 })
		stop()
	case "admin":
		r := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, "/api/v1/me", nil)
		lambdaruntime.Gateway{Function: f}.ServeHTTP(httptest.NewRecorder(), r)
	default:
		if err := (lambdaruntime.Schedule{Name: "tick", Function: f}).Fire(w.t.Context(), time.Now()); err != nil {
			w.t.Fatal(err)
		}
	}
	payloads, _ := f.seen()
	return payloads[0]
}

// TestManyFunctionsAtOnce sends the tickets of both tenants through 1, 10 and
// 50 processes of enhance, each with one connection to Postgres.
//
//nolint:paralleltest // alone on the machine: it measures
func TestManyFunctionsAtOnce(t *testing.T) {
	w := build(t)
	g := lambdaruntime.Gateway{Function: w.deploy("webhook")}
	for id := range w.desks {
		w.knows(id)
	}
	alone := 0.0
	for _, run := range []struct{ concurrency, tickets int }{{1, 5}, {10, 40}, {50, 150}} {
		tickets := map[string]tenant.ID{} // by job
		keys := map[string]string{}
		for n := range run.tickets {
			id := []tenant.ID{"acme", "globex"}[n%2]
			key := w.desks[id].AddTicket(printing)
			job := w.created(g, id, key)
			tickets[job], keys[job] = id, key
			w.model.Next(llmtest.Delay(2 * time.Second))
		}
		f := w.deploy("enhance")
		f.Concurrency = run.concurrency
		f.Env = maps.Clone(w.env)
		f.Env["DATABASE_CONNS"] = "1"
		start := time.Now()
		stop := w.attach(w.enhancing, f, lambdaruntime.Mapping{Concurrency: run.concurrency, BatchSize: 1})
		for job, id := range tickets {
			w.once(id, keys[job], job)
		}
		rate := float64(run.tickets) / time.Since(start).Seconds()
		if run.concurrency == 1 {
			alone = rate
		}
		w.empty(w.enhancing)
		stop()
		s := f.Stats()
		t.Logf("concurrency %2d: %d tickets, %.1f a second, %.1f times that of one; %d cold starts", run.concurrency, run.tickets, rate, rate/alone, s.Cold)
		if s.Throttled+s.Crashes+s.Timeouts+s.InitFailures != 0 || s.Cold > run.concurrency || s.Cold < run.concurrency*4/5 {
			t.Errorf("%+v, want about %d instances", s, run.concurrency)
		}
		f.Close()
	}
	for id, d := range w.desks {
		other := map[tenant.ID]string{"acme": "globex", "globex": "acme"}[id]
		for _, known := range d.Tickets() {
			for _, note := range d.Notes(known.Key) {
				if !strings.Contains(note.Body, "Secret of "+string(id)) || strings.Contains(note.Body, other) {
					t.Errorf("ticket %s of %s has a note without its own past, or with another's:\n%s", known.Key, id, note.Body)
				}
			}
		}
	}
}

// knows gives the tenant a past.
func (w *world) knows(id tenant.ID) {
	w.t.Helper()
	now := time.Now()
	w.desks[id].AddTicket(ticket.Ticket{
		Key: "700", Subject: "Print queue on PRN-03 stuck, jobs wait", Description: "All print jobs to PRN-03 wait in the queue since this morning.",
		Closed: true, Status: "Closed", Created: now.AddDate(0, 0, -30), Resolved: now.AddDate(0, 0, -29),
		Resolution: "Stopped the Print Spooler on PS-01, emptied the spool folder, started it again. Secret of " + string(id) + ".",
	})
	var out bytes.Buffer
	p := cli.New(app.Program("test", func() (config.Config, error) { return w.cfg, nil }))
	p.Out, p.Err = &out, &out
	if code := p.Run(w.t.Context(), []string{"import", "--tenant", string(id), "--days", "365"}); code != 0 {
		w.t.Fatalf("import: exit code %d\n%s", code, &out)
	}
}
