package cli_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/tenant"
)

var fields = []string{"--set", "base_url=https://sdp.example", "--set", "api_key=k"}

// add is tenant add with the fields of a connection.
func add(args ...string) []string {
	return append(append([]string{"tenant", "add"}, args...), fields...)
}

// shared has the connection acme tell accounts apart.
func (w *world) shared(routes map[string]tenant.ID) {
	c := w.directory.Connections["acme"]
	c.Routes = routes
	w.directory.Connections["acme"] = c
}

func TestTenantAddStoresBothAndShowsTheSecretOnce(t *testing.T) {
	t.Parallel()
	w := newWorld()
	out := w.ok(t, add("globex", "--name", "Globex", "--account", "Globex Ltd")...)
	c := w.directory.Connections["globex"]
	if w.directory.Tenants["globex"].Name != "Globex" || c.Routes["Globex Ltd"] != "globex" || c.Values["api_key"] != "k" {
		t.Errorf("stored %v, %v", w.directory.Tenants, c.Routes)
	}
	made := c.Signing[0].Reveal()
	if len(made) < 20 || !strings.Contains(out, made) || !strings.Contains(out, "/webhook/servicedesk/globex") {
		t.Errorf("secret %q, output:\n%s", made, out)
	}
	var operations []audit.Operation
	for _, e := range w.counter.events {
		operations = append(operations, e.Operation)
	}
	if diff := cmp.Diff([]audit.Operation{audit.TenantAdded, audit.ConnectionAdded}, operations); diff != "" {
		t.Error(diff)
	}
	if out := w.ok(t, add("globex", "--account", "Globex Ltd", "--secret", "given-secret-15")...); strings.Contains(out, "given-secret-15") || strings.Contains(out, "shown this once") {
		t.Errorf("output:\n%s", out)
	}
	if name := w.directory.Tenants["globex"].Name; name != "Globex" {
		t.Errorf("without --name it is called %q", name)
	}
}

func TestTenantAddJoinsAConnectionThatTellsAccountsApart(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for _, account := range []string{"", "Globex Ltd"} { // one client gets every ticket
		w.fails(t, "--account", add("globex", "--connection", "acme", "--account", account)...)
	}
	if _, there := w.directory.Tenants["globex"]; there || len(w.counter.events) > 0 {
		t.Error("what was refused has left a tenant")
	}
	w.shared(map[string]tenant.ID{"Acme Ltd": "acme"})
	w.ok(t, add("globex", "--connection", "acme", "--account", "Globex Ltd", "--secret", "a new secret, long enough")...)
	c := w.directory.Connections["acme"]
	if len(c.Routes) != 2 || len(c.Signing) != 2 || c.Signing[0].Reveal() != "a new secret, long enough" || c.Signing[1].Reveal() != "s3cret" {
		t.Errorf("routes %v, %d secrets", c.Routes, len(c.Signing))
	}
	// Fields that are not given stay, and so do secrets alone.
	w.ok(t, "tenant", "add", "initech", "--connection", "acme", "--account", "Initech")
	w.ok(t, "tenant", "add", "hooli", "--connection", "acme", "--account", "Hooli", "--set", "base_url=https://sdp.example")
	if c := w.directory.Connections["acme"]; c.Values["api_key"] != "k" || len(c.Routes) != 4 {
		t.Errorf("routes %v", c.Routes)
	}
	w.fails(t, "api_key: give it again", "tenant", "add", "acme", "--connection", "acme", "--account", "Acme Ltd", "--set", "base_url=https://evil.example")
}

// TestTenantAddKeepsTheRoutesOfAConnectionThatDoesNotOpen: with another
// SEALING_KEY nothing is known of a connection but whose it is.
func TestTenantAddKeepsTheRoutesOfAConnectionThatDoesNotOpen(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.shared(map[string]tenant.ID{"A": "acme", "G": "gone"})
	w.counter.damaged = true
	w.fails(t, "--account", add("acme", "--connection", "acme")...)
	w.fails(t, "already", add("acme", "--connection", "acme", "--account", "G")...)
	w.fails(t, "api_key: required", "tenant", "add", "acme", "--connection", "acme", "--account", "A")
	if len(w.counter.events) > 0 {
		t.Errorf("what was refused changed something: %v", w.counter.events)
	}
	out := w.ok(t, add("acme", "--connection", "acme", "--account", "A")...)
	c := w.directory.Connections["acme"]
	if !maps.Equal(c.Routes, map[string]tenant.ID{"A": "acme", "G": "gone"}) || c.Values["api_key"] != "k" || len(c.Signing) != 1 || !strings.Contains(out, c.Signing[0].Reveal()) {
		t.Errorf("routes %v, %d secrets: %s", c.Routes, len(c.Signing), out)
	}
}

func TestTenantAddLosesNobodyElsesChange(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.shared(map[string]tenant.ID{"A": "acme"})
	before := w.directory.Connections["acme"]
	reads := 0
	race := func(c *tenant.Connection) {
		reads++
		c.Routes = map[string]tenant.ID{"A": "acme", "G": "gone"}
		c.Signing = slices.Clone(before.Signing)
	}
	w.counter.quicker = race
	w.ok(t, add("globex", "--connection", "acme", "--account", "X")...)
	if c := w.directory.Connections["acme"]; reads != 1 || !maps.Equal(c.Routes, map[string]tenant.ID{"A": "acme", "G": "gone", "X": "globex"}) {
		t.Errorf("routes %v", c.Routes)
	}
}

func TestAnotherProfileMakesAnotherSecret(t *testing.T) {
	t.Parallel()
	w := newWorld()
	out := w.ok(t, "tenant", "add", "acme", "--verify", "standard_webhooks")
	c := w.directory.Connections["acme"]
	if len(c.Signing) != 1 || !strings.HasPrefix(c.Signing[0].Reveal(), "whsec_") || !strings.Contains(out, c.Signing[0].Reveal()) {
		t.Errorf("%d secrets: %s", len(c.Signing), out)
	}
	w.fails(t, "--secret", "tenant", "add", "acme", "--secret", "no-standard-webhook")
	w.ok(t, "tenant", "add", "acme", "--verify", "static_header", "--secret", "in-clear-long-enough")
	if c := w.directory.Connections["acme"]; len(c.Signing) != 1 || c.Signing[0].Reveal() != "in-clear-long-enough" {
		t.Errorf("%d secrets", len(c.Signing))
	}
	w.fails(t, "--verify", "tenant", "add", "acme", "--verify", "magic")
}

func TestFieldsComeFromFilesAndStandardInputAndAreNeverQuoted(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.in = "from-stdin\n"
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte("https://sdp.example\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.ok(t, "tenant", "add", "globex", "--set", "base_url=@"+file, "--set", "api_key=@-")
	if got := w.directory.Connections["globex"].Values; got["base_url"] != "https://sdp.example" || got["api_key"] != "from-stdin" {
		t.Errorf("%d values, %q", len(got), got["base_url"])
	}
	const value = "SECRETVALUE"
	for _, args := range [][]string{
		{"--set", "api_key:" + value},
		{"--set", "api_key", value},
		{"--set=api_key=1", "--sett", value},
		{"--secret", "x", value},
		{"--set", "api_key=" + value, "--nonsense=" + value},
		{"--set", "api_key=" + value, "--set", "api_key=" + value},
		{"--set", "base_url=" + value},
		{"--set", "api_key=@" + file + "-none"},
		{"--set", value},
		{"--set=" + value},
		{"--set", "api_key=" + value, "--tool", "none"},
	} {
		w.out.Reset()
		w.err.Reset()
		if code := w.run(t, append([]string{"tenant", "add", "globex"}, args...)...); code == 0 || strings.Contains(w.out.String()+w.err.String(), value) {
			t.Errorf("%q: exit code %d: %s%s", args, code, w.out.String(), w.err.String())
		}
	}
}
