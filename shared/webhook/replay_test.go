package webhook_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/tenant"
)

// TestReplayIsOneJobOrNone sends a captured delivery of every profile again,
// as it was, until its signature is no longer good.
func TestReplayIsOneJobOrNone(t *testing.T) {
	t.Parallel()
	for _, v := range tenant.Verifies {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			b := verified(t)
			d := told(now, "delivery")
			h := sender{v, connOf(v), keyOf(v, newest)}.headers(d)
			first := b.bare(t, "/webhook/servicedesk/"+connOf(v), d.body, h).job(t)
			for _, after := range []time.Duration{0, time.Second, 4 * time.Minute, 5 * time.Minute, 9 * time.Minute, 35 * time.Minute, 23 * time.Hour, 25 * time.Hour} {
				at := now.Add(after)
				b.Now = func() time.Time { return at }
				got := b.bare(t, "/webhook/servicedesk/"+connOf(v), d.body, h)
				timeless := v == tenant.VerifyPlain || v == tenant.VerifyHeader || v == tenant.VerifyBasic
				switch {
				case timeless && after > 9*time.Minute: // nothing in it is of its time: it rings again, which is why others are preferred
					got.job(t)
				case got.status == http.StatusAccepted:
					if job := got.job(t); job != first {
						t.Errorf("after %s it is another job", after)
					}
				case got.status != http.StatusUnauthorized:
					t.Errorf("after %s it is answered %d", after, got.status)
				}
				if n := len(b.enhance.messages()); n != 1 && !timeless {
					t.Fatalf("after %s there are %d jobs", after, n)
				}
			}
		})
	}
}

// TestLateRetriesAreTaken has the retries of vendors: Jira's come half an hour
// late and as they were, those of Standard Webhooks days late and signed anew.
func TestLateRetriesAreTaken(t *testing.T) {
	t.Parallel()
	for v, again := range map[tenant.Verify]func(time.Duration) sent{
		tenant.VerifyJira: func(time.Duration) sent { return told(now, "delivery") },
		tenant.VerifyStandard: func(after time.Duration) sent {
			d := told(now, "delivery")
			d.at = now.Add(after)
			return d
		},
	} {
		for _, after := range []time.Duration{15 * time.Minute, 30 * time.Minute, 20 * time.Hour} {
			for _, known := range []bool{false, true} {
				b := verified(t)
				s := sender{v, connOf(v), keyOf(v, newest)}
				path, first := "/webhook/servicedesk/"+connOf(v), again(0)
				if known {
					b.bare(t, path, first.body, s.headers(first)).job(t)
				}
				late := again(after)
				b.Now = func() time.Time { return now.Add(after) }
				b.bare(t, path, late.body, s.headers(late)).job(t)
				if n := len(b.enhance.messages()); n != 1 {
					t.Errorf("%s: a retry after %s, known %v: %d jobs", v, after, known, n)
				}
			}
		}
	}
}

// TestCopyUnderAnotherIDIsARepetition has a Jira delivery whose identifier was
// changed, which no signature covers.
func TestCopyUnderAnotherIDIsARepetition(t *testing.T) {
	t.Parallel()
	b := verified(t)
	v := tenant.VerifyJira
	d := told(now, "delivery")
	first := b.bare(t, "/webhook/servicedesk/"+connOf(v), d.body, sender{v, connOf(v), keyOf(v, newest)}.headers(d)).job(t)
	for _, after := range []time.Duration{0, time.Hour, 24 * time.Hour} {
		for _, id := range []string{"delivery", "another", ""} {
			b.Now = func() time.Time { return now.Add(after) }
			d.id = id
			if got := b.bare(t, "/webhook/servicedesk/"+connOf(v), d.body, sender{v, connOf(v), keyOf(v, newest)}.headers(d)).job(t); got != first {
				t.Errorf("after %s, as %q: another job", after, id)
			}
		}
	}
	if n := len(b.enhance.messages()); n != 1 {
		t.Errorf("%d jobs", n)
	}
}

// TestFutureDeliveryIsKnownForAsLongAsItIsGood has the delivery of a sender
// whose clock is ahead, which is good for longest.
func TestFutureDeliveryIsKnownForAsLongAsItIsGood(t *testing.T) {
	t.Parallel()
	for _, v := range tenant.Verifies {
		b := verified(t)
		d := told(now.Add(5*time.Minute), "delivery")
		h := sender{v, connOf(v), keyOf(v, newest)}.headers(d)
		path := "/webhook/servicedesk/" + connOf(v)
		b.bare(t, path, d.body, h).job(t)
		for after := time.Duration(0); after < 25*time.Hour; after += 5*time.Minute - time.Second {
			b.Now = func() time.Time { return now.Add(after) }
			if v != tenant.VerifyPlain && v != tenant.VerifyHeader && v != tenant.VerifyBasic {
				b.bare(t, path, d.body, h)
			}
		}
		if n := len(b.enhance.messages()); n != 1 {
			t.Errorf("%s: %d jobs", v, n)
		}
	}
}
