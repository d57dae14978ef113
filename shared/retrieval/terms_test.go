package retrieval

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func texted(terms []Term) string { return strings.Join(texts(terms), " ") }

func TestTermsReadsWordsAndIdentifiers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"  …!? ", ""},
		{"The printer is not printing", "printer print"},
		{"Crashes crashed crashing CRASH", "crash"},
		{"updates updating updated", "updat"},
		{"policies policy", "policy"},
		{"access process status analysis", "access process status analysis"},
		{"error 0x80070005: KB5034441!", "error 0x80070005 kb5034441"},
		{"ping srv-fs01 failed", "ping srv-fs01 srv fs01 fail"},
		{"MAPI_E_NOT_FOUND", "mapi_e_not_found mapi found"},
		{"Version 115.4.1.", "version 115.4.1 115"},
		{"from 10.0.0.7 to 10.0.0.8", "10.0.0.7 10.0.0.8"},
		{"host [2001:DB8::1]:443 down", "2001:db8::1 host 2001 db8 443 down"},
		{"e-mail, it's don't", "mail"},
		{"end.Then start", "end start"},
		{"naïve Größe ÜBER", "naïve größe über"},
		{"印刷できない", "印刷 刷で でき きな ない"},
		{"字", "字"},
		{"PDF印刷 error", "pdf 印刷 error"},
		{"ab\xffcd\x00ef", "ab cd ef"},
		{"\xff\xfe", ""},
	} {
		if got := texted(Terms("", tt.text, "")); got != tt.want {
			t.Errorf("%q: terms %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestTermsCountsTitleBodyAndResolution(t *testing.T) {
	t.Parallel()
	got := Terms("Printers offline", "The printer went offline; printer!", "Printer restarted")
	want := []Term{{"printer", "printers", 8 + 4 + 4 + 1}, {"offlin", "offline", 8 + 4}, {"went", "went", 4}, {"restart", "restarted", 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if Length(got) != 34 {
		t.Errorf("length %d, want 34", Length(got))
	}
}

func TestTermsAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2047)
	random := make([]byte, 286_132)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(r.IntN(256))
	}
	for name, body := range map[string]string{
		"long word":   "before " + long + " after",
		"no spaces":   strings.Repeat("ab-", 100_000),
		"different":   strings.Repeat("0123456789abcdef ", 1000) + string(random),
		"same":        strings.Repeat("printer ", 40_000),
		"addresses":   strings.Repeat("fe80::1 1:2:", 25_000),
		"spaceless":   strings.Repeat("印刷できない", 20_000),
		"random":      string(random),
		"only joints": strings.Repeat(".-_", 100_000),
	} {
		start := time.Now()
		terms := Terms(body, body, "")
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
		check(t, terms)
	}
	if got := texted(Terms(long, "alpha "+long+" omega", "")); got != "alpha omega" {
		t.Errorf("around a long word: %q", got)
	}
}

// check holds what is stored of a text to its limits.
func check(t *testing.T, terms []Term) {
	t.Helper()
	if len(terms) > MaxTerms {
		t.Errorf("%d terms", len(terms))
	}
	seen := map[string]bool{}
	for _, term := range terms {
		if term.Text == "" || len(term.Text) > maxTermSize || !utf8.ValidString(term.Text) ||
			strings.ContainsAny(term.Text, "\x00 ") || term.TF < 1 || term.TF > maxTF || seen[term.Text] {
			t.Errorf("term %+v", term)
		}
		seen[term.Text] = true
	}
}

func FuzzTerms(f *testing.F) {
	f.Add("Printer offline", "error 0x80070005 on srv-fs01 at 10.0.0.7, 印刷できない \xff")
	f.Fuzz(func(t *testing.T, title, body string) {
		terms := Terms(title, body, "")
		check(t, terms)
		if diff := cmp.Diff(terms, Terms(title, body, "")); diff != "" {
			t.Error(diff)
		}
		for _, p := range Addresses(body) {
			if !p.IsValid() || p.Addr().Zone() != "" {
				t.Errorf("prefix %v", p)
			}
		}
	})
}

func BenchmarkTerms(b *testing.B) {
	body := strings.Repeat("The HP LaserJet in accounting shows error 0x00000709, srv-fs01 was updated to 115.4.1 yesterday. ", 8)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		Terms("Printer offline", body, "")
	}
}
