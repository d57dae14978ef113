package redact

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// digits are numbers, or groups of them with one space or dash between.
var (
	digits = regexp.MustCompile(`\d+(?:[ -]\d+)*`)
	group  = regexp.MustCompile(`\d+`)
)

// cards redacts card numbers: 13 to 19 digits, in one or in the usual groups,
// that an issuer could have given out and whose check digit is right.
func (c counter) cards(s string) string {
	var b strings.Builder
	done := 0
	for _, run := range digits.FindAllStringIndex(s, -1) {
		groups := group.FindAllStringIndex(s[run[0]:run[1]], -1)
		if !opens(s[:run[0]]) {
			groups = groups[1:]
		}
		if after, _ := utf8.DecodeRuneInString(s[run[1]:]); (unicode.IsLetter(after) || after == '_') && len(groups) > 0 {
			groups = groups[:len(groups)-1]
		}
		for len(groups) > 0 {
			n := cardGroups(s[run[0]:run[1]], groups)
			if n > 0 {
				b.WriteString(s[done:run[0]+groups[0][0]] + c.redacted(Card))
				done = run[0] + groups[n-1][1]
			}
			groups = groups[max(n, 1):]
		}
	}
	return b.String() + s[done:]
}

// opens tells whether a card number may begin after this text: not within a
// word or a decimal fraction, and not after the plus of a telephone number.
func opens(before string) bool {
	r, _ := utf8.DecodeLastRuneInString(before)
	return !unicode.IsLetter(r) && !strings.ContainsRune("+._", r)
}

// cardGroups gives how many of the groups, from the first one on, are a card
// number; 0 for none. The first of several groups has four digits and only the
// last may have fewer, which dates and telephone numbers rarely keep to.
func cardGroups(run string, groups [][]int) int {
	number := ""
	for i, g := range groups {
		if i > 0 && (groups[0][1]-groups[0][0] != 4 || i > 1 && groups[i-1][1]-groups[i-1][0] < 4 || run[g[0]-1] != run[groups[0][1]]) {
			return 0
		}
		number += run[g[0]:min(g[1], g[0]+20)]
		if len(number) > 19 {
			return 0
		}
		if len(number) >= 13 && issued(number) && luhn(number) {
			return i + 1
		}
	}
	return 0
}

// issued tells whether numbers of this beginning and length are given out.
func issued(number string) bool {
	n := len(number)
	switch first := number[:2]; {
	case first[0] == '4': // Visa
		return n == 13 || n == 16 || n == 19
	case first == "34" || first == "37": // American Express
		return n == 15
	case first == "30" || first == "36" || first == "38" || first == "39": // Diners
		return n == 14 || n >= 16
	case first == "35": // JCB; fifteen digits are a telephone's serial number
		return n >= 16
	case first >= "51" && first <= "55", first >= "22" && first <= "27": // Mastercard
		return n == 16
	default: // Maestro, Discover, UnionPay
		return first[0] == '6' || first == "50" || first >= "56" && first <= "58"
	}
}

// luhn tells whether the check digit is right.
func luhn(number string) bool {
	sum := 0
	for i := range len(number) {
		d := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
