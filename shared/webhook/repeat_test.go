package webhook_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/webhook"
)

// TestSameBodyIsARepetitionForAWhile sends one thin body, without a delivery id
// or anything else that is of its time, again and again: as a retry does, and as
// a ticket does that is reopened.
func TestSameBodyIsARepetitionForAWhile(t *testing.T) {
	t.Parallel()
	slot := now.Truncate(webhook.Window)
	for name, c := range map[string]struct {
		first  time.Time
		after  time.Duration
		repeat bool
	}{
		"at once":                     {slot, 0, true},
		"later in the slot":           {slot, 9 * time.Minute, true},
		"across the border":           {slot.Add(9*time.Minute + 59*time.Second), 2 * time.Second, true},
		"across it, at the last":      {slot.Add(9 * time.Minute), webhook.Window - time.Second, true},
		"when the window has passed":  {slot, webhook.Window, false},
		"after 11 minutes":            {slot, 11 * time.Minute, false},
		"after 11 minutes, from late": {slot.Add(9 * time.Minute), 11 * time.Minute, false},
		"the next day":                {slot, 24 * time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			deliver := func(at time.Time) string {
				b.Now = func() time.Time { return at }
				const body = `{"id":"1042"}`
				return b.bare(t, "/webhook/servicedesk/plain", body, header(webhook.SignatureHeader, webhook.Sign(plainKey, "", []byte(body)))).job(t)
			}
			first := deliver(c.first)
			again := deliver(c.first.Add(c.after))
			sent := b.enhance.messages()
			if c.repeat && (again != first || len(sent) != 1) {
				t.Errorf("jobs are %s and %s, %d queued; want the first job, queued once", first, again, len(sent))
			}
			if !c.repeat && (again == first || len(sent) != 2 || sent[1].ID != again) {
				t.Errorf("jobs are %s and %s, %d queued; want two jobs, both queued", first, again, len(sent))
			}
		})
	}
}

// TestSameChangeIsARepetitionUntilItsJobRuns has a sender without a clock, whose
// body is the same for every change of a ticket.
func TestSameChangeIsARepetitionUntilItsJobRuns(t *testing.T) {
	t.Parallel()
	const body = `{"id":"1042"}`
	for _, kind := range []string{"updated", "replied"} {
		b := setup(t)
		var jobs []string
		for _, after := range []time.Duration{0, 10 * time.Second, ticket.Settle - 6*time.Second, ticket.Settle, ticket.Settle + 10*time.Second, 3 * ticket.Settle} {
			at := now.Add(11*time.Second + after)
			b.Now = func() time.Time { return at }
			jobs = append(jobs, b.bare(t, "/webhook/servicedesk/plain/"+kind, body, header(webhook.SignatureHeader, webhook.Sign(plainKey, "", []byte(body)))).job(t))
		}
		if got := slices.Compact(jobs); len(got) != 3 || len(b.enhance.messages()) != 3 {
			t.Errorf("%s: jobs %v, want three", kind, got)
		}
	}
}

// TestManyChangesOfATicketAreOneJob has ten edits in a minute, each signed at its
// own time, and one of another ticket.
func TestManyChangesOfATicketAreOneJob(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ring := func(at time.Time, id, kind string) string {
		b.Now = func() time.Time { return at }
		return b.send(t, request{path: "/webhook/servicedesk/acme/" + kind, body: fmt.Sprintf(`{"id":%q}`, id), key: acmeKey, at: at}).job(t)
	}
	jobs := map[string]int{}
	for i := range 10 {
		jobs[ring(now.Add(time.Duration(i)*6*time.Second), "1042", []string{"updated", "replied"}[i%2])]++
	}
	sent := b.enhance.messages()
	if len(jobs) > 3 || len(sent) != len(jobs) {
		t.Errorf("ten edits have the jobs %v, and %d messages", jobs, len(sent))
	}
	for i, m := range sent { // each change comes before its job begins
		if i > 0 && m.Sent.Before(sent[i-1].Sent.Add(settled)) || m.Delay != ticket.Settle {
			t.Errorf("job %d is of %s, held back for %s", i, m.Sent, m.Delay)
		}
	}
	if other := ring(now.Add(time.Minute), "1043", "updated"); jobs[other] > 0 {
		t.Error("another ticket's change has the same job")
	}
}

// settled is when a change of a ticket that is in a job's hands is news again.
const settled = ticket.Settle - 5*time.Second

// TestEachRingOfAThinBodyIsAJob has a ticket that is resolved, reopened and
// resolved again: the body is the same each time, but not what is signed.
func TestEachRingOfAThinBodyIsAJob(t *testing.T) {
	t.Parallel()
	for _, v := range []tenant.Verify{tenant.VerifyHMAC, tenant.VerifyStandard, tenant.VerifyZendesk} {
		b := verified(t)
		jobs := map[string]bool{}
		for i, after := range []time.Duration{0, 4 * time.Minute, 8 * time.Minute} {
			d := sent{at: now.Add(after), id: fmt.Sprintf("delivery-%d", i), body: `{"id":"1042"}`}
			b.Now = func() time.Time { return d.at }
			h := sender{v, connOf(v), keyOf(v, newest)}.headers(d)
			for range 2 { // as it was: a repetition
				jobs[b.bare(t, "/webhook/servicedesk/"+connOf(v)+"/resolved", d.body, h).job(t)] = true
			}
		}
		if n := len(b.catalogue.messages()); n != 3 || len(jobs) != 3 {
			t.Errorf("%s: %d of 3 are queued, as %d jobs", v, n, len(jobs))
		}
	}
}

// TestWhatIsSignedOnceIsOneJobWithoutMemory sends one captured delivery on both
// sides of a slot's border, to a receiver that remembers nothing, as it is
// without Redis: the ledger then runs the job once.
func TestWhatIsSignedOnceIsOneJobWithoutMemory(t *testing.T) {
	t.Parallel()
	for _, v := range []tenant.Verify{tenant.VerifyHMAC, tenant.VerifyStandard, tenant.VerifyZendesk, tenant.VerifyJira} {
		b := verified(t)
		b.Seen = forgetful{}
		d := told(now.Add(-2*time.Minute), "delivery")
		h := sender{v, connOf(v), keyOf(v, newest)}.headers(d)
		jobs := map[string]bool{}
		for i, after := range []time.Duration{0, time.Minute, 3 * time.Minute, 5 * time.Minute} {
			b.Now = func() time.Time { return d.at.Add(after) }
			if v == tenant.VerifyJira {
				h.Set("X-Atlassian-Webhook-Identifier", fmt.Sprintf("invented-%d", i)) // no signature covers it
			}
			jobs[b.bare(t, "/webhook/servicedesk/"+connOf(v), d.body, h).job(t)] = true
		}
		if len(jobs) != 1 || len(b.enhance.messages()) != 4 {
			t.Errorf("%s: one delivery has %d jobs", v, len(jobs))
		}
	}
}

// TestAnUnsignedIDTakesNoPlaceOfAnother sends a captured delivery under an id
// that is the digest of another, which is then still a job.
func TestAnUnsignedIDTakesNoPlaceOfAnother(t *testing.T) {
	t.Parallel()
	b := verified(t)
	s := sender{tenant.VerifyJira, connOf(tenant.VerifyJira), keyOf(tenant.VerifyJira, newest)}
	other := told(now.Add(time.Second), "its own")
	captured := told(now, fmt.Sprintf("%x", sha256.Sum256([]byte(other.body))))
	for _, d := range []sent{captured, other} {
		b.bare(t, "/webhook/servicedesk/"+s.conn, d.body, s.headers(d)).job(t)
	}
	if n := len(b.enhance.messages()); n != 2 {
		t.Errorf("%d of 2 are queued", n)
	}
}

func TestSameBodyOfAnotherIsNoRepetition(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const base = "/webhook/servicedesk"
	jobs := map[string]string{}
	for _, r := range []request{
		{path: base + "/acme", body: `{"id":"1"}`, key: acmeKey},
		{path: base + "/acme", body: `{"id":"2"}`, key: acmeKey},
		{path: base + "/acme/resolved", body: `{"id":"1"}`, key: acmeKey},
		{path: base + "/globex", body: `{"id":"1"}`, key: globexKey},
		{path: base + "/msp", body: `{"id":"1","tenant":"acme"}`, key: mspKey},
	} {
		job := b.send(t, r).job(t)
		if other, taken := jobs[job]; taken {
			t.Errorf("%s %s has the job of %s", r.path, r.body, other)
		}
		jobs[job] = r.path + " " + r.body
	}
	if n := len(b.enhance.messages()) + len(b.catalogue.messages()); n != 5 {
		t.Errorf("%d were queued, want 5", n)
	}
}

func TestDeliveryIDIsOneJobForEver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	jobs := map[string]bool{}
	for _, after := range []time.Duration{0, 9 * time.Minute, time.Hour} {
		at := now.Add(after)
		b.Now = func() time.Time { return at }
		jobs[b.send(t, request{path: "/webhook/servicedesk/acme", body: `{"id":"1","delivery":"d-1"}`, key: acmeKey, at: at}).job(t)] = true
	}
	if len(jobs) != 1 {
		t.Errorf("one delivery has the jobs %v", jobs)
	}
}

// TestSenderThatHangsUpStillGetsItsEventQueued has a queue that takes nothing
// once its context is cancelled, as real ones do.
func TestSenderThatHangsUpStillGetsItsEventQueued(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/webhook/servicedesk/acme", strings.NewReader(`{"id":"1"}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(webhook.TimestampHeader, "1767225600")
	r.Header.Set(webhook.SignatureHeader, webhook.Sign(acmeKey, "1767225600", []byte(`{"id":"1"}`)))
	w := httptest.NewRecorder()
	b.Routes().ServeHTTP(w, r)
	if w.Code != http.StatusAccepted || len(b.enhance.messages()) != 1 {
		t.Errorf("answered %d %s, %d queued; want 202 and 1", w.Code, w.Body, len(b.enhance.messages()))
	}
}

// TestCapturedSignatureIsNoPlainOne sends what was signed with a timestamp
// without its header: the timestamp and its dot are then the body's beginning.
func TestCapturedSignatureIsNoPlainOne(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body   string
		key    secret.Text
		status int
	}{
		"9 digits":            {`999999999.&payload={"id":"1"}`, plainKey, 401},
		"10 digits":           {`1767225600.&payload={"id":"1"}`, plainKey, 401},
		"12 digits":           {`176722560000.&payload={"id":"1"}`, plainKey, 401},
		"8 digits are plain":  {`99999999.&payload={"id":"1"}`, plainKey, 202},
		"digits without dot":  {`1767225600&payload={"id":"1"}`, plainKey, 202},
		"later in the body":   {`payload={"id":"1"}&1767225600.`, plainKey, 202},
		"of no known secret":  {`payload={"id":"1"}`, acmeKey, 401},
		"nothing but a stamp": {`1767225600.`, plainKey, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := setup(t).send(t, request{path: "/webhook/servicedesk/plain", body: c.body, header: http.Header{
				"Content-Type":          {"application/x-www-form-urlencoded"},
				webhook.TimestampHeader: nil,
				webhook.SignatureHeader: {webhook.Sign(c.key, "", []byte(c.body))},
			}})
			if got.status != c.status {
				t.Errorf("answered %d %s, want %d", got.status, got.body, c.status)
			}
		})
	}
}
