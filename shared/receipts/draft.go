package receipts

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"
)

// Draft is the model's answer: claims by section, in the order of the note.
type Draft struct {
	SimilarTickets        []Claim `json:"similar_tickets" jsonschema:"how past tickets were solved"`
	RelevantDocumentation []Claim `json:"relevant_documentation" jsonschema:"what the articles advise"`
	SystemInformation     []Claim `json:"system_information" jsonschema:"what is known of the systems involved"`
	RecommendedNextSteps  []Claim `json:"recommended_next_steps" jsonschema:"what to do now, the most promising first"`
}

// sections gives the claims under each of Headings.
func (d Draft) sections() [][]Claim {
	return [][]Claim{d.SimilarTickets, d.RelevantDocumentation, d.SystemInformation, d.RecommendedNextSteps}
}

// Texts gives those of all claims.
func (d Draft) Texts() []string {
	var texts []string
	for _, claims := range d.sections() {
		for _, c := range claims {
			texts = append(texts, c.Text)
		}
	}
	return texts
}

// The limits of an answer. Parse refuses what is beyond them.
const (
	maxAnswer = 64 << 10 // bytes; a thousand tokens are about 4 kB
	perList   = 15       // claims in a section, and ids of a claim
	maxText   = 4000     // characters of a claim; Check wants far less
)

// form is the schema of an answer, as it is sent and as it is held against.
type form struct {
	raw   json.RawMessage
	rules *jsonschema.Resolved
}

var formOf = sync.OnceValue(func() form {
	s, err := jsonschema.For[Draft](nil)
	if err == nil {
		bound(s)
	}
	raw, errRaw := json.Marshal(s)
	rules, errRules := s.Resolve(nil)
	if err := errors.Join(err, errRaw, errRules); err != nil {
		panic(fmt.Sprintf("receipts: the schema of Draft: %v", err)) // a mistake in the struct: the first test finds it
	}
	return form{raw, rules}
})

// bound makes the lists of a schema ones that are never null and not endless.
func bound(s *jsonschema.Schema) {
	for _, p := range s.Properties {
		if p.Items != nil {
			p.Type, p.Types, p.MaxItems = "array", nil, new(perList)
			bound(p.Items)
		}
	}
}

// Schema gives the JSON Schema of a Draft, as strict as the structured outputs
// of an endpoint want it: all fields are required, and there are no others.
func Schema() json.RawMessage { return formOf().raw }

// Parse reads the answer of a model: one JSON object of Schema, at most 64 kB,
// with nothing but prose or a code fence around it. The error says what is
// wrong in a few words that can be told to the model: it quotes nothing of the
// answer.
func Parse(answer string) (Draft, error) {
	if len(answer) > maxAnswer {
		return Draft{}, fmt.Errorf("the answer has more than %d kB", maxAnswer>>10)
	}
	start, end := strings.IndexByte(answer, '{'), strings.LastIndexByte(answer, '}')
	switch {
	case start < 0:
		return Draft{}, errors.New("the answer has no JSON object")
	case end < start:
		return Draft{}, errors.New("the JSON object has no end: the answer must be shorter")
	}
	object := []byte(answer[start : end+1])
	var value any
	if err := json.Unmarshal(object, &value); err != nil {
		return Draft{}, errors.New("the answer is not exactly one valid JSON object")
	}
	if err := formOf().rules.Validate(value); err != nil {
		return Draft{}, misfit(err)
	}
	var d Draft
	if err := json.Unmarshal(object, &d); err != nil {
		return Draft{}, errors.New("the JSON object does not follow the schema")
	}
	for i, claims := range d.sections() {
		for _, c := range claims {
			if utf8.RuneCountInString(c.Text) > maxText {
				return Draft{}, fmt.Errorf("a text under %s is longer than %d characters", Headings[i], maxText)
			}
		}
	}
	return d, nil
}

// complaint is how the validator begins its errors: our own names of where,
// and the rule. What follows may quote the answer.
var complaint = regexp.MustCompile(`^(?:validating (\S+): )*(\w+)`)

// misfit says which rule of the schema the answer breaks, and where.
func misfit(err error) error {
	m := complaint.FindStringSubmatch(err.Error())
	if m == nil {
		return errors.New("the JSON object does not follow the schema")
	}
	where := strings.TrimPrefix(strings.NewReplacer("/properties", "", "/items", "[]").Replace(m[1]), "/")
	if where == "root" {
		where = "the object"
	}
	what, ok := map[string]string{
		"type":       "has the wrong type",
		"required":   "lacks a field",
		"unexpected": "has a field that was not asked for",
		"maxItems":   fmt.Sprintf("has more than %d entries", perList),
	}[m[2]]
	if !ok {
		what = "does not follow the schema"
	}
	return fmt.Errorf("%s %s", where, what)
}
