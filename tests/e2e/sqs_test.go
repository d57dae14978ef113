package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
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
	base := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(w.t.Name()))
	make := func(name string) string {
		queues().Create(base+"-"+name, sqsfake.Settings{})
		return os.Getenv("AWS_ENDPOINT_URL_SQS") + "/000000000000/" + base + "-" + name
	}
	w.cfg.QueueURL, w.cfg.QueueDeadURL = make("enhancement"), make("enhancement-dead")
	w.cfg.CatalogueQueueURL, w.cfg.CatalogueQueueDeadURL = make("catalogue"), make("catalogue-dead")
}

func TestOnSQSANewTicketGetsItsNote(t *testing.T) {
	t.Parallel()
	w := build(t, nil, nil)
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

func TestOnSQSWebhooksAreTakenWithoutPostgresAndRedis(t *testing.T) {
	t.Parallel()
	wr, db := wired(t, pgtest.New(t))
	w := buildOn(t, db, nil, nil)
	w.onSQS()
	w.serve()
	send := func(ticket string) (int, map[string]any) {
		code, answer, _ := w.send(delivery{path: "/webhook/servicedesk/acme", key: signing("acme"), body: fmt.Sprintf(`{"ticket_id":%q}`, ticket)})
		return code, answer
	}
	wr.Cut()
	if code, answer := send("1"); code != http.StatusAccepted {
		t.Errorf("without Postgres: %d %v", code, answer)
	}
	w.redis.Close()
	if code, answer := send("2"); code != http.StatusAccepted {
		t.Errorf("without both: %d %v", code, answer)
	}
	wr.Mend()
	if code, answer := send("3"); code != http.StatusAccepted {
		t.Errorf("without Redis: %d %v", code, answer)
	}
}

func TestOnSQSAColdProcessWithoutPostgresSaysLater(t *testing.T) {
	t.Parallel()
	wr, db := wired(t, pgtest.New(t))
	w := buildOn(t, db, nil, nil)
	w.onSQS()
	wr.Cut()
	w.cold = true
	w.serve()
	if code, answer, header := w.send(delivery{path: "/webhook/servicedesk/acme", key: signing("acme"), body: `{"ticket_id":"1"}`}); code != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("%d %v", code, answer)
	}
}
