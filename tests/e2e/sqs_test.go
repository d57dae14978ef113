package e2e_test

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/queue/sqs/sqsfake"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
)

// queues is the stand-in for SQS of this process: the SDK finds it by the
// environment, as it finds AWS.
var queues = sync.OnceValue(func() *sqsfake.Server { return &sqsfake.Server{} })

// sqsEnvironment points the SDK at the stand-in.
func sqsEnvironment() {
	server := httptest.NewServer(queues())
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_SQS": server.URL, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_EC2_METADATA_DISABLED": "true",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
}

// onSQS gives the world queues of its own on SQS.
func (w *world) onSQS() {
	w.t.Helper()
	world := rand.Text()
	create := func(name string) (url, dead string) {
		name += "-" + world
		queues().Create(name+"-dead", sqsfake.Settings{})
		queues().Create(name, sqsfake.Settings{DeadLetters: name + "-dead", MaxReceives: 10})
		url = os.Getenv("AWS_ENDPOINT_URL_SQS") + "/000000000000/" + name
		return url, url + "-dead"
	}
	w.cfg.QueueURL, w.cfg.QueueDeadURL = create("enhancement")
	w.cfg.CatalogueQueueURL, w.cfg.CatalogueQueueDeadURL = create("catalogue")
}

// stored counts what a queue on SQS holds, hidden or not.
func (w *world) stored(url string) int {
	w.t.Helper()
	var messages []json.RawMessage
	if err := json.Unmarshal([]byte(queues().Stored(path.Base(url))), &messages); err != nil {
		w.t.Fatal(err)
	}
	return len(messages)
}

func TestOnSQSANewTicketGetsItsNote(t *testing.T) {
	t.Parallel()
	w := build(t)
	w.onSQS()
	w.run()
	key := w.desks["acme"].AddTicket(printing)
	job := w.created("acme", key)
	if again := w.created("acme", key); again != job {
		t.Errorf("the repeat got job %s, not %s", again, job)
	}
	if r := w.ended(job); r.Status != "completed" || len(w.desks["acme"].Notes(key)) != 1 {
		t.Errorf("record %+v, %d notes", r, len(w.desks["acme"].Notes(key)))
	}
	var onPostgres int
	if err := w.owner.QueryRow(t.Context(), "SELECT count(*) FROM river.river_job").Scan(&onPostgres); err != nil || onPostgres != 0 {
		t.Errorf("%d messages on Postgres, %v", onPostgres, err)
	}

	rejected := w.desks["acme"].AddTicket(printing)
	w.desks["acme"].Fail(servicedeskplusfake.Fault{
		Route: "POST requests/{id}/notes", Times: -1, Status: 400, Body: `{"response_status":{"status_code":4000,"status":"failed","messages":[{"status_code":4012,"fields":["category"]}]}}`,
	})
	job = w.created("acme", rejected)
	w.eventually("the dead letter with its reason", 30*time.Second, func() bool {
		out := w.cli("queue", "peek", "--dead")
		return strings.Contains(out, job) && strings.Contains(out, "needs an operator")
	})
	w.desks["acme"].Heal()
	w.cli("queue", "redrive", job)
	w.note("acme", rejected)
}

// TestOnSQSWebhooksAreTakenWithoutPostgresAndRedis holds a warm process to
// what it waits for: SQS alone. What it took then is worked on later.
func TestOnSQSWebhooksAreTakenWithoutPostgresAndRedis(t *testing.T) {
	t.Parallel()
	wr, db := wired(t, pgtest.New(t))
	w := buildOn(t, db)
	w.onSQS()
	w.serve()
	var tickets []string
	for _, outage := range []struct {
		name  string
		begin func()
	}{
		{"Postgres is silent", wr.Silence},
		{"Postgres is stopped", wr.Cut},
		{"both are stopped", w.redis.Close},
		{"Redis is stopped", wr.Mend},
	} {
		outage.begin()
		key := w.desks["acme"].AddTicket(printing)
		tickets = append(tickets, key)
		d := said("acme", "request.created", key)
		start := time.Now()
		if code, answer, _ := w.send(d); code != http.StatusAccepted {
			t.Errorf("%s: %d %v", outage.name, code, answer)
		}
		t.Logf("%s: 202 after %s", outage.name, time.Since(start).Round(time.Millisecond))
		if code, _, _ := w.send(delivery{path: d.path, body: d.body}); code != http.StatusUnauthorized {
			t.Errorf("%s: a forgery is answered with %d", outage.name, code)
		}
	}
	w.start("enhance")
	for _, key := range tickets {
		w.note("acme", key)
	}
}
