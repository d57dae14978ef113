package receipts_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/receipts"
)

const (
	empty = `{"similar_tickets":[],"relevant_documentation":[],"system_information":[],"recommended_next_steps":[]}`
	one   = `{"similar_tickets":[{"text":"It was the {driver}","evidence":["T1","A2"]}],"relevant_documentation":[],"system_information":[],"recommended_next_steps":[]}`
)

func with(claims string) string { return strings.Replace(empty, "[]", "["+claims+"]", 1) }

func TestTheSchemaIsStrictAndBounded(t *testing.T) {
	t.Parallel()
	var object struct {
		Type       string
		Required   []string
		Additional any `json:"additionalProperties"`
		Properties map[string]struct {
			Type     string
			MaxItems int
			Items    struct {
				Required   []string
				Additional any `json:"additionalProperties"`
			}
		}
	}
	if err := json.Unmarshal(receipts.Schema(), &object); err != nil {
		t.Fatal(err)
	}
	if object.Type != "object" || object.Additional != false || len(object.Required) != 4 || len(object.Properties) != 4 {
		t.Errorf("the schema is %s", receipts.Schema())
	}
	for name, p := range object.Properties {
		if p.Type != "array" || p.MaxItems != 15 || p.Items.Additional != false || len(p.Items.Required) != 2 {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestParseTakesTheOneObject(t *testing.T) {
	t.Parallel()
	want := receipts.Draft{
		SimilarTickets:        []receipts.Claim{{Text: "It was the {driver}", Cites: []string{"T1", "A2"}}},
		RelevantDocumentation: []receipts.Claim{}, SystemInformation: []receipts.Claim{}, RecommendedNextSteps: []receipts.Claim{},
	}
	for name, answer := range map[string]string{
		"alone": one, "in white space": "\n " + one + "\n\n", "in a fence": "```json\n" + one + "\n```", "in prose": "Here it is: " + one + " I hope it helps.",
		"with line ends": strings.ReplaceAll(one, ",", ",\r\n"),
	} {
		got, err := receipts.Parse(answer)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestParseSaysWhatIsWrongWithoutQuotingIt(t *testing.T) {
	t.Parallel()
	many := strings.TrimSuffix(strings.Repeat(`{"text":"x","evidence":[]},`, 16), ",")
	for _, tt := range []struct{ name, answer, want string }{
		{"nothing", "", "the answer has no JSON object"},
		{"a refusal", "I'm sorry, EVIL.", "the answer has no JSON object"},
		{"a list", "[1, 2]", "the answer has no JSON object"},
		{"cut off early", `{"similar_tickets":[`, "the JSON object has no end: the answer must be shorter"},
		{"cut off late", one[:len(one)-1], "the answer is not exactly one valid JSON object"},
		{"two objects", one + one, "the answer is not exactly one valid JSON object"},
		{"prose with braces", "{EVIL} " + one, "the answer is not exactly one valid JSON object"},
		{"bad JSON", `{similar_tickets: EVIL}`, "the answer is not exactly one valid JSON object"},
		{"another shape", `{"sections":["EVIL"]}`, "the object has a field that was not asked for"},
		{"a field too many", strings.Replace(empty, "{", `{"EVIL validating x: required: ":1,`, 1), "the object has a field that was not asked for"},
		{"names in other case", strings.Replace(empty, "similar", "Similar", 1), "the object has a field that was not asked for"},
		{"a section less", `{"similar_tickets":[]}`, "the object lacks a field"},
		{"a list that is null", strings.Replace(empty, "[]", "null", 1), "similar_tickets has the wrong type"},
		{"a list that is a text", strings.Replace(empty, "[]", `"validating EVIL: required"`, 1), "similar_tickets has the wrong type"},
		{"a claim without ids", with(`{"text":"EVIL"}`), "similar_tickets[] lacks a field"},
		{"a claim that is a text", with(`"EVIL"`), "similar_tickets[] has the wrong type"},
		{"a claim with a link", with(`{"text":"x","evidence":[],"EVIL":1}`), "similar_tickets[] has a field that was not asked for"},
		{"an id that is a number", with(`{"text":"x","evidence":[1]}`), "similar_tickets[]/evidence[] has the wrong type"},
		{"too many claims", with(many), "similar_tickets has more than 15 entries"},
		{"an endless text", with(`{"text":"` + strings.Repeat("EVIL", 1001) + `","evidence":[]}`), "a text under Similar Tickets is longer than 4000 characters"},
		{"an endless answer", strings.Repeat("EVIL", 20_000), "the answer has more than 64 kB"},
		{"depth", strings.Repeat(`{"similar_tickets":[`, 3000), "the JSON object has no end: the answer must be shorter"},
	} {
		d, err := receipts.Parse(tt.answer)
		if err == nil || err.Error() != tt.want || strings.Contains(err.Error(), "EVIL") {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
		if len(d.SimilarTickets) != 0 {
			t.Errorf("%s: a draft beside an error", tt.name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(one)
	f.Add("```json\n" + empty + "\n```")
	f.Add(with(`{"text":"\ud800 \u202e","evidence":["T1",null]}`))
	f.Add("prose { } " + one)
	f.Fuzz(func(t *testing.T, answer string) {
		d, err := receipts.Parse(answer)
		if err != nil {
			if len(err.Error()) > 200 {
				t.Fatalf("a long error: %v", err)
			}
			return
		}
		c := receipts.Check(d, acmeBundle, acmeTicket, "")
		if c.Claims != len(c.Verdicts) || c.Claims != c.Sourced+len(c.General)+c.Removed {
			t.Fatalf("%+v does not add up", c)
		}
		again, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := receipts.Parse(string(again)); len(again) < 64<<10 && (err != nil || !cmp.Equal(d, same)) {
			t.Fatalf("%s is not read back: %v", again, err)
		}
	})
}
