// Command gallery writes docs/gallery: the notes of the situations in
// docs/gallery/cases as Markdown, and a page that shows them as a technician
// sees them, rendered by the adapter of the tool.
//
//	gallery         writes the files
//	gallery --check says whether they are fresh
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/note"
	"github.com/deskhand/deskhand/shared/receipts"
	"github.com/deskhand/deskhand/shared/ticket"
)

// Case is one situation, a file in cases.
type Case struct {
	Name   string        `json:"-"`
	Title  string        `json:"title"`
	About  string        `json:"about"` // what to look at
	Now    time.Time     `json:"now"`
	Ticket ticket.Ticket `json:"ticket"`
	// Items, Gaps and what the language model was left with after the check.
	Items    []evidence.Item    `json:"items"`
	Gaps     []evidence.Gap     `json:"gaps"`
	Claims   map[string][]Claim `json:"claims"` // by one of receipts.Headings
	General  []string           `json:"general"`
	Removed  int                `json:"removed"`
	Model    string             `json:"model"`
	Missing  note.Missing       `json:"missing"`
	Told     bool               `json:"told"`
	Suspect  bool               `json:"suspect"`
	Changed  []string           `json:"changed"`
	Useful   string             `json:"useful"`
	Useless  string             `json:"useless"`
	Language string             `json:"language"`
	Formats  []string           `json:"formats"` // of the tool; none: html
}

// Claim is a text and the ids of its evidence: ["Restart it.", ["T1"]].
type Claim struct {
	Text  string
	Cites []string
}

// UnmarshalJSON reads the pair.
func (c *Claim) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&c.Text, &c.Cites})
}

// briefing is what enhance would hand to note.
func (c Case) briefing() note.Briefing {
	b := note.Briefing{
		Ticket: c.Ticket, Told: c.Told, Bundle: evidence.Bundle{Items: c.Items, Gaps: c.Gaps},
		Checked: receipts.Checked{General: c.General, Removed: c.Removed}, Model: c.Model, Missing: c.Missing,
		Suspect: c.Suspect, Changed: c.Changed, Useful: c.Useful, Useless: c.Useless, Language: c.Language,
		Marker: ticket.Ref{Tenant: "acme", Connection: "desk", Key: c.Ticket.Key}.Marker(), Now: c.Now,
	}
	for _, h := range receipts.Headings {
		s := receipts.Section{Heading: h}
		for _, claim := range c.Claims[h] {
			s.Claims = append(s.Claims, receipts.Claim{Text: claim.Text, Cites: claim.Cites})
		}
		b.Checked.Sourced += len(s.Claims)
		b.Checked.Sections = append(b.Checked.Sections, s)
	}
	b.Checked.Claims = b.Checked.Sourced + len(c.General) + c.Removed
	return b
}

func main() {
	check := flag.Bool("check", false, "write nothing, say whether the files are fresh")
	dir := flag.String("dir", "docs/gallery", "where cases are, and where the rest goes")
	flag.Parse()
	if err := run(*dir, *check); err != nil {
		fmt.Fprintln(os.Stderr, "gallery:", err)
		os.Exit(1)
	}
}

func run(dir string, check bool) error {
	cases, err := read(filepath.Join(dir, "cases"))
	if err != nil {
		return err
	}
	files, err := gallery(cases)
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dir, "[0-9]*.md"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if _, ok := files[filepath.Base(path)]; ok {
			continue
		}
		if check {
			return fmt.Errorf("%s belongs to no case: run make gallery", path)
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	for name, want := range files {
		path := filepath.Join(dir, name)
		if !check {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				return err
			}
			continue
		}
		if have, err := os.ReadFile(path); err != nil || !bytes.Equal(have, want) {
			return fmt.Errorf("%s is not fresh: run make gallery", path)
		}
	}
	fmt.Printf("%s: %d notes\n", dir, len(cases))
	return nil
}

// read reads the cases of a folder, in the order of their names.
func read(dir string) ([]Case, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err == nil && len(paths) == 0 {
		err = fmt.Errorf("no case in %s", dir)
	}
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	cases := make([]Case, len(paths))
	for i, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&cases[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		cases[i].Name = strings.TrimSuffix(filepath.Base(path), ".json")
	}
	return cases, nil
}

// gallery gives the files by name: a note for each case, and the page.
func gallery(cases []Case) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, c := range cases {
		files[c.Name+".md"] = []byte(note.Write(c.briefing()))
	}
	html, err := page(cases)
	if err != nil {
		return nil, err
	}
	files["index.html"] = html
	return files, nil
}
