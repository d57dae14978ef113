package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSecretsOfTestsAreFoundInTheirSource(t *testing.T) {
	t.Parallel()
	got, err := secretsIn("x_test.go", []byte(`package x
const password = "correct-horse"
var other = "no-secret-at-all"
func apiKey(id string) string { return "key-of-" + id }
func signing(id string) Text { return secret.New("signing-of-" + id) }
var _ = f{APIKey: "the-api-key", Name: "the-name", "client_secret": "the-client-secret", "token_url": "https://x.example", RefreshToken: refresh, Secret: "short"}
var _ = secret.New("postgres://app:" + password + "@db")
var retries, secretKey = 7, "the"+"-key"
`))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"correct-horse", "key-of-", "signing-of-", "the-api-key", "the-client-secret"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheSecretsOfThisRepositoryAreKnown(t *testing.T) {
	t.Parallel()
	got, err := known("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"correct-horse-battery", "signing-secret-of-", "key-of-", "key-of-acme", "sk-model-key", "deskhand-test", "hidden-key", "hunter2", "sdp-demo-secret"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not known", want)
		}
	}
	for _, bad := range []string{"redis://", "postgres://app_user:"} {
		if slices.Contains(got, bad) {
			t.Errorf("%q is no secret", bad)
		}
	}
}

// TestEverySeededLeakFails seeds a log with each secret, in each form, and with
// each shape, and names where it is without quoting it.
func TestEverySeededLeakFails(t *testing.T) {
	t.Parallel()
	s := newSearch([]string{"correct-horse", "signing-secret-of-"})
	if err := s.proveItself(); err != nil {
		t.Fatal(err)
	}
	seeds := slices.Collect(maps.Keys(s.words))
	seeds = append(seeds, slices.Collect(maps.Values(samples()))...)
	if len(seeds) < 6+16 {
		t.Fatalf("only %d seeds", len(seeds))
	}
	for _, seed := range seeds {
		for _, text := range []string{seed, strings.ReplaceAll(seed, `"`, `\"`)} {
			found := s.in([]byte("{\"msg\":\"started\"}\nx " + text + " y\n"))
			if len(found) == 0 || found[0].line != 2 || strings.Contains(found[0].what, seed) {
				t.Errorf("%q: found %v", text, found)
			}
		}
	}
	for _, harmless := range []string{"Bearer token", "https://sdp.example:8080/a@b", "postgres://db:5432/x", "whsec_", "Basic sign-in", "postgres://u:***@db"} {
		if found := s.in([]byte(harmless)); len(found) > 0 {
			t.Errorf("%s: %v", harmless, found)
		}
	}
}

func TestALeakInAFolderOfLogsIsAnError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, body string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.log", "started\n")
	if err := run("../..", []string{dir}); err != nil {
		t.Error(err)
	}
	write("b.log", "started\nsk-model-"+"key\n")
	if err := run("../..", []string{dir}); err == nil || !strings.Contains(err.Error(), "b.log:2: secret") {
		t.Errorf("a leak is answered by %v", err)
	}
	for name, paths := range map[string][]string{"nothing": {t.TempDir()}, "no such file": {dir + "/none"}} {
		if err := run("../..", paths); err == nil {
			t.Errorf("%s was searched without an error", name)
		}
	}
	if err := run(t.TempDir(), []string{dir}); err == nil {
		t.Error("a search for no secrets is no search")
	}
}
