package evaluate

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	maxLine    = 64 << 20 // bytes
	namedLines = 3        // broken lines of a file that are named; the others are counted
)

var (
	errNoID   = errors.New("no id")
	errNoTime = errors.New("no time of creation")
)

// open gives the content of a file, decompressed.
func (l *loader) open(name string, read func(io.Reader) error) (err error) {
	file, err := l.data.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if !strings.HasSuffix(name, ".gz") {
		return read(file)
	}
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	return read(unzipped)
}

// lines calls take with every line that is not blank. What take refuses is
// noted; a file of which it refuses every line is an error.
func (l *loader) lines(name string, take func(line []byte) error) error {
	return l.open(name, func(r io.Reader) error {
		b := broken{file: name}
		s := bufio.NewScanner(r)
		s.Buffer(nil, maxLine)
		for number := 1; s.Scan(); number++ {
			line := bytes.TrimSpace(bytes.TrimPrefix(s.Bytes(), []byte("\ufeff")))
			if len(line) > 0 {
				b.count(number, take(line))
			}
		}
		if err := s.Err(); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		return l.end(b)
	})
}

// broken counts the lines of a file that cannot be read.
type broken struct {
	file  string
	good  int
	bad   int
	named []string
}

func (b *broken) count(line int, err error) {
	if err == nil {
		b.good++
		return
	}
	if b.bad++; len(b.named) < namedLines {
		b.named = append(b.named, fmt.Sprintf("%s:%d: %v", b.file, line, err))
	}
}

func (l *loader) end(b broken) error {
	if b.bad > 0 && b.good == 0 {
		return fmt.Errorf("read %s: every line is broken, the first: %s", b.file, b.named[0])
	}
	l.notes = append(l.notes, b.named...)
	if more := b.bad - len(b.named); more > 0 {
		l.notes = append(l.notes, fmt.Sprintf("%s: %d more broken lines", b.file, more))
	}
	return nil
}

// id is a number or a string.
type id string

// UnmarshalJSON reads both.
func (i *id) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, (*string)(i))
	}
	var n json.Number
	err := json.Unmarshal(text, &n)
	*i = id(n)
	return err
}

// tickets reads files of tickets, by name.
func (l *loader) tickets(names []string) (map[string][]Ticket, error) {
	read := map[string][]Ticket{}
	for _, name := range names {
		err := l.lines(name, func(line []byte) error {
			var x struct {
				ID                               id
				Created, Title, Body, Resolution string
				Resolved                         string `json:"resolved_at"`
			}
			if err := json.Unmarshal(line, &x); err != nil {
				return err
			}
			t, err := newTicket(string(x.ID), x.Created)
			if err != nil {
				return err
			}
			t.Title, t.Body, t.Resolution = x.Title, x.Body, strings.TrimSpace(x.Resolution)
			if resolved, ok := moment(x.Resolved, true); ok {
				t.Resolved = resolved
			}
			t.ToTickets, t.ToArticles = points(t.Resolution, "")
			read[name] = append(read[name], t)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return read, nil
}

func newTicket(id, created string) (Ticket, error) {
	t := Ticket{ID: strings.TrimSpace(id)}
	if t.ID == "" {
		return t, errNoID
	}
	t.Names = []string{t.ID}
	var ok bool
	if t.Created, ok = moment(created, false); !ok {
		return t, errNoTime
	}
	return t, nil
}

// articles reads the knowledge base.
func (l *loader) articles(names []string) (list []Article, err error) {
	for _, name := range names {
		err = l.lines(name, func(line []byte) error {
			var x struct {
				Slug                 id
				Title, Summary, Text string
			}
			if err := json.Unmarshal(line, &x); err != nil {
				return err
			}
			if x.Slug == "" {
				return errNoID
			}
			list = append(list, Article{ID: string(x.Slug), Title: x.Title, Body: x.Summary + "\n" + x.Text})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// labels reads what helped.
func (l *loader) labels(files folder) (list []labels, err error) {
	for _, name := range files["similar"] {
		k := labels{file: name}
		err := l.lines(name, func(line []byte) error {
			var x struct {
				Query id
				Rel   []id
			}
			if err := json.Unmarshal(line, &x); err != nil {
				return err
			}
			if x.Query == "" {
				return errNoID
			}
			q := Query{Ticket: string(x.Query)}
			for _, to := range x.Rel {
				q.Tickets = append(q.Tickets, string(to))
			}
			k.queries = append(k.queries, q)
			return nil
		})
		if err != nil {
			return nil, err
		}
		list = append(list, k)
	}
	for _, name := range files["helpful"] {
		k := labels{file: name}
		ticket, slug := 0, 1
		err := l.lines(name, func(line []byte) error {
			fields := strings.Split(string(line), "\t")
			for i := range fields {
				fields[i] = strings.TrimSpace(fields[i])
			}
			if t, s := index(fields, "ticket"), index(fields, "kb_slug"); t >= 0 && s >= 0 {
				ticket, slug = t, s
				return nil
			}
			if len(fields) <= max(ticket, slug) || fields[ticket] == "" || fields[slug] == "" {
				return errors.New("want a ticket and a kb_slug, with a tab between")
			}
			k.queries = append(k.queries, Query{Ticket: fields[ticket], Articles: []string{fields[slug]}})
			return nil
		})
		if err != nil {
			return nil, err
		}
		list = append(list, k)
	}
	return list, nil
}

// layouts of times. A time without a zone is in UTC.
var layouts = []string{
	time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z0700",
	"2006-01-02 15:04:05 Z0700", "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04",
}

// moment reads a time. Of a day alone it is the beginning, or where the text
// says when something ended, the end: nothing is known before it was.
func moment(text string, ended bool) (time.Time, bool) {
	text = strings.TrimSpace(text)
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	t, err := time.Parse(time.DateOnly, text)
	if err == nil && ended {
		t = t.AddDate(0, 0, 1)
	}
	return t, err == nil
}
