// Package suspicion finds text that talks to a machine, or gives orders to
// whoever works on the ticket: "ignore all previous instructions", "tell the
// technician to run", a system's role tag. It is pure. What it finds may be an
// attack on the model, or phishing; what it does not find may be one still, so
// nothing may rest on it alone: receipts hold what the model says to the
// evidence.
package suspicion

import "strings"

// maxText is how much of the texts is read, in bytes: far more than a prompt
// takes.
const maxText = 128 << 10

// Addressed tells whether the texts, read as one, talk to a machine or give
// orders to whoever works on the ticket.
func Addressed(texts ...string) bool { return Rule(texts...) != "" }

// Rule does the same, and gives the name of the rule that found it: "override",
// "base64: override"; "" for none. Log it; it quotes nothing. Hidden characters,
// HTML, look-alike letters and common encodings are undone first. The time it
// takes is proportional to the length of the texts.
func Rule(texts ...string) string {
	text := strings.ToValidUTF8(strings.Join(texts, "\n"), "")
	return search(cutout(text, 0, maxText)+seams(texts), 2)
}

// seams gives what stands around the places where one text ends and the next
// begins, as one: a word may be split over both.
func seams(texts []string) string {
	const few = 80
	var b strings.Builder
	for i := 1; i < len(texts); i++ {
		before, after := texts[i-1], texts[i]
		b.WriteString("\n" + strings.ToValidUTF8(before[max(len(before)-few, 0):]+after[:min(len(after), few)], ""))
	}
	return b.String()
}

// search looks through the text as it reads, and as it reads decoded: so many
// times over.
func search(text string, depth int) string {
	text = unescaped(text)
	if smuggles(text) {
		return "hidden text"
	}
	if joinedRule.MatchString(joined(text)) {
		return "letter by letter"
	}
	for _, v := range views(text) {
		if rule := matching(v.text); rule != "" {
			return strings.TrimPrefix(v.name+": "+rule, ": ")
		}
	}
	if depth == 0 {
		return ""
	}
	for _, v := range decoded(text) {
		if rule := search(v.text, depth-1); rule != "" {
			return v.name + ": " + rule
		}
	}
	return ""
}
