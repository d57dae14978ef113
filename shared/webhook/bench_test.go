package webhook_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing"
	"github.com/deskhand/deskhand/shared/webhook"
)

// forgetful is a memory in which every webhook is the first.
type forgetful struct{}

func (forgetful) Job(context.Context, tenant.ID, string) (string, bool)          { return "", false }
func (forgetful) Mark(context.Context, tenant.ID, string, string, time.Duration) {}

// discard is a queue that takes everything.
type discard struct{}

func (discard) Send(context.Context, ...queue.Message) error { return nil }

// BenchmarkAccept compares the whole way of a webhook of 630 bytes with its
// floor: a handler that reads the body and answers. The queue costs nothing
// in both. Nothing is traced.
func BenchmarkAccept(b *testing.B) {
	body := []byte(`{"id":"1042","tenant":"acme","description":"` + strings.Repeat("x", 585) + `"}`)
	dir := directory()
	rc := &webhook.Receiver{
		Directory: func() tenant.Directory { return dir },
		Tool:      func(string) (string, bool) { return "servicedesk_plus", true },
		Open:      func(tenant.Connection) (ticketing.Tool, error) { return standIn{}, nil },
		Enhance:   discard{}, Catalogue: discard{}, Seen: forgetful{},
		Limit: &limit{used: map[tenant.ID]int{}}, Now: func() time.Time { return now },
		Log: slog.New(slog.NewJSONHandler(io.MultiWriter(), nil)), // written, to nowhere
	}
	signature := webhook.Sign(acmeKey, "1767225600", body)
	floor := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
	})
	for _, run := range []struct {
		name    string
		path    string
		handler http.Handler
	}{
		{"floor", "/", floor},
		{"by_connection", "/webhook/servicedesk/acme", rc.Routes()},
		{"by_body", "/webhook/servicedesk", rc.Routes()},
	} {
		b.Run(run.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, run.path, bytes.NewReader(body))
				r.Header["Content-Type"] = []string{"application/json"}
				r.Header[http.CanonicalHeaderKey(webhook.TimestampHeader)] = []string{"1767225600"}
				r.Header[http.CanonicalHeaderKey(webhook.SignatureHeader)] = []string{signature}
				w := httptest.NewRecorder()
				run.handler.ServeHTTP(w, r)
				if w.Code != http.StatusAccepted {
					b.Fatalf("answered %d %s", w.Code, w.Body)
				}
			}
		})
	}
}
