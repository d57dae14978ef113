package tenant_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deskhand/deskhand/shared/tenant"
)

func TestPatternsMatchTheWholeTextInAnyCase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"Out of office*", "OUT OF OFFICE: back on Monday", true},
		{"Out of office*", "Re: Out of office", false},
		{"*out of office*", "Re: Out of office", true},
		{"mailer-daemon@*", "MAILER-DAEMON@mx.example.com", true},
		{"high", "High", true},
		{"high", "Very high", false},
		{"p?", "P1", true},
		{"p?", "P10", false},
		{"*", "", true},
		{"?", "", false},
		{"größe*", "GRÖSSE", false},
		{"größe*", "GRÖßE: falsch", true},
		{"[a-z]+", "abc", false},
	} {
		if got := tenant.Match(c.pattern, c.text); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.pattern, c.text, got)
		}
	}
}

// A pattern means what a regular expression with .* and . in its place means.
func TestAPatternIsTheRegularExpressionItStandsFor(t *testing.T) {
	t.Parallel()
	characters := rapid.SampledFrom([]rune("aAbB.*?[\\^$( \n*?äÄ"))
	rapid.Check(t, func(t *rapid.T) {
		pattern := string(rapid.SliceOfN(characters, 0, 12).Draw(t, "pattern"))
		text := string(rapid.SliceOfN(characters, 0, 20).Draw(t, "text"))
		like := regexp.QuoteMeta(strings.ToLower(pattern))
		like = strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(like)
		want := regexp.MustCompile("(?s)^" + like + "$").MatchString(strings.ToLower(text))
		if got := tenant.Match(pattern, text); got != want {
			t.Fatalf("Match(%q, %q) = %v, the regular expression says %v", pattern, text, got, want)
		}
	})
}

func TestTheWorstPatternIsQuick(t *testing.T) {
	t.Parallel()
	start := time.Now()
	tenant.Match(strings.Repeat("*a", 99)+"b", strings.Repeat("a", 1<<20))
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestTheFirstRuleThatMatchesSkips(t *testing.T) {
	t.Parallel()
	s := tenant.Settings{Skip: []string{"subject:Out of office*", "requester: mailer-daemon@*", "nonsense"}}
	for requester, want := range map[string]string{"MAILER-DAEMON@mx.example": "requester: mailer-daemon@*", "ana@acme.example": ""} {
		got := s.SkippedBy(func(name string) []string {
			return map[string][]string{"subject": {"Printer"}, "requester": {"Somebody", requester}}[name]
		})
		if got != want {
			t.Errorf("%s: skipped by %q, want %q", requester, got, want)
		}
	}
}

func TestTheFirstRuleThatMatchesNamesTheModel(t *testing.T) {
	t.Parallel()
	s := tenant.Settings{Model: "small", Fallbacks: []string{"other", "large"}, ModelRules: []string{
		"priority:High=openai/gpt-4o", "nonsense", "evidence:thin=strong", "priority:*urgent*=large", "priority:high=never",
	}}
	for _, c := range []struct {
		priority string
		thin     bool
		want     string
	}{
		{"high", false, "openai/gpt-4o"},
		{"high", true, "openai/gpt-4o"},
		{"Very Urgent!", false, "large"},
		{"Very Urgent!", true, "strong"},
		{"Low", false, "small"},
		{"thin", false, "small"},
		{"", true, "strong"},
		{"", false, "small"},
	} {
		if got := s.ModelFor(c.priority, c.thin); got != c.want {
			t.Errorf("%q, thin %v: %s, want %s", c.priority, c.thin, got, c.want)
		}
	}
	want := []string{"large", "never", "openai/gpt-4o", "other", "small", "strong"}
	if diff := cmp.Diff(want, s.Models()); diff != "" {
		t.Errorf("all of them (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{""}, tenant.Settings{}.Models()); diff != "" {
		t.Errorf("without settings (-want +got):\n%s", diff)
	}
}

func TestRulesThatMeanNothingAreNamed(t *testing.T) {
	t.Parallel()
	for _, bad := range []tenant.Settings{
		{Skip: []string{"subject"}},
		{Skip: []string{"subject:"}},
		{Skip: []string{"body:x"}},
		{Skip: []string{"subject:" + strings.Repeat("x", 200)}},
		{Skip: make([]string, 51)},
		{ModelRules: []string{"priority:High"}},
		{ModelRules: []string{"priority:High="}},
		{ModelRules: []string{"subject:x=large"}},
		{ModelRules: []string{"priority:=large"}},
		{ModelRules: []string{"priority:High=" + strings.Repeat("x", 201)}},
		{ModelRules: []string{"priority:High=a\nb"}},
		{ModelRules: []string{"evidence:none=large"}},
		{ModelRules: []string{"evidence:thin"}},
	} {
		name := "skip:"
		if bad.ModelRules != nil {
			name = "model_rules:"
		}
		if err := bad.Check(nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%.80v: %v", bad, err)
		}
	}
}
