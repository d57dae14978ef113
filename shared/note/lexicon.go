package note

import (
	"fmt"
	"strings"

	"github.com/deskhand/deskhand/shared/evidence"
)

// lexicon is every fixed word of a note in one language, as Markdown. What is
// counted has a form for each number, with | between them: plural says which.
type lexicon struct {
	plural func(n int) int
	and    string
	colon  string

	headings [4]string // of receipts.Headings
	general  string

	seen, possibly, solvedBy, lookAt, article string // labels of the first lines
	notSeen, unsearched                       string
	nothing, nothingSearched                  string

	suspect, told string
	changed       string            // what
	fields        map[string]string // of Briefing.Changed
	withheld      string            // which evidence
	gaps          string            // of which sources
	sources       map[string]string
	alone         string // why
	reasons       map[Missing]string

	strong, partial, meaning, maybe string
	today                           string
	ago                             [4]string // years, months, weeks, days
	facts                           facts

	try, cause, compare   string // a past ticket
	check                 string // a system
	follow, applies       string // an article
	ask                   string
	inventory             string
	claims, left          string // counts
	evidence, model       string
	vote, useful, useless string
}

// facts are the words of evidence.FactKind.
type facts map[evidence.FactKind]string

// lexicons are the languages that notes are written in. In a ticket's other
// languages the fixed words are English.
var lexicons = map[string]lexicon{
	"en": english, "de": german, "nl": dutch, "fr": french, "es": spanish, "it": italian, "pt": portuguese, "pl": polish, "cs": czech,
}

// lexiconOf gives the words of a BCP 47 tag.
func lexiconOf(tag string) lexicon {
	base, _, _ := strings.Cut(strings.ToLower(tag), "-")
	if l, ok := lexicons[base]; ok {
		return l
	}
	return english
}

// form takes the form for n.
func form(forms string, plural func(int) int, n int) string {
	list := strings.Split(forms, "|")
	return list[min(plural(n), len(list)-1)]
}

// counted says n of something.
func (l lexicon) counted(forms string, n int) string {
	f := form(forms, l.plural, n)
	if !strings.Contains(f, "%d") {
		return f
	}
	return fmt.Sprintf(f, n)
}

// fact says a fact of the evidence, as plain text.
func (l lexicon) fact(f evidence.Fact) string {
	words, ok := l.facts[f.Kind]
	switch {
	case !ok:
		return f.String()
	case f.Kind == evidence.SameSystem:
		return fmt.Sprintf(words, f.Name)
	default:
		return l.counted(words, f.N)
	}
}

// list is "a", "a and b", "a, b and c".
func (l lexicon) list(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " " + l.and + " " + names[last]
}

// The plural forms: of one, of a few, of many.
func oneOrMore(n int) int {
	if n == 1 {
		return 0
	}
	return 1
}

func frenchForm(n int) int { return min(n, 2) / 2 } // none is singular

func polishForm(n int) int {
	switch unit, ten := n%10, n%100; {
	case n == 1:
		return 0
	case unit >= 2 && unit <= 4 && (ten < 12 || ten > 14):
		return 1
	}
	return 2
}

func czechForm(n int) int {
	switch {
	case n == 1:
		return 0
	case n >= 2 && n <= 4:
		return 1
	}
	return 2
}
