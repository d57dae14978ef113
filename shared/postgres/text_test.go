package postgres_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
)

var hostile = map[string]string{
	"plain": "plain", "Grüße 👋": "Grüße 👋", "nul\x00byte": "nulbyte", "bad\xffutf8": "bad\uFFFDutf8",
	`C:\u0000 is text`: `C:\u0000 is text`, "\\\x00": `\`, "\x00": "", "": "", "\"\n<&>": "\"\n<&>",
}

func TestPostgresTakesWhateverTextAndJSONGive(t *testing.T) {
	t.Parallel()
	owner := pgtest.New(t).Owner(t)
	for in, want := range hostile {
		encoded, err := postgres.JSON(map[string]string{"key": in})
		if err != nil {
			t.Fatal(err)
		}
		var text, value string
		err = owner.QueryRow(t.Context(), "SELECT $1::text, $2::jsonb ->> 'key'", postgres.Text(in), encoded).Scan(&text, &value)
		if err != nil || text != want || value != want {
			t.Errorf("%q became %q and %q, %v; want %q", in, text, value, err, want)
		}
	}
	if _, err := postgres.JSON(make(chan int)); err == nil {
		t.Error("a channel was encoded")
	}
}

func FuzzJSON(f *testing.F) {
	for in := range hostile {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		encoded, err := postgres.JSON([]string{in})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := json.Unmarshal(encoded, &got); err != nil {
			t.Fatalf("%q became %s: %v", in, encoded, err)
		}
		if !utf8.ValidString(postgres.Text(in)) {
			t.Errorf("Text(%q) is not UTF-8", in)
		}
		if utf8.ValidString(in) {
			if diff := cmp.Diff([]string{postgres.Text(in)}, got); diff != "" {
				t.Errorf("JSON and Text differ (-text +json):\n%s", diff)
			}
		}
	})
}
