// Package cases reads and writes the cases by which notes are judged: each a
// folder with case.json, the ticket and what is known about it, and answer.json,
// a good answer of a model.
package cases

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/ticket"
)

// Case is one ticket, what is known about it, and what its note must be like.
type Case struct {
	Name     string    `json:"-"`
	About    string    `json:"about"` // what it is there for
	Language string    `json:"language"`
	Now      time.Time `json:"now"`
	// Told says that the ticket cannot be read, so that the webhook's text
	// stands in for it.
	Told   bool            `json:"told,omitempty"`
	Ticket Ticket          `json:"ticket"`
	Items  []evidence.Item `json:"evidence,omitempty"` // without ids: they are given in this order, by kind
	Gaps   []evidence.Gap  `json:"gaps,omitempty"`

	Expect Expect `json:"expect"`
	// Secrets may stand neither in a prompt nor in a note, Private in no prompt,
	// Forbidden in no note.
	Secrets   []string `json:"secrets,omitempty"`
	Private   []string `json:"private,omitempty"`
	Forbidden []string `json:"forbidden,omitempty"`

	Answer string `json:"-"` // answer.json
}

// Ticket is what a person wrote.
type Ticket struct {
	Number      string `json:"number"`
	Subject     string `json:"subject"`
	Description string `json:"description"`
	// Repeated is how often the description stands in the ticket; 0 is once.
	Repeated  int    `json:"repeated,omitempty"`
	Priority  string `json:"priority,omitempty"`
	Site      string `json:"site,omitempty"`
	Requester string `json:"requester,omitempty"`
	Email     string `json:"email,omitempty"`
}

// Expect is what a note must say. Each text may offer others: "article|Artikel".
type Expect struct {
	Head []string `json:"head,omitempty"` // in its first two lines
	Note []string `json:"note,omitempty"` // anywhere
}

// AsTicket gives the ticket as the tool has it.
func (c Case) AsTicket() ticket.Ticket {
	t := c.Ticket
	return ticket.Ticket{
		Key: t.Number, Number: t.Number, Subject: t.Subject, Priority: t.Priority, Site: t.Site, Requester: t.Requester, Email: t.Email,
		Description: strings.TrimSpace(strings.Repeat(t.Description+"\n", cmp.Or(t.Repeated, 1))), Status: "Open", Created: c.Now, Updated: c.Now,
	}
}

// Read gives every case of the folder, by name. A folder without one is an
// error, and so is a case that says too little to be judged.
func Read(dir fs.FS) ([]Case, error) {
	files, err := fs.Glob(dir, "*/case.json")
	if err != nil || len(files) == 0 {
		return nil, errors.Join(err, errors.New("no case: a case is a folder with a case.json"))
	}
	list := make([]Case, 0, len(files))
	for _, file := range files {
		c, err := read(dir, strings.TrimSuffix(file, "/case.json"))
		if err != nil {
			return nil, fmt.Errorf("case %s: %w", file, err)
		}
		list = append(list, c)
	}
	return list, nil
}

func read(dir fs.FS, name string) (c Case, err error) {
	text, err := fs.ReadFile(dir, name+"/case.json")
	if err != nil {
		return c, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, err
	}
	answer, err := fs.ReadFile(dir, name+"/answer.json")
	if err != nil {
		return c, err
	}
	c.Name, c.Answer = name, string(answer)
	return c, c.check()
}

func (c Case) check() error {
	switch {
	case c.About == "", c.Language == "", c.Now.IsZero():
		return errors.New("about, language and now must be there")
	case strings.Trim(c.Ticket.Number, "0123456789") != "" || c.Ticket.Number == "":
		return errors.New("the ticket's number must be one")
	case len(c.Expect.Head) == 0:
		return errors.New("expect.head must say what the first two lines are to say")
	}
	for _, it := range c.Items {
		if it.Kind == "" || it.Source == "" || it.Ref == "" {
			return fmt.Errorf("kind, source and ref of the evidence %q must be there", it.Title)
		}
	}
	return nil
}

// Write writes a case with its answer into a folder of dir.
func Write(dir string, c Case) error {
	folder := filepath.Join(dir, c.Name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(c); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(folder, "case.json"), text.Bytes(), 0o644),
		os.WriteFile(filepath.Join(folder, "answer.json"), []byte(c.Answer), 0o644),
	)
}
