package localstack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	gatewaytypes "github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	awssecrets "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/deskhand/deskhand/localstack/lambdaruntime"
	"github.com/deskhand/deskhand/shared/kms/kmstest"
	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/secretsmanager"
	"github.com/deskhand/deskhand/shared/secretsmanager/secretsmanagertest"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
	"github.com/deskhand/deskhand/shared/webhook"
	"github.com/deskhand/deskhand/tests/keep"
	"github.com/deskhand/deskhand/tests/serverless/moto"
)

// installation is a deployment: queues, secrets, a key and functions, with a
// REST API in front of the webhook. All that is secret the functions read from
// LocalStack's Secrets Manager, and their sealing key is encrypted by its KMS.
type installation struct {
	t       *testing.T
	env     map[string]string // of all functions together
	owner   *pgxpool.Pool
	secrets *secretsmanager.Client
	lambda  *lambda.Client // LocalStack's, or one in front of our runtime
	service string         // its URL
	api     string         // the REST API's URL
	log     *lines
}

// application is the name of the secret that every function reads.
const application = "deskhand/application"

// deploy does what `cdk deploy` does, in its order.
func deploy(t *testing.T) *installation {
	t.Helper()
	db := pgtest.New(t)
	in := &installation{t: t, owner: db.Owner(t), log: &lines{}, env: awsEnvironment()}
	keep.Log(t, in.log.all)
	_, err := in.owner.Exec(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public") // migrate is to make it
	check(t, err)
	in.keepSecrets(db)
	queues := moto.Connect(t)
	in.env["QUEUE_URL"], in.env["QUEUE_DEAD_URL"] = moto.Create(t, queues, "deskhand-enhancement", "10")
	in.env["CATALOGUE_QUEUE_URL"], in.env["CATALOGUE_QUEUE_DEAD_URL"] = moto.Create(t, queues, "deskhand-catalogue", "10")
	if incapable == "" {
		in.onLocalStack()
	} else {
		in.onOurRuntime()
	}
	return in
}

// keepSecrets makes the secrets and the key, and leaves in the environment
// only what leads to them.
func (in *installation) keepSecrets(db pgtest.DB) {
	in.t.Helper()
	client, api := secretsmanagertest.Connect(in.t)
	in.secrets = client
	create := func(name, value string) string {
		out, err := api.CreateSecret(in.t.Context(), &awssecrets.CreateSecretInput{Name: &name, SecretString: &value})
		check(in.t, err)
		return *out.ARN
	}
	_, key := kmstest.Create(in.t)
	maps.Copy(in.env, map[string]string{
		"SECRETS": create(application, "{}") + "," + create("deskhand/model", `{"OPENAI_API_KEY":"key-of-the-model"}`), "SEALING_KMS_KEY": key,
		"REDIS_URL": os.Getenv("VALKEY_TEST_URL"), "DATABASE_CONNS": "2",
		"OPENAI_BASE_URL": serve(in.t, &llmtest.Server{}), "OPENAI_MODEL": llmtest.Model,
	})
	for variable, raw := range map[string]string{"DATABASE": db.AppURL, "DATABASE_ADMIN": db.AdminURL, "DATABASE_OWNER": db.OwnerURL} {
		u, err := url.Parse(raw)
		check(in.t, err)
		password, _ := u.User.Password()
		in.env[variable+"_SECRET"] = create("deskhand/"+strings.ToLower(variable), fmt.Sprintf(`{"username":%q,"password":%q,"port":5432}`, u.User.Username(), password))
		u.User = nil
		in.env[variable+"_URL"] = u.String()
	}
}

// of is the environment of one function: as the CDK app has it, admin and
// migrate alone get what administers, and migrate alone what owns the schema.
func (in *installation) of(name string) map[string]string {
	env := maps.Clone(in.env)
	maps.DeleteFunc(env, func(variable, _ string) bool {
		return name != "migrate" && strings.HasPrefix(variable, "DATABASE_OWNER_") ||
			name != "migrate" && name != "admin" && strings.HasPrefix(variable, "DATABASE_ADMIN_")
	})
	return env
}

// onLocalStack deploys to LocalStack's own Lambda.
func (in *installation) onLocalStack() {
	in.t.Helper()
	in.lambda, in.service = lambda.NewFromConfig(sdk), endpoint
	arns := map[string]string{}
	for _, name := range []string{"migrate", "webhook", "enhance", "admin"} {
		file, err := os.ReadFile(bootstrap(name))
		check(in.t, err)
		arn, err := create(in.t.Context(), in.lambda, name, file, in.of(name))
		check(in.t, err)
		arns[name] = arn
	}
	in.migrate()
	queue := in.env["QUEUE_URL"]
	_, err := in.lambda.CreateEventSourceMapping(in.t.Context(), &lambda.CreateEventSourceMappingInput{
		EventSourceArn: aws.String("arn:aws:sqs:" + region + ":000000000000:" + queue[strings.LastIndex(queue, "/")+1:]), FunctionName: aws.String("enhance"),
		BatchSize: aws.Int32(1), FunctionResponseTypes: []types.FunctionResponseType{types.FunctionResponseTypeReportBatchItemFailures},
	})
	check(in.t, err)
	in.api = restAPI(in.t, "deskhand", apigateway.PutIntegrationInput{
		Type: gatewaytypes.IntegrationTypeAwsProxy, IntegrationHttpMethod: aws.String(http.MethodPost),
		Uri: aws.String("arn:aws:apigateway:" + region + ":lambda:path/2015-03-31/functions/" + arns["webhook"] + "/invocations"),
	})
}

// onOurRuntime deploys to package lambdaruntime: LocalStack's REST API passes
// requests on to it, and its event source mapping polls LocalStack's SQS.
func (in *installation) onOurRuntime() {
	in.t.Helper()
	functions := map[string]*lambdaruntime.Function{}
	api := lambdaruntime.Service{}
	for _, name := range []string{"migrate", "webhook", "enhance", "admin"} {
		f := &lambdaruntime.Function{Name: name, Bootstrap: bootstrap(name), Env: in.of(name), Timeout: time.Minute, Output: in.log}
		in.t.Cleanup(f.Close)
		functions[name], api[name] = f, f
	}
	in.service = serve(in.t, api)
	in.lambda = lambda.NewFromConfig(sdk, func(o *lambda.Options) { o.BaseEndpoint = &in.service })
	in.migrate()
	front := serve(in.t, lambdaruntime.Gateway{Function: functions["webhook"], Binary: []string{"*/*"}})
	in.api = restAPI(in.t, "deskhand", apigateway.PutIntegrationInput{
		Type: gatewaytypes.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("ANY"), Uri: aws.String(front + "/{proxy}"),
		RequestParameters: map[string]string{"integration.request.path.proxy": "method.request.path.proxy"},
	})
	ctx, cancel := context.WithCancel(context.Background())
	mapping := lambdaruntime.Mapping{
		Client: moto.Connect(in.t), QueueURL: in.env["QUEUE_URL"], Function: functions["enhance"], BatchSize: 1, Concurrency: 2, Visibility: time.Minute,
		Log: slog.New(slog.NewJSONHandler(in.log, nil)),
	}
	var polling sync.WaitGroup
	polling.Go(func() {
		if err := mapping.Run(ctx); err != nil {
			in.t.Error(err)
		}
	})
	in.t.Cleanup(func() { cancel(); polling.Wait() })
}

// migrate invokes the function of that name, as every deployment does.
func (in *installation) migrate() {
	in.t.Helper()
	out, err := in.lambda.Invoke(in.t.Context(), &lambda.InvokeInput{FunctionName: aws.String("migrate"), Payload: []byte(`{"RequestType":"Create"}`)})
	check(in.t, err)
	if !strings.HasPrefix(string(out.Payload), `{"applied":`) {
		in.t.Fatalf("migrate: %s\n%s", out.Payload, in.log)
	}
}

// operate runs the operator's command by the function admin.
func (in *installation) operate(env []string, args ...string) string {
	in.t.Helper()
	c := exec.CommandContext(in.t.Context(), filepath.Join(bootstraps, "deskhand"), append([]string{"--function", "admin"}, args...)...)
	c.Dir = in.t.TempDir()
	c.Env = append([]string{"HOME=" + c.Dir, "AWS_ENDPOINT_URL_LAMBDA=" + in.service, "AWS_REGION=" + region, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"}, env...)
	out, err := c.CombinedOutput()
	if err != nil {
		in.t.Fatalf("deskhand %v: %v\n%s\n%s", args, err, out, in.log)
	}
	return string(out)
}

// signing is the webhook secret of a tenant's connection.
func signing(id tenant.ID) secret.Text { return secret.New("signing-secret-of-" + string(id)) }

// add adds a tenant with a ServiceDesk Plus of its own.
func (in *installation) add(id tenant.ID) *servicedeskplusfake.Server {
	in.t.Helper()
	desk := servicedeskplusfake.New(servicedeskplusfake.Options{APIKey: "key-of-" + string(id)})
	in.t.Cleanup(desk.Close)
	in.operate([]string{"WEBHOOK_SECRET=" + signing(id).Reveal()}, "tenant", "add", string(id), "--set", "base_url="+serve(in.t, desk), "--set", "api_key=key-of-"+string(id))
	in.operate(nil, "tenant", "edit", string(id), "--set", "allowed_networks="+gateway+"/32")
	return desk
}

// send posts a webhook to the REST API.
func (in *installation) send(id tenant.ID, key secret.Text, at time.Time, ticket string) (code int, answer map[string]any) {
	in.t.Helper()
	body := fmt.Sprintf(`{"event":"request.created","request_id":%q}`, ticket)
	r, err := http.NewRequestWithContext(in.t.Context(), http.MethodPost, in.api+"/webhook/servicedesk/"+string(id), strings.NewReader(body))
	check(in.t, err)
	stamp := strconv.FormatInt(at.Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(webhook.TimestampHeader, stamp)
	r.Header.Set(webhook.SignatureHeader, webhook.Sign(key, stamp, []byte(body)))
	response, err := http.DefaultClient.Do(r)
	check(in.t, err)
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	check(in.t, err)
	if json.Unmarshal(raw, &answer) != nil {
		in.t.Logf("answered with %d %s", response.StatusCode, raw)
	}
	return response.StatusCode, answer
}

func TestASignedWebhookThroughTheRESTAPIBecomesOneNote(t *testing.T) {
	t.Parallel()
	in := deploy(t)
	object, err := in.secrets.Object(t.Context(), application)
	if err != nil || !strings.Contains(object["SEALING_KEY"].Reveal(), "encryptedKeyset") {
		t.Fatalf("migrate left no sealing key that KMS encrypted: %v", err)
	}
	desks := map[tenant.ID]*servicedeskplusfake.Server{"acme": in.add("acme"), "globex": in.add("globex")}
	for id, desk := range desks {
		key := desk.AddTicket(ticket.Ticket{Subject: "Print jobs wait", Description: "The print queue on PRN-03 (10.20.4.31) is stuck.", Requester: "Ana Ruiz", Status: "Open"})
		at := time.Now() // of the signature: at another time it is another webhook
		job := in.accepted(id, at, key)
		if again := in.accepted(id, at, key); again != job || job == "" {
			t.Errorf("the repeat got job %s, not %s", again, job)
		}
		in.completed(job)
		if again := in.accepted(id, at, key); again != job {
			t.Errorf("the late repeat got job %s, not %s", again, job)
		}
		in.drained()
		if notes := desk.Notes(key); len(notes) != 1 || notes[0].Public {
			t.Errorf("%s: %d notes: %+v", id, len(notes), notes)
		}
	}
	if code, answer := in.send("acme", signing("globex"), time.Now(), "43"); code != http.StatusUnauthorized {
		t.Errorf("another tenant's signature: %d %v", code, answer)
	}
	for _, hidden := range []string{signing("acme").Reveal(), "key-of-acme", "key-of-the-model", "deskhand-test"} {
		if strings.Contains(in.log.all(), hidden) {
			t.Errorf("the functions' log has %s", hidden)
		}
	}
}

// accepted sends the webhook of a ticket until it is taken, and gives its job.
func (in *installation) accepted(id tenant.ID, at time.Time, key string) (job string) {
	in.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		code, answer := in.send(id, signing(id), at, key)
		if code == http.StatusAccepted {
			job, _ = answer["job_id"].(string)
			return job
		}
		// A connection is known within 10 s, and a busy queue is a 503.
		if (code != http.StatusUnauthorized && code != http.StatusServiceUnavailable) || time.Now().After(deadline) {
			in.t.Fatalf("the webhook was answered with %d %v\n%s", code, answer, in.log)
		}
	}
}

// completed waits for the record of a job.
func (in *installation) completed(job string) {
	in.t.Helper()
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var status, reason string
		err := in.owner.QueryRow(in.t.Context(), "SELECT status, error FROM enhancement_history WHERE job_id = $1", job).Scan(&status, &reason)
		if err == nil && status == "completed" {
			return
		}
		if status == "failed" || time.Now().After(deadline) {
			in.t.Fatalf("job %s: %q %s, %v\n%s", job, status, reason, err, in.log)
		}
	}
}

// drained waits until nothing is left on the queue, and wants nothing dead.
func (in *installation) drained() {
	in.t.Helper()
	count := func(url string) string {
		out, err := moto.Connect(in.t).GetQueueAttributes(in.t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{
			sqstypes.QueueAttributeNameApproximateNumberOfMessages, sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
			sqstypes.QueueAttributeNameApproximateNumberOfMessagesDelayed,
		}})
		check(in.t, err)
		return strings.Join(slices.Sorted(maps.Values(out.Attributes)), " ")
	}
	for deadline := time.Now().Add(30 * time.Second); count(in.env["QUEUE_URL"]) != "0 0 0"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			in.t.Fatalf("the queue has %s messages\n%s", count(in.env["QUEUE_URL"]), in.log)
		}
	}
	if dead := count(in.env["QUEUE_DEAD_URL"]); dead != "0 0 0" {
		in.t.Errorf("the dead letters are %s", dead)
	}
}

// lines is what the functions print.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String gives the last lines, without measurements.
func (l *lines) String() string {
	all := slices.DeleteFunc(slices.Collect(strings.Lines(l.all())), func(line string) bool { return strings.HasPrefix(line, `{"_aws"`) })
	return strings.Join(all[max(0, len(all)-25):], "")
}

func (l *lines) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
