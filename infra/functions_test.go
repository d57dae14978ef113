package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/catalogue"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/enhance"
)

// variables are those that the configuration reads; true for those that may be
// secret.
func variables() map[string]bool {
	names := map[string]bool{}
	for f := range reflect.TypeFor[config.Config]().Fields() {
		names[f.Tag.Get("env")] = f.Tag.Get("file") != ""
	}
	return names
}

// environment is what a function reads: its variables, and those that its
// secrets hold.
func (s synthesis) environment(t *testing.T, f resource) map[string]string {
	t.Helper()
	env := map[string]string{}
	given, _ := f.get("Environment.Variables").(map[string]any)
	for name, value := range given {
		env[name] = s.plausible(flat(value))
	}
	for id := range strings.SplitSeq(flat(given["SECRETS"]), ",") {
		var first map[string]string
		if err := json.Unmarshal([]byte(s.Resources[id].text("SecretString")), &first); err != nil {
			t.Errorf("%s: SECRETS names %q: %v", f.id, id, err)
		}
		for name := range first {
			if secret, known := variables()[name]; !known || !secret {
				t.Errorf("%s: %s holds %s, which is no variable that may be secret", f.id, id, name)
			}
			env[name] = "something"
		}
	}
	return env
}

// plausible writes what CloudFormation would put in for names of resources.
func (s synthesis) plausible(value string) string {
	return regexp.MustCompile(`[A-Za-z]+[0-9A-F]{8}(\.[A-Za-z.]+)?`).ReplaceAllStringFunc(value, func(name string) string {
		id, _, _ := strings.Cut(name, ".")
		switch s.Resources[id].Type {
		case "AWS::KMS::Key":
			return "arn:aws:kms:eu-west-1:123456789012:key/" + id
		case "AWS::SQS::Queue":
			return "https://sqs.eu-west-1.amazonaws.com/123456789012/" + id
		case "AWS::RDS::DBInstance", "AWS::ElastiCache::ReplicationGroup":
			return strings.ToLower(id) + ".example.com"
		}
		return name
	})
}

func TestEveryFunctionHasTheConfigurationThatItReads(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		for name, f := range s.functions(t) {
			env := s.environment(t, f)
			var lines strings.Builder
			for _, variable := range slices.Sorted(maps.Keys(env)) {
				if _, known := variables()[variable]; !known {
					t.Errorf("%s has %s, which no code reads", name, variable)
				}
				fmt.Fprintf(&lines, "%s='%s'\n", variable, env[variable])
			}
			file := filepath.Join(t.TempDir(), "env")
			if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := config.Read(file)
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, &lines)
			}
			if name == "migrate" {
				if c.DatabaseURL.Empty() || c.DatabaseSecret == "" || c.SealingKMSKey == "" {
					t.Errorf("migrate lacks something: %s", &lines)
				}
			} else if err := c.Check(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got := !c.OpenAIKey.Empty(); got != (name == "enhance") {
				t.Errorf("%s has the model's key: %v", name, got)
			}
		}
	})
}

// TestWhoGetsWhichRoleOfPostgres holds each role to the functions that need
// it: who takes another one over cannot administer. A role is a URL and the
// secret for it, which differ from those of the others.
func TestWhoGetsWhichRoleOfPostgres(t *testing.T) {
	t.Parallel()
	roles := map[string]struct{ user, functions string }{
		"DATABASE":       {"app_user", "admin catalogue enhance migrate webhook"},
		"DATABASE_ADMIN": {"admin_user", "admin migrate"},
		"DATABASE_OWNER": {"deskhand", "migrate"},
		"DATABASE_QUEUE": {"", ""}, // the queues are on SQS
	}
	for variable := range variables() {
		role, url := strings.CutSuffix(variable, "_URL")
		if _, known := roles[role]; url && strings.HasPrefix(role, "DATABASE") && !known {
			t.Errorf("%s: say here which functions get it", variable)
		}
	}
	eachStage(t, func(t *testing.T, s synthesis) {
		for role, want := range roles {
			var got []string
			for name, f := range s.functions(t) {
				env, _ := f.get("Environment.Variables").(map[string]any)
				url, secret := env[role+"_URL"], flat(env[role+"_SECRET"])
				if (url != nil) != (secret != "") {
					t.Errorf("%s has the URL of %s, or its secret, without the other", name, role)
				}
				if url == nil {
					continue
				}
				got = append(got, name)
				if user := s.user(secret); user != want.user {
					t.Errorf("%s: %s_SECRET (%s) is of %q, want %s", name, role, secret, user, want.user)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(want.functions, strings.Join(got, " ")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", role, diff)
			}
		}
	})
}

// user is the username in the secret that is attached to Postgres so.
func (s synthesis) user(attachment string) string {
	secret := s.Resources[s.Resources[attachment].text("SecretId")]
	var first struct{ Username string }
	_ = json.Unmarshal([]byte(secret.text("GenerateSecretString.SecretStringTemplate")), &first) // another secret has no such user
	return first.Username
}

func TestNoVariableIsASecret(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		for name, f := range s.functions(t) {
			given, _ := f.get("Environment.Variables").(map[string]any)
			for variable, value := range given {
				if text := flat(value); strings.Contains(text, "resolve:") || strings.Contains(text, "@") {
					t.Errorf("%s: %s has a secret in it", name, variable)
				}
				if secret := variables()[variable]; secret && !slices.Contains([]string{"DATABASE_URL", "DATABASE_ADMIN_URL", "DATABASE_OWNER_URL", "REDIS_URL"}, variable) {
					t.Errorf("%s: %s belongs into a secret", name, variable)
				}
			}
		}
	})
}

func TestConnectionsAreCheckedAgainstTheDatabasesAuthority(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		for name, f := range s.functions(t) {
			env := s.environment(t, f)
			for _, variable := range []string{"DATABASE_URL", "DATABASE_ADMIN_URL", "DATABASE_OWNER_URL"} {
				if url, ok := env[variable]; ok && !strings.HasSuffix(url, ":5432/deskhand?sslmode=verify-full&sslrootcert=/opt/rds.pem") {
					t.Errorf("%s: %s is %s", name, variable, url)
				}
			}
			if url, ok := env["REDIS_URL"]; ok && !strings.HasPrefix(url, "rediss://") {
				t.Errorf("%s: REDIS_URL is %s", name, url)
			}
			if layers := flatten(f.get("Layers")); len(layers) != 1 || !strings.Contains(layers[0], "Certificates") {
				t.Errorf("%s: layers %q", name, layers)
			}
		}
		roots, err := os.ReadFile("certificates/rds.pem")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(roots), "# Amazon RDS "+s.Stage.Region+" Root CA RSA2048 G1\n") {
			t.Errorf("certificates/rds.pem has no root for %s", s.Stage.Region)
		}
	})
}

func TestFunctionsAreWhatMakeBuildBuilds(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob("../functions/*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	eachStage(t, func(t *testing.T, s synthesis) {
		list := s.functions(t)
		if len(list) != len(folders) {
			t.Errorf("%d functions are deployed, and %d are in functions/", len(list), len(folders))
		}
		for name, f := range list {
			if !slices.Contains(folders, "../functions/"+name+"/main.go") {
				t.Errorf("%s is not in functions/", name)
			}
			if !slices.ContainsFunc(flatten(f.DependsOn), func(id string) bool { return s.Resources[id].Type == "AWS::IAM::Policy" }) {
				t.Errorf("%s does not wait for its permissions: %q", name, flatten(f.DependsOn))
			}
			f.want(t, map[string]any{"Runtime": "provided.al2023", "Handler": "bootstrap", "Architectures": []string{"arm64"}})
			if f.get("ReservedConcurrentExecutions") == nil || !strings.HasPrefix(f.text("LoggingConfig.LogGroup"), "Functions") {
				t.Errorf("%s: concurrency %v, log %s", name, f.get("ReservedConcurrentExecutions"), f.text("LoggingConfig.LogGroup"))
			}
		}
	})
}

// TestTimeLimitsFitTheBudgetsOfTheCode reads the budgets of the code.
func TestTimeLimitsFitTheBudgetsOfTheCode(t *testing.T) {
	t.Parallel()
	const gateway, margin = 29 * time.Second, 5 * time.Second
	source, err := os.ReadFile("../shared/app/queues.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`catalogueLimit\s+= (\d+) \* time\.Minute`).FindSubmatch(source)
	if found == nil {
		t.Fatal("shared/app/queues.go has no catalogueLimit")
	}
	minutes, _ := strconv.Atoi(string(found[1]))
	least := map[string]time.Duration{"enhance": enhance.JobLimit + margin, "catalogue": time.Duration(minutes)*time.Minute + margin}
	eachStage(t, func(t *testing.T, s synthesis) {
		limits := map[string]time.Duration{}
		for name, f := range s.functions(t) {
			seconds, _ := f.get("Timeout").(float64)
			limits[name] = time.Duration(seconds) * time.Second
			if limits[name] < least[name] || limits[name] > 15*time.Minute {
				t.Errorf("%s has %s, and its work may take %s", name, limits[name], least[name])
			}
		}
		if limits["webhook"] >= gateway {
			t.Errorf("webhook has %s, and API Gateway waits for %s", limits["webhook"], gateway)
		}
		for _, m := range s.of(t, "AWS::Lambda::EventSourceMapping") {
			name := s.named(t, m.text("FunctionName"))
			queue := s.Resources[strings.TrimSuffix(m.text("EventSourceArn"), ".Arn")]
			hidden, _ := queue.get("VisibilityTimeout").(float64)
			if time.Duration(hidden)*time.Second < 6*limits[name] {
				t.Errorf("%s hides messages for %v s, and %s has %s", queue.id, hidden, name, limits[name])
			}
		}
	})
}

// named gives the name of the function with that id.
func (s synthesis) named(t *testing.T, id string) string {
	t.Helper()
	for name, f := range s.functions(t) {
		if f.id == id {
			return name
		}
	}
	t.Fatalf("%s is no function of ours", id)
	return ""
}

func TestQueuesFeedTheirFunctions(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		got := map[string]string{}
		list := s.functions(t)
		for _, m := range s.of(t, "AWS::Lambda::EventSourceMapping") {
			name := s.named(t, m.text("FunctionName"))
			env := list[name].get("Environment.Variables").(map[string]any)
			for _, variable := range []string{"QUEUE_URL", "CATALOGUE_QUEUE_URL"} {
				if m.text("EventSourceArn") == flat(env[variable])+".Arn" {
					got[name] = variable
				}
			}
			m.want(t, map[string]any{
				"BatchSize": 1, "FunctionResponseTypes": []string{"ReportBatchItemFailures"}, "Enabled": nil,
				"ScalingConfig.MaximumConcurrency": list[name].get("ReservedConcurrentExecutions"),
			})
			if atOnce, _ := m.get("ScalingConfig.MaximumConcurrency").(float64); name == "enhance" && atOnce < 50 {
				t.Errorf("enhance works on %v at once, want 50 or more", atOnce)
			}
		}
		if diff := cmp.Diff(map[string]string{"enhance": "QUEUE_URL", "catalogue": "CATALOGUE_QUEUE_URL"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestThePoolsFitThePostgres bounds the connections, a pool for each role of a
// function: RDS Proxy would pin those that set_config uses.
func TestThePoolsFitThePostgres(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		var connections, reserved int
		for _, f := range s.functions(t) {
			atOnce, _ := f.get("ReservedConcurrentExecutions").(float64)
			pool, err := strconv.Atoi(flat(f.get("Environment.Variables.DATABASE_CONNS")))
			if err != nil {
				t.Errorf("%s: DATABASE_CONNS: %v", f.id, err)
			}
			env, _ := f.get("Environment.Variables").(map[string]any)
			for variable := range env {
				if strings.HasPrefix(variable, "DATABASE_") && strings.HasSuffix(variable, "_URL") {
					connections += int(atOnce) * pool
				}
			}
			reserved += int(atOnce)
		}
		most := s.Stage.Database.MaxConnections
		if with := connections + podConns; 100*with > 80*most { // also where it has no cluster yet
			t.Errorf("functions may open %d connections, with pods %d, over 80 %% of %d", connections, with, most)
		}
		if s.Stage.Cluster.Admin != "" {
			connections += podConns
		}
		if got := s.Stage.connections(); got != connections {
			t.Errorf("the stage counts %d connections, and it may be %d", got, connections)
		}
		if byMemory := s.Stage.Database.MemoryGiB << 30 / 9531392; most > min(byMemory, 5000) { // RDS' own default
			t.Errorf("max_connections is %d, and the memory of db.%s is for %d", most, s.Stage.Database.Class, byMemory)
		}
		if reserved > 900 { // of the 1,000 of an account, 100 are never reserved
			t.Errorf("%d are reserved", reserved)
		}
	})
}

func TestTheClockTicksAsOftenAsTheSchedules(t *testing.T) {
	t.Parallel()
	for _, s := range catalogue.Schedules() {
		if s.Every%tickEvery() != 0 {
			t.Errorf("%s is due each %s, between two ticks", s.Name, s.Every)
		}
	}
	eachStage(t, func(t *testing.T, s synthesis) {
		rules := slices.DeleteFunc(s.of(t, "AWS::Events::Rule"), func(r resource) bool { return r.get("ScheduleExpression") == nil })
		if len(rules) != 1 {
			t.Fatalf("%d clocks", len(rules))
		}
		rule := rules[0]
		rule.want(t, map[string]any{"ScheduleExpression": "rate(1 minute)", "State": "ENABLED"})
		target, _ := rule.get("Targets").([]any)[0].(map[string]any)
		if id := strings.TrimSuffix(flat(target["Arn"]), ".Arn"); s.named(t, id) != "catalogue" || target["Input"] != nil {
			t.Errorf("target %v: host wants AWS' own scheduled event", target)
		}
	})
}

func TestMigrateRunsBeforeTheOthersAreDeployed(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		trigger := s.of(t, "Custom::Trigger")[0]
		version := s.Resources[trigger.text("HandlerArn")]
		if name := s.named(t, version.text("FunctionName")); name != "migrate" {
			t.Errorf("%s is triggered", name)
		}
		trigger.want(t, map[string]any{"ExecuteOnHandlerChange": true, "InvocationType": "RequestResponse", "Deployed": deployed(built, s.Stage)})
		after := strings.Join(flatten(trigger.DependsOn), " ")
		for _, want := range []string{"DataPostgres", "NetworkVpcSecrets", "NetworkVpcKms", "DataAppUserAttachment", "DataAdminUserAttachment", "DataApplication"} {
			if !strings.Contains(after, want) {
				t.Errorf("migrate may run before %s is there: %s", want, after)
			}
		}
		for name, f := range s.functions(t) {
			if waits := slices.Contains(flatten(f.DependsOn), trigger.id); waits != (name != "migrate") {
				t.Errorf("%s waits for migrate: %v", name, waits)
			}
		}
	})
}

// TestWhatIsDeployedChangesWithAnyFunctionAndTheStage: migrate is called where
// it does.
func TestWhatIsDeployedChangesWithAnyFunctionAndTheStage(t *testing.T) {
	t.Parallel()
	folder, stage := t.TempDir(), Stage{Name: "dev", Region: "eu-west-1"}
	build := func(name, code string) {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name, "bootstrap"), []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build("migrate", "1")
	build("webhook", "1")
	before := deployed(folder, stage)
	build("webhook", "1")
	if deployed(folder, stage) != before {
		t.Error("it changes with another build of the same")
	}
	build("webhook", "2")
	code := deployed(folder, stage)
	stage.Environment = map[string]string{"LOG_LEVEL": "debug"}
	if code == before || deployed(folder, stage) == code {
		t.Error("a change is not seen")
	}
}
