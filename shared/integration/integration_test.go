package integration_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/integration"
)

type thing struct{}

func kind(name, path string) integration.Kind[thing] {
	return integration.Kind[thing]{
		Name: name, Path: path, Label: strings.ToUpper(name),
		Form: []integration.Field{
			{Name: "base_url", Label: "URL", URL: true, Required: true},
			{Name: "api_key", Label: "API key", Secret: true, Required: true},
			{Name: "edition", Label: "Edition", Options: []string{"onprem", "cloud"}, Default: "onprem"},
		},
		Open: func(integration.Values, integration.Env) (thing, error) { return thing{}, nil },
	}
}

func TestFillPutsInDefaultsAndTrims(t *testing.T) {
	t.Parallel()
	got, err := kind("sdp", "sdp").Fill(integration.Values{"base_url": " https://sdp.example ", "api_key": "k"})
	if err != nil {
		t.Fatal(err)
	}
	want := integration.Values{"base_url": "https://sdp.example", "api_key": "k", "edition": "onprem"}
	if diff := cmp.Diff(map[string]string(want), map[string]string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestFillNamesEveryFieldThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := kind("sdp", "sdp").Fill(integration.Values{"base_url": "ftp://x", "edition": "hosted", "colour": "red"})
	if err == nil {
		t.Fatal("nothing was wrong")
	}
	for _, field := range []string{"base_url", "api_key", "edition", "colour"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
	for _, url := range []string{"https://user:pw@host", "//host", "https://", "javascript:alert(1)", "https://%zz"} {
		if _, err := kind("sdp", "sdp").Fill(integration.Values{"base_url": url, "api_key": "k"}); err == nil {
			t.Errorf("base_url %q was taken", url)
		}
	}
}

func TestCheckRefusesDoubledNamesAndMissingParts(t *testing.T) {
	t.Parallel()
	if err := (integration.Set[thing]{kind("a", "a"), kind("b", "bee")}).Check(); err != nil {
		t.Errorf("a good set fails: %v", err)
	}
	broken := kind("c", "c")
	broken.Open = nil
	for name, set := range map[string]integration.Set[thing]{
		"same name":          {kind("a", "x"), kind("a", "y")},
		"path is other name": {kind("a", "x"), kind("b", "a")},
		"no open":            {broken},
		"no name":            {kind("", "p")},
	} {
		if set.Check() == nil {
			t.Errorf("%s: the set passes", name)
		}
	}
}

func TestFindTakesNameOrPath(t *testing.T) {
	t.Parallel()
	set := integration.Set[thing]{kind("servicedesk_plus", "servicedesk")}
	for _, name := range []string{"servicedesk_plus", "servicedesk"} {
		if k, err := set.Find(name); err != nil || k.Name != "servicedesk_plus" {
			t.Errorf("Find(%s) = %s, %v", name, k.Name, err)
		}
	}
	if _, err := set.Find("jira"); !errors.Is(err, integration.ErrUnknownKind) || !strings.Contains(err.Error(), "servicedesk_plus") {
		t.Errorf("Find(jira) = %v, want the names that there are", err)
	}
}

func TestValuesPrintTheirNamesOnly(t *testing.T) {
	t.Parallel()
	v := integration.Values{"api_key": "hunter2", "base_url": "https://x"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if s := fmt.Sprintf(verb, v); strings.Contains(s, "hunter2") || !strings.Contains(s, "api_key") {
			t.Errorf("%s prints %s", verb, s)
		}
	}
	if s := v.LogValue().String(); strings.Contains(s, "hunter2") {
		t.Errorf("logged as %s", s)
	}
	if b, err := v.Sealable(); err != nil || !strings.Contains(string(b), "hunter2") {
		t.Errorf("Sealable = %s, %v", b, err)
	}
}
