package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/cli"
	"github.com/deskhand/deskhand/shared/doctor"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/secret"
)

// ask runs a command with what a doctor finds, and what reseal gives.
func ask(t *testing.T, results []doctor.Result, resealed error, args ...string) (code int, out, problem string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	p := cli.New(operator.Program{
		Out: &stdout, Err: &stderr,
		Doctor: func(context.Context) []doctor.Result { return results },
		Keygen: func(_ context.Context, arn string) (secret.Text, error) { return secret.New("fresh" + arn), nil },
		Rotate: func(_ context.Context, how operator.Rotation, arn string) (secret.Text, error) {
			return secret.New("step " + string(how) + arn), nil
		},
		Open: func(context.Context) (*operator.Desk, error) {
			return &operator.Desk{
				Reseal: func(context.Context) (operator.Resealed, error) {
					return operator.Resealed{Done: 11, Already: 1}, resealed
				},
				Close: func(context.Context) error { return nil },
			}, nil
		},
	})
	code = p.Run(t.Context(), args)
	return code, stdout.String(), stderr.String()
}

var findings = []doctor.Result{
	{Check: "postgres", Verdict: doctor.OK, Detail: "answers"},
	{Check: "redis", Verdict: doctor.Warn, Detail: "ping: refused", Means: "Each process its own.", Fix: "Start `redis`."},
	{Check: "permissions", Subject: "acme: View requests", Verdict: doctor.Fail, Detail: "HTTP 403\n\x1b[31m<b>", Means: "No notes.", Fix: "`deskhand tenant test acme`."},
}

func TestDoctorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	code, out, problem := ask(t, findings, nil, "doctor")
	want := "ok    postgres       answers\n" +
		"warn  redis          ping: refused\n      means: Each process its own.\n      fix:   Start redis.\n" +
		"FAIL  permissions    acme: View requests: HTTP 403 [31m<b>\n      means: No notes.\n      fix:   deskhand tenant test acme.\n"
	if code != operator.ExitError || out != want || !strings.Contains(problem, "1 of 3 checks fail: docs/runbooks/doctor.md") {
		t.Errorf("exit code %d, %s\n%s", code, problem, out)
	}
	if code, _, problem := ask(t, findings[:2], nil, "doctor"); code != operator.ExitOK || problem != "" {
		t.Errorf("with a warning alone: exit code %d, %s", code, problem)
	}
}

func TestDoctorSpeaksJSON(t *testing.T) {
	t.Parallel()
	code, out, _ := ask(t, findings, nil, "doctor", "--json")
	var got []doctor.Result
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != operator.ExitError || len(got) != 3 || got[2].Detail != findings[2].Detail {
		t.Errorf("exit code %d, %v:\n%s", code, err, out)
	}
	if strings.Contains(out, "\x1b") {
		t.Error("a control character reached the terminal")
	}
}

func TestKeysAreMadeAndRotated(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{"": "fresh\n", "--add": "step add\n", "--rotate": "step rotate\n", "--retire": "step retire\n", "--kms arn": "fresharn\n", "--add --kms arn": "step addarn\n"} {
		if code, out, problem := ask(t, nil, nil, strings.Fields("keygen "+args)...); code != operator.ExitOK || out != want {
			t.Errorf("keygen %s: exit code %d, %q, %s", args, code, out, problem)
		}
	}
	if code, _, _ := ask(t, nil, nil, "keygen", "--add", "--retire"); code != operator.ExitUsage {
		t.Errorf("two steps at once: exit code %d", code)
	}
}

func TestResealCounts(t *testing.T) {
	t.Parallel()
	if code, out, _ := ask(t, nil, nil, "reseal"); code != operator.ExitOK || !strings.Contains(out, "11 connections sealed again, 1 were") {
		t.Errorf("exit code %d: %s", code, out)
	}
	code, out, problem := ask(t, nil, errors.New("connection msp does not open"), "reseal")
	if code != operator.ExitError || !strings.Contains(out, "11 connections") || !strings.Contains(problem, "msp") || !strings.Contains(problem, "run it again") {
		t.Errorf("exit code %d: %s%s", code, out, problem)
	}
}
