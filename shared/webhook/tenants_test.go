package webhook

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

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
		"at the top":                {false, `{"a":[{"tenant":"x"}],"tenant":"acme"}`, []string{"acme"}},
		"each name once":            {false, `{"tenant":"acme","tenant_id":"globex","tenant":"acme"}`, []string{"acme", "globex"}},
		"before the fault":          {false, `{"tenant":"acme","description":"say "no""}`, []string{"acme"}},
		"not after the fault":       {false, `{"description":"say "no"","tenant":"acme"}`, nil},
		"not after too many keys":   {false, many, nil},
		"not nested":                {false, `{"request":{"tenant":"acme"}}`, nil},
		"not a number":              {false, `{"tenant":12}`, nil},
		"not an empty name":         {false, `{"tenant":""}`, nil},
		"not a deep one":            {false, strings.Repeat(`{"tenant":`, 50_000), nil},
		"not in a form read as":     {false, `tenant=acme`, nil},
		"in fields":                 {true, `tenant=acme&tenant_id=globex`, []string{"globex", "acme"}},
		"in payload":                {true, "payload=" + url.QueryEscape(`{"tenant":"acme"}`), []string{"acme"}},
		"in input_data":             {true, "input_data=" + url.QueryEscape(`{"tenant_id":"acme"}`), []string{"acme"}},
		"not after too many fields": {true, strings.Repeat("x=1&", maxKeys) + "tenant=acme", nil},
		"in the last field":         {true, strings.Repeat("x=1&", maxKeys-1) + "tenant=acme", []string{"acme"}},
		"two of many":               {true, "tenant=a&tenant=b&tenant=c&payload=" + url.QueryEscape(`{"tenant":"d"}`), []string{"a", "b"}},
		"two of many, in payload":   {true, "payload=" + url.QueryEscape(`{"tenant":"a","tenant":"b","tenant":"c"}`), []string{"a", "b"}},
		"beside a broken field":     {true, "x=%zz&tenant=acme", []string{"acme"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, claims(c.form, []byte(c.body))); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
}

// TestScanOfALargeBodyIsQuick takes bodies of 1 MB that name as many tenants as
// they can: nobody has signed them yet.
func TestScanOfALargeBodyIsQuick(t *testing.T) {
	t.Parallel()
	names := func(pattern string) string {
		var b strings.Builder
		for i := 0; b.Len() < 1<<20; i++ {
			fmt.Fprintf(&b, pattern, i)
		}
		return b.String()[:1<<20]
	}
	for name, c := range map[string]struct {
		form bool
		body string
	}{
		"other names":      {true, names("tenant=%x&")},
		"one name":         {true, strings.Repeat("tenant=a&", 1<<20/9)},
		"no names":         {true, strings.Repeat("tenant&", 1<<20/7)},
		"empty fields":     {true, strings.Repeat("&", 1<<20)},
		"payloads":         {true, strings.Repeat("payload={}&", 1<<20/11)},
		"names in JSON":    {false, "{" + names(`"tenant":"%x",`)},
		"names in payload": {true, "payload={" + names(`"tenant":"%x",`)},
	} {
		took := time.Hour // of the quickest of three, as the machine may be busy
		for range 3 {
			began := time.Now()
			claims(c.form, []byte(c.body))
			took = min(took, time.Since(began))
		}
		if took > 100*time.Millisecond {
			t.Errorf("%s: the scan took %s", name, took)
		}
	}
}

// FuzzClaims holds the scan to what it promises of any bytes: it ends, every
// name stands in the body, none is empty, none comes twice, and there are no
// more than two.
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
		if slices.Contains(names, "") || len(names) > 2 {
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
