package main

import (
	"bytes"
	_ "embed"
	"html/template"
	"strings"

	"github.com/deskhand/deskhand/shared/note"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus"
)

//go:embed page.html
var source string

var layout = template.Must(template.New("gallery").Parse(source))

// pane is one note as the tool shows it.
type pane struct {
	Case
	Format   string
	Language string
	Words    int
	HTML     template.HTML
}

// page renders the notes by the adapter of ServiceDesk Plus, in panes as narrow
// as its app on a telephone.
func page(cases []Case) ([]byte, error) {
	var panes []pane
	for _, c := range cases {
		b := c.briefing()
		text := note.Write(b)
		formats := c.Formats
		if len(formats) == 0 {
			formats = []string{"html"}
		}
		for _, format := range formats {
			body, err := servicedeskplus.Render(ticket.Note{Marker: b.Marker, Markdown: text, Format: format})
			if err != nil {
				return nil, err
			}
			panes = append(panes, pane{
				Case: c, Format: format, Language: note.Language(b.Ticket, b.Language), Words: len(strings.Fields(visible(body))),
				HTML: template.HTML(body), //nolint:gosec // what the adapter made is what is shown
			})
		}
	}
	var b bytes.Buffer
	err := layout.Execute(&b, panes)
	return b.Bytes(), err
}

// visible takes the tags out of HTML that is ours.
func visible(html string) string {
	var b strings.Builder
	tag := false
	for _, r := range html {
		switch {
		case r == '<':
			tag = true
		case r == '>':
			tag = false
		case !tag:
			b.WriteRune(r)
		}
	}
	return b.String()
}
