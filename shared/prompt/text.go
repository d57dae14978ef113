package prompt

import (
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean takes out of a foreign text what a person does not see but a model
// reads: control, zero-width, bidi and tag characters; and the nonce. Of a
// text that cannot fit into a prompt it takes the beginning.
func clean(s, nonce string) string {
	s = s[:min(len(s), 2*maxPrompt)]
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t', r == '\r', r == '\u00a0':
			return ' '
		case r == '\u2028', r == '\u2029', r == '\u0085', r == '\v', r == '\f':
			return '\n'
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Variation_Selector):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if nonce != "" {
		s = strings.ReplaceAll(s, nonce, " ")
	}
	return s
}

// line is a foreign text as one line of at most limit bytes.
func line(s, nonce string, limit int) string {
	return cut(strings.Join(strings.Fields(clean(s, nonce)), " "), limit)
}

// block is a foreign text with every line indented, so that none of them can
// pass for a fence or for the head of an item; without empty lines.
func block(s, nonce string) string {
	var b strings.Builder
	for l := range strings.Lines(clean(s, nonce)) {
		if l = strings.TrimSpace(l); l != "" {
			b.WriteString("  " + l + "\n")
		}
	}
	return b.String()
}

// ended is s with a line end, unless it is empty.
func ended(s string) string {
	if s == "" || strings.HasSuffix(s, "\n") {
		return s
	}
	return s + "\n"
}

// cut shortens s to at most limit bytes, the mark of the cut included, at the
// end of a character and where it can at the end of a word.
func cut(s string, limit int) string {
	const mark = " …"
	if len(s) <= limit {
		return s
	}
	end := limit - len(mark) - 1 // and a line end, if one must follow
	if end <= 0 {
		return ""
	}
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	if space := strings.LastIndexByte(s[:end], ' '); space > end-40 && space > 0 {
		end = space
	}
	return strings.TrimRight(s[:end], " \n") + mark
}

// fairShare gives the length to which texts of these lengths are cut so that
// they fit into room together. What short ones leave goes to the long ones.
func fairShare(lengths []int, room int) int {
	lengths = slices.Sorted(slices.Values(lengths))
	for i, n := range lengths {
		share := room / (len(lengths) - i)
		if n > share {
			return share
		}
		room -= n
	}
	return math.MaxInt
}
