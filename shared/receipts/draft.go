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

var (
	heading  = regexp.MustCompile(`^#{1,6}\s+(.*)$`)
	bullet   = regexp.MustCompile(`^(?:[-*+•–]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?`)
	link     = regexp.MustCompile(`!?\[(\[?[^\[\]]*\]?)\]\([^()]*\)`)
	anID     = regexp.MustCompile(id)
	citation = regexp.MustCompile(`\[\s*` + id + `(?:\s*[,;&/+]?\s*` + id + `)*\s*\]`)
	// citations is a run of them, with what stands between: "(see [T1], [A2])".
	citations = regexp.MustCompile(`(?:\s*(?:\((?:\p{L}+[.:]?\s+)?)?` + citation.String() + `[,;)]?)+`)
	atEnd     = regexp.MustCompile(citations.String() + `\s*([.!?…。]*)\s*$`)
	gap       = regexp.MustCompile(`\s+([.,;:!?)])`)
	marks     = strings.NewReplacer("**", "", "__", "", "~~", "", "`", "", "\\[", "[", "\\]", "]")
)

// statement is a claim as the draft has it.
type statement struct {
	section int
	text    string
	broken  bool // the draft ends in the middle of it
}

// statements reads the draft line by line. What stands before the first
// heading belongs to no section; below a heading that we did not ask for,
// only bullets count.
func statements(draft string) []statement {
	draft = visible(draft[:min(len(draft), maxDraft)])
	var found []statement
	section, strange := -1, false
	var current []string // the lines of the bullet or paragraph being read
	flush := func() {
		for _, part := range claims(plain(strings.Join(current, " "))) {
			found = append(found, statement{section: section, text: part})
		}
		current = nil
	}
	for l := range strings.Lines(draft) {
		l = strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(l), ">|"))
		next, isHeading := headed(l)
		mark := bullet.FindString(l)
		switch {
		case isHeading:
			flush()
			section, strange = next, next < 0
			if strange {
				section = nextSteps
			}
		case section < 0, strings.HasPrefix(l, "```"):
		case l == "":
			flush()
		case mark != "":
			flush()
			current = []string{l[len(mark):]}
		case current != nil || !strange:
			current = append(current, l)
		}
	}
	flush()
	if n := len(found); n > 0 {
		last, _ := utf8.DecodeLastRuneInString(strings.TrimSpace(draft))
		found[n-1].broken = !strings.ContainsRune(".!?…。:)]*`\"'", last)
	}
	return found
}

// headed tells whether a line is a heading, and the index of the section that
// it names, -1 for none that we know.
func headed(line string) (section int, ok bool) {
	title := line
	if m := heading.FindStringSubmatch(line); m != nil {
		title, ok = m[1], true
	}
	title = strings.TrimFunc(title, func(r rune) bool { return !unicode.IsLetter(r) })
	section = slices.IndexFunc(Headings, func(h string) bool { return strings.EqualFold(h, title) })
	return section, ok || section >= 0
}

// claims cuts a text after every citation that ends a sentence, so that no
// sentence hides behind the receipt of the one before it.
func claims(text string) []string {
	var parts []string
	start := 0
	for _, run := range citations.FindAllStringIndex(text, -1) {
		end := run[1]
		before, _ := utf8.DecodeLastRuneInString(text[:run[0]])
		after, size := utf8.DecodeRuneInString(text[end:])
		switch {
		case ends(after):
			end += size
		case !ends(before):
			continue
		}
		rest := strings.TrimLeft(text[end:], " ")
		first, _ := utf8.DecodeRuneInString(rest)
		if rest == "" || unicode.IsLower(first) {
			continue
		}
		parts = append(parts, text[start:end])
		start = end
	}
	if strings.TrimSpace(text[start:]) != "" {
		parts = append(parts, text[start:])
	}
	return parts
}

func ends(r rune) bool { return strings.ContainsRune(".!?…。！？", r) }

// read gives the statement's text without its citations, and those ids that
// name an item. A citation in the middle of a sentence stays in round
// brackets: "as in (T1), ...". A text without a letter is none.
func (s statement) read(items map[string]known) (text string, cites []string) {
	valid := func(group string) (ids []string) {
		for _, id := range anID.FindAllString(group, -1) {
			id = strings.ToUpper(id)
			if _, ok := items[id]; ok && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		return ids
	}
	cites = valid(strings.Join(citation.FindAllString(s.text, -1), ""))
	text = s.text
	if m := atEnd.FindStringSubmatchIndex(text); m != nil {
		body := strings.TrimSpace(text[:m[0]])
		if last, _ := utf8.DecodeLastRuneInString(body); !ends(last) {
			body += text[m[2]:m[3]]
		}
		text = body
	}
	text = citation.ReplaceAllStringFunc(text, func(group string) string {
		if ids := valid(group); len(ids) > 0 {
			return "(" + strings.Join(ids, ", ") + ")"
		}
		return " "
	})
	text = untagged(gap.ReplaceAllString(text, "$1"))
	text = strings.Join(strings.Fields(text), " ")
	if !strings.ContainsFunc(text, unicode.IsLetter) {
		return "", nil
	}
	return text, cites
}

// plain flattens the Markdown and HTML of one bullet or paragraph. Links lose
// their target: the note's links are made from the ids.
func plain(text string) string {
	text = link.ReplaceAllStringFunc(marks.Replace(text), func(l string) string {
		inner := link.FindStringSubmatch(l)[1]
		if inner != "" && anID.FindString(inner) == inner {
			return "[" + inner + "]"
		}
		return inner
	})
	return strings.Join(strings.Fields(strings.TrimLeft(untagged(text), "#> ")), " ")
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
		case r == '\n':
			return r
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Variation_Selector):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
