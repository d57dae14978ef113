package servicedeskplus

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// clean makes text safe to store and show: valid UTF-8, no control characters
// but line breaks and tabs, no white space at the ends.
func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case unicode.IsControl(r) && r != '\n' && r != '\t':
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// line is clean text on one line, as a subject or a name is.
func line(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }

const cutMark = " … [cut]"

// cut gives at most limit runes of s; where something is missing it says so.
func cut(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	runes := []rune(s)
	return strings.TrimRightFunc(string(runes[:limit-utf8.RuneCountInString(cutMark)]), unicode.IsSpace) + cutMark
}

// plain gives the text of HTML: blocks on lines of their own, list items with a
// dash, the address of a link behind its text, white space folded as a browser
// does. Scripts, styles and comments go. Text without any markup stays as it is.
func plain(s string) string {
	if !strings.ContainsAny(s, "<&") {
		return clean(s)
	}
	var w textWriter
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken: // the end; a tokenizer finds no other error in text
			return clean(strings.ReplaceAll(w.b.String(), "\u00a0", " "))
		case html.TextToken:
			w.text(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			w.open(z.Token(), kind == html.StartTagToken)
		case html.EndTagToken:
			w.close(z.Token().DataAtom)
		}
	}
}

// textWriter collects the text of HTML.
type textWriter struct {
	b      strings.Builder
	hidden atom.Atom // the open element whose text nobody sees
	pre    int       // how many open elements keep their white space
	href   string    // of the open link
	start  int       // of the text of the open link
	space  bool      // white space is due before the next word
	breaks int       // line breaks are due before the next word
}

func (w *textWriter) text(s string) {
	if w.hidden != 0 {
		return
	}
	if w.pre > 0 {
		w.flush()
		w.b.WriteString(s)
		return
	}
	for i, word := range strings.FieldsFunc(s, foldable) {
		if i > 0 || foldable(rune(s[0])) {
			w.space = true
		}
		w.flush()
		w.b.WriteString(word)
		w.space = false
	}
	if s != "" && foldable(rune(s[len(s)-1])) {
		w.space = true
	}
}

// foldable is the white space that a browser folds; a no-break space is not.
func foldable(r rune) bool { return r == ' ' || r == '\n' || r == '\t' || r == '\r' || r == '\f' }

// flush writes the white space that is due.
func (w *textWriter) flush() {
	switch {
	case w.b.Len() == 0:
	case w.breaks > 0:
		w.b.WriteString(strings.Repeat("\n", w.breaks))
	case w.space:
		w.b.WriteByte(' ')
	}
	w.breaks, w.space = 0, false
}

func (w *textWriter) open(t html.Token, hasEnd bool) {
	switch t.DataAtom {
	case atom.Script, atom.Style, atom.Title:
		if hasEnd && w.hidden == 0 {
			w.hidden = t.DataAtom
		}
	case atom.Br:
		w.breaks++
	case atom.Pre:
		w.block()
		w.pre++
	case atom.Li:
		w.block()
		w.text("- ")
	case atom.Td, atom.Th:
		w.space = true
	case atom.A:
		w.href, w.start = "", w.b.Len()
		for _, a := range t.Attr {
			if a.Key == "href" && (strings.HasPrefix(a.Val, "https://") || strings.HasPrefix(a.Val, "http://")) {
				w.href = a.Val
			}
		}
	default:
		w.edge(t.DataAtom)
	}
}

func (w *textWriter) close(a atom.Atom) {
	switch a {
	case w.hidden:
		w.hidden = 0
	case atom.Pre:
		w.pre = max(w.pre-1, 0)
		w.block()
	case atom.A:
		if w.href != "" && strings.TrimSpace(w.b.String()[w.start:]) != w.href {
			w.text(" (" + w.href + ")")
		}
		w.href = ""
	default:
		w.edge(a)
	}
}

// edge starts a new line before and after what is a block.
func (w *textWriter) edge(a atom.Atom) {
	switch a {
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Table, atom.Blockquote:
		w.breaks = max(w.breaks, 2)
	case atom.Div, atom.Ul, atom.Ol, atom.Li, atom.Tr, atom.Hr, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Dl, atom.Dt, atom.Dd:
		w.block()
	}
}

func (w *textWriter) block() { w.breaks = max(w.breaks, 1) }
