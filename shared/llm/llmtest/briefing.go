package llmtest

import (
	"bytes"
	"encoding/json"
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

// Sections are the claims of an answer. A claim is its text with the ids of its
// evidence behind it: "It was the driver. [T1][A2]".
type Sections struct{ Similar, Documentation, Systems, Steps []string }

// Answer writes the claims in the form that the prompt asks for.
func (s Sections) Answer() string {
	type claim struct {
		Text     string   `json:"text"`
		Evidence []string `json:"evidence"`
	}
	read := func(lines []string) []claim {
		claims := make([]claim, 0, len(lines))
		for _, l := range lines {
			m := cited.FindStringSubmatch(l)
			claims = append(claims, claim{m[1], append([]string{}, citedID.FindAllString(m[2], -1)...)})
		}
		return claims
	}
	var answer bytes.Buffer
	e := json.NewEncoder(&answer)
	e.SetEscapeHTML(false)
	_ = e.Encode(struct { // strings always marshal
		Similar       []claim `json:"similar_tickets"`
		Documentation []claim `json:"relevant_documentation"`
		Systems       []claim `json:"system_information"`
		Steps         []claim `json:"recommended_next_steps"`
	}{read(s.Similar), read(s.Documentation), read(s.Systems), read(s.Steps)})
	return strings.TrimSpace(answer.String())
}

var (
	cited   = regexp.MustCompile(`(?s)^(.*?)\s*((?:\[[A-Z]\d+\])*)\s*$`)
	citedID = regexp.MustCompile(`[A-Z]\d+`)
)

// Briefing writes an answer in the form that the prompt asks for, from nothing
// but the evidence that stands in it: what is there, where, and to look at it
// first. It understands nothing of the ticket, and the same prompt always
// gives the same answer.
func Briefing(prompt string) string {
	items := evidence(prompt)
	tell := func(letter string) (claims []string) {
		for _, it := range items[letter] {
			text := fmt.Sprintf("%s: %s.", capital(it.what), it.title)
			if it.text != "" {
				text = fmt.Sprintf("%s: %s: %s", capital(it.what), it.title, it.text)
			}
			claims = append(claims, text+" ["+it.id+"]")
		}
		return claims[:min(len(claims), maxClaims)]
	}
	s := Sections{Similar: tell("T"), Documentation: tell("A"), Systems: tell("S")}
	for _, step := range []struct{ letter, format string }{
		{"T", "Check whether what solved %s applies here. [%s]"},
		{"A", "Follow %s. [%s]"},
		{"S", "Check the state of %s. [%s]"},
	} {
		if found := items[step.letter]; len(found) > 0 {
			s.Steps = append(s.Steps, fmt.Sprintf(step.format, found[0].what, found[0].id))
		}
	}
	return s.Answer()
}

// maxClaims is how many claims a section may have.
const maxClaims = 15

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
			if strings.HasPrefix(text, "  matched: ") || strings.HasPrefix(text, "  known: ") {
				continue // why it was found, and what the note says of it by itself
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
