package cli_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/cli"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/preview"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

// looking is what the command looks back at.
type looking struct {
	calls int
	last  int
	size  int // bytes of a resolution
	err   error
}

// extend has the desk know it.
func (p *looking) extend(d *operator.Desk) {
	d.Preview = func(_ context.Context, id tenant.ID, last int, progress func(done, total int)) (preview.Report, error) {
		p.calls++
		p.last = last
		r := preview.Report{Tenant: tenant.Tenant{ID: id, Name: "Acme Legal"}}
		for i := range last {
			r.Tickets = append(r.Tickets, preview.Ticket{Ticket: ticket.Ticket{
				Key: "7", Subject: "Printer", Resolution: strings.Repeat("ä ", p.size), Created: start, Resolved: start.Add(time.Hour),
			}})
			progress(i+1, last)
		}
		return r, p.err
	}
}

func TestPreviewWritesOnePageForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(), t.TempDir()
	file := filepath.Join(dir, "acme.html")
	if code := w.run(t, "preview", "--tenant", "acme", "--last", "60", "--out", file); code != 0 {
		t.Fatal(w.err.String())
	}
	if want := file + ": 60 tickets; a solved ticket like it was known for 0 (0 %)"; !strings.HasPrefix(w.out.String(), want) {
		t.Errorf("said %q, want %q", w.out.String(), want)
	}
	if got := w.err.String(); got != "Looked back at 50 of 60 tickets\nLooked back at 60 of 60 tickets\n" {
		t.Errorf("progress:\n%s", got)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), "Acme Legal") || !strings.HasSuffix(string(text), "</html>\n") {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestPreviewReplacesNoFileWithoutForce(t *testing.T) {
	t.Parallel()
	w, file := newWorld(), filepath.Join(t.TempDir(), "acme.html")
	if err := os.WriteFile(file, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code := w.run(t, "preview", "--tenant", "acme", "--out", file); code != 1 || !strings.Contains(w.err.String(), "--force") || w.looking.calls > 0 {
		t.Errorf("exit code %d after %d calls: %s", code, w.looking.calls, w.err.String())
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "mine" {
		t.Errorf("%q, %v", text, err)
	}
	if code := w.run(t, "preview", "--tenant", "acme", "--out", file, "--force"); code != 0 || w.looking.last != 50 {
		t.Errorf("exit code %d, %d tickets: %s", code, w.looking.last, w.err.String())
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || info.Size() < 1000 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestPreviewSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args string
		err  error
		want string
	}{
		{"--tenant acme --last 0", nil, "want 1 to 500"},
		{"--tenant acme --last 501", nil, "want 1 to 500"},
		{"--tenant Acme!", nil, "tenant id"},
		{"--tenant acme", preview.ErrNone, "no closed tickets are known. Import them first: deskhand import --tenant acme --days 90"},
		{"--tenant acme", preview.ErrUndated, "Import them again: deskhand import --tenant acme"},
		{"--tenant acme", errors.New("the database went away"), "the database went away"},
		{"--tenant acme --out /nowhere/at/all.html", nil, "write the page"},
		{"--tenant acme --out /dev/null/x.html", nil, "look for /dev/null/x.html"},
	} {
		w := newWorld()
		w.looking.err = c.err
		args := append([]string{"preview"}, strings.Fields(c.args)...)
		if !strings.Contains(c.args, "--out") {
			args = append(args, "--out", filepath.Join(t.TempDir(), "x.html"))
		}
		if code := w.run(t, args...); code != 1 || !strings.Contains(w.err.String(), c.want) {
			t.Errorf("%s: exit code %d: %s", c.args, code, w.err.String())
		}
	}
}

func TestPreviewThroughAFunctionWritesHere(t *testing.T) {
	t.Parallel()
	near, far := newWorld(), newWorld()
	file := filepath.Join(t.TempDir(), "acme.html")
	p := near.program()
	p.Call = func(ctx context.Context, _ string, args []string) (operator.Answer, error) {
		return cli.Answer(ctx, far.program().Program, args), nil
	}
	run := func(more ...string) int {
		return p.Run(t.Context(), append([]string{"preview", "--tenant", "acme", "--function", "admin", "--out", file}, more...))
	}
	if code := run(); code != 0 || near.looking.calls != 0 || far.looking.calls != 1 || !strings.HasPrefix(near.out.String(), file+": 50 tickets") {
		t.Fatalf("exit code %d, said %q %s", code, near.out.String(), near.err.String())
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	if code := run(); code != 1 || far.looking.calls != 1 || !strings.Contains(near.err.String(), "--force") {
		t.Errorf("exit code %d after %d calls: %s", code, far.looking.calls, near.err.String())
	}
	far.looking.size = 1000
	if code := run("--force", "--last", "500"); code != 0 {
		t.Errorf("exit code %d: %s", code, near.err.String())
	}
	far.looking.size = 20_000
	far.looking.err = errors.New("down")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if code := run("--force"); code != 1 || !strings.Contains(near.err.String(), "down") {
		t.Errorf("exit code %d: %s", code, near.err.String())
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("a failure changed the file: %v", err)
	}
}
