package lambda_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/localstack/lambdaruntime"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/tenant"
)

// person is the built command on a machine that has AWS credentials, and
// nothing of the installation but the name of a function.
type person struct {
	t   *testing.T
	env []string
	dir string
}

// remote deploys the function admin, and gives an operator who uses it.
func (w *world) remote() (person, *lambdaruntime.Function) {
	w.t.Helper()
	f := w.deploy("admin")
	api := httptest.NewServer(lambdaruntime.Service{"admin": f})
	w.t.Cleanup(api.Close)
	return person{t: w.t, dir: w.t.TempDir(), env: []string{
		"HOME=" + w.t.TempDir(), "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x",
		"AWS_ENDPOINT_URL_LAMBDA=" + api.URL, "DESKHAND_FUNCTION=arn:aws:lambda:eu-west-1:123456789012:function:admin",
	}}, f
}

// administers is the environment of what administers: the other functions have
// no URL of admin_user.
func (w *world) administers() map[string]string {
	env := maps.Clone(w.env)
	env["DATABASE_ADMIN_URL"] = w.cfg.DatabaseAdminURL.Reveal()
	return env
}

// atHome is an operator who has the configuration of the installation.
func (w *world) atHome() person {
	o := person{t: w.t, dir: w.t.TempDir(), env: []string{"HOME=" + w.t.TempDir()}}
	for name, value := range w.administers() {
		o.env = append(o.env, name+"="+value)
	}
	return o
}

// run gives what a command printed, and its exit code.
func (o person) run(args ...string) (stdout, stderr string, code int) {
	o.t.Helper()
	c := exec.CommandContext(o.t.Context(), filepath.Join(bootstraps, "deskhand"), args...)
	var out, told bytes.Buffer
	c.Dir, c.Env, c.Stdout, c.Stderr = o.dir, o.env, &out, &told
	err := c.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		o.t.Fatal(err)
	} else if ok {
		code = exit.ExitCode()
	}
	return out.String(), told.String(), code
}

// says wants a command to end well and to print the text.
func (o person) says(want string, args ...string) string {
	o.t.Helper()
	stdout, stderr, code := o.run(args...)
	if code != 0 || !strings.Contains(stdout, want) {
		o.t.Fatalf("deskhand %v: exit code %d, want %q\n%s%s", args, code, want, stdout, stderr)
	}
	return stdout
}

func TestTheCommandWorksThroughTheFunction(t *testing.T) {
	t.Parallel()
	w := build(t)
	o, f := w.remote()
	o.env = append(o.env, "WEBHOOK_SECRET=whispered-signing-secret")
	const key = "initech-credential"
	o.says("tenant initech is served by connection initech", "tenant", "add", "initech", "--name", "Initech", "--set", "base_url=https://sdp.initech.example", "--set", "api_key="+key)
	o.says("initech", "tenant", "list")
	o.says("Initech", "tenant", "show", "initech")
	o.says("effective everywhere", "tenant", "edit", "initech", "--set", "history_days=120")
	o.says(`"history_days": 120`, "tenant", "show", "initech")
	secret := strings.Fields(strings.SplitAfter(o.says("shown this once", "tenant", "rotate-secret", "initech"), "shown this once: ")[1])[0]
	o.says("2 signing secrets", "tenant", "show", "initech")
	o.says("disabled", "tenant", "disable", "initech")
	o.says("disabled", "tenant", "list")
	o.says("enhancement", "queue", "depth")
	o.says(`"operation":"tenant_disabled"`, "audit", "export", "--tenant", "initech", "--since", "2026-01-01")

	o.says("audit_events.jsonl: ", "tenant", "export", "initech", "--out", "./initech")
	rows, err := os.ReadFile(filepath.Join(o.dir, "initech", "audit_events.jsonl"))
	if err != nil || !bytes.Contains(rows, []byte("tenant_disabled")) {
		t.Errorf("%v: %s", err, rows)
	}
	w.names()
	for _, hidden := range []string{key, secret, "whispered-signing-secret"} {
		if strings.Contains(w.log.all(), hidden) {
			t.Errorf("the log has %s:\n%s", hidden, w.log)
		}
	}
	if s := f.Stats(); s.Crashes+s.Timeouts+s.InitFailures > 0 {
		t.Errorf("%+v", s)
	}
	o.says("tenant initech is erased", "tenant", "erase", "initech", "--yes")
}

// TestASmokeTestNeedsNothingButTheFunction sends the webhook from the function.
func TestASmokeTestNeedsNothingButTheFunction(t *testing.T) {
	t.Parallel()
	w := build(t)
	o, _ := w.remote()
	api := httptest.NewServer(lambdaruntime.Gateway{Function: w.deploy("webhook"), Binary: []string{"*/*"}})
	t.Cleanup(api.Close)
	w.attach(w.enhancing, w.deploy("enhance"), lambdaruntime.Mapping{Concurrency: 2})
	for id := range w.desks {
		o.says("ok: webhook to note", "smoke", "--url", api.URL, "--tenant", string(id))
	}
	if out, told, code := o.run("smoke", "--url", "http://127.0.0.1:1"); code != 1 || !strings.Contains(out+told, "step 3, send the signed webhook") {
		t.Errorf("exit code %d\n%s%s", code, out, told)
	}
}

// names wants the trail to say that a function did it, and for whom, as far as
// anybody knows.
func (w *world) names() {
	w.t.Helper()
	rows, err := w.owner.Query(w.t.Context(), "SELECT DISTINCT actor FROM audit_events WHERE tenant_id = 'initech'")
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var actor string
		if err := rows.Scan(&actor); err != nil || !strings.HasPrefix(actor, "function:claimed:") {
			w.t.Errorf("%q, %v", actor, err)
		}
	}
}

// TestTheCommandEndsTheSameThroughTheFunction runs commands both ways.
func TestTheCommandEndsTheSameThroughTheFunction(t *testing.T) {
	t.Parallel()
	w := build(t)
	away, f := w.remote()
	home := w.atHome()
	for _, c := range []struct {
		args string
		code int
	}{
		{"tenant list", 0},
		{"tenant show acme", 0},
		{"tenant show nobody", 1},
		{"tenant edit acme --set history_days=many", 1},
		{"tenant add Acme! --set base_url=https://x.example --set api_key=k", 1},
		{"tenant add acme --set base_url=nonsense", 1},
		{"tenant erase acme", 1},
		{"token list", 0},
		{"token add one --role viewer --days 999", 1},
		{"queue peek --queue nosuch", 1},
		{"queue redrive", 1},
		{"audit export --tenant nobody --since 2026-01-01", 1},
		{"nonsense", 2},
		{"tenant nonsense", 2},
		{"tenant show", 2},
		{"--help", 0},
	} {
		args := strings.Fields(c.args)
		out, told, code := away.run(args...)
		wantOut, wantTold, wantCode := home.run(args...)
		if code != c.code || wantCode != c.code {
			t.Errorf("%s: exit codes %d through the function and %d without, want %d\n%s\n%s", c.args, code, wantCode, c.code, told, wantTold)
		}
		if diff := cmp.Diff(wantOut, out) + cmp.Diff(wantTold, told); diff != "" {
			t.Errorf("%s prints other text (-here +function):\n%s", c.args, diff)
		}
	}
	before := f.Stats().Invocations
	for _, args := range []string{"import --tenant acme", "migrate", "serve", "keygen", "docs"} {
		if _, told, code := away.run(strings.Fields(args)...); code != 1 || !strings.Contains(told, "no function runs this: ") {
			t.Errorf("%s: exit code %d, %s", args, code, told)
		}
	}
	if now := f.Stats().Invocations; now != before {
		t.Errorf("the refused commands went to the function: %d", now-before)
	}
}

// TestTheFunctionTakesNothingElse sends it what the command does not.
func TestTheFunctionTakesNothingElse(t *testing.T) {
	t.Parallel()
	w := build(t)
	_, f := w.remote()
	order := func(payload string) (a operator.Answer, failure string) {
		t.Helper()
		r, err := f.Invoke(t.Context(), []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		if r.FunctionError == "" {
			if err := json.Unmarshal(r.Payload, &a); err != nil {
				t.Fatalf("%s: %v", r.Payload, err)
			}
		}
		return a, r.Failure().Message
	}
	for _, command := range []string{`"serve"`, `"migrate"`, `"import","--tenant","acme"`, `"keygen","--add"`, `"docs"`} {
		if a, _ := order(`{"command":[` + command + `]}`); a.Exit != 1 || !strings.Contains(a.Stderr, "no function runs this") {
			t.Errorf("%s: %+v", command, a)
		}
	}
	if a, _ := order(`{"command":["nonsense"]}`); a.Exit != 2 {
		t.Errorf("%+v", a)
	}
	if a, _ := order(`{"command":["--function","another","tenant","list"],"operator":"anna"}`); a.Exit != 0 || !strings.Contains(a.Stdout, "acme") {
		t.Errorf("a function asks another: %+v", a)
	}
	for _, payload := range []string{
		`{}`, `[]`, `{"command":null}`, `{"command":[]}`, `{"command":"tenant list"}`, `{"command":["tenant","list"],"stdin":"s3cret"}`,
		`{"command":[{"secret":"s3cret"}]}`, `{"detail-type":"Scheduled Event"}`, `{"Records":[{"eventSource":"aws:sqs"}],"command":["tenant","list"]}`,
	} {
		if a, failure := order(payload); failure == "" || strings.Contains(failure, "s3cret") {
			t.Errorf("%s: %+v, %q", payload, a, failure)
		}
	}
	// An event of API Gateway is a request, whatever is written beside it.
	r, err := f.Invoke(t.Context(), []byte(`{"httpMethod":"GET","path":"/api/v1/tenants","requestContext":{"accountId":"1"},"command":["tenant","list"]}`))
	if err != nil || !strings.Contains(string(r.Payload), `"statusCode":401`) {
		t.Errorf("%s, %v", r.Payload, err)
	}
}

// TestTheAdminAPIRunsAsAFunction reads a tenant over HTTP, with a token that
// was made through the function.
func TestTheAdminAPIRunsAsAFunction(t *testing.T) {
	t.Parallel()
	w := build(t)
	o, f := w.remote()
	token := regexp.MustCompile(`deskhand_\S+`).FindString(o.says("deskhand_", "token", "add", "reader", "--tenant", "acme"))
	for _, v2 := range []bool{false, true} {
		g := lambdaruntime.Gateway{Function: f, HTTPAPI: v2}
		ask := func(id tenant.ID, token string) int {
			r := httptest.NewRequest(http.MethodGet, "/api/v1/tenants/"+string(id), nil)
			r.Header.Set("Authorization", "Bearer "+token)
			code, _, _ := send(g, r)
			return code
		}
		if got := []int{ask("acme", token), ask("globex", token), ask("acme", "deskhand_wrong")}; !cmp.Equal(got, []int{200, 404, 401}) {
			t.Errorf("HTTP API %t: %v", v2, got)
		}
	}
	o.says("acme", "token", "list")
}
