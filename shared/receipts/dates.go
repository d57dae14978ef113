package receipts

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// date is a day. In a claim, what it leaves open is 0.
type date struct{ year, month, day int }

func dateOf(t time.Time) date { return date{t.Year(), int(t.Month()), t.Day()} }

// in tells whether the date says nothing that d does not.
func (c date) in(d date) bool {
	return (c.year == 0 || c.year == d.year) && c.month == d.month && (c.day == 0 || c.day == d.day)
}

// months are the names of the months and their short forms, as normal leaves
// them. Words that mean something else are left out.
var months = [12]string{
	`january|jan|januar|jänner|janvier|janv|enero|gennaio|janeiro|januari|stycznia`,
	`february|feb|februar|février|févr|febrero|febbraio|fevereiro|februari|lutego`,
	`march|märz|mrz|mars|marzo|março|maart|mar|marca`,
	`april|apr|avril|abril|aprile|kwietnia`,
	`may|mai|mayo|maggio|maio|mei|maja`,
	`june|juni|juin|junio|giugno|junho|jun|czerwca`,
	`july|juli|juillet|julio|luglio|julho|jul|lipca`,
	`august|aug|août|agosto|augustus|sierpnia`,
	`september|sept|sep|septembre|septiembre|settembre|setembro|września`,
	`october|oktober|oct|okt|octobre|octubre|ottobre|outubro|października`,
	`november|nov|novembre|noviembre|novembro|listopada`,
	`december|dezember|dec|dez|décembre|diciembre|dicembre|dezembro|grudnia`,
}

var russian = [12]string{"января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря"}

var (
	// month is one of them as a whole word; \b knows Latin letters alone.
	month     = `((?:` + strings.Join(months[:], `|`) + `)\b|(?:` + strings.Join(russian[:], `|`) + `))`
	dayMonth  = regexp.MustCompile(`\b(\d{1,2})(?:st|nd|rd|th|er|o|\.)?[ -](?:de |of |di )?` + month + `\.?(?:,? (?:de |del )?(\d{4})\b|-(\d{4})\b)?`)
	monthDay  = regexp.MustCompile(`\b` + month + `\.? (\d{1,2})(?:st|nd|rd|th)?\b(?:,? (\d{4})\b)?`)
	monthYear = regexp.MustCompile(`\b` + month + `\.?,? (?:de |del |of )?(\d{4})\b`)
	yearFirst = regexp.MustCompile(`\b(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:\b|t)`)
	yearLast  = regexp.MustCompile(`\b(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4}|\d{2})\b`)
	eastern   = regexp.MustCompile(`(?:(\d{4}) ?[年년] ?)?(\d{1,2}) ?[月월] ?(\d{1,2}) ?[日일]`)
	// modal is the "may" that is no month: "step 2 may help".
	modal = regexp.MustCompile(`\bmay (?:also|be|have|help|need|not|still|then|[a-z]{3,}(?: it| the| this))\b`)
	// clock is a time of day, which may stand in any claim.
	clock = regexp.MustCompile(`\b\d{1,2}[.:]\d{2}(?:[.:]\d{2})? ?(?:uhr|h|am|pm|a\.m\.|p\.m\.)(?:\b|\s|$)`)
)

// dates gives the dates that a normalised text names, and the text without them
// and without times of day.
func dates(text string) (rest string, found []identifier) {
	text = modal.ReplaceAllString(text, " ")
	take := func(pattern *regexp.Regexp, read func(m []string) []date) {
		text = pattern.ReplaceAllStringFunc(text, func(s string) string {
			readings := slices.DeleteFunc(read(pattern.FindStringSubmatch(s)), func(d date) bool {
				return d.month < 1 || d.month > 12 || d.day > 31
			})
			if len(readings) == 0 {
				return s
			}
			found = append(found, identifier{text: s, readings: readings})
			return " ; "
		})
	}
	take(yearFirst, func(m []string) []date { return []date{{number(m[1]), number(m[2]), number(m[3])}} })
	take(yearLast, func(m []string) []date {
		year := number(m[4])
		if year < 100 && m[2] == "." {
			return nil // a version: 10.4.12
		} else if year < 100 {
			year += 2000
		}
		return []date{{year, number(m[3]), number(m[1])}, {year, number(m[1]), number(m[3])}}
	})
	take(eastern, func(m []string) []date { return []date{{number(m[1]), number(m[2]), number(m[3])}} })
	take(dayMonth, func(m []string) []date { return []date{{number(m[3] + m[4]), monthOf(m[2]), number(m[1])}} })
	take(monthYear, func(m []string) []date { return []date{{number(m[2]), monthOf(m[1]), 0}} })
	take(monthDay, func(m []string) []date { return []date{{number(m[3]), monthOf(m[1]), number(m[2])}} })
	return clock.ReplaceAllString(text, " "), found
}

// number reads digits; without any it is 0.
func number(digits string) int {
	n, _ := strconv.Atoi(digits) // the patterns let nothing else through
	return n
}

func monthOf(name string) int {
	i := slices.Index(russian[:], name)
	if i < 0 {
		i = slices.IndexFunc(months[:], func(names string) bool { return slices.Contains(strings.Split(names, "|"), name) })
	}
	return i + 1
}
