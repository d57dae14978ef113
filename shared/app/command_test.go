package app

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/keyset"
)

// TestTheCommandOfAMachineWithAnotherKeyTakesNoTickets: what it cannot open is
// there all the same, and other clients' tickets go where they went.
func TestTheCommandOfAMachineWithAnotherKeyTakesNoTickets(t *testing.T) {
	t.Parallel()
	a := instances(t, 1)[0]
	cfg := a.Config
	run := func(args ...string) (string, int) {
		p := Program("test", func() (config.Config, error) { return cfg, nil })
		var out bytes.Buffer
		p.Out, p.Err = &out, &out
		code := p.Run(t.Context(), args)
		return out.String(), code
	}
	fields := []string{"--set", "base_url=https://s.example.com", "--set", "api_key=k"}
	for id, account := range map[string]string{"acme": "A", "globex": "G"} {
		if out, code := run(append([]string{"tenant", "add", id, "--connection", "msp", "--account", account}, fields...)...); code != 0 {
			t.Fatal(out)
		}
	}
	var err error
	if cfg.SealingKey, err = keyset.New(); err != nil {
		t.Fatal(err)
	}
	if out, code := run(append([]string{"tenant", "add", "acme", "--connection", "msp"}, fields...)...); code == 0 || !strings.Contains(out, "--account") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if out, code := run(append([]string{"tenant", "add", "acme", "--connection", "msp", "--account", "A"}, fields...)...); code != 0 || !strings.Contains(out, "shown this once") {
		t.Errorf("exit code %d: %s", code, out)
	}
	var routes string
	if err := a.adminDB.Pool.QueryRow(t.Context(), "SELECT routes::text FROM read_connection('msp')").Scan(&routes); err != nil || routes != `{"A": "acme", "G": "globex"}` {
		t.Errorf("routes %s, %v", routes, err)
	}
	// Each change is a line in the log, which commands keep to warnings else.
	desk, err := Program("test", func() (config.Config, error) { return cfg, nil }).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !desk.Office.Log.Enabled(t.Context(), slog.LevelInfo) || desk.Caller.Name == audit.System {
		t.Errorf("what %q changes is not logged", desk.Caller.Name)
	}
	if err := desk.Close(t.Context()); err != nil {
		t.Error(err)
	}
	cfg.DatabaseAdminURL = config.Config{}.DatabaseAdminURL
	if out, code := run("tenant", "list"); code == 0 || !strings.Contains(out, "DATABASE_ADMIN_URL: required here") {
		t.Errorf("exit code %d: %s", code, out)
	}
}
