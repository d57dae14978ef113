package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/webhook"
)

// delivery is a webhook before it is signed.
type delivery struct {
	path   string
	body   string
	kind   string // content type
	header map[string]string
	key    secret.Text
	stamp  time.Time
}

// said is the webhook of an event of a tenant's ticket.
func said(id tenant.ID, event, key string) delivery {
	return delivery{path: "/webhook/servicedesk/" + string(id), key: signing(id), body: fmt.Sprintf(`{"event":%q,"request_id":%q}`, event, key)}
}

// send posts the webhook, signed with its key where it has one.
func (w *world) send(d delivery) (code int, answer map[string]any, header http.Header) {
	w.t.Helper()
	code, raw, header, err := w.post(d)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		w.t.Fatalf("%s answers %d with what is no JSON: %s", d.path, code, raw)
	}
	return code, answer, header
}

func (w *world) post(d delivery) (code int, answer []byte, header http.Header, err error) {
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+d.path, strings.NewReader(d.body))
	if err != nil {
		return 0, nil, nil, err
	}
	if d.kind == "" {
		d.kind = "application/json"
	}
	r.Header.Set("Content-Type", d.kind)
	if !d.key.Empty() {
		if d.stamp.IsZero() { // like any sender, it sends again what it sent before
			first, _ := w.signed.LoadOrStore(d.path+" "+d.body, time.Now())
			d.stamp = first.(time.Time)
		}
		stamp := strconv.FormatInt(d.stamp.Unix(), 10)
		r.Header.Set(webhook.TimestampHeader, stamp)
		r.Header.Set(webhook.SignatureHeader, webhook.Sign(d.key, stamp, []byte(d.body)))
	}
	for name, value := range d.header {
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, resp.Header, err
}

// created sends the webhook of a new ticket and gives its job id.
func (w *world) created(id tenant.ID, key string) (job string) {
	w.t.Helper()
	return w.taken(said(id, "request.created", key))
}

// taken sends a webhook until it is taken, and gives its job id. On a busy
// machine the queue may take longer than the webhook waits: like any sender,
// it sends again what was answered with 503.
func (w *world) taken(d delivery) (job string) {
	w.t.Helper()
	w.eventually("the webhook is taken", 30*time.Second, func() bool {
		code, answer, _ := w.send(d)
		if code != http.StatusAccepted && code != http.StatusServiceUnavailable {
			w.t.Fatalf("the webhook was answered with %d %v", code, answer)
		}
		job, _ = answer["job_id"].(string)
		return code == http.StatusAccepted
	})
	return job
}

// atOnce sends the webhooks of these events of the matrix's ticket at the same
// time, ten of each, likewise.
func (w *world) atOnce(events ...string) {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	var senders sync.WaitGroup
	for i := range 10 * len(events) {
		d := said("acme", events[i%len(events)], w.ticket)
		senders.Go(func() {
			code, answer, _, err := w.post(d)
			for code == http.StatusServiceUnavailable && time.Now().Before(deadline) {
				code, answer, _, err = w.post(d)
			}
			if err != nil || code != http.StatusAccepted {
				w.t.Errorf("a webhook was answered with %d %s, %v", code, answer, err)
			}
		})
	}
	senders.Wait()
}
