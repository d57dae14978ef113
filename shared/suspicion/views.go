package suspicion

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/text/unicode/norm"
)

// view is a way to read a text.
type view struct{ name, text string }

// unescaped undoes HTML's entities, twice: a tool may have escaped once more.
func unescaped(s string) string {
	for range 2 {
		if !strings.Contains(s, "&") {
			break
		}
		s = html.UnescapeString(s)
	}
	return s
}

// smuggles tells whether the text carries another one in characters that nobody
// sees: long rows of them have no use in writing.
func smuggles(s string) bool {
	tags, row := 0, 0
	for _, r := range s {
		switch {
		case r >= 0xE0020 && r <= 0xE007E: // a flag has five
			tags++
			row++
		case unicode.In(r, unicode.Variation_Selector), r >= 0x200b && r <= 0x200f, r >= 0x2060 && r <= 0x2064, r == 0xfeff, r == 0x180e:
			row++
		default:
			row = 0
		}
		if tags >= 24 || row >= 16 {
			return true
		}
	}
	return false
}

// views gives the text as a person reads it, and as somebody wrote it who did
// not want it found.
func views(s string) []view {
	plain := folded(visible(s))
	all := []view{{"", plain}}
	if digits.MatchString(plain) {
		all = append(all, view{"leet", leet.Replace(plain)})
	}
	all = append(all, view{"rot13", strings.Map(rot13, plain)}, view{"reversed", reversed(plain)})
	if hidden := tagged(s); hidden != "" {
		all = append(all, view{"tags", hidden})
	}
	return all
}

// folded writes look-alike letters as the usual ones, and white space as one
// blank or line end.
func folded(s string) string {
	s = norm.NFKC.String(s)
	var b strings.Builder
	for l := range strings.Lines(s) {
		if l = strings.Join(strings.Fields(l), " "); l != "" {
			b.WriteString(alike(l) + "\n")
		}
	}
	return b.String()
}

// alike writes Cyrillic and Greek letters that look like Latin ones as these, in
// words that have Latin letters, too.
func alike(line string) string {
	if !strings.ContainsFunc(line, func(r rune) bool { return unicode.In(r, unicode.Cyrillic, unicode.Greek) }) {
		return line
	}
	words := strings.Split(line, " ")
	for i, w := range words {
		if strings.ContainsFunc(w, func(r rune) bool { return r < utf8.RuneSelf && unicode.IsLetter(r) }) {
			words[i] = lookAlike.Replace(w)
		}
	}
	return strings.Join(words, " ")
}

var (
	lookAlike = strings.NewReplacer("а", "a", "е", "e", "о", "o", "р", "p", "с", "c", "у", "y", "х", "x", "і", "i", "ѕ", "s", "ј", "j", "ԁ", "d", "ո", "n",
		"А", "A", "В", "B", "Е", "E", "К", "K", "М", "M", "Н", "H", "О", "O", "Р", "P", "С", "C", "Т", "T", "Х", "X", "І", "I",
		"α", "a", "ο", "o", "ρ", "p", "ν", "v", "ι", "i", "κ", "k", "ε", "e", "τ", "t", "υ", "u")
	digits = regexp.MustCompile(`\pL[0134578@$!]|[0134578@$]\pL`)
	leet   = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "8", "b", "@", "a", "$", "s", "!", "i")
)

// visible takes out what nobody sees.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsSpace(r) && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Variation_Selector) || r == '\u034f' || r == '\u3164' || r == '\u115f' {
			return -1
		}
		return r
	}, s)
}

// joined gives the words that are written letter by letter, "i g n o r e", as
// one.
func joined(s string) string {
	var b, run strings.Builder
	letters := 0
	end := func() {
		if letters >= 8 {
			b.WriteString(run.String() + "\n")
		}
		run.Reset()
		letters = 0
	}
	for l := range strings.Lines(visible(s)) {
		for word := range strings.SplitSeq(separators.Replace(strings.TrimSpace(l)), " ") {
			switch utf8.RuneCountInString(word) {
			case 0:
			case 1:
				run.WriteString(word)
				letters++
			default:
				end()
			}
		}
		end()
	}
	return strings.ToLower(b.String())
}

var separators = strings.NewReplacer("\t", " ", ".", " ", "-", " ", "_", " ", "*", " ", "\u00a0", " ")

func rot13(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z':
		return 'a' + (r-'a'+13)%26
	case r >= 'A' && r <= 'Z':
		return 'A' + (r-'A'+13)%26
	}
	return r
}

func reversed(s string) string {
	runes := []rune(s)
	slices.Reverse(runes)
	return string(runes)
}

// tagged reads tag characters as the letters that they stand for.
func tagged(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0xE0020 && r <= 0xE007E {
			return r - 0xE0000
		}
		return -1
	}, s)
}

var (
	encoded64 = regexp.MustCompile(`[A-Za-z0-9+/_-]{20,}`)
	encoded16 = regexp.MustCompile(`(?i)(?:(?:0x|\\x)?[0-9a-f]{2}[ ,:]?){12,}`)
	encoded8  = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	notHex    = regexp.MustCompile(`(?i)0x|\\x|[^0-9a-f]`)
)

// maxPieces is how many encoded pieces of a text are decoded.
const maxPieces = 200

// decoded gives what reads as text in base64, in hexadecimal or in the escapes
// of URLs.
func decoded(s string) (all []view) {
	s = visible(s)
	for _, piece := range encoded64.FindAllString(s, maxPieces) {
		piece = strings.NewReplacer("-", "+", "_", "/").Replace(piece)
		if b, err := base64.RawStdEncoding.DecodeString(piece[:len(piece)-len(piece)%4]); err == nil && readable(b) {
			all = append(all, view{"base64", string(b)})
		}
	}
	for _, piece := range hexadecimal(s) {
		piece = notHex.ReplaceAllString(piece, "")
		if b, err := hex.DecodeString(piece[:len(piece)-len(piece)%2]); err == nil && readable(b) {
			all = append(all, view{"hexadecimal", string(b)})
		}
	}
	if len(encoded8.FindAllStringIndex(s, 4)) == 4 {
		if u, err := url.PathUnescape(s); err == nil {
			all = append(all, view{"percent", u})
		}
	}
	return all
}

// hexadecimal gives what is written in hexadecimal digits: of the rows of
// characters that may be, those that are.
func hexadecimal(s string) (all []string) {
	const least = 24
	for _, row := range strings.FieldsFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEFxX\\ ,:", r) }) {
		if len(row) >= least && len(all) < maxPieces {
			all = append(all, encoded16.FindAllString(row, maxPieces)...)
		}
	}
	return all
}

// readable tells whether bytes are text.
func readable(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	odd := 0
	for _, r := range string(b) {
		if !unicode.IsPrint(r) && !unicode.IsSpace(r) {
			odd++
		}
	}
	return odd == 0
}
