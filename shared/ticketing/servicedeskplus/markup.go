package servicedeskplus

import (
	"bytes"
	"fmt"
	"html"
	"net/url"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	source "github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/deskhand/deskhand/shared/redact"
	"github.com/deskhand/deskhand/shared/ticket"
)

// Render gives the HTML that PutNote stores for a note: for whoever wants to
// see one without a product.
func Render(n ticket.Note) (string, error) { return body(n) }

// body renders a note into the HTML that the product stores. It ends with the
// marker, by which the note is known as ours: in a last line of its own unless
// the note ends so already.
func body(n ticket.Note) (string, error) {
	markdown := clean(redact.Visible(n.Markdown))
	whole, err := rendered(markdown, n.Format)
	if err == nil && !endsWith(whole, n.Marker) {
		whole, err = rendered(markdown+"\n\nRef: "+n.Marker, n.Format)
	}
	return whole, err
}

// rendered gives the HTML of Markdown, or in the format "markdown" its source.
func rendered(markdown, format string) (string, error) {
	if format == "markdown" {
		return strings.ReplaceAll(html.EscapeString(markdown), "\n", "<br />\n"), nil
	}
	var b bytes.Buffer
	if err := renderer.Convert([]byte(markdown), &b); err != nil {
		return "", fmt.Errorf("render the note: %w", err)
	}
	return strings.TrimSpace(policy.Sanitize(b.String())), nil
}

// renderer knows no raw HTML: what looks like it in a note is text, and is
// escaped.
var renderer = goldmark.New(goldmark.WithParser(parser.NewParser(
	parser.WithBlockParsers(
		util.Prioritized(parser.NewSetextHeadingParser(), 100),
		util.Prioritized(parser.NewThematicBreakParser(), 200),
		util.Prioritized(parser.NewListParser(), 300),
		util.Prioritized(parser.NewListItemParser(), 400),
		util.Prioritized(parser.NewCodeBlockParser(), 500),
		util.Prioritized(parser.NewATXHeadingParser(), 600),
		util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
		util.Prioritized(parser.NewBlockquoteParser(), 800),
		util.Prioritized(parser.NewParagraphParser(), 1000),
	),
	parser.WithInlineParsers(
		util.Prioritized(parser.NewCodeSpanParser(), 100),
		util.Prioritized(parser.NewLinkParser(), 200),
		util.Prioritized(parser.NewAutoLinkParser(), 300),
		util.Prioritized(parser.NewEmphasisParser(), 500),
	),
	parser.WithParagraphTransformers(parser.DefaultParagraphTransformers()...),
	parser.WithASTTransformers(util.Prioritized(oneHeading{}, 100)),
)))

// oneHeading makes every heading an h3, the only one that notes are given.
type oneHeading struct{}

func (oneHeading) Transform(doc *ast.Document, _ source.Reader, _ parser.Context) {
	_ = ast.Walk(doc, func(n ast.Node, _ bool) (ast.WalkStatus, error) {
		if h, ok := n.(*ast.Heading); ok {
			h.Level = 3
		}
		return ast.WalkContinue, nil
	})
}

// policy is what may stand in a note: which tags the product takes is not
// documented, so there are few, and no attribute but absolute links.
var policy = func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("h3", "p", "ul", "ol", "li", "b", "strong", "i", "em", "code", "pre", "a", "br")
	p.AllowAttrs("href").OnElements("a")
	for _, scheme := range []string{"http", "https"} {
		p.AllowURLSchemeWithCustomPolicy(scheme, func(u *url.URL) bool { return u.Host != "" })
	}
	p.RequireParseableURLs(true)
	return p
}()
