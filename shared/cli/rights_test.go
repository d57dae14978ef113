package cli_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/tenant"
)

// rights is what the commands on a tenant's data act on.
type rights struct {
	erased      []tenant.ID
	eraseErr    error
	exportErr   error
	query       audit.Query
	trailFailed error
}

// extend has the desk know them.
func (r *rights) extend(d *operator.Desk) {
	d.Erase = func(_ context.Context, id tenant.ID) (audit.Erasure, int, error) {
		r.erased = append(r.erased, id)
		return audit.Erasure{
			Tables: []audit.Count{{Table: "articles", Before: 12}, {Table: "tenant_configs", Before: 1}}, Connections: []string{"acme-sdp"},
		}, 5, r.eraseErr
	}
	d.Export = func(_ context.Context, _ tenant.ID, put func(table, row string) error) ([]string, error) {
		for i, table := range []string{"articles", "articles", "../../etc/passwd"} {
			if err := put(table, fmt.Sprintf(`{"row":%d}`, i)); err != nil {
				return nil, err
			}
		}
		return []string{"connections.sealed_values"}, r.exportErr
	}
	d.Trail = func(_ context.Context, id tenant.ID, q audit.Query, do func(audit.Event) error) error {
		r.query = q
		return errors.Join(do(audit.Event{Time: start, Tenant: id, Ticket: "7", Operation: audit.NoteWritten, Actor: "system", Status: audit.Success, Correlation: "j"}), r.trailFailed)
	}
}

func TestEraseNeedsYesAndPrintsTheProof(t *testing.T) {
	t.Parallel()
	w := newWorld()
	if code := w.run(t, "tenant", "erase", "acme"); code != 1 || len(w.rights.erased) > 0 || !strings.Contains(w.err.String(), "--yes") || w.closed != 0 {
		t.Errorf("exit code %d, erased %v: %s", code, w.rights.erased, w.err.String())
	}
	if code := w.run(t, "tenant", "erase", "Acme!", "--yes"); code != 1 || len(w.rights.erased) > 0 {
		t.Errorf("exit code %d, erased %v", code, w.rights.erased)
	}
	if code := w.run(t, "tenant", "erase", "acme", "--yes"); code != 0 || len(w.rights.erased) != 1 || w.rights.erased[0] != "acme" {
		t.Fatalf("exit code %d, erased %v: %s", code, w.rights.erased, w.err.String())
	}
	for _, want := range []string{"articles        12      0", "all             13      0", "Redis: 5", "acme-sdp", "Backups", "discarded on receipt"} {
		if !strings.Contains(w.out.String(), want) {
			t.Errorf("the proof lacks %q:\n%s", want, w.out.String())
		}
	}
}

func TestEraseTellsWhatFailed(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.rights.eraseErr = fmt.Errorf("%w: refused", operator.ErrKeys)
	if code := w.run(t, "tenant", "erase", "acme", "--yes"); code != 1 || !strings.Contains(w.out.String(), "articles") || !strings.Contains(w.err.String(), "Redis does not answer") {
		t.Errorf("without Redis: exit code %d\n%s%s", code, w.out.String(), w.err.String())
	}
	w = newWorld()
	w.rights.eraseErr = tenant.ErrUnknown
	if code := w.run(t, "tenant", "erase", "acme", "--yes"); code != 1 || strings.Contains(w.out.String(), "is erased") {
		t.Errorf("unknown: exit code %d\n%s", code, w.out.String())
	}
}

func TestTenantExportWritesAFileForEachTable(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(), filepath.Join(t.TempDir(), "acme")
	if code := w.run(t, "tenant", "export", "acme", "--out", dir); code != 0 {
		t.Fatal(w.err.String())
	}
	body, err := os.ReadFile(filepath.Join(dir, "articles.jsonl"))
	if err != nil || string(body) != "{\"row\":0}\n{\"row\":1}\n" {
		t.Errorf("articles: %q, %v", body, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "passwd.jsonl")); err != nil {
		t.Errorf("a name left the folder: %v", err)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 || !strings.Contains(w.out.String(), "connections.sealed_values") {
		t.Errorf("%v, %v:\n%s", info, err, w.out.String())
	}
	if code := w.run(t, "tenant", "export", "acme", "--out", dir); code != 1 || !strings.Contains(w.err.String(), "must not be there") {
		t.Errorf("a second time: exit code %d: %s", code, w.err.String())
	}
	w = newWorld()
	w.rights.exportErr = errors.New("the database went away")
	if code := w.run(t, "tenant", "export", "acme", "--out", dir+"2"); code != 1 || !strings.Contains(w.err.String(), "not complete") {
		t.Errorf("exit code %d: %s", code, w.err.String())
	}
}

func TestAuditExportPrintsJSONLines(t *testing.T) {
	t.Parallel()
	w := newWorld()
	if code := w.run(t, "audit", "export", "--tenant", "acme", "--since", "2026-01-01", "--until", "2026-01-31", "--ticket", "7"); code != 0 {
		t.Fatal(w.err.String())
	}
	want := `{"time":"2026-03-01T12:00:00Z","tenant_id":"acme","ticket_id":"7","operation":"note_written","actor":"system","status":"success","correlation_id":"j"}` + "\n"
	if w.out.String() != want {
		t.Errorf("printed\n%swant\n%s", w.out.String(), want)
	}
	day := func(m time.Month, d int) time.Time { return time.Date(2026, m, d, 0, 0, 0, 0, time.UTC) }
	if w.rights.query != (audit.Query{Since: day(1, 1), Until: day(2, 1), Ticket: "7"}) {
		t.Errorf("query %+v", w.rights.query)
	}
	w = newWorld()
	w.rights.trailFailed = errors.New("the database went away")
	for _, c := range []struct {
		args string
		code int
		err  string
	}{
		{"--tenant acme", 2, "--since"},
		{"--tenant acme --since 2026-03-01 --until 2026-02-01", 1, "the time is empty"},
		{"--tenant Acme! --since 2026-03-01", 1, "tenant id"},
		{"--tenant acme --since 2026-02-01", 1, "not complete"},
	} {
		if code := w.run(t, append([]string{"audit", "export"}, strings.Fields(c.args)...)...); code != c.code || !strings.Contains(w.err.String(), c.err) {
			t.Errorf("%s: exit code %d: %s", c.args, code, w.err.String())
		}
	}
	if want := start.Add(time.Hour); !w.rights.query.Until.Equal(want) {
		t.Errorf("without --until: %s, want %s", w.rights.query.Until, want)
	}
}
