package webhook

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClaimsAreFoundWhereTheyMayStand(t *testing.T) {
	t.Parallel()
	many := "{" + strings.Repeat(`"k":0,`, maxKeys) + `"tenant":"acme"}`
	for name, c := range map[string]struct {
		form bool
		body string
		want []string
	}{
		"at the top":              {false, `{"a":[{"tenant":"x"}],"tenant":"acme"}`, []string{"acme"}},
		"each name once":          {false, `{"tenant":"acme","tenant_id":"globex","tenant":"acme"}`, []string{"acme", "globex"}},
		"before the fault":        {false, `{"tenant":"acme","description":"say "no""}`, []string{"acme"}},
		"not after the fault":     {false, `{"description":"say "no"","tenant":"acme"}`, nil},
		"not after too many keys": {false, many, nil},
		"not nested":              {false, `{"request":{"tenant":"acme"}}`, nil},
		"not a number":            {false, `{"tenant":12}`, nil},
		"not an empty name":       {false, `{"tenant":""}`, nil},
		"not a deep one":          {false, strings.Repeat(`{"tenant":`, 50_000), nil},
		"not in a form read as":   {false, `tenant=acme`, nil},
		"in fields":               {true, `tenant=acme&tenant_id=globex`, []string{"globex", "acme"}},
		"in payload":              {true, "payload=" + url.QueryEscape(`{"tenant":"acme"}`), []string{"acme"}},
		"in input_data":           {true, "input_data=" + url.QueryEscape(`{"tenant_id":"acme"}`), []string{"acme"}},
		"beside a broken field":   {true, "x=%zz&tenant=acme", []string{"acme"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, claims(c.form, []byte(c.body))); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzClaims holds the scan to what it promises of any bytes: it ends, every
// name stands in the body, none is empty, none comes twice.
func FuzzClaims(f *testing.F) {
	for _, body := range []string{
		`{"tenant":"acme"}`, `{"tenant_id":"acme","tenant":"globex"}`, `{"tenant":"a\u0063me"}`, `[[[{`, "tenant=acme",
		"payload=%7B%22tenant%22%3A%22acme%22%7D&tenant_id=globex", `{"tenant":"acme","x":"broken "quotes""}`, "{}", "\x00", `{"":0,"tenant"`,
	} {
		f.Add(false, []byte(body))
		f.Add(true, []byte(body))
	}
	f.Fuzz(func(t *testing.T, form bool, body []byte) {
		names := claims(form, body)
		if slices.Contains(names, "") || len(names) > len(body) {
			t.Errorf("%q gives %q", body, names)
		}
		for i, name := range names {
			if slices.Contains(names[:i], name) {
				t.Errorf("%q gives %q twice", body, name)
			}
			plain := !strings.ContainsAny(string(body), "%+\\") && !strings.ContainsRune(name, '\uFFFD')
			if plain && !strings.Contains(string(body), name) {
				t.Errorf("%q gives %q, which is not in it", body, name)
			}
		}
	})
}
