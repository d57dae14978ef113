package tenant_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

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
	s := tenant.Settings{Model: "small", ModelRules: []string{"priority:High=openai/gpt-4o", "priority:*urgent*=large", "priority:high=never"}}
	for priority, want := range map[string]string{"high": "openai/gpt-4o", "Very Urgent!": "large", "Low": "small", "": "small"} {
		if got := s.ModelFor(priority); got != want {
			t.Errorf("%s: %s, want %s", priority, got, want)
		}
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
