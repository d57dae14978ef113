package note

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/receipts"
)

var verb = regexp.MustCompile(`%.`)

// texts gives every text of a lexicon by its name.
func (l lexicon) texts() map[string]string {
	all := map[string]string{}
	v := reflect.ValueOf(l)
	for f := range v.Type().Fields() {
		switch field := v.FieldByIndex(f.Index); field.Kind() {
		case reflect.String:
			all[f.Name] = field.String()
		case reflect.Array:
			for i := range field.Len() {
				all[f.Name+"."+string(rune('0'+i))] = field.Index(i).String()
			}
		case reflect.Map:
			for it := field.MapRange(); it.Next(); {
				key := it.Key().String()
				if f.Name == "facts" {
					key = evidence.Fact{Kind: evidence.FactKind(it.Key().Int()), N: 2}.String()
				}
				all[f.Name+"."+key] = it.Value().String()
			}
		}
	}
	return all
}

func TestEveryLanguageSaysEverything(t *testing.T) {
	t.Parallel()
	if english.headings != [4]string(receipts.Headings) {
		t.Error("the English headings are not those of package receipts")
	}
	want := english.texts()
	for tag, l := range lexicons {
		have := l.texts()
		if len(have) != len(want) {
			t.Errorf("%s has %d texts, English has %d", tag, len(have), len(want))
		}
		for name, text := range want {
			verbs := func(s string) []string { return verb.FindAllString(s, -1) }
			for form := range strings.SplitSeq(have[name], "|") {
				first, _, _ := strings.Cut(text, "|")
				if form == "" || !slices.Equal(verbs(form), verbs(first)) {
					t.Errorf("%s: %s is %q, in English %q", tag, name, form, text)
				}
			}
			if tag != "en" && have[name] == text && len(text) > 12 {
				t.Errorf("%s: %s is English: %q", tag, name, text)
			}
		}
	}
}

func TestALanguageWithoutALexiconHasEnglishWords(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{"": "today", "hu": "today", "de-CH": "heute", "PT-br": "hoje", "DE": "heute"} {
		if got := lexiconOf(tag).today; got != want {
			t.Errorf("%q says %q, want %q", tag, got, want)
		}
	}
}

func TestNumbersTakeTheirForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tag  string
		unit int // of ago
		n    int
		want string
	}{
		{"en", 2, 1, "1 week ago"},
		{"en", 2, 3, "3 weeks ago"},
		{"de", 2, 1, "vor 1 Woche"},
		{"de", 3, 5, "vor 5 Tagen"},
		{"de", 0, 1, "vor 1 Jahr"},
		{"nl", 0, 2, "2 jaar geleden"},
		{"nl", 3, 1, "1 dag geleden"},
		{"fr", 2, 1, "il y a 1 semaine"},
		{"fr", 1, 2, "il y a 2 mois"},
		{"es", 1, 1, "hace 1 mes"},
		{"it", 3, 2, "2 giorni fa"},
		{"pt", 1, 3, "há 3 meses"},
		{"pl", 2, 1, "1 tydzień temu"},
		{"pl", 2, 3, "3 tygodnie temu"},
		{"pl", 2, 5, "5 tygodni temu"},
		{"pl", 0, 12, "12 lat temu"},
		{"pl", 0, 22, "22 lata temu"},
		{"pl", 3, 21, "21 dni temu"},
		{"cs", 2, 1, "před 1 týdnem"},
		{"cs", 2, 5, "před 5 týdny"},
	} {
		l := lexiconOf(c.tag)
		if got := l.counted(l.ago[c.unit], c.n); got != c.want {
			t.Errorf("%s: %q, want %q", c.tag, got, c.want)
		}
	}
	for tag, want := range map[string]string{"cs": "vydrželo 21 dní", "fr": "a tenu 21 jours", "en": "held 21 days", "pl": "pomogło na 21 dni"} {
		if got := lexiconOf(tag).fact(evidence.Fact{Kind: evidence.Held, N: 21}); got != want {
			t.Errorf("%s: %q, want %q", tag, got, want)
		}
	}
	for fact, want := range map[evidence.Fact]string{
		{Kind: evidence.SameSystem, Name: "srv-01"}: "gleiches System srv-01",
		{Name: "what nobody knows"}:                 "what nobody knows",
		{Kind: evidence.SameSite}:                   "gleicher Standort",
	} {
		if got := german.fact(fact); got != want {
			t.Errorf("%+v is %q, want %q", fact, got, want)
		}
	}
	if got := german.list([]string{"a", "b", "c"}); got != "a, b und c" {
		t.Errorf("a list is %q", got)
	}
}
