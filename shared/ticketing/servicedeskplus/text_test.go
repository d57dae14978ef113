package servicedeskplus

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/html"

	"github.com/deskhand/deskhand/shared/ticket"
)

func TestPlainGivesTheTextOfHTML(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"just text\nin lines": "just text\nin lines",
		"<div>Since this morning.<br />Gateway <b>10.20.0.5</b></div>":    "Since this morning.\nGateway 10.20.0.5",
		"<p>one</p>\n  <p>two</p>":                                        "one\n\ntwo",
		"<ul><li>first</li><li>second <i>item</i></li></ul>after":         "- first\n- second item\nafter",
		"<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>": "a b\nc",

		"<pre>x\n  y</pre>z":                          "x\n  y\nz",
		"a <script>alert('x')</script>b":              "a b",
		"<style>p{}</style>a<!-- b -->c":              "ac",
		"x &lt;b&gt; &amp; y&nbsp;z":                  "x <b> & y z",
		`see <a href="https://e.test/1">this</a>.`:    "see this (https://e.test/1).",
		`<a href="https://e.test">https://e.test</a>`: "https://e.test",
		`<a href="javascript:x">this</a>`:             "this",
		"a<script>never ends":                         "a",
		"<p":                                          "",
		"control \x00\x1b[1m<br>x":                    "control [1m\nx",
		"in<b>to</b>gether":                           "intogether",
	} {
		if got := plain(in); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}

func TestBodyIsCleanHTML(t *testing.T) {
	t.Parallel()
	for markdown, want := range map[string]string{
		"# Top\n\ntext":                        "<h3>Top</h3>\n<p>text</p>\n<p>Ref: DH-1</p>",
		"- a **b** *c*\n- `d`":                 "<ul>\n<li>a <strong>b</strong> <em>c</em></li>\n<li><code>d</code></li>\n</ul>\n<p>Ref: DH-1</p>",
		"see DH-1":                             "<p>see DH-1</p>",
		"see DH-1 here":                        "<p>see DH-1 here</p>\n<p>Ref: DH-1</p>",
		"[x](https://e.test/?a=1&b=2)":         `<p><a href="https://e.test/?a=1&amp;b=2">x</a></p>` + "\n<p>Ref: DH-1</p>",
		"[x](javascript:alert(1))":             "<p>x</p>\n<p>Ref: DH-1</p>",
		"[x](/relative)":                       "<p>x</p>\n<p>Ref: DH-1</p>",
		"![x](https://e.test/i.png)":           "<p></p>\n<p>Ref: DH-1</p>",
		"a <script>alert(1)</script> <b>b</b>": "<p>a &lt;script&gt;alert(1)&lt;/script&gt; &lt;b&gt;b&lt;/b&gt;</p>\n<p>Ref: DH-1</p>",
		"<div style=\"x\">\nblock\n</div>":     "<p>&lt;div style=&#34;x&#34;&gt;\nblock\n&lt;/div&gt;</p>\n<p>Ref: DH-1</p>",
		"```sh\nping <host>\n```":              "<pre><code>ping &lt;host&gt;\n</code></pre>\n<p>Ref: DH-1</p>",
	} {
		got, err := body(ticket.Note{Marker: "DH-1", Markdown: markdown})
		if err != nil || got != want {
			t.Errorf("%q gives\n%q, %v, want\n%q", markdown, got, err, want)
		}
	}
	got, err := body(ticket.Note{Marker: "DH-1", Markdown: "### A & B\n<b>", Format: "markdown"})
	if want := "### A &amp; B<br />\n&lt;b&gt;<br />\n<br />\nRef: DH-1"; err != nil || got != want {
		t.Errorf("markdown gives %q, %v, want %q", got, err, want)
	}
}

func TestCutKeepsTheLimitAndSaysSo(t *testing.T) {
	t.Parallel()
	if got := cut("äöü", 3); got != "äöü" {
		t.Errorf("nothing is missing, yet %q", got)
	}
	if got := cut(strings.Repeat("ä", 50), 20); utf8.RuneCountInString(got) != 20 || !strings.HasSuffix(got, cutMark) {
		t.Errorf("cut to %q", got)
	}
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{"<p>a</p>", "<script>x", "<pre>\n<li>", "&#0;&#x1b;", "<a href=http://x>y", "</pre></pre>x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := plain(s)
		if !utf8.ValidString(got) || clean(got) != got {
			t.Errorf("%q gives %q, which is not clean", s, got)
		}
	})
}

func FuzzBody(f *testing.F) {
	for _, s := range []string{"# a", "<script>", "[a](javascript:x)", "`<`", "<a onclick=x>", "![](data:x)", "<https://e.test>"} {
		f.Add(s, "html")
		f.Add(s, "markdown")
	}
	allowed := map[string]bool{"h3": true, "p": true, "ul": true, "ol": true, "li": true, "b": true, "strong": true, "i": true, "em": true, "code": true, "pre": true, "a": true, "br": true}
	f.Fuzz(func(t *testing.T, s, format string) {
		got, err := body(ticket.Note{Marker: "DH-1", Markdown: s, Format: format})
		if err != nil || !strings.Contains(got, "DH-1") {
			t.Fatalf("%q gives %q, %v", s, got, err)
		}
		z := html.NewTokenizer(strings.NewReader(got))
		for z.Next() != html.ErrorToken {
			token := z.Token()
			if token.Type == html.TextToken || token.Type == html.EndTagToken {
				continue
			}
			if !allowed[token.Data] {
				t.Errorf("%q gives %s", s, token)
			}
			for _, a := range token.Attr {
				if a.Key != "href" || (!strings.HasPrefix(a.Val, "http://") && !strings.HasPrefix(a.Val, "https://")) {
					t.Errorf("%q gives %s", s, token)
				}
			}
		}
	})
}

func TestANoteHasNoHiddenCharacters(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"html", "markdown"} {
		got, err := body(ticket.Note{Marker: "DH-1", Format: format, Markdown: "a\u200bb \u202egnp.exe\u2066 \U000E0041c\ufeff\n\nRef: DH-1"})
		if err != nil || strings.ContainsAny(got, "\u200b\u202e\u2066\U000E0041\ufeff") || !strings.Contains(got, "ab gnp.exe c") {
			t.Errorf("%s: %q, %v", format, got, err)
		}
	}
}
