package note

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longWord is how many characters without a space count as one word.
const longWord = 40

// measure counts the words of a text, and tells where the first limit of them
// end. Scripts that write without spaces count by characters.
func measure(text string, limit int) (n, end int) {
	run := 0
	for i, r := range text {
		switch {
		case unicode.IsSpace(r):
			run = 0
			continue
		case run == 0, run >= longWord:
			if n == limit {
				return n, i
			}
			n, run = n+1, 0
		}
		if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai) {
			run += longWord / 2
		} else {
			run++
		}
	}
	return n, len(text)
}

// words counts what a reader sees of Markdown that is ours.
func words(markdown string) int {
	n, _ := measure(target.ReplaceAllString(markdown, "]"), MaxWords*10)
	return n
}

// short gives the first n words of a name or a title, on one line.
func short(text string, n int) string {
	text = flat(text)
	_, end := measure(text, n)
	if end == len(text) || n == 0 {
		return text[:end]
	}
	return strings.TrimRight(text[:end], " .,;:") + "…"
}

// cut gives what fits of a text into n words: whole sentences, and a mark that
// there are more. Of a first sentence that alone is too long it gives the
// beginning.
func cut(text string, n int) string {
	text = flat(text)
	if _, end := measure(text, n); end == len(text) {
		return text
	}
	_, end := measure(text, max(n-1, 0)) // the mark is a word
	for _, stop := range slices.Backward(sentences(text)) {
		if stop <= end {
			return text[:stop] + " …"
		}
	}
	start := strings.TrimRight(text[:end], " ")
	if clause := strings.LastIndexAny(start, ",;:"); clause > len(start)/2 {
		start = start[:clause]
	}
	if start == "" {
		return ""
	}
	return start + " …"
}

// flat puts a text on one line. A line that ends without a mark gets one.
func flat(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.Join(strings.Fields(listMark.ReplaceAllString(strings.TrimSpace(line), "")), " ")
		if line == "" {
			continue
		}
		if last, _ := utf8.DecodeLastRuneInString(b.String()); b.Len() > 0 {
			if unicode.IsLetter(last) || unicode.IsDigit(last) {
				b.WriteByte(';')
			}
			b.WriteByte(' ')
		}
		b.WriteString(line)
	}
	return b.String()
}

var listMark = regexp.MustCompile(`^(?:[-*+•–]\s+)+`)

// sentences gives where the sentences of a line end. It rather takes two for
// one: "z. B." and "1." end none.
func sentences(text string) (ends []int) {
	for i, r := range text {
		if !strings.ContainsRune(".!?…。！？", r) {
			continue
		}
		end := i + utf8.RuneLen(r)
		end += len(text[end:]) - len(strings.TrimLeft(text[end:], `"')]»”’`))
		rest := strings.TrimLeft(text[end:], " ")
		next, _ := utf8.DecodeRuneInString(rest)
		wide := r > unicode.MaxLatin1 && r != '…'
		if rest != "" && !wide && (len(rest) == len(text[end:]) || unicode.IsLower(next) || r == '.' && abbreviated(text[:i])) {
			continue
		}
		ends = append(ends, end)
	}
	return ends
}

// abbreviated tells whether a full stop here belongs to the word before it.
func abbreviated(before string) bool {
	word := before[strings.LastIndexByte(before, ' ')+1:]
	return utf8.RuneCountInString(word) < 2 || strings.Contains(word, ".") && !strings.ContainsFunc(word, unicode.IsDigit) && len(word) < 6 ||
		!strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsDigit(r) })
}

// gist is what was done, of a resolution that may begin with why: from the
// first sentence on that starts like an action ("Restarted the spooler"). Where
// none does, and in other languages than English, it is all.
func gist(text string) string {
	text = flat(text)
	start := 0
	for _, end := range sentences(text) {
		if action.MatchString(strings.TrimLeft(text[start:], " ")) {
			break
		}
		start = end
	}
	if start == len(text) {
		start = 0
	}
	return strings.TrimSpace(text[start:])
}

var action = regexp.MustCompile(`(?i)^(?:[0-9.) ]*)(?:(?:we|i|then|therefore|so) )?(?:[a-z-]+ed|re-?set|set|ran|rebuilt|made|took|put|gave|went|wrote|sent|did|got|built|left|let|brought|found and \w+|switched|cut|swapped)\b`)

// fit shortens the sections until they have at most limit words, and tells how
// many claims, or pieces of evidence, it left out. General advice, in the last section, goes first;
// then the end of whichever section is longest: its last bullet, or of its only
// one the last sentence.
func fit(sections []section, limit int) (left int) {
	for {
		total, longest, most := 0, 0, 0
		for i, s := range sections {
			n := s.words()
			total += n
			if n > most {
				longest, most = i, n
			}
		}
		if total <= limit || most == 0 {
			return left
		}
		if last := len(sections) - 1; len(sections[last].bullets) > 0 {
			longest = last
		}
		s := &sections[longest]
		end := len(s.bullets) - 1
		if shorter := withoutLast(s.bullets[end].text); end == 0 && shorter != "" {
			s.bullets[end].text = shorter
			continue
		}
		if s.bullets[end].counts {
			left++
		}
		s.bullets = s.bullets[:end]
	}
}

func withoutLast(text string) string {
	ends := sentences(text)
	if len(ends) < 2 {
		return ""
	}
	return text[:ends[len(ends)-2]]
}

func (s section) words() int {
	if len(s.bullets) == 0 {
		return 0
	}
	n := words(s.heading)
	for _, b := range s.bullets {
		n += words(b.lead) + words(b.text) + words(b.tail)
	}
	return n
}
