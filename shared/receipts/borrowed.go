package receipts

import (
	"hash/maphash"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A claim lives on a text where at least half of its words (of a step, a third)
// stand there in rows of at least so many, and not in the evidence that it cites:
// a claim may tell in the ticket's words what it is about. One that cites nothing
// may have no such row. Where people write without spaces, every character is a
// word, and says less.
const (
	row        = 4
	unspaced   = 8
	half       = 2
	third      = 3
	maxStrange = 64 << 10 // bytes of a text that are read
)

// rows are the rows of words of a text, by hash: claims are compared with them,
// never shown.
type rows map[uint64]bool

var seed = maphash.MakeSeed()

// rowsOf gives the rows of words of a text.
func rowsOf(text string) rows {
	words := wordsOf(normal(text[:min(len(text), maxStrange)]))
	all := make(rows, len(words))
	for i := range words {
		if h, n := rowAt(words, i); n > 0 {
			all[h] = true
		}
	}
	return all
}

// rowAt gives the row that begins with this word, and how many words it has; 0
// where too few follow.
func rowAt(words []string, i int) (hash uint64, n int) {
	n = row
	if first, _ := utf8.DecodeRuneInString(words[i]); isUnspaced(first) {
		n = unspaced
	}
	if i+n > len(words) {
		return 0, 0
	}
	return maphash.String(seed, strings.Join(words[i:i+n], " ")), n
}

// livesOn tells whether such a part of a claim says what the strange texts say,
// and its sources do not.
func livesOn(claim string, part int, sources []known, strange []rows) bool {
	words := wordsOf(normal(claim))
	borrowed, until := 0, 0
	for i := range words {
		h, n := rowAt(words, i)
		if n == 0 || !slices.ContainsFunc(strange, func(r rows) bool { return r[h] }) || slices.ContainsFunc(sources, func(k known) bool { return k.rows[h] }) {
			continue
		}
		end := max(i+n, until) // a row of words may end within one of characters
		borrowed += end - max(i, until)
		until = end
	}
	return borrowed > 0 && (part*borrowed >= len(words) || len(sources) == 0)
}

// wordsOf gives the words of a text; of scripts without spaces, its characters.
// Names with numbers ("pr-07") are left out: they are vouched for one by one, and
// two who speak of one host say where and what it is in the same words.
func wordsOf(text string) (words []string) {
	for _, field := range strings.FieldsFunc(text, func(r rune) bool { return !isWord(r) && !strings.ContainsRune("-_.", r) }) {
		for _, part := range spaced(field) {
			if part = strings.Trim(part, "-_."); !isNumbered(part) {
				words = append(words, strings.FieldsFunc(part, func(r rune) bool { return !isWord(r) })...)
			}
		}
	}
	return words
}

// spaced sets those characters apart that are words themselves.
func spaced(s string) (parts []string) {
	start := 0
	for i, r := range s {
		if !isUnspaced(r) {
			continue
		}
		if start < i {
			parts = append(parts, s[start:i])
		}
		start = i + utf8.RuneLen(r)
		parts = append(parts, s[i:start])
	}
	if start < len(s) {
		parts = append(parts, s[start:])
	}
	return parts
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) }

// isNumbered tells whether a word has numbers and more.
func isNumbered(word string) bool {
	return strings.IndexFunc(word, unicode.IsNumber) >= 0 && strings.IndexFunc(word, func(r rune) bool { return !unicode.IsNumber(r) }) >= 0
}

func isUnspaced(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai)
}
