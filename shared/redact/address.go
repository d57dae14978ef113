package redact

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The longest parts of an e-mail address, in bytes.
const (
	maxLocal  = 64
	maxDomain = 255
)

var (
	// at stands between the parts of an e-mail address: as it is, in full width,
	// or as a URL has it.
	at     = regexp.MustCompile(`@|＠|%40`)
	domain = regexp.MustCompile(`^(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,8}\p{L}{2,24}`)
	// file is the end of the name of a file, as in "icon@2x.png".
	file = regexp.MustCompile(`(?i)\.(?:png|jpe?g|gif|svg|webp|ico|js|css|map|json|dll|exe)$`)
)

// emails puts what instead gives in the place of each e-mail address. An
// address needs a domain with a dot: "root@srv-print-01" names a host. The user
// in a URL is no address either.
func emails(s string, instead func(string) string) string {
	var b strings.Builder
	done := 0
	for _, sign := range at.FindAllStringIndex(s, -1) {
		if sign[0] < done {
			continue
		}
		from := local(s[done:sign[0]]) + done
		end := sign[1] + len(domain.FindString(s[sign[1]:min(len(s), sign[1]+maxDomain)]))
		after, _ := utf8.DecodeRuneInString(s[end:])
		if from == sign[0] || end == sign[1] || strings.HasSuffix(s[:from], "//") || unicode.IsNumber(after) || file.MatchString(s[sign[1]:end]) {
			continue
		}
		b.WriteString(s[done:from] + instead(s[from:end]))
		done = end
	}
	return b.String() + s[done:]
}

// local gives where the part before the @ begins in the text that ends with it.
func local(before string) int {
	from := len(before)
	for from > 0 && len(before)-from < maxLocal {
		r, size := utf8.DecodeLastRuneInString(before[:from])
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) && !strings.ContainsRune("._+'&~=-", r) {
			break
		}
		from -= size
	}
	// An address begins with a letter or a digit: "'bob@x.example'", "=bob@".
	for from < len(before) {
		r, size := utf8.DecodeRuneInString(before[from:])
		if unicode.IsLetter(r) || unicode.IsNumber(r) || r == '_' {
			break
		}
		from += size
	}
	if i := strings.LastIndexByte(before[from:], '='); i >= 0 { // a parameter's name
		from += i + 1
	}
	return from
}

// hidden tells whether a person sees nothing of a character.
func hidden(r rune) bool {
	switch r {
	case '\n', '\r', '\t':
		return false
	case '\u034f', '\u115f', '\u1160', '\u3164', '\uffa0', '\u17b4', '\u17b5': // fillers that count as letters or marks
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Variation_Selector)
}
