package servicedeskplusfake

import (
	"html"
	"strings"

	nethtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// toHTML gives plain text as the product's editor would store it.
func toHTML(s string) string {
	if s == "" {
		return ""
	}
	s = html.EscapeString(s)
	s = strings.ReplaceAll(s, "  ", "&nbsp; ")
	return "<div>" + strings.ReplaceAll(s, "\n", "<br />") + "</div>"
}

// toText gives the text of a description that came as HTML, well enough for a
// webhook.
func toText(s string) string {
	var b strings.Builder
	z := nethtml.NewTokenizer(strings.NewReader(s))
	for {
		switch z.Next() {
		case nethtml.ErrorToken:
			return strings.TrimSpace(strings.ReplaceAll(b.String(), "\u00a0", " "))
		case nethtml.TextToken:
			b.Write(z.Text())
		case nethtml.StartTagToken, nethtml.SelfClosingTagToken:
			switch z.Token().DataAtom {
			case atom.Br, atom.Div, atom.P, atom.Li, atom.Tr:
				b.WriteByte('\n')
			}
		}
	}
}
