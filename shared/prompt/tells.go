package prompt

import (
	"regexp"
	"strings"

	"github.com/deskhand/deskhand/shared/llm"
)

var (
	aMark   = regexp.MustCompile(`(?m)^=== [A-Z ]+ (\S+)$`)
	noWords = regexp.MustCompile(`[^\pL\pN]+`)
)

// telling is how many words of the rules in a row are no accident.
const telling = 8

// Tells tells whether the texts of an answer give away the mark of the fences,
// or the rules in their own words. Nothing of such an answer is worth a note:
// whoever wrote the ticket may have asked for it.
func Tells(r llm.Request, texts ...string) bool {
	answer := spoken(strings.Join(texts, " "))
	for _, m := range aMark.FindAllStringSubmatch(r.User, -1) {
		if strings.Contains(answer, spoken(m[1])) {
			return true
		}
	}
	words := strings.Fields(spoken(r.System))
	for len(words) >= telling {
		if strings.Contains(answer, strings.Join(words[:telling], " ")) {
			return true
		}
		words = words[telling/2:]
	}
	return false
}

// spoken is a text without all that is no word.
func spoken(text string) string { return noWords.ReplaceAllString(strings.ToLower(text), " ") }
