package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/note"
)

func TestTheGalleryIsFresh(t *testing.T) {
	t.Parallel()
	if err := run("../../docs/gallery", true); err != nil {
		t.Error(err)
	}
}

func TestTheGalleryIsWrittenFromItsCases(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(dir, true); err == nil || !strings.Contains(err.Error(), "no case") {
		t.Errorf("no case: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "cases"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("cases/01-a.json", `{"title": "A <b>", "ticket": {"key": "1"}, "claims": {"Similar Tickets": [["Seen", ["T1"]]]}, "items": [{"id": "T1", "kind": "ticket", "ref": "7", "title": "<i>"}]}`)
	if err := run(dir, true); err == nil || !strings.Contains(err.Error(), "make gallery") {
		t.Errorf("nothing is written: %v", err)
	}
	write("02-gone.md", "a note of a case that is gone")
	if err := run(dir, true); err == nil || !strings.Contains(err.Error(), "02-gone.md belongs to no case") {
		t.Errorf("a note too many: %v", err)
	}
	if err := run(dir, false); err != nil {
		t.Fatal(err)
	}
	if err := run(dir, true); err != nil {
		t.Error(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if err != nil || !strings.Contains(string(page), "A &lt;b&gt;") || strings.Contains(string(page), "<i>") {
		t.Errorf("the page (%v):\n%s", err, page)
	}
	if _, err := os.Stat(filepath.Join(dir, "02-gone.md")); err == nil {
		t.Error("a note stays that belongs to no case")
	}
	write("cases/02-b.json", `{"titel": "B"}`)
	if err := run(dir, true); err == nil || !strings.Contains(err.Error(), "titel") {
		t.Errorf("an unknown field: %v", err)
	}
}

// The notes of the gallery keep what every note promises, as the page counts it.
func TestTheNotesOfTheGalleryAreShort(t *testing.T) {
	t.Parallel()
	cases, err := read("../../docs/gallery/cases")
	if err != nil {
		t.Fatal(err)
	}
	languages := map[string]bool{}
	for _, c := range cases {
		b := c.briefing()
		text := note.Write(b)
		if n := len(strings.Fields(text)); n > note.MaxWords+100 { // with the marks of Markdown
			t.Errorf("%s has %d words", c.Name, n)
		}
		if !strings.HasSuffix(text, " Ref: "+b.Marker+"\n") {
			t.Errorf("%s does not end with its marker", c.Name)
		}
		languages[note.Language(b.Ticket, b.Language)] = true
	}
	if len(languages) < 3 {
		t.Errorf("the gallery has the languages %v", languages)
	}
}
