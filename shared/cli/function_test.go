package cli_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/cli"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/tenant"
)

// remote is an operator's program whose function is that of the world; sent
// gets what goes there.
func remote(w *world, sent *[][]string) *cli.Program {
	here, there := w.program(), w.program()
	here.Open = func(context.Context) (*operator.Desk, error) { return nil, errors.New("no database here") }
	here.Call = func(ctx context.Context, function string, args []string) (operator.Answer, error) {
		*sent = append(*sent, append([]string{function}, args...))
		return cli.Answer(ctx, there.Program, args), nil
	}
	return here
}

func TestAFunctionRunsTheCommandAndHereItIsPrinted(t *testing.T) {
	t.Parallel()
	for args, c := range map[string]struct {
		code     int
		out, err string
		sent     int
	}{
		"--function f tenant show acme":     {0, "Acme Legal", "", 1},
		"tenant show acme --function=f":     {0, "Acme Legal", "", 1},
		"--function f tenant show nobody":   {1, "", "deskhand tenant show: unknown tenant", 1},
		"--function f tenant nonsense":      {2, "", "deskhand --help", 0},
		"--function f --help":               {0, "DESKHAND_FUNCTION", "", 0},
		"--function f import --tenant acme": {1, "", "an import may take hours", 0},
		"--function f keygen --rotate":      {1, "", "leave --function", 0},
		"--function f migrate":              {1, "", "function migrate", 0},
		"tenant show acme":                  {1, "", "no database here", 0},
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			var sent [][]string
			w := newWorld()
			code := remote(w, &sent).Run(t.Context(), strings.Fields(args))
			if code != c.code || !strings.Contains(w.out.String(), c.out) || !strings.Contains(w.err.String(), c.err) || len(sent) != c.sent {
				t.Errorf("exit code %d, sent %q\n%s%s", code, sent, w.out.String(), w.err.String())
			}
		})
	}
}

func TestTheSecretOfTheEnvironmentIsReadHere(t *testing.T) {
	t.Setenv("WEBHOOK_SECRET", "of-this-machine")
	var sent [][]string
	w := newWorld()
	p := remote(w, &sent)
	for _, args := range [][]string{
		{"--function", "f", "tenant", "add", "globex", "--set", "base_url=https://x.example", "--set", "api_key=k"},
		{"--function", "f", "tenant", "add", "--set", "base_url=https://x.example", "--set", "api_key=k", "--secret", "given-to-the-command", "--", "globex"},
	} {
		if code := p.Run(t.Context(), args); code != 0 {
			t.Fatal(w.err.String())
		}
	}
	t.Setenv("WEBHOOK_SECRET", "of-the-function")
	var got []string
	for _, text := range w.directory.Connections["globex"].Signing {
		got = append(got, text.Reveal())
	}
	if diff := cmp.Diff([]string{"given-to-the-command", "of-this-machine"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestFilesAndStandardInputAreReadHere has the function's own files be none of
// the sender's.
func TestFilesAndStandardInputAreReadHere(t *testing.T) {
	t.Parallel()
	var sent [][]string
	w := newWorld()
	w.in = "@key of this machine\n"
	url := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(url, []byte("https://x.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := remote(w, &sent)
	for _, args := range [][]string{
		{"--function", "f", "tenant", "add", "globex", "--set", "base_url=@" + url, "--set=api_key=@-"},
		{"--function", "f", "tenant", "add", "--set=base_url=@" + url, "--set", "api_key=k", "--", "initech"},
	} {
		if code := p.Run(t.Context(), args); code != 0 {
			t.Fatal(w.err.String())
		}
	}
	for id, key := range map[string]string{"globex": "@key of this machine", "initech": "k"} {
		if diff := cmp.Diff(integration.Values{"base_url": "https://x.example", "api_key": key}, w.directory.Connections[id].Values); diff != "" {
			t.Errorf("%s: %s", id, diff)
		}
	}
	if code := p.Run(t.Context(), []string{"--function", "f", "tenant", "add", "globex", "--set", "api_key=@/nowhere"}); code != 1 || len(sent) != 2 || !strings.Contains(w.err.String(), "--set api_key") {
		t.Errorf("exit code %d, %d orders: %s", code, len(sent), w.err.String())
	}
}

func TestFilesComeBackFromTheFunction(t *testing.T) {
	t.Parallel()
	var sent [][]string
	w, dir := newWorld(), filepath.Join(t.TempDir(), "acme")
	export := []string{"--function", "f", "tenant", "export", "acme", "--out", dir}
	if code := remote(w, &sent).Run(t.Context(), export); code != 0 || !strings.Contains(w.out.String(), "articles.jsonl: 2 rows") {
		t.Fatalf("exit code %d\n%s%s", code, w.out.String(), w.err.String())
	}
	body, err := os.ReadFile(filepath.Join(dir, "articles.jsonl"))
	info, errStat := os.Stat(filepath.Join(dir, "passwd.jsonl"))
	if err != nil || errStat != nil || string(body) != "{\"row\":0}\n{\"row\":1}\n" || info.Mode().Perm() != 0o600 {
		t.Errorf("%q, %v, %v, %v", body, err, info, errStat)
	}
	if code := remote(w, &sent).Run(t.Context(), export); code != 1 || len(sent) != 1 || !strings.Contains(w.err.String(), "must not be there") {
		t.Errorf("a second time: exit code %d, %d orders: %s", code, len(sent), w.err.String())
	}

	w.rights.exportErr = errors.New("the database went away")
	export[len(export)-1] = dir + "2"
	if code := remote(w, &sent).Run(t.Context(), export); code != 1 || !strings.Contains(w.err.String(), "went away") {
		t.Errorf("exit code %d: %s", code, w.err.String())
	}
	if _, err := os.Stat(dir + "2"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder of nothing stays: %v", err)
	}
}

func TestAnAnswerThatIsTooLargeIsRefusedInWords(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.program()
	open := p.Open
	p.Open = func(ctx context.Context) (*operator.Desk, error) {
		d, err := open(ctx)
		row := strings.Repeat("x", 1<<20)
		d.Export = func(_ context.Context, _ tenant.ID, put func(table, row string) error) ([]string, error) {
			for range 100 {
				if err := put("articles", row); err != nil {
					return nil, err
				}
			}
			t.Error("it went on")
			return nil, nil
		}
		d.Trail = func(_ context.Context, _ tenant.ID, _ audit.Query, do func(audit.Event) error) error {
			for range 100 {
				if err := do(audit.Event{Ticket: row}); err != nil {
					return err
				}
			}
			return nil
		}
		return d, err
	}
	for _, args := range []string{"tenant export acme --out x", "audit export --tenant acme --since 2026-01-01"} {
		a := cli.Answer(t.Context(), p.Program, strings.Fields(args))
		if a.Exit != 1 || a.Stdout != "" || a.Files != nil || !strings.Contains(a.Stderr, "over the limit of a function (4 MB)") {
			t.Errorf("%s: %.2000v", args, a)
		}
	}
}

func TestAProgramThatReachesNoFunctionSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.program()
	p.Call = nil
	if code := p.Run(t.Context(), []string{"tenant", "list", "--function", "f"}); code != 1 || !strings.Contains(w.err.String(), "calls no functions") {
		t.Errorf("exit code %d: %s", code, w.err.String())
	}
}

func TestACallThatFailsIsTold(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(), filepath.Join(t.TempDir(), "acme")
	p := w.program()
	p.Call = func(context.Context, string, []string) (operator.Answer, error) {
		return operator.Answer{}, errors.New("IAM says no")
	}
	for _, args := range [][]string{{"tenant", "list"}, {"tenant", "export", "acme", "--out", dir}} {
		if code := p.Run(t.Context(), append(args, "--function", "f")); code != 1 || !strings.Contains(w.err.String(), "IAM says no") {
			t.Errorf("%v: exit code %d: %s", args, code, w.err.String())
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder of nothing stays: %v", err)
	}
}
