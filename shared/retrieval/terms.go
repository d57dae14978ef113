// Package retrieval finds the documents that are most like a ticket. It is
// pure: one analyser (Terms) reads what is stored and what is asked, Search
// ranks over a small Postings port, and Addresses finds the IP addresses that
// a text names. It reads what real users type, in any language, so nothing in
// here fails on odd input.
package retrieval

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of one document. They bound the rows of a stored document and
// the look-ups of a question, whatever somebody pastes into a ticket.
const (
	MaxTerms    = 400      // different terms
	maxRead     = 32 << 10 // bytes of the title, and of the body
	maxTermSize = 96       // bytes; longer words are encoded data, and are left out
	maxTF       = 4000
)

// How much one occurrence of a word counts, in quarters: what a person puts in
// the title is what the ticket is about; the words of the resolution help to
// find it, and are not what others complain of.
const (
	inTitle      = 8
	inBody       = 4
	inResolution = 1
	whole        = 4.0 // quarters
)

// Analyser is the number of what Terms and References do. Documents that were
// read by another one are read again: raise it with every change of either.
const Analyser = 2

// Term is a word or identifier of a text.
type Term struct {
	Text string // what is compared: lower case, English endings folded
	Word string // as first written, in lower case: for people
	TF   int    // how often it occurs, in quarters: 8 in the title, 4 in the body, 1 in the resolution
}

// Terms gives the different terms of a text in the order of their first
// occurrence, at most MaxTerms; of a long text it reads the beginning. Words of
// languages that write without spaces become pairs of characters. Error codes,
// host names, versions and addresses stay whole; all but IPv4 addresses give
// their parts besides. Common English words are left out. Invalid UTF-8
// separates words like a space. A question has no resolution.
func Terms(title, body, resolution string) []Term {
	a := analysis{seen: map[string]int{}}
	a.read(title, inTitle)
	a.read(body, inBody)
	a.read(resolution, inResolution)
	return a.terms
}

// Length is the length of a document in quarters of a word.
func Length(terms []Term) int {
	n := 0
	for _, t := range terms {
		n += t.TF
	}
	return n
}

type analysis struct {
	terms []Term
	seen  map[string]int // index in terms
}

func (a *analysis) full() bool { return len(a.terms) >= MaxTerms }

// add counts a term. What is too long or not worth finding is dropped here.
func (a *analysis) add(text, word string, weight int) {
	if len(text) > maxTermSize {
		return
	}
	i, ok := a.seen[text]
	if !ok {
		if a.full() {
			return
		}
		i = len(a.terms)
		a.seen[text] = i
		a.terms = append(a.terms, Term{Text: text, Word: word})
	}
	a.terms[i].TF = min(a.terms[i].TF+weight, maxTF)
}

func (a *analysis) read(text string, weight int) {
	text = text[:min(len(text), maxRead)]
	if strings.Count(text, ":") >= 2 {
		for _, p := range prefixes(nil, ipv6Pattern, text) { // an IPv4 address is a compound like others
			a.add(p.Addr().String(), p.Addr().String(), weight)
		}
	}
	for len(text) > 0 && !a.full() {
		start := strings.IndexFunc(text, wordy)
		if start < 0 {
			return
		}
		text = text[start:]
		end := compoundEnd(text)
		a.compound(text[:end], weight)
		text = text[end:]
	}
}

// compound adds one run of words that are joined by dots, hyphens and
// underscores: "srv-fs01", "115.4.1", "MAPI_E_NOT_FOUND". With a digit
// or an underscore in it, it names something, and is a term itself.
func (a *analysis) compound(s string, weight int) {
	if !strings.ContainsFunc(s, joins) {
		a.word(s, weight)
		return
	}
	if len(s) <= maxTermSize {
		whole := strings.ToLower(s)
		if strings.ContainsFunc(whole, unicode.IsDigit) || strings.Contains(whole, "_") {
			a.add(whole, whole, weight)
			if _, err := netip.ParseAddr(whole); err == nil {
				return // "192" and "168" say nothing
			}
		}
	}
	for part := range strings.FieldsFuncSeq(s, joins) {
		a.word(part, weight)
	}
}

// word adds a word without joints.
func (a *analysis) word(s string, weight int) {
	if strings.ContainsFunc(s, spaceless) {
		a.pairs(s, weight)
		return
	}
	if len(s) > maxTermSize || utf8.RuneCountInString(s) < 2 {
		return
	}
	w := strings.ToLower(s)
	if !stopWords[w] {
		a.add(fold(w), w, weight)
	}
}

// pairs adds every two neighbouring characters of a script without spaces,
// and the words of other scripts between them.
func (a *analysis) pairs(s string, weight int) {
	for len(s) > 0 && !a.full() {
		end := strings.IndexFunc(s, func(r rune) bool { return !spaceless(r) && !unicode.IsMark(r) })
		switch end {
		case 0:
			if end = strings.IndexFunc(s, spaceless); end < 0 {
				end = len(s)
			}
			a.word(s[:end], weight)
		default:
			if end < 0 {
				end = len(s)
			}
			a.pairRun(s[:end], weight)
		}
		s = s[end:]
	}
}

func (a *analysis) pairRun(s string, weight int) {
	_, first := utf8.DecodeRuneInString(s)
	if first == len(s) {
		a.add(s, s, weight)
		return
	}
	for first < len(s) && !a.full() {
		_, second := utf8.DecodeRuneInString(s[first:])
		pair := s[:first+second]
		a.add(pair, pair, weight)
		s, first = s[first:], second
	}
}

// wordy tells what words are made of. Marks are the vowels of many scripts.
func wordy(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

func joins(r rune) bool { return r == '.' || r == '-' || r == '_' }

func spaceless(r rune) bool {
	return r >= 0x0e00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// compoundEnd is where the compound at the start of s ends: behind the last
// wordy rune that is reached over single joints.
func compoundEnd(s string) int {
	end, joint := 0, false
	for i, r := range s {
		switch {
		case wordy(r):
			end, joint = i+utf8.RuneLen(r), false
		case joins(r) && !joint:
			joint = true
		default:
			return end
		}
	}
	return end
}

// fold takes common English endings off, so that "crashes", "crashed" and
// "crashing" are one term. It is no linguist; it treats stored and asked
// words alike, which is what matters.
func fold(w string) string {
	if len(w) < 4 || strings.ContainsFunc(w, func(r rune) bool { return r < 'a' || r > 'z' }) {
		return w
	}
	switch {
	case strings.HasSuffix(w, "ies") && len(w) > 4:
		w = w[:len(w)-3] + "y"
	case strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss") && !strings.HasSuffix(w, "us") && !strings.HasSuffix(w, "is"):
		w = w[:len(w)-1]
	}
	for _, ending := range []string{"ing", "ed"} {
		stem, ok := strings.CutSuffix(w, ending)
		if !ok || len(stem) < 3 || !strings.ContainsAny(stem, "aeiouy") {
			continue
		}
		if last := len(stem) - 1; stem[last] == stem[last-1] && !strings.Contains("lsz", stem[last:]) {
			stem = stem[:last] // "stopp" from "stopped", but "install", "process"
		}
		w = stem
		break
	}
	if len(w) > 3 {
		w = strings.TrimSuffix(w, "e")
	}
	return w
}
