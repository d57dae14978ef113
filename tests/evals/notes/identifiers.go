package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// This file finds what a note may not make up. It shares no code with package
// receipts, so that a mistake of the one does not hide from the other.

// fold makes texts comparable.
func fold(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Cf, r):
			return -1
		case strings.ContainsRune("‐‑–—", r):
			return '-'
		}
		return unicode.ToLower(r)
	}, norm.NFKC.String(text))
}

var (
	address = regexp.MustCompile(`[a-z][a-z0-9+.-]*://[^\s<>"]+`)
	counted = regexp.MustCompile(`(?:\b(?:ticket|bug|issue|case|incident|request|article|vorgang|artikel|asset)s?[ :]*(?:n[or]\.? *|number |nummer )?|#\s?)#?(\d+)`)
	command = regexp.MustCompile(`\b(?:net (?:stop|start|use|user|localgroup) [\w$:\\]+|sc (?:stop|start|query|config|delete) \w+|(?:ipconfig|sfc|chkdsk|gpupdate|dism|shutdown|format|bcdedit|certutil|netsh|reg|rundll32|mshta) [/\w:]+(?: [/\w:\\]+)?|` +
		`(?:systemctl|apt|apt-get|yum|dnf) (?:start|stop|restart|status|enable|disable|install|remove|purge)(?: [-\w/.:]+)?|service [-\w.]+ (?:start|stop|restart|status)|` +
		`(?:oc|kubectl|docker|curl|wget|chmod|chown|mkfs) [-\w/.:]+(?: [-\w/.:]+)?|rm -\w+ [-\w/.*]+|` +
		`(?:get|set|remove|restart|stop|start|invoke|new|clear|enable|disable|test|reset)-[a-z]{4,})\b`)
	isDate  = regexp.MustCompile(`\b(\d{4})-(\d{2})-(\d{2})\b|\b(\d{1,2})\.(\d{1,2})\.(\d{4})\b`)
	inWords = regexp.MustCompile(`\b(\d{1,2})(?:st|nd|rd|th|\.|er)? (?:de |of )?(\pL{3,10})\.?,? (?:de )?(\d{4})\b|\b(\pL{3,10}) (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})\b`)

	clock = regexp.MustCompile(`^\d{1,2}:\d{2}(?::\d{2})?$`)
	// amount is a number with its unit; a small range; or an ordinal.
	amount = regexp.MustCompile(`^[~<>≥≤+-]?\d+(?:[.,]\d+)?(?:[kmgt]i?b|ms|s|sec|min|h|d|px|mm|cm|m|x|w|%|st|nd|rd|th|er|e|º|ª|°|-?bit)$|^\d{1,3}-\d{1,3}$`)
	// usual are names with digits that belong to no one thing.
	usual  = regexp.MustCompile(`^(?:[1-5]xx|ipv[46]|x(?:64|86)|utf-?(?:8|16)|a[345]|[hlx]\d|f\d{1,2}|tls1\.[0-3]|sha-?(?:1|256|512)|md5|win(?:dows)?1[01]|office365|m365|smbv?[123]|usb-?[23](?:\.0)?|base64|tier-?\d|level-?\d|step-?\d|html5|es\d|k8s|\d+/7|port-?\d{1,4})$`)
	dotted = regexp.MustCompile(`^[\pL\d_-]{2,}(?:\.[\pL\d_-]{2,})*\.\pL{2,}$`)
)

// identifiers gives what in a text is true or false of one particular thing:
// addresses of the net, hosts, numbers of tickets, error codes, versions,
// paths, options, commands and dates.
func identifiers(text string) []string {
	text = fold(text)
	found := slices.Concat(address.FindAllString(text, -1), command.FindAllString(text, -1))
	for _, m := range counted.FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	text = inWords.ReplaceAllString(isDate.ReplaceAllString(address.ReplaceAllString(text, " "), " "), " ") // see dates
	for _, word := range strings.Fields(text) {
		word = bare(word)
		if strings.Contains(word, `\`) || strings.Contains(word, "@") || isPath(word) {
			found = append(found, word)
			continue
		}
		for _, part := range strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune("/,;=()[]{}|&'’\"<>", r) }) {
			if part = bare(part); particular(part) {
				found = append(found, part)
			}
		}
	}
	for i, f := range found {
		found[i] = bare(f)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// bare is a word without what only surrounds it.
func bare(word string) string {
	return strings.TrimLeft(strings.TrimRight(word, ".,;:!?)]}\"'“”’»«>*…`"), "([{\"'“„‘«»<*#`")
}

func isPath(word string) bool {
	return len(word) > 2 && (word[0] == '/' || word[0] == '-' && unicode.IsLetter(rune(word[1]))) && strings.ContainsFunc(word, unicode.IsLetter)
}

// particular tells whether a word names one particular thing.
func particular(word string) bool {
	digits, letters, inside := 0, 0, false
	for i, r := range word {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.Is(unicode.Latin, r):
			letters++
		case !unicode.IsLetter(r):
			inside = inside || i > 0
		}
	}
	if clock.MatchString(word) || amount.MatchString(word) || usual.MatchString(word) {
		return false
	}
	switch {
	case digits > 0 && letters > 0, digits >= 5:
		return true
	case digits > 0:
		return inside && !strings.ContainsFunc(word, unicode.IsLetter)
	default:
		return strings.Contains(word, "_") || dotted.MatchString(word)
	}
}

// months are the beginnings of their names in English, German, French, Spanish,
// Italian and Portuguese.
var months = []string{
	"jan|gen|ene|jän", "feb|fév|fev", "mar|mär|mrz", "apr|avr|abr", "may|mai|mag", "jun|juin|giu", "jul|juil|lug", "aug|aoû|ago", "sep|set", "oct|okt|ott|out", "nov", "dec|dez|déc|dic",
}

// dates gives the dates in a text, as 2026-03-02.
func dates(text string) []string {
	var found []string
	add := func(year, month, day string) { found = append(found, fmt.Sprintf("%s-%02s-%02s", year, month, day)) }
	text = fold(text)
	for _, m := range isDate.FindAllStringSubmatch(text, -1) {
		add(m[1]+m[6], m[2]+m[5], m[3]+m[4])
	}
	for _, m := range inWords.FindAllStringSubmatch(text, -1) {
		for i, names := range months {
			if slices.ContainsFunc(strings.Split(names, "|"), func(name string) bool { return strings.HasPrefix(m[2]+m[4], name) }) {
				add(m[3]+m[6], fmt.Sprint(i+1), m[1]+m[5])
				break
			}
		}
	}
	return found
}

// source is text that a note may take identifiers from.
type source struct {
	text  string
	dates map[string]bool
}

func sourceOf(texts ...string) source {
	s := source{text: strings.Join(strings.Fields(fold(strings.Join(texts, "\n"))), " "), dates: map[string]bool{}}
	for _, d := range dates(s.text) {
		s.dates[d] = true
	}
	return s
}

func (s source) knows(day time.Time) {
	if !day.IsZero() {
		s.dates[day.Format(time.DateOnly)] = true
	}
}

// lacks gives what a text names and the source does not.
func (s source) lacks(text string) []string {
	var list []string
	for _, id := range identifiers(text) {
		if !s.has(strings.Join(strings.Fields(id), " ")) {
			list = append(list, id)
		}
	}
	for _, d := range dates(text) {
		if !s.dates[d] {
			list = append(list, d)
		}
	}
	return list
}

// has tells whether the source has an identifier that is not part of a longer
// one there.
func (s source) has(id string) bool {
	for at := 0; id != ""; at++ {
		i := strings.Index(s.text[at:], id)
		if i < 0 {
			return false
		}
		at += i
		before, _ := utf8.DecodeLastRuneInString(s.text[:at])
		rest := s.text[at+len(id):]
		after, size := utf8.DecodeRuneInString(rest)
		more, _ := utf8.DecodeRuneInString(rest[size:])
		if !goesOn(before) && before != '.' && !goesOn(after) && (after != '.' || !goesOn(more)) {
			return true
		}
	}
	return true
}

func goesOn(r rune) bool {
	return r == '-' || r == '_' || unicode.IsDigit(r) || unicode.Is(unicode.Latin, r)
}
