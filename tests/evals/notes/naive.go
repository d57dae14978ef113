package main

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/renderer/html"

	"github.com/deskhand/deskhand/shared/receipts"
)

// naive is what would come of a model's answer without any defence: it is put
// on the ticket as it came. It shows which checks an answer would fail.
func naive(o outcome) outcome {
	answer := ""
	if calls := o.record.Run.Calls; len(calls) > 0 {
		answer = calls[0].Answer
	}
	draft := readable(answer)
	o.record.Note, o.notes, o.record.EvidenceOnly = markdown(answer, draft), nil, false
	o.record.Run.Verdicts = nil
	for _, claims := range draft {
		for _, c := range claims {
			o.record.Run.Verdicts = append(o.record.Run.Verdicts, receipts.Verdict{Text: c.Text, Cites: c.Evidence, Outcome: receipts.Kept})
		}
	}
	if o.record.Note != "" {
		var page bytes.Buffer
		if err := goldmark.New(goldmark.WithRendererOptions(html.WithUnsafe())).Convert([]byte(o.record.Note), &page); err != nil {
			return o // the page of an answer that cannot be rendered is empty
		}
		o.notes = []string{page.String()}
	}
	o.page = parse(strings.Join(o.notes, ""))
	return o
}

// claim is one point of an answer.
type claim struct {
	Text     string   `json:"text"`
	Evidence []string `json:"evidence"`
}

// readable gives the claims of an answer in the form that the prompt asks for,
// by section.
func readable(answer string) (draft map[string][]claim) {
	if json.Unmarshal([]byte(answer), &draft) != nil {
		return nil
	}
	return draft
}

// markdown writes claims under their headings, and an answer that has none as
// it is.
func markdown(answer string, draft map[string][]claim) string {
	if draft == nil {
		return strings.TrimSpace(answer)
	}
	var b strings.Builder
	for i, section := range []string{"similar_tickets", "relevant_documentation", "system_information", "recommended_next_steps"} {
		if len(draft[section]) > 0 {
			b.WriteString("### " + headings["en"][i] + "\n\n")
		}
		for _, claim := range draft[section] {
			b.WriteString("- " + claim.Text)
			for _, id := range claim.Evidence {
				b.WriteString(" [" + id + "]")
			}
			b.WriteString("\n")
		}
		b.WriteString("\n")
	}
	return strings.TrimSpace(b.String())
}
