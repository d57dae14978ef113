package lambda_test

import (
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/localstack/lambdaruntime"
	"github.com/deskhand/deskhand/shared/kms/kmstest"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/secretsmanager/secretsmanagertest"
	"github.com/deskhand/deskhand/tests/serverless/moto"
)

// TestADeploymentMigratesAndTheFunctionsStartWithItsSecrets deploys twice, as
// CDK does it: migrate makes the schema and the sealing key, and the webhook
// then starts with secrets from Secrets Manager and KMS alone.
func TestADeploymentMigratesAndTheFunctionsStartWithItsSecrets(t *testing.T) {
	t.Parallel()
	client, api := secretsmanagertest.Connect(t)
	application, _ := secretsmanagertest.Create(t, api, "{}")
	_, key := kmstest.Create(t)
	db := pgtest.New(t)
	if _, err := db.Owner(t).Exec(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public"); err != nil {
		t.Fatal(err)
	}
	env := moto.Environment()
	maps.Copy(env, map[string]string{"SECRETS": application, "SEALING_KMS_KEY": key, "DATABASE_CONNS": "2", "LOG_LEVEL": "error"})
	for variable, raw := range map[string]string{"DATABASE": db.AppURL, "DATABASE_OWNER": db.OwnerURL} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		password, _ := u.User.Password()
		env[variable+"_SECRET"], _ = secretsmanagertest.Create(t, api, fmt.Sprintf(`{"username":%q,"password":%q,"port":5432}`, u.User.Username(), password))
		u.User = nil
		env[variable+"_URL"] = u.String()
	}
	log := &lines{}
	migrate := &lambdaruntime.Function{Name: "migrate", Bootstrap: bootstrap("migrate"), Env: env, Timeout: 60 * time.Second, Output: log}
	defer migrate.Close()
	var sealing string
	for i, event := range []string{`{"RequestType":"Create"}`, `[]`} {
		r, err := migrate.Invoke(t.Context(), []byte(event))
		if err != nil || (string(r.Payload) == `{"applied":0}`) != (i > 0) || !strings.HasPrefix(string(r.Payload), `{"applied":`) {
			t.Fatalf("%s: %s, %v\n%s", event, r.Payload, err, log)
		}
		object, err := client.Object(t.Context(), application)
		if err != nil || (i > 0 && object["SEALING_KEY"].Reveal() != sealing) {
			t.Fatalf("the sealing key: %v", err)
		}
		sealing = object["SEALING_KEY"].Reveal()
	}
	moved := moto.Name(t)
	q := moto.Connect(t)
	env["QUEUE_URL"], env["QUEUE_DEAD_URL"] = moto.Create(t, q, moved+"-e", "10")
	env["CATALOGUE_QUEUE_URL"], env["CATALOGUE_QUEUE_DEAD_URL"] = moto.Create(t, q, moved+"-c", "10")
	webhook := &lambdaruntime.Function{Name: "webhook", Bootstrap: bootstrap("webhook"), Env: env, Timeout: 10 * time.Second, Output: log}
	defer webhook.Close()
	var quickest time.Duration
	for range 5 {
		r, err := webhook.Invoke(t.Context(), []byte(`{"httpMethod":"POST","path":"/webhook/servicedesk/nobody","headers":{"Content-Type":"application/json"},"body":"{}","requestContext":{"accountId":"123456789012","stage":"prod"}}`))
		if err != nil || !strings.Contains(string(r.Payload), `"statusCode":401`) {
			t.Fatalf("%s, %v\n%s", r.Payload, err, log)
		}
		if quickest == 0 || r.Init < quickest {
			quickest = r.Init
		}
		webhook.Kill()
	}
	t.Logf("the quickest of five starts with two secrets, a login and a key: %s", quickest)
	for _, word := range []string{"deskhand-test", "keyset"} {
		if strings.Contains(log.all(), word) {
			t.Errorf("%s is in the log:\n%s", word, log.all())
		}
	}
}
