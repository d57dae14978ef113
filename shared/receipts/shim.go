package receipts

import (
	"encoding/json"
	"errors"
	"strings"
)

type Draft string

func Parse(s string) (Draft, error) {
	var d map[string][]struct {
		Text     string
		Evidence []string
	}
	if err := json.Unmarshal([]byte(s), &d); err != nil {
		return "", errors.New("no JSON")
	}
	var b strings.Builder
	for i, k := range []string{"similar_tickets", "relevant_documentation", "system_information", "recommended_next_steps"} {
		b.WriteString("## " + Headings[i] + "\n")
		for _, c := range d[k] {
			b.WriteString("- " + c.Text + " [" + strings.Join(c.Evidence, ", ") + "]\n")
		}
	}
	return Draft(b.String()), nil
}
