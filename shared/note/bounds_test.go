package note

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/yuin/goldmark"
	goldmarkhtml "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/receipts"
)

// hostile are the pieces that strangers' texts are made of here.
var hostile = rapid.SampledFrom([]string{
	"spooler", "Restarted it.", "<img src=x>", "[a](https://evil.example)", "**b**", "`c`", "https://evil.example", "# h", "\n- x", "\n1. y", "\n===\n", "&lt;", "10.0.0.1",
	"~~z~~", "|", "![i](x)", "\x00", "\u202e", "\xff", `\\srv\share`, `DOMAIN\user_name`, "a_b_c", "_d_", "\\", "1)", "+ q", "z. B. und", "無法登入系統。請檢查設定。", strings.Repeat("x", 300), "？",
})

func texts(longest int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(hostile, 0, longest).Draw(t, "pieces"), " ")
	})
}

// briefings are any that can come about, and some that cannot.
var briefings = rapid.Custom(func(t *rapid.T) Briefing {
	urls := rapid.SampledFrom([]string{"", "https://sdp.example/1", "javascript:alert(1)", "https://x.example/)(y"})
	b := Briefing{
		Now: noteTime, Marker: "DH-0123456789abcdef", Model: texts(3).Draw(t, "model"),
		Missing: rapid.SampledFrom([]Missing{Nothing, Nothing, Pending, Unsupported}).Draw(t, "missing"),
		Suspect: rapid.Bool().Draw(t, "suspect"), Told: rapid.Bool().Draw(t, "told"),
		Changed: rapid.SliceOf(rapid.SampledFrom([]string{"subject", "replies", "priority", "<b>"})).Draw(t, "changed"),
		Useful:  urls.Draw(t, "useful"), Useless: urls.Draw(t, "useless"),
		Language: rapid.SampledFrom([]string{"", "en", "de", "nl", "fr", "es", "it", "pt-BR", "pl", "cs", "hu", "*"}).Draw(t, "language"),
	}
	facts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) evidence.Fact {
		return evidence.Fact{Kind: evidence.FactKind(rapid.IntRange(0, 12).Draw(t, "kind")), N: rapid.IntRange(0, 400).Draw(t, "n"), Name: texts(3).Draw(t, "name")}
	}), 0, 5)
	for range rapid.IntRange(0, 12).Draw(t, "items") {
		it := evidence.Item{
			Kind: rapid.SampledFrom(receipts.Kinds).Draw(t, "kind"), Ref: rapid.SampledFrom([]string{"1", "#2", "a b c", "**x**"}).Draw(t, "ref"),
			Title: texts(20).Draw(t, "title"), Text: texts(60).Draw(t, "text"), Why: texts(6).Draw(t, "why"), Facts: facts.Draw(t, "facts"),
			When:  rapid.SampledFrom([]time.Time{{}, noteTime, noteTime.AddDate(-2, 0, 0)}).Draw(t, "when"),
			Score: rapid.Float64Range(0, 20).Draw(t, "score"), Possibly: rapid.Bool().Draw(t, "possibly"), URL: urls.Draw(t, "url"),
		}
		it.ID = string("TAS"[slices.Index(receipts.Kinds, it.Kind)]) + string(rune('1'+len(b.Bundle.Items)))
		b.Bundle.Items = append(b.Bundle.Items, it)
	}
	for range rapid.IntRange(0, 8).Draw(t, "gaps") {
		b.Bundle.Gaps = append(b.Bundle.Gaps, evidence.Gap{Source: rapid.SampledFrom([]string{"history", "inventory", "x"}).Draw(t, "source"), Label: texts(8).Draw(t, "label")})
	}
	for _, h := range receipts.Headings {
		s := receipts.Section{Heading: h}
		for range rapid.IntRange(0, 6).Draw(t, "claims") {
			claim := receipts.Claim{Text: strings.TrimSpace("Claim "+texts(40).Draw(t, "claim")) + ".", Cites: []string{"T9"}}
			for _, it := range b.Bundle.Items {
				if rapid.Bool().Draw(t, "cited") {
					claim.Cites = append(claim.Cites, it.ID)
				}
			}
			s.Claims = append(s.Claims, claim)
		}
		b.Checked.Sections = append(b.Checked.Sections, s)
	}
	b.Checked.General = rapid.SliceOfN(texts(30), 0, 4).Draw(t, "general")
	return b
})

// Whatever comes, a note has at most 500 words, its first lines at most 40, no
// link or mark-up that strangers' text brought, and head and foot.
func TestANoteIsShortAndOnlyOurMarkUpIsInIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := briefings.Draw(t, "briefing")
		note := Write(b)
		p := page{Briefing: b, in: lexiconOf(b.Language)}
		head := strings.Join(p.headline(), "\n\n")
		if !strings.HasPrefix(note, head) || !strings.HasSuffix(note, b.Marker+"\n") {
			t.Fatalf("head or foot is gone:\n%s", note)
		}
		text, _ := rendered(t, head)
		if n := len(strings.Fields(text)); n > MaxHeadline || strings.Count(head, "\n\n") > 1 {
			t.Fatalf("the first two lines have %d words:\n%s", n, head)
		}
		text, links := rendered(t, note)
		if n := len(strings.Fields(text)); n > MaxWords {
			t.Fatalf("%d words:\n%s", n, note)
		}
		for _, l := range links {
			if l != "https://sdp.example/1" {
				t.Fatalf("the note links to %s:\n%s", l, note)
			}
		}
	})
}

// A claim is never without its source, and never half a sentence.
func TestWhatIsCutKeepsItsSourceAndEndsAtASentence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := briefings.Draw(t, "briefing")
		b.Missing = Nothing
		p := page{Briefing: b, in: lexiconOf(b.Language)}
		whole, cut := p.sections(), p.sections()
		left := fit(cut, rapid.IntRange(0, 400).Draw(t, "words"))
		gone := 0
		for i, s := range cut {
			gone += len(whole[i].bullets) - len(s.bullets)
			for j, got := range s.bullets {
				want := whole[i].bullets[j]
				if got.tail != want.tail || got.lead != want.lead {
					t.Fatalf("%+v lost what belongs to it: %+v", want, got)
				}
				if got.counts && got.tail == "" && i < len(receipts.Headings) {
					t.Fatalf("a claim without a source: %+v", got)
				}
				if got.text != want.text && !slices.Contains(sentences(want.text), len(got.text)) {
					t.Fatalf("%q was cut to %q", want.text, got.text)
				}
			}
		}
		if left > gone {
			t.Fatalf("%d claims are said to be left out, %d bullets are", left, gone)
		}
	})
}

// What a stranger wrote is read as it was written: nothing in it is mark-up.
func TestEscapedTextReadsAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(texts(12), rapid.StringOf(rapid.RuneFrom([]rune("ab1 \\`*_[]()<>&;#|~!.+-=:/\n'\"")))).Draw(t, "text")
		got, _ := rendered(t, "- "+bullet{text: text}.markdown())
		want := strings.Join(strings.Fields(strings.Map(func(r rune) rune {
			if r == 0 || unicode.Is(unicode.Cf, r) {
				return -1
			}
			return r
		}, strings.ToValidUTF8(text, "\uFFFD"))), " ")
		if strings.Join(strings.Fields(got), " ") != want {
			t.Fatalf("%q is read as %q", want, got)
		}
	})
}

func rendered(t *rapid.T, markdown string) (text string, links []string) {
	var page bytes.Buffer
	if err := goldmark.New(goldmark.WithRendererOptions(goldmarkhtml.WithUnsafe())).Convert([]byte(markdown), &page); err != nil {
		t.Fatal(err)
	}
	return read(t, &page)
}

// read gives the visible text and the links of a page that may have no other
// elements than those of a note.
func read(t *rapid.T, page *bytes.Buffer) (text string, links []string) {
	z := html.NewTokenizer(page)
	for {
		switch z.Next() {
		case html.ErrorToken:
			return text, links
		case html.TextToken:
			text += string(z.Text())
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			switch token.Data {
			case "p", "h3", "ul", "li", "strong", "em", "br":
			case "a":
				links = append(links, token.Attr[0].Val)
			default:
				t.Fatalf("the note has an element %s", token)
			}
		}
	}
}
