package receipts

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Draft is the model's answer: claims by section, in the order of the note.
type Draft struct {
	SimilarTickets        []Claim `json:"similar_tickets" description:"how past tickets were solved"`
	RelevantDocumentation []Claim `json:"relevant_documentation" description:"what the articles advise"`
	SystemInformation     []Claim `json:"system_information" description:"what is known of the systems involved"`
	RecommendedNextSteps  []Claim `json:"recommended_next_steps" description:"what to do now, the most promising first"`
}

// sections gives the claims under each of Headings.
func (d Draft) sections() [][]Claim {
	return [][]Claim{d.SimilarTickets, d.RelevantDocumentation, d.SystemInformation, d.RecommendedNextSteps}
}

// The limits of an answer. Parse refuses what is beyond them.
const (
	maxAnswer = 64 << 10 // bytes; a thousand tokens are about 4 kB
	perList   = 15       // claims in a section, and ids of a claim
	maxText   = 4000     // characters of a claim; Check wants far less
)

// Schema gives the JSON Schema of a Draft, as strict as the structured outputs
// of an endpoint want it: all fields are required, and there are no others.
func Schema() json.RawMessage { return json.RawMessage(schemaOf(reflect.TypeFor[Draft](), "")) }

// schemaOf writes the schema of what a Draft is made of: structs, lists, texts.
func schemaOf(t reflect.Type, description string) string {
	head := "{"
	if description != "" {
		head = fmt.Sprintf(`{"description":%q,`, description)
	}
	switch t.Kind() {
	case reflect.Struct:
		var properties, required []string
		for f := range t.Fields() {
			key := fmt.Sprintf("%q", f.Tag.Get("json"))
			required = append(required, key)
			properties = append(properties, key+":"+schemaOf(f.Type, f.Tag.Get("description")))
		}
		return head + `"type":"object","properties":{` + strings.Join(properties, ",") + `},"required":[` + strings.Join(required, ",") + `],"additionalProperties":false}`
	case reflect.Slice:
		return head + fmt.Sprintf(`"type":"array","maxItems":%d,"items":%s}`, perList, schemaOf(t.Elem(), ""))
	default:
		return head + `"type":"string"}`
	}
}

// fits holds a value to the schema of t. The error names where and what, and
// quotes nothing of the value.
func fits(value any, t reflect.Type, where string) error {
	object, isObject := value.(map[string]any)
	list, isList := value.([]any)
	_, isText := value.(string)
	switch kind := t.Kind(); {
	case kind == reflect.Struct && isObject:
		known := 0
		var missing error
		for f := range t.Fields() {
			if _, ok := object[f.Tag.Get("json")]; ok {
				known++
			} else {
				missing = fmt.Errorf("%s lacks a field", cmp.Or(where, "the object"))
			}
		}
		if known < len(object) {
			return fmt.Errorf("%s has a field that was not asked for", cmp.Or(where, "the object"))
		}
		for f := range t.Fields() {
			if missing == nil {
				name := f.Tag.Get("json")
				missing = fits(object[name], f.Type, strings.TrimPrefix(where+"/"+name, "/"))
			}
		}
		return missing
	case kind == reflect.Slice && isList:
		if len(list) > perList {
			return fmt.Errorf("%s has more than %d entries", where, perList)
		}
		for _, v := range list {
			if err := fits(v, t.Elem(), where+"[]"); err != nil {
				return err
			}
		}
		return nil
	case kind == reflect.String && isText:
		return nil
	}
	return fmt.Errorf("%s has the wrong type", cmp.Or(where, "the object"))
}

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
	if err := fits(value, reflect.TypeFor[Draft](), ""); err != nil {
		return Draft{}, err
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
