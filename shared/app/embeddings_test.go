package app

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/doctor"
	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/telemetry"
	"github.com/deskhand/deskhand/shared/ticket"
)

// listening gives an App with the scripted endpoint, and its log.
func listening(t *testing.T, model string) (*App, *llmtest.Server, *bytes.Buffer) {
	t.Helper()
	server, url := llmtest.Start(t)
	cfg := instances(t, 1)[0].Config
	cfg.OpenAIBaseURL, cfg.OpenAIKey, cfg.OpenAIModel, cfg.EmbeddingModel = url, secret.New("k"), "small", model
	var log bytes.Buffer
	tel, err := telemetry.Setup(t.Context(), telemetry.Options{Service: "test", Level: "info", Format: "json", Out: &log})
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), cfg, tel)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close(context.Background()) })
	return a, server, &log
}

const password = "Tr0ub4dor&3x"

// past is a ticket that holds a password, and a question like it.
func past(t *testing.T, a *App) evidence.Query {
	t.Helper()
	long := "The printer asks for a login.\nPassword: " + password + "\n" + strings.Repeat("The printer asks again. ", 400)
	solved := ticket.Ticket{
		Key: "1", Subject: "Printer login", Description: long[:7_960] + " password: " + password, // across the end of what is sent
		Resolution: "Set the login again.", Created: time.Now().Add(-48 * time.Hour), Resolved: time.Now().Add(-24 * time.Hour),
	}
	other := ticket.Ticket{Key: "2", Subject: "Printer paper", Description: "No paper is left in accounting", Resolution: "Refilled.", Resolved: solved.Resolved}
	if err := a.search().PutTickets(t.Context(), "acme", "acme", "bulk_import", []ticket.Ticket{solved, other}); err != nil {
		t.Fatal(err)
	}
	return evidence.Query{Tenant: "acme", Connection: "acme", Ticket: ticket.Ticket{
		Key: "9", Subject: "Printer login", Description: "The printer asks again, password=" + password, Created: time.Now(),
	}}
}

func found(t *testing.T, a *App, q evidence.Query) []evidence.Item {
	t.Helper()
	items, err := a.evidenceFrom(a.db, time.Now)[0].Find(t.Context(), q)
	if err != nil || len(items) == 0 || items[0].Ref != "1" {
		t.Fatalf("found %+v, %v", items, err)
	}
	return items
}

func TestNoPasswordReachesTheEmbeddingModel(t *testing.T) {
	t.Parallel()
	a, server, log := listening(t, llmtest.EmbeddingModel)
	q := past(t, a)
	if err := a.Catalogue().Learn(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	items := found(t, a, q)
	if !strings.HasSuffix(items[0].Path, "embeddings") {
		t.Errorf("found by %q", items[0].Path)
	}
	calls := server.EmbeddingCalls()
	if len(calls) != 2 || len(calls[0].Texts) != 2 || len(calls[1].Texts) != 1 {
		t.Fatalf("%d calls", len(calls))
	}
	for _, c := range calls {
		for _, text := range c.Texts {
			if strings.Contains(text, password[:5]) || len(text) > 8_000 {
				t.Errorf("%d bytes were sent: %q", len(text), text)
			}
		}
	}
	if all := strings.Join(append(calls[0].Texts, calls[1].Texts...), " "); strings.Count(all, "[redacted password]") < 2 {
		t.Errorf("the passwords are not in what was sent: %s", all)
	}
	if strings.Contains(log.String(), password[:5]) || !strings.Contains(log.String(), `"redacted":{"password":1}`) {
		t.Errorf("log: %s", log)
	}
}

// halfSecret gives a text with a card number across a byte, after a long secret
// that leaves next to nothing of what stands before.
func halfSecret(at int) string {
	begin := "The printer asks again.\npassword: "
	return begin + strings.Repeat("aB3x", at)[:at-len(begin)-1-len(card)/2] + " " + card + strings.Repeat(" again", 20_000)
}

const card = "4111 1111 1111 1111"

func TestNoHalfSecretReachesTheEmbeddingModel(t *testing.T) {
	t.Parallel()
	a, server, _ := listening(t, llmtest.EmbeddingModel)
	q := past(t, a)
	for _, at := range []int{64 << 10, mostText} {
		q.Ticket.Description = halfSecret(at - len(q.Ticket.Subject+"\n\n"))
		// On a starved machine with the race detector, a search may give up its
		// question before the text is through the filter.
		for try := range 3 {
			if try == 0 || len(server.EmbeddingCalls()) == 0 {
				found(t, a, q)
			}
		}
		if _, err := a.embeddings.Embedder.Embed(t.Context(), "m", []string{halfSecret(at)}); (err != nil) != (at == mostText) {
			t.Errorf("cut at %d: %v", at, err)
		}
	}
	calls := server.EmbeddingCalls()
	if len(calls) != 2 {
		t.Errorf("%d calls, want those of the shorter text", len(calls))
	}
	for _, c := range calls {
		if strings.Contains(c.Texts[0], card[:4]) || !strings.Contains(c.Texts[0], "The printer asks again") {
			t.Errorf("sent: %.300q", c.Texts[0])
		}
	}
}

func TestWithoutAnEmbeddingModelNothingIsSent(t *testing.T) {
	t.Parallel()
	a, server, _ := listening(t, "")
	q := past(t, a)
	if err := a.Catalogue().Learn(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if items := found(t, a, q); strings.Contains(items[0].Path, "embeddings") {
		t.Errorf("found by %q", items[0].Path)
	}
	if n := len(server.EmbeddingCalls()) + len(server.Calls()); n != 0 {
		t.Errorf("%d calls", n)
	}
	a.Config.OpenAIKey, a.Config.EmbeddingModel = secret.Text{}, "m"
	a.model, a.embeddings = nil, nil
	if err := a.openModel(); err != nil || a.model != nil || a.embeddings != nil {
		t.Errorf("without a key: %v, %v, %v", a.model, a.embeddings, err)
	}
}

func TestASearchGoesOnWithoutAnEndpoint(t *testing.T) {
	t.Parallel()
	a, server, log := listening(t, "m")
	q := past(t, a)
	server.NextEmbedding(llmtest.Status(503, "overloaded"), llmtest.Drop())
	if err := a.Catalogue().Learn(t.Context(), "acme"); err == nil || !strings.Contains(err.Error(), "embed documents of acme: 2 tickets: openai: embed with m: the model does not answer: status 503: overloaded") {
		t.Errorf("error %v", err)
	}
	if items := found(t, a, q); strings.Contains(items[0].Path, "embeddings") {
		t.Errorf("found by %q", items[0].Path)
	}
	if !strings.Contains(log.String(), "the search goes on without embeddings") {
		t.Errorf("log: %s", log)
	}
}

func TestAnEndpointThatFailedThreeTimesIsNotAskedByTheNextSearch(t *testing.T) {
	t.Parallel()
	a, server, log := listening(t, "m")
	q := past(t, a)
	down := llmtest.Status(503, "overloaded")
	server.NextEmbedding(down, down, down)
	for range 4 {
		found(t, a, q)
	}
	if n := len(server.EmbeddingCalls()); n != 3 || !strings.Contains(log.String(), "left alone for a while") {
		t.Errorf("%d calls, log: %s", n, log)
	}
	if err := a.Catalogue().Learn(t.Context(), "acme"); err != nil { // which nobody waits for
		t.Error(err)
	}
}

func TestTheDoctorAsksTheEmbeddingModel(t *testing.T) {
	t.Parallel()
	a, server, _ := listening(t, "vendor/vectors")
	server.NextEmbedding(llmtest.Answer{}, llmtest.Status(404, "no such model"))
	for _, want := range []struct {
		verdict doctor.Verdict
		text    string
	}{{doctor.OK, "vendor/vectors gives vectors"}, {doctor.Warn, "no such model"}} {
		results := examine(t.Context(), func() (config.Config, error) { return a.Config, nil })
		wantVerdict(t, results, "model", want.verdict, want.text)
	}
}
