package llmtest

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// evidenceLine is the first line of an item as package prompt writes it:
// "[T1] past ticket 981 | history | 2026-03-02 | Printer prints garbage".
// The item's text follows, indented.
var evidenceLine = regexp.MustCompile(`^\[([TAS])(\d+)\] (.+)$`)

// seen is an item of evidence as the prompt shows it.
type seen struct{ id, what, title, text string }

// Briefing writes a note in the form that the prompt asks for, from nothing
// but the evidence that stands in it: what is there, where, and to look at it
// first. It understands nothing of the ticket, and the same prompt always
// gives the same note.
func Briefing(prompt string) string {
	items := evidence(prompt)
	var b strings.Builder
	section := func(heading, letter string, bullet func(seen) string) {
		fmt.Fprintf(&b, "## %s\n", heading)
		for _, it := range items[letter] {
			fmt.Fprintf(&b, "- %s [%s]\n", bullet(it), it.id)
		}
		b.WriteString("\n")
	}
	tell := func(it seen) string {
		if it.text == "" {
			return fmt.Sprintf("%s: %s.", capital(it.what), it.title)
		}
		return fmt.Sprintf("%s: %s: %s", capital(it.what), it.title, it.text)
	}
	section("Similar Tickets", "T", tell)
	section("Relevant Documentation", "A", tell)
	section("System Information", "S", tell)

	b.WriteString("## Recommended Next Steps\n")
	for _, step := range []struct{ letter, format string }{
		{"T", "Check whether what solved %s applies here. [%s]\n"},
		{"A", "Follow %s. [%s]\n"},
		{"S", "Check the state of %s. [%s]\n"},
	} {
		if found := items[step.letter]; len(found) > 0 {
			fmt.Fprintf(&b, "- "+step.format, found[0].what, found[0].id)
		}
	}
	return b.String()
}

// evidence reads the items out of the prompt, by letter.
func evidence(prompt string) map[string][]seen {
	items := map[string][]seen{}
	lines := strings.Split(prompt, "\n")
	for i, line := range lines {
		m := evidenceLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		fields := strings.Split(m[3], " | ")
		it := seen{id: m[1] + m[2], what: fields[0], title: fields[len(fields)-1]}
		for _, text := range lines[i+1:] {
			if !strings.HasPrefix(text, "  ") {
				break
			}
			if strings.HasPrefix(text, "  matched: ") {
				continue // why it was found says nothing to the technician
			}
			it.text = strings.TrimSpace(it.text + " " + strings.TrimSpace(text))
		}
		it.text = firstWords(it.text, 30)
		items[m[1]] = append(items[m[1]], it)
	}
	return items
}

// firstWords gives at most n words of s, on one line.
func firstWords(s string, n int) string {
	words := strings.Fields(s)
	if len(words) > n {
		return strings.Join(words[:n], " ") + " …"
	}
	return strings.Join(words, " ")
}

// capital gives s with its first letter in upper case.
func capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}
