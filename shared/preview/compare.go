package preview

import (
	"slices"
	"strings"
	"unicode"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/retrieval"
	"github.com/deskhand/deskhand/shared/ticket"
)

// solution has the words of a resolution that are not in the ticket's subject or
// description: what was searched for by those has them anyway.
type solution map[string]bool

func newSolution(t ticket.Ticket) solution {
	s := solution{}
	for _, term := range retrieval.Terms("", t.Resolution, "") {
		if strings.ContainsFunc(term.Text, unicode.IsLetter) { // a number is in many texts by chance
			s[term.Text] = true
		}
	}
	for _, term := range retrieval.Terms(t.Subject, t.Description, "") {
		delete(s, term.Text)
	}
	return s
}

// in gives the words of the solution that an item shows: a past ticket in its
// resolution, an article in its title and text.
func (s solution) in(it evidence.Item) (shared []retrieval.Term) {
	title := ""
	if it.Kind == evidence.Article {
		title = it.Title
	}
	for _, term := range retrieval.Terms(title, it.Text, "") {
		if s[term.Text] {
			shared = append(shared, term)
		}
	}
	return shared
}

// rare gives the words that few solved tickets have. "ps-acme-01" is one word: its
// parts count no second time.
func rare(c retrieval.Corpus, shared []retrieval.Term) (words []string) {
	parts := map[string]bool{}
	for _, t := range shared {
		if of := strings.FieldsFunc(t.Word, func(r rune) bool { return strings.ContainsRune(".-_", r) }); len(of) > 1 {
			for _, part := range retrieval.Terms("", strings.Join(of, " "), "") {
				parts[part.Text] = true
			}
		}
	}
	for _, t := range shared {
		if c.With[t.Text]*Rare < c.Docs && !parts[t.Text] && !slices.Contains(words, t.Word) {
			words = append(words, t.Word)
		}
	}
	return words
}
