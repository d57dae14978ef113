package app

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/doctor"
	"github.com/deskhand/deskhand/shared/queue/sqs/sqsfake"
)

// TestTheDoctorLooksAtTheQueuesOnSQS has one queue as it should be and one that
// loses messages.
func TestTheDoctorLooksAtTheQueuesOnSQS(t *testing.T) { //nolint:paralleltest // the SDK reads the process's environment
	const day = 24 * time.Hour
	var fake sqsfake.Server
	server := httptest.NewServer(&fake)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_SQS": server.URL, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
	} {
		t.Setenv(name, value)
	}
	for _, name := range []string{EnhancementQueue, CatalogueQueue} {
		fake.Create(name+"-dead", sqsfake.Settings{Retention: 14 * day})
		fake.Create(name, sqsfake.Settings{Retention: 7 * day, DeadLetters: name + "-dead", MaxReceives: 10})
	}
	w := newWard(t)
	c, at := &w.cfg, server.URL+"/000000000000/"
	c.QueueURL, c.QueueDeadURL = at+EnhancementQueue, at+EnhancementQueue+"-dead"
	c.CatalogueQueueURL, c.CatalogueQueueDeadURL = at+CatalogueQueue, at+CatalogueQueue+"-dead"

	results := w.examine(t)
	for _, name := range []string{EnhancementQueue, CatalogueQueue} {
		wantVerdict(t, results, "queue", doctor.OK, name+": 0 wait")
	}
	fake.Create(CatalogueQueue, sqsfake.Settings{DeadLetters: "elsewhere", MaxReceives: 3})
	results = w.examine(t)
	wantVerdict(t, results, "queue", doctor.OK, EnhancementQueue+": 0 wait")
	wantVerdict(t, results, "queue", doctor.Fail, "elsewhere")
	wantVerdict(t, results, "queue", doctor.Fail, `message retention period is "345600" seconds`)
}
