package lambdaruntime_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/localstack/lambdaruntime"
)

// bootstrap is the built file of testdata/bootstrap.
var bootstrap string

var quiet = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "lambdaruntime")
	if err != nil {
		panic(err)
	}
	bootstrap = filepath.Join(dir, "bootstrap")
	if err := lambdaruntime.Build(context.Background(), "", "./testdata/bootstrap", runtime.GOARCH, bootstrap); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// deploy gives a function that is closed after the test.
func deploy(t *testing.T, f *lambdaruntime.Function) *lambdaruntime.Function {
	t.Helper()
	f.Name = "echo"
	if f.Bootstrap == "" {
		f.Bootstrap = bootstrap
	}
	if f.Timeout == 0 {
		f.Timeout = 20 * time.Second
	}
	t.Cleanup(f.Close)
	return f
}

func invoke(t *testing.T, f *lambdaruntime.Function, event string) lambdaruntime.Result {
	t.Helper()
	r, err := f.Invoke(t.Context(), []byte(event))
	if err != nil {
		t.Fatalf("Invoke(%s) = %v", event, err)
	}
	return r
}

// seen is what the function tells of itself.
type seen struct {
	Calls, PID     int
	Env            []string
	LeftMS         int `json:"left_ms"`
	ID, ARN, Trace string
}

func look(t *testing.T, r lambdaruntime.Result) (s seen) {
	t.Helper()
	if err := json.Unmarshal(r.Payload, &s); err != nil || r.FunctionError != "" {
		t.Fatalf("%v in %s %s", err, r.FunctionError, r.Payload)
	}
	return s
}

func TestAProcessGetsWhatLambdaGivesAndNothingElse(t *testing.T) {
	t.Parallel()
	f := deploy(t, &lambdaruntime.Function{Env: map[string]string{"QUEUE_URL": "q", "_HANDLER": "mine"}, Timeout: 30 * time.Second})
	r := invoke(t, f, `{}`)
	s := look(t, r)
	if s.ID != r.RequestID || s.ARN != f.ARN() || !strings.HasPrefix(s.Trace, "Root=1-") || s.LeftMS < 20_000 || s.LeftMS > 30_000 {
		t.Errorf("%+v", s)
	}
	var names []string
	for _, v := range s.Env {
		name, _, _ := strings.Cut(v, "=")
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{
		"AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
		"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION",
		"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT", "LANG", "PATH", "QUEUE_URL", "TZ", "_HANDLER", "_X_AMZN_TRACE_ID",
	}
	if diff := cmp.Diff(want, names); diff != "" || !slices.Contains(s.Env, "_HANDLER=bootstrap") || !slices.Contains(s.Env, "AWS_LAMBDA_FUNCTION_NAME=echo") {
		t.Errorf("environment %v: %s", s.Env, diff)
	}
}

func TestAnInstanceIsKeptAndUsedAgain(t *testing.T) {
	t.Parallel()
	f := deploy(t, &lambdaruntime.Function{})
	first, second := invoke(t, f, `{}`), invoke(t, f, `{}`)
	a, b := look(t, first), look(t, second)
	if !first.Cold || first.Init <= 0 || second.Cold || second.Init != 0 || a.PID != b.PID || b.Calls != 2 || a.ID == b.ID {
		t.Errorf("%+v %+v", first, second)
	}
	if s := f.Stats(); s != (lambdaruntime.Stats{Invocations: 2, Cold: 1, Instances: 1}) {
		t.Errorf("%+v", s)
	}
}

func TestInstancesRunOneInvocationEachUpToTheLimit(t *testing.T) {
	t.Parallel()
	f := deploy(t, &lambdaruntime.Function{Concurrency: 3})
	var wg sync.WaitGroup
	results := make(chan seen, 3)
	for range 3 {
		wg.Go(func() { results <- look(t, invoke(t, f, `{"Sleep":1500}`)) })
	}
	for f.Stats().Invocations < 3 {
		time.Sleep(time.Millisecond)
	}
	if _, err := f.Invoke(t.Context(), []byte(`{}`)); !errors.Is(err, lambdaruntime.ErrThrottled) {
		t.Errorf("the fourth: %v", err)
	}
	wg.Wait()
	close(results)
	processes := map[int]bool{}
	for s := range results {
		processes[s.PID] = s.Calls == 1
	}
	if len(processes) != 3 || f.Stats().Throttled != 1 {
		t.Errorf("%v %+v", processes, f.Stats())
	}
}

func TestFailuresAreThoseOfLambda(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		event, kind, message string
		kept                 bool // the instance
	}{
		{`{"Do":"fail"}`, "errorString", "it did not work", true},
		{`{"Do":"panic"}`, "string", "at the disco", false},
		{`{"Do":"exit"}`, "Runtime.ExitError", "exit status 7", false},
		{`{"Sleep":60000}`, "Sandbox.Timedout", "Task timed out after 1.00 seconds", false},
		{`{"Do":"large","Size":6300000}`, "Function.ResponseSizeTooLarge", "exceeded maximum", false},
	} {
		t.Run(tt.event, func(t *testing.T) {
			t.Parallel()
			limit := 20 * time.Second // of what fails by itself, on however busy a machine
			if tt.kind == "Sandbox.Timedout" {
				limit = time.Second
			}
			f := deploy(t, &lambdaruntime.Function{Timeout: limit})
			before := look(t, invoke(t, f, `{}`))
			r := invoke(t, f, tt.event)
			if got := r.Failure(); r.FunctionError != "Unhandled" || got.Type != tt.kind || !strings.Contains(got.Message, tt.message) {
				t.Errorf("%s: %s", r.FunctionError, r.Payload)
			}
			after := look(t, invoke(t, f, `{}`))
			if kept := before.PID == after.PID; kept != tt.kept {
				t.Errorf("instance kept: %t, want %t", kept, tt.kept)
			}
			if s := f.Stats(); s.Instances != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestAFailingInitIsReportedAndBackedOff(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ init, kind, message string }{
		{"exit", "Runtime.ExitError", "exit status 3"},
		{"report", "Extension.Boom", "no database"},
		{"hang", "Sandbox.Timedout", "Init phase timed out"},
	} {
		t.Run(tt.init, func(t *testing.T) {
			t.Parallel()
			f := deploy(t, &lambdaruntime.Function{Env: map[string]string{"INIT": tt.init}, InitTimeout: time.Second})
			for range 3 { // the others come while it is backed off
				r := invoke(t, f, `{}`)
				if got := r.Failure(); got.Type != tt.kind || !strings.Contains(got.Message, tt.message) {
					t.Errorf("%s", r.Payload)
				}
			}
			if s := f.Stats(); s.Instances != 0 || s.Cold != 0 || s.InitFailures == 0 || s.InitFailures > 2 {
				t.Errorf("%+v", s)
			}
		})
	}
	missing := deploy(t, &lambdaruntime.Function{Bootstrap: filepath.Join(t.TempDir(), "bootstrap")})
	if r := invoke(t, missing, `{}`); r.Failure().Type != "Runtime.InvalidEntrypoint" {
		t.Errorf("%s", r.Payload)
	}
}

func TestAnInvocationGoesOnWithoutItsCaller(t *testing.T) {
	t.Parallel()
	f := deploy(t, &lambdaruntime.Function{Concurrency: 1})
	invoke(t, f, `{}`)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := f.Invoke(ctx, []byte(`{"Sleep":300}`)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Invoke = %v", err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		r, err := f.Invoke(t.Context(), []byte(`{}`))
		if err == nil {
			if s := look(t, r); s.Calls != 3 {
				t.Errorf("%d calls, want the one without a caller among them", s.Calls)
			}
			return
		}
		if !errors.Is(err, lambdaruntime.ErrThrottled) || time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestKillFailsWhatRuns(t *testing.T) {
	t.Parallel()
	f := deploy(t, &lambdaruntime.Function{})
	invoke(t, f, `{}`)
	result := make(chan lambdaruntime.Result, 1)
	go func() {
		r, _ := f.Invoke(context.Background(), []byte(`{"Sleep":60000}`))
		result <- r
	}()
	for f.Stats().Invocations < 2 {
		time.Sleep(time.Millisecond)
	}
	if n := f.Kill(); n != 1 {
		t.Errorf("killed %d", n)
	}
	if r := <-result; r.Failure().Type != "Runtime.ExitError" || !strings.Contains(r.Failure().Message, "signal: killed") {
		t.Errorf("%s", r.Payload)
	}
	if r := invoke(t, f, `{}`); !r.Cold {
		t.Error("the next invocation found the dead instance")
	}
	f.Kill() // an idle one
	if r := invoke(t, f, `{}`); !r.Cold {
		t.Error("the next invocation found the dead idle instance")
	}
}

func TestWhatIsFrozenIsKilledWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	f := deploy(t, &lambdaruntime.Function{Timeout: time.Second})
	invoke(t, f, `{}`)
	if n := f.Freeze(); n != 1 {
		t.Errorf("froze %d", n)
	}
	if r := invoke(t, f, `{}`); r.Failure().Type != "Sandbox.Timedout" || f.Stats().Timeouts != 1 {
		t.Errorf("%s %+v", r.Payload, f.Stats())
	}
	if r := invoke(t, f, `{}`); !r.Cold {
		t.Error("the next invocation found the frozen instance")
	}
}

func TestCloseSendsSIGTERMWhereAnExtensionIsRegistered(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "drained")
	f := deploy(t, &lambdaruntime.Function{Env: map[string]string{"TERM_FILE": file}})
	invoke(t, f, `{}`)
	f.Close()
	if b, err := os.ReadFile(file); err != nil || string(b) != "drained" || f.Stats().Drained != 1 {
		t.Errorf("%s, %v, %+v", b, err, f.Stats())
	}
	if _, err := f.Invoke(t.Context(), []byte(`{}`)); err == nil {
		t.Error("a closed function runs")
	}
	plain := deploy(t, &lambdaruntime.Function{})
	s := look(t, invoke(t, plain, `{}`))
	plain.Close()
	if plain.Stats().Drained != 0 {
		t.Error("SIGTERM without an extension")
	}
	if err := exec.Command("kill", "-0", fmt.Sprint(s.PID)).Run(); err == nil {
		t.Error("the process still runs")
	}
}

func TestPayloadsAreBoundedAndOutputIsKept(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := deploy(t, &lambdaruntime.Function{Output: &out})
	if _, err := f.Invoke(t.Context(), make([]byte, 6<<20+1)); !errors.Is(err, lambdaruntime.ErrTooLarge) {
		t.Errorf("Invoke = %v", err)
	}
	invoke(t, f, `{"Do":"fail"}`)
	f.Close()
	if !strings.Contains(out.String(), "it did not work") {
		t.Errorf("output: %s", &out)
	}
}

// TestWhatIsTestedIsBuiltAsWhatIsDeployed holds `make build` to Flags.
func TestWhatIsTestedIsBuiltAsWhatIsDeployed(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range lambdaruntime.Flags {
		name, value, _ := strings.Cut(flag, "=")
		if value != "" && strings.Contains(value, " ") {
			flag = name + "='" + value + "'" // for the shell
		}
		if !strings.Contains(string(makefile), " "+flag+" ") {
			t.Errorf("make build lacks %s", flag)
		}
	}
}
