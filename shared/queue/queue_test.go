package queue_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/secret"
)

func box(t testing.TB) secret.Box {
	t.Helper()
	aead, err := subtle.NewAESGCM(bytes.Repeat([]byte{1}, 16))
	if err != nil {
		t.Fatal(err)
	}
	return secret.Box{AEAD: aead}
}

func TestSealAndOpenKeepBodyAndTrace(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]queue.Message{
		"empty":      {ID: "1"},
		"plain":      {ID: "1", Body: []byte(`{"id":"7"}`), Trace: map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
		"any bytes":  {ID: "1", Body: []byte("\x00\xff\xfe\"\u2028")},
		"any header": {ID: "1", Trace: map[string]string{"tracestate": "a=\"b\\\x00"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sealed, err := queue.Seal(box(t), "enhancement", m)
			if err != nil {
				t.Fatal(err)
			}
			if len(m.Body) > 0 && bytes.Contains(sealed, m.Body) {
				t.Errorf("the body lies open in %q", sealed)
			}
			got := queue.Message{ID: m.ID}
			if err := queue.Open(box(t), "enhancement", &got, sealed); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(m, got); diff != "" {
				t.Errorf("message (-sealed +opened):\n%s", diff)
			}
		})
	}
}

func TestOpenRefusesWhatWasSealedForAnother(t *testing.T) {
	t.Parallel()
	sealed, err := queue.Seal(box(t), "enhancement", queue.Message{ID: "1", Body: []byte("acme's")})
	if err != nil {
		t.Fatal(err)
	}
	cut := sealed[:len(sealed)-1]
	for name, c := range map[string]struct {
		queue, id string
		sealed    []byte
	}{
		"another queue":   {"catalogue", "1", sealed},
		"another message": {"enhancement", "2", sealed},
		"cut":             {"enhancement", "1", cut},
		"empty":           {"enhancement", "1", nil},
	} {
		m := queue.Message{ID: c.id}
		if err := queue.Open(box(t), c.queue, &m, c.sealed); !errors.Is(err, secret.ErrSealed) {
			t.Errorf("%s: %v, want ErrSealed", name, err)
		}
		if m.Body != nil {
			t.Errorf("%s: it opens all the same: %q", name, m.Body)
		}
	}
}

func TestOpenRefusesASealedTextThatIsNoMessage(t *testing.T) {
	t.Parallel()
	sealed, err := box(t).Seal([]byte("not JSON"), "queue/enhancement/1")
	if err != nil {
		t.Fatal(err)
	}
	if err := queue.Open(box(t), "enhancement", &queue.Message{ID: "1"}, sealed); err == nil || !strings.Contains(err.Error(), "message 1") {
		t.Errorf("%v, want an error that names the message", err)
	}
}

func TestSealRefusesWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	const overhead = len(`{"body":""}`) + 12 + 16 // envelope, nonce and tag
	fits := queue.Message{ID: "1", Body: make([]byte, (queue.MaxBody-overhead)/4*3)}
	sealed, err := queue.Seal(box(t), "enhancement", fits)
	if err != nil || len(sealed) > queue.MaxBody || len(sealed) < queue.MaxBody-4 {
		t.Errorf("%d bytes seal to %d, %v, want just below %d", len(fits.Body), len(sealed), err, queue.MaxBody)
	}
	over := queue.Message{ID: "1", Body: make([]byte, len(fits.Body)+4)}
	if _, err := queue.Seal(box(t), "enhancement", over); !errors.Is(err, queue.ErrTooLarge) {
		t.Errorf("%d bytes: %v, want ErrTooLarge", len(over.Body), err)
	}
}

var errKey = errors.New("the key service is down")

type brokenAEAD struct{}

func (brokenAEAD) Encrypt([]byte, []byte) ([]byte, error) { return nil, errKey }
func (brokenAEAD) Decrypt([]byte, []byte) ([]byte, error) { return nil, errKey }

func TestSealTellsWhyItFails(t *testing.T) {
	t.Parallel()
	if _, err := queue.Seal(secret.Box{AEAD: brokenAEAD{}}, "enhancement", queue.Message{ID: "1"}); !errors.Is(err, errKey) {
		t.Errorf("%v, want the cause", err)
	}
}

func FuzzOpen(f *testing.F) {
	sealed, err := queue.Seal(box(f), "enhancement", queue.Message{ID: "1", Body: []byte("body")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte{})
	b := box(f)
	f.Fuzz(func(t *testing.T, hostile []byte) {
		m := queue.Message{ID: "1"}
		if err := queue.Open(b, "enhancement", &m, hostile); err == nil && string(m.Body) != "body" {
			t.Errorf("%x opens to %q: only what was sealed may open", hostile, m.Body)
		}
	})
}
