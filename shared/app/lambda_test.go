package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/host"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/keyset"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/telemetry"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/webhook"
)

const signing = "signing-secret-of-acme"

// deployed is an App as Lambda has it, with the queue on Postgres; out gets
// what it prints.
func deployed(t *testing.T) (a *App, out *bytes.Buffer) {
	t.Helper()
	key, err := keyset.New()
	if err != nil {
		t.Fatal(err)
	}
	db := pgtest.New(t)
	cfg := config.Config{
		DatabaseURL: secret.New(db.AppURL), DatabaseAdminURL: secret.New(db.AdminURL), DatabaseQueueURL: secret.New(db.QueueURL), DatabaseOwnerURL: secret.New(db.OwnerURL), DatabaseConns: 2,
		SealingKey: key, WorkerConcurrency: 1, WebhooksPerMinute: 10, LogLevel: "info", LogFormat: "json", LambdaAPI: "127.0.0.1:1",
	}
	if _, err := Migrate(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	out = &bytes.Buffer{}
	tel, err := telemetry.Setup(t.Context(), telemetry.Options{Service: "webhook", Level: "info", Format: "json", Out: out, CloudWatch: true})
	if err != nil {
		t.Fatal(err)
	}
	if a, err = New(t.Context(), cfg, tel); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return a, out
}

// event is a signed webhook as API Gateway gives it to a function.
func event(t *testing.T) []byte {
	t.Helper()
	const body = `{"event":"request.created","request_id":"1042"}`
	stamp := fmt.Sprint(time.Now().Unix())
	payload, err := json.Marshal(map[string]any{
		"httpMethod": http.MethodPost, "path": "/webhook/servicedesk/acme", "body": body, "requestContext": map[string]any{"accountId": "123456789012", "stage": "prod"},
		"headers": map[string]string{
			"Content-Type": "application/json", webhook.TimestampHeader: stamp,
			webhook.SignatureHeader: webhook.Sign(secret.New(signing), stamp, []byte(body)),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// TestAFunctionThatWasFrozenKnowsWhoCameMeanwhile adds a tenant while a
// function does nothing: its next invocation is refused while its directory is
// fresh, and accepted once it is old.
func TestAFunctionThatWasFrozenKnowsWhoCameMeanwhile(t *testing.T) { //nolint:paralleltest // telemetry is the process's
	a, out := deployed(t)
	now := time.Now()
	l, err := a.frozen(t.Context(), host.Lambda{HTTP: a.Webhook()}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	status := func() (answer struct{ StatusCode int }) {
		t.Helper()
		raw, err := l.Invoke(t.Context(), event(t))
		if err != nil || json.Unmarshal(raw, &answer) != nil {
			t.Fatalf("%s, %v", raw, err)
		}
		return answer
	}
	installed := tenant.Tenant{ID: "acme", Name: "Acme"}
	if err := a.Office().Install(t.Context(), a.AtTheDesk(), installed, tenant.Connection{
		ID: "acme", Tool: "servicedesk_plus", Signing: []secret.Text{secret.New(signing)}, Routes: map[string]tenant.ID{"": "acme"},
		Values: integration.Values{"base_url": "https://desk.example", "api_key": "key"},
	}); err != nil {
		t.Fatal(err)
	}
	if got := status().StatusCode; got != http.StatusUnauthorized {
		t.Errorf("with the directory of its start it answers %d", got)
	}
	now = now.Add(refreshEvery)
	if got := status().StatusCode; got != http.StatusAccepted {
		t.Errorf("with an old directory it answers %d\n%s", got, out)
	}
	for _, want := range []string{`"CloudWatchMetrics"`, `"status":"202","tenant_id":"acme","webhook_requests_total":1`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the flush did not write %s:\n%s", want, out)
		}
	}
}

func TestAFunctionNeedsSQSAndSaysSo(t *testing.T) { //nolint:paralleltest // telemetry is the process's
	a, _ := deployed(t)
	for name, run := range map[string]func(*App, context.Context) error{"enhance": (*App).RunEnhance, "catalogue": (*App).RunCatalogue} {
		if err := run(a, t.Context()); err == nil || !strings.Contains(err.Error(), "QUEUE_URL: required in Lambda") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAFunctionDoesNotStartAsARoleThatSeesEverything(t *testing.T) { //nolint:paralleltest // telemetry is the process's
	a, _ := deployed(t)
	cfg := a.Config
	cfg.DatabaseURL = cfg.DatabaseOwnerURL
	owner, err := New(t.Context(), cfg, a.Telemetry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(owner.db.Close)
	if err := owner.RunWebhook(t.Context()); err == nil || !strings.Contains(err.Error(), "row-level security does not hold") {
		t.Errorf("it starts as the owner of the tables: %v", err)
	}
}
