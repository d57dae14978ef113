package receipts

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// id is a citation's id. F is left out: [F5] is a key to press.
const id = `[A-EG-Za-eg-z]\d{1,3}`

// maxRaw is how many bytes of a text are read at all.
const maxRaw = 4 * maxText

var (
	link     = regexp.MustCompile(`!?\[(\[?[^\[\]]*\]?)\]\([^()]*\)`)
	anID     = regexp.MustCompile(id)
	citation = regexp.MustCompile(`\[\s*` + id + `(?:\s*[,;&/+]?\s*` + id + `)*\s*\]`)
	// citations is a run of them, with what stands between: "(see [T1], [A2])".
	citations = regexp.MustCompile(`(?:\s*(?:\((?:\p{L}+[.:]?\s+)?)?` + citation.String() + `[,;)]?)+`)
	atEnd     = regexp.MustCompile(citations.String() + `\s*([.!?…。]*)\s*$`)
	gap       = regexp.MustCompile(`\s+([.,;:!?)]+(?:\s|$))`)
	bullet    = regexp.MustCompile(`^(?:[-*+•–>#|]+|\d{1,3}[.)]|\[[ xX]\])\s+`)
	marks     = strings.NewReplacer("**", "", "__", "", "~~", "", "`", "", "\\[", "[", "\\]", "]")
)

// clean gives the claim with its text plain and with those ids that name an
// item, and the ids that name none. An id inside the text counts as well: at
// the end it goes, in the middle of a sentence it stays in round brackets: "as
// in (T1), ...". A text without a letter is none.
func (c Claim) clean(items map[string]item) (cleaned Claim, unknown []string) {
	add := func(ids []string) (valid []string) {
		for _, id := range ids {
			if _, ok := items[id]; ok {
				valid = appendOnce(valid, id)
				cleaned.Cites = appendOnce(cleaned.Cites, id)
			} else if id != "" {
				unknown = appendOnce(unknown, id)
			}
		}
		return valid
	}
	for _, id := range c.Cites[:min(len(c.Cites), perList)] {
		add([]string{strings.ToUpper(strings.Trim(shorten(id, 10), "[] "))})
	}
	text := plain(c.Text[:min(len(c.Text), maxRaw)])
	add(idsIn(strings.Join(citation.FindAllString(text, -1), "")))
	if m := atEnd.FindStringSubmatchIndex(text); m != nil {
		body := strings.TrimSpace(text[:m[0]])
		if last, _ := utf8.DecodeLastRuneInString(body); !strings.ContainsRune(".!?…。！？", last) {
			body += text[m[2]:m[3]]
		}
		text = body
	}
	text = citation.ReplaceAllStringFunc(text, func(group string) string {
		if ids := add(idsIn(group)); len(ids) > 0 {
			return "(" + strings.Join(ids, ", ") + ")"
		}
		return " "
	})
	text = untagged(gap.ReplaceAllString(text, "$1"))
	if strings.ContainsFunc(text, unicode.IsLetter) {
		cleaned.Text = strings.Join(strings.Fields(text), " ")
	}
	return cleaned, unknown
}

// idsIn gives the ids of a citation.
func idsIn(group string) []string {
	return anID.FindAllString(strings.ToUpper(group), -1)
}

func appendOnce(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// plain flattens the Markdown and HTML of a text. Links lose their target: the
// note's links are made from the ids.
func plain(text string) string {
	text = strings.Join(strings.Fields(visible(text)), " ")
	text = link.ReplaceAllStringFunc(marks.Replace(text), func(l string) string {
		inner := link.FindStringSubmatch(l)[1]
		if inner != "" && anID.FindString(inner) == inner {
			return "[" + inner + "]"
		}
		return inner
	})
	text = strings.Join(strings.Fields(untagged(text)), " ")
	for range 3 { // "- [ ] 1. Restart it"
		text = text[len(bullet.FindString(text)):]
	}
	return text
}

// raw are the elements whose content the tokenizer does not read as HTML.
var raw = []string{"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript", "plaintext"}

// untagged puts a space in the place of every HTML tag and comment, and of the
// whole of a script and its like.
func untagged(text string) string {
	if !strings.Contains(text, "<") {
		return text
	}
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(text))
	hidden := false
	for {
		kind := z.Next()
		switch {
		case kind == html.ErrorToken: // the end: a string has no other error
			return b.String()
		case kind == html.TextToken && !hidden:
			b.Write(z.Raw())
		default:
			name, _ := z.TagName()
			hidden = kind != html.EndTagToken && slices.Contains(raw, string(name))
			b.WriteByte(' ')
		}
	}
}

// visible removes what a person does not see: control, zero-width, bidi and
// tag characters.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Variation_Selector):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// shorten gives what one can see of s, at most n characters of it.
func shorten(s string, n int) string {
	runes := []rune(visible(s[:min(len(s), maxRaw)]))
	if len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return string(runes)
}
