package lambda_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/localstack/lambdaruntime"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/webhook"
)

// printing is a new ticket.
var printing = ticket.Ticket{
	Subject: "Print jobs wait", Description: "The print queue on PRN-03 (10.20.4.31) is stuck, all jobs wait.", Requester: "Ana Ruiz", Status: "Open",
}

// request is a webhook about a ticket, signed at this time.
func request(id tenant.ID, key secret.Text, ticket string, at time.Time) *http.Request {
	body := fmt.Sprintf(`{"event":"request.created","request_id":%q}`, ticket)
	r := httptest.NewRequest(http.MethodPost, "/webhook/servicedesk/"+string(id), strings.NewReader(body))
	stamp := strconv.FormatInt(at.Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(webhook.TimestampHeader, stamp)
	r.Header.Set(webhook.SignatureHeader, webhook.Sign(key, stamp, []byte(body)))
	return r
}

// send sends a request through an API Gateway.
func send(g lambdaruntime.Gateway, r *http.Request) (code int, answer map[string]any, header http.Header) {
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	_ = json.Unmarshal(w.Body.Bytes(), &answer)
	return w.Code, answer, w.Header()
}

// created sends the webhook of a ticket and gives its job id. Like any sender,
// it sends again what was answered with 503, as it was: on a busy machine the
// queue may take longer than the webhook waits.
func (w *world) created(g lambdaruntime.Gateway, id tenant.ID, key string) (job string) {
	w.t.Helper()
	at, _ := w.signed.LoadOrStore(string(id)+" "+key, time.Now())
	w.eventually("the webhook is taken", 30*time.Second, func() bool {
		code, answer, _ := send(g, request(id, signing(id), key, at.(time.Time)))
		if code != http.StatusAccepted && code != http.StatusServiceUnavailable {
			w.t.Fatalf("the webhook was answered with %d %v\n%s", code, answer, w.log)
		}
		job, _ = answer["job_id"].(string)
		return code == http.StatusAccepted
	})
	return job
}

func TestASignedWebhookThroughAPIGatewayBecomesOneNote(t *testing.T) {
	t.Parallel()
	for _, v2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP API %t", v2), func(t *testing.T) {
			t.Parallel()
			w := build(t)
			g := lambdaruntime.Gateway{Function: w.deploy("webhook"), HTTPAPI: v2, Binary: []string{"*/*"}} // as host wants it
			w.attach(w.enhancing, w.deploy("enhance"), lambdaruntime.Mapping{Concurrency: 2})
			for id, d := range w.desks {
				key := d.AddTicket(printing)
				job := w.created(g, id, key)
				if again := w.created(g, id, key); again != job || job == "" {
					t.Errorf("the repeat got job %s, not %s", again, job)
				}
				w.once(id, key, job)
				if again := w.created(g, id, key); again != job { // when the note is there
					t.Errorf("the late repeat got job %s, not %s", again, job)
				}
				w.empty(w.enhancing)
				w.once(id, key, job)
				if note := d.Notes(key)[0]; note.Public {
					t.Errorf("the requester sees the note: %+v", note)
				}
			}
			if code, answer, _ := send(g, request("acme", signing("globex"), "43", time.Now())); code != http.StatusUnauthorized {
				t.Errorf("another tenant's signature: %d %v", code, answer)
			}
			w.empty(w.enhancing)
			if !strings.Contains(w.log.all(), `"request_id":"`) {
				t.Errorf("no line of the log has the id of the invocation:\n%s", w.log)
			}
		})
	}
}
