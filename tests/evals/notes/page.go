package main

import (
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// page is a note as its reader sees it.
type page struct {
	blocks []block
	links  []link
	unsafe []string // what may not stand in a note
}

// block is a heading, a paragraph or a bullet.
type block struct {
	tag  string // h3, p, li
	text string
	set  bool // all of it is emphasised: a remark
}

type link struct{ label, url string }

// harmless are the elements that a note may have.
var harmless = []string{"h3", "p", "ul", "ol", "li", "b", "strong", "i", "em", "code", "pre", "a", "br"}

// reader reads HTML one token after the other.
type reader struct {
	page
	emphasis int  // how deep
	plain    bool // the block has text that is not emphasised
	target   string
	label    strings.Builder
	inLink   bool
}

// parse reads the HTML of a note. It is strict: what is not known to be harmless is
// unsafe.
func parse(text string) page {
	var r reader
	z := html.NewTokenizer(strings.NewReader(text))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) {
				r.unsafe = append(r.unsafe, z.Err().Error())
			}
			return r.page
		case html.TextToken:
			r.text(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			r.open(z.Token())
		case html.EndTagToken:
			r.end(z.Token())
		default:
			r.unsafe = append(r.unsafe, z.Token().String()) // a comment, or a doctype
		}
	}
}

func (r *reader) text(text string) {
	if len(r.blocks) == 0 {
		if strings.TrimSpace(text) == "" {
			return
		}
		r.block("p")
	}
	last := &r.blocks[len(r.blocks)-1]
	last.text += text
	if strings.TrimSpace(text) != "" {
		r.plain = r.plain || r.emphasis == 0
		last.set = !r.plain
	}
	if r.inLink {
		r.label.WriteString(text)
	}
}

func (r *reader) block(tag string) {
	r.blocks, r.plain = append(r.blocks, block{tag: tag}), false
}

func (r *reader) open(t html.Token) {
	if !slices.Contains(harmless, t.Data) {
		r.unsafe = append(r.unsafe, t.String())
	}
	for _, a := range t.Attr {
		if t.Data != "a" || a.Key != "href" || !isWeb(a.Val) {
			r.unsafe = append(r.unsafe, t.String())
		}
		r.target = a.Val
	}
	switch t.Data {
	case "h1", "h2", "h3", "h4", "h5", "h6":
		r.block("h3")
	case "p", "pre":
		if n := len(r.blocks); n == 0 || r.blocks[n-1].tag != "li" || r.blocks[n-1].text != "" { // not a paragraph of a bullet
			r.block("p")
		}
	case "li":
		r.block("li")
	case "br":
		r.text("\n")
	case "b", "strong", "i", "em":
		r.emphasis++
	case "a":
		r.inLink = true
		r.label.Reset()
	}
}

func (r *reader) end(t html.Token) {
	switch t.Data {
	case "b", "strong", "i", "em":
		r.emphasis = max(r.emphasis-1, 0)
	case "a":
		r.links = append(r.links, link{strings.Join(strings.Fields(r.label.String()), " "), r.target})
		r.inLink, r.target = false, ""
	case "h1", "h2", "h3", "h4", "h5", "h6":
		r.block("p") // what follows belongs to no heading's text
	}
}

func isWeb(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// text is all that the reader sees.
func (p page) text() string {
	var b strings.Builder
	for _, x := range p.blocks {
		b.WriteString(x.text + "\n")
	}
	return b.String()
}

// body is what the reader sees without the foot, which has the name of the
// model and the marker.
func (p page) body() string {
	text := p.text()
	if at := strings.LastIndex(text, "Deskhand: "); at >= 0 {
		return text[:at]
	}
	return text
}

// head gives the first two lines: those before the first heading that are no
// remarks.
func (p page) head() []string {
	var lines []string
	for _, b := range p.blocks {
		if b.tag == "h3" || len(lines) == 2 {
			break
		}
		for line := range strings.Lines(b.text) {
			if strings.TrimSpace(line) != "" && !b.set && len(lines) < 2 {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return lines
}

func (p page) headings() []string {
	var list []string
	for _, b := range p.blocks {
		if b.tag == "h3" {
			list = append(list, strings.TrimSpace(b.text))
		}
	}
	return list
}

// under gives the bullets below a heading.
func (p page) under(heading string) []string {
	var list []string
	here := false
	for _, b := range p.blocks {
		switch b.tag {
		case "h3":
			here = strings.TrimSpace(b.text) == heading
		case "li":
			if here {
				list = append(list, b.text)
			}
		}
	}
	return list
}
