package note

import (
	"cmp"
	"regexp"
	"strings"
	"unicode"
)

// link makes a link of a label that is plain text. Only http and https URLs
// without white space or brackets are linked.
func link(label, url string) string {
	label = cmp.Or(escape(label), unnamed)
	if !linkable.MatchString(url) {
		return label
	}
	return "[" + label + "](" + url + ")"
}

// strong makes plain text bold.
func strong(text string) string { return "**" + cmp.Or(escape(text), unnamed) + "**" }

// unnamed stands for a name that is empty, or invisible.
const unnamed = "?"

var (
	linkable = regexp.MustCompile(`^https?://[^\s()<>\[\]"'\\]+$`)
	target   = regexp.MustCompile(`\]\([^)]*\)`)
	special  = regexp.MustCompile("[\\\\`*\\[\\]<>&|~_]")
	// block is what makes a block of its own at the start of a line.
	block = regexp.MustCompile(`^(?:[-+=#]|\d{1,9}[.)])`)
)

// escape makes plain text safe inside a line of Markdown: one line, no mark-up,
// and no invisible characters, which could turn the text around. Names stay
// readable: DOMAIN\user and SRV_01 need no escape.
func escape(text string) string {
	visible := strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Co) || (unicode.IsControl(r) && !unicode.IsSpace(r)) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.Join(strings.Fields(visible), " ")
	var b strings.Builder
	last := 0
	for _, at := range special.FindAllStringIndex(text, -1) {
		b.WriteString(text[last:at[0]])
		if last = at[0]; marks(text, at[0]) {
			b.WriteByte('\\')
		}
	}
	return b.String() + text[last:]
}

// marks tells whether a special character could be mark-up where it stands.
func marks(text string, at int) bool {
	switch text[at] {
	case '\\': // before a letter it is itself
		return at+1 == len(text) || !alphanumeric(text[at+1])
	case '_': // inside a word it is itself
		return at == 0 || at+1 == len(text) || !alphanumeric(text[at-1]) || !alphanumeric(text[at+1])
	}
	return true
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// opening makes escaped text safe at the start of a line.
func opening(text string) string {
	if at := block.FindStringIndex(text); at != nil {
		return text[:at[1]-1] + `\` + text[at[1]-1:]
	}
	return text
}
