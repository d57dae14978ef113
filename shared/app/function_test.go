package app

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/audit"

	"github.com/deskhand/deskhand/shared/cli"
	"github.com/deskhand/deskhand/shared/metric"
)

// ordered gives an order to a as the host does.
func ordered(t *testing.T, a *App, operator string, command ...string) cli.Answer {
	t.Helper()
	payload, err := json.Marshal(cli.Order{Command: command, Operator: operator})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := a.command(metric.Request(t.Context(), "request-of-aws"), payload)
	if err != nil {
		t.Fatal(err)
	}
	var answer cli.Answer
	if err := strictly(raw, &answer); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return answer
}

func TestAnOrderIsInTheTrailUnderTheNameThatIsClaimed(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	a := instances(t, 1)[0]
	a.Log = slog.New(slog.NewJSONHandler(&log, nil))
	if got := ordered(t, a, "anna\x1b[31m\n", "tenant", "edit", "acme", "--set", "history_days=120"); got.Exit != 0 {
		t.Fatalf("%+v", got)
	}
	if got := ordered(t, a, "anna", "tenant", "add", "acme", "--set", "base_url=https://sdp.example.com", "--set", "api_key=hidden-key", "--secret=hidden-signing-secret"); got.Exit != 0 {
		t.Fatalf("%+v", got)
	}
	got := ordered(t, a, "", "audit", "export", "--tenant", "acme", "--since", "2026-01-01")
	for _, want := range []string{`"actor":"function:claimed:anna[31m"`, `"correlation_id":"request-of-aws"`, `"actor":"function:claimed:anna"`, `"operation":"trail_exported","actor":"function","`} {
		if !strings.Contains(got.Stdout, want) {
			t.Errorf("the trail lacks %s:\n%s%s", want, got.Stdout, got.Stderr)
		}
	}
	if a.Actor != audit.System {
		t.Errorf("an order named the process %q", a.Actor)
	}
	if strings.Contains(log.String(), "hidden") || !strings.Contains(log.String(), `"actor":"function:claimed:anna","exit":0`) {
		t.Errorf("the log:\n%s", &log)
	}
	if got := ordered(t, a, "anna", "doctor"); !strings.Contains(got.Stdout, "directory") || !strings.Contains(got.Stdout, "2 tenants, 2 connections") {
		t.Errorf("%+v", got)
	}
}

func TestWhatIsNoOrderIsRefusedWithoutQuotingIt(t *testing.T) {
	t.Parallel()
	a := instances(t, 1)[0]
	for _, payload := range []string{
		`{}`, `null`, `[]`, `"hidden"`, `{"command":[]}`, `{"command":"hidden"}`, `{"command":["tenant","list"],"hidden":1}`,
		`{"command":["tenant","list"]} {"command":["hidden"]}`, `{"command":["tenant","list"],"operator":["hidden"]}`,
	} {
		if answer, err := a.command(t.Context(), []byte(payload)); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %s, %v", payload, answer, err)
		}
	}
}

func TestAClaimedNameIsShortAndPrintable(t *testing.T) {
	t.Parallel()
	for operator, want := range map[string]string{
		"":                       "function",
		"\n\t\x00":               "function",
		"anna":                   "function:claimed:anna",
		"cli:root":               "function:claimed:cli:root",
		"änne\u202e":             "function:claimed:änne",
		strings.Repeat("ä", 500): "function:claimed:" + strings.Repeat("ä", 64),
	} {
		if got := claimed(operator); got != want {
			t.Errorf("%q is %q, want %q", operator, got, want)
		}
	}
}
