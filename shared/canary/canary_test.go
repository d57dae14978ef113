package canary_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deskhand/deskhand/shared/canary"
	"github.com/deskhand/deskhand/shared/redact"
)

func TestEveryCanaryIsAnotherAndIsFound(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		token := canary.New()
		if found := canary.Find("a note, " + token + "."); len(found) != 1 || found[0] != token || seen[token] {
			t.Fatalf("%s: found %v, seen before: %v", token, found, seen[token])
		}
		seen[token] = true
	}
}

func TestCanariesAreFoundWhereverTheyStand(t *testing.T) {
	t.Parallel()
	one, two := canary.New(), canary.New()
	for name, c := range map[string]struct {
		texts []string
		want  []string
	}{
		"none":               {[]string{"", "the canary sings", "dhcanary", "dhcanary2345", strings.Repeat("dhcanar", 9)}, nil},
		"glued to words":     {[]string{"x" + one + "y"}, []string{one}},
		"in capitals":        {[]string{strings.ToUpper(one)}, []string{one}},
		"twice, and another": {[]string{one + two, two + " " + one}, []string{one, two}},
		"in JSON":            {[]string{`{"key":"` + one + `"}`}, []string{one}},
		"in a link":          {[]string{"[#1](https://x.example/" + two + ")"}, []string{two}},
		"after invalid text": {[]string{"\xff\x00" + one}, []string{one}},
	} {
		less := func(a, b string) bool { return a < b }
		if diff := cmp.Diff(c.want, canary.Find(c.texts...), cmpopts.SortSlices(less), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestDecoysCarryTheCanaryWhereANoteShowsIt holds for what is left of them
// after redaction, too: a canary that is taken for a credential finds nothing.
func TestDecoysCarryTheCanaryWhereANoteShowsIt(t *testing.T) {
	t.Parallel()
	token := canary.New()
	past, article, system := canary.Decoys(token, time.Now())
	for what, text := range map[string]string{
		"number of the ticket": past.Number, "resolution": past.Resolution, "title of the article": article.Title,
		"text of the article": article.Text, "host name": system.Hostname,
	} {
		clean, _ := redact.Text("key: " + text)
		if found := canary.Find(clean); len(found) != 1 || found[0] != token {
			t.Errorf("%s: found %v in %q", what, found, clean)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add("the canary sings", 3)
	f.Add("dhcanarydhcanary", 8)
	token := canary.New()
	f.Fuzz(func(t *testing.T, text string, at int) {
		if len(text) == 0 {
			return
		}
		at = (at%len(text) + len(text)) % len(text)
		hidden := text[:at] + " " + strings.ToUpper(token) + " " + text[at:]
		for _, found := range canary.Find(hidden) {
			if found == token {
				return
			}
		}
		t.Errorf("not found in %q", hidden)
	})
}

// BenchmarkFind looks through a prompt of the largest size.
func BenchmarkFind(b *testing.B) {
	prompt := strings.Repeat("The Print queue on PRN-03 is stuck. ", 24_000/36)
	b.SetBytes(int64(len(prompt)))
	for b.Loop() {
		canary.Find(prompt)
	}
}
