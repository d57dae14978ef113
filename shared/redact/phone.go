package redact

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The window that is looked at before and after where a number may begin.
const (
	maxLabel  = 40
	maxNumber = 64
)

const (
	gap = `[ \x{a0}\x{202f}]`
	// over ends a number: no word, fraction, version, time or longer number goes on.
	over = `(?:$|[^\p{L}\p{N}_.:,@%-]|[.:,](?:$|\P{N})|-(?:$|[^\p{L}\p{N}]))`
)

// number is a pattern whose first group is a telephone number, and how many
// digits that has.
type number struct {
	pattern     func() *regexp.Regexp
	least, most int
}

func like(pattern string, least, most int) number {
	return number{lazily(`^(` + pattern + `)` + over), least, most}
}

// numbers are the ways to write a telephone number that nothing else is
// written in.
var numbers = []number{
	// +49 (0)30 1234-567, +1-555-234-5678
	like(`\+[1-9](?:(?:`+gap+`?[/()–-]{0,2}`+gap+`?)\d){7,14}`, 8, 15),
	like(`\+[1-9]\d{0,3}(?:\.\d{2,8}){2,5}`, 8, 15), // +49.30.1234567
	// 0049 30 1234567
	like(`00[1-9]\d{0,2}(?:(?:`+gap+`|[/-]|`+gap+`?\(0?\)`+gap+`?)\d{2,10}){1,5}`, 10, 15),
	// (030) 1234-567, (555) 234-5678
	like(`\(0?\d{2,4}\)`+gap+`?[/-]?`+gap+`?\d{2,8}(?:(?:`+gap+`|-)\d{2,6}){0,3}`, 8, 12),
	// 1-800-234-5678, 555.234.5678, 555 234 5678
	like(`(?:1-)?[2-9]\d{2}-[2-9]\d{2}-\d{4}`, 10, 11),
	like(`[2-9]\d{2}\.[2-9]\d{2}\.\d{4}`, 10, 10),
	like(`(?:1 )?[2-9]\d{2} [2-9]\d{2}[ -]\d{4}`, 10, 11),
	// 030 1234567, 0170/1234567, 020 7946 0958
	like(`0[1-9]\d{1,4}(?:`+gap+`|`+gap+`?/`+gap+`?|-)\d{3,9}(?:(?:`+gap+`|-)\d{2,5}){0,3}`, 9, 12),
}

var (
	pairs = like(`0[1-9](?: \d{2}){4}|0[1-9](?:\.\d{2}){4}|0[1-9](?:-\d{2}){4}`, 10, 10) // 01 23 45 67 89
	// A row of pairs that goes on is a dump.
	pairBefore = regexp.MustCompile(`(?i)(?:^|[^0-9a-z])[0-9a-f]{2}[ .-]$`)
	pairAfter  = regexp.MustCompile(`(?i)^[ .-][0-9a-f]{2}(?:$|[^0-9a-z])`)

	// named is a number behind a word for it.
	named    = like(`\+?\(?\d(?:`+gap+`?[./()–-]{0,2}`+gap+`?\d){5,14}`, 6, 15)
	nameless = regexp.MustCompile(`^\d{1,3}(?:\.\d{1,3}){3}|^\d{4}[-./]\d{2}[-./]\d{2}|^\d{1,2}[-./]\d{1,2}[-./]\d{4}`) // an address, a date
	names    = regexp.MustCompile(`(?i)(?:^|[^\p{L}])(?:(?:tele)?(?:phone|fon|foon)|tel|t[ée]l[ée](?:phone|fono|fone)|mobile?|handy|cell(?:ulare?|phone)?|celular|m[óo]vil|fax|whatsapp|hotline|dial|call(?: (?:me|us|him|her|them))?(?: back)?|ruf|durchwahl|телефон|电话|電話)` +
		`(?:[ .-]?(?:nr|no|num|number|nummer|n[uú]m[eé]ro|n°))?\.?(?: (?:is|at|on|ist|unter|est|es|al))?[ \x{a0}]{0,2}[:=.)]?[ \x{a0}]{0,2}$`)
)

// Phones gives the telephone numbers in a text, as a Mask sees them.
func Phones(s string) (found []string) {
	phones(s, func(value string) string {
		found = append(found, value)
		return value
	})
	return found
}

// phones puts what instead gives in the place of each telephone number.
func phones(s string, instead func(string) string) string {
	var b strings.Builder
	done := 0
	for from := 0; from < len(s); {
		i := strings.IndexAny(s[from:], "+(0123456789")
		if i < 0 {
			break
		}
		from += i
		if n := phone(s[done:from], s[from:min(len(s), from+maxNumber)]); n > 0 {
			b.WriteString(s[done:from] + instead(s[from:from+n]))
			from += n
			done = from
			continue
		}
		from++
		for s[from-1] >= '0' && s[from-1] <= '9' && from < len(s) && s[from] >= '0' && s[from] <= '9' {
			from++
		}
	}
	return b.String() + s[done:]
}

// phone gives the length of the telephone number at the beginning of rest, 0
// for none; before is what stands before it, from the last number on.
func phone(before, rest string) int {
	if !enough(rest) {
		return 0
	}
	before = before[max(len(before)-maxLabel, 0):]
	if r, _ := utf8.DecodeLastRuneInString(before); unicode.IsLetter(r) || unicode.IsNumber(r) || strings.ContainsRune("_+-.#$€£@%/\\", r) && r != utf8.RuneError {
		if r != '.' || !names.MatchString(before) {
			return 0
		}
	}
	if n := pairs.in(rest); n > 0 {
		if pairBefore.MatchString(before) || pairAfter.MatchString(rest[n:]) {
			return 0
		}
		return n
	}
	for _, p := range numbers {
		if n := p.in(rest); n > 0 {
			return n
		}
	}
	if names.MatchString(before) && !nameless.MatchString(rest) {
		return named.in(rest)
	}
	return 0
}

// enough tells quickly, as most numbers are short, whether there are digits for
// a telephone number before the first character that none has.
func enough(rest string) bool {
	digits := 0
	for _, c := range []byte(rest) {
		switch {
		case c >= '0' && c <= '9':
			if digits++; digits >= named.least {
				return true
			}
		case c < utf8.RuneSelf && !strings.ContainsRune("+ ()./-", rune(c)):
			return false
		}
	}
	return false
}

// in gives the length of the number at the beginning of s, 0 for none.
func (p number) in(s string) int {
	m := p.pattern().FindStringSubmatchIndex(s)
	if m == nil {
		return 0
	}
	digits := 0
	for _, c := range []byte(s[:m[3]]) {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	if digits < p.least || digits > p.most {
		return 0
	}
	return m[3]
}
