package evaluate

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// The shapes of tables that are known, by the columns that each has.
var (
	bugColumns       = []string{"issue id", "summary", "description", "created"}
	duplicateColumns = []string{"issue id", "duplicate id"}
	labelledColumns  = []string{"number", "labels", "title", "created_at"}
)

// tracker reads the tables of bug trackers: a bug's duplicates that are older
// are what would have helped. X_bugs-combined.csv tells of X_bugs.csv.
func (l *loader) tracker(names []string) error {
	for _, name := range names {
		bugs, known := Set{Name: l.name + "/" + strings.TrimSuffix(stemOf(name), "_bugs"), Unsolved: true}, false
		err := l.table(name, func(header []string) func(row []string) error {
			switch {
			case has(header, labelledColumns):
				l.notes = append(l.notes, name+": some reports are labelled as duplicates, but of which is not said: not measured")
			case has(header, bugColumns):
				known = true
				return bugs.bug(header)
			}
			return nil
		})
		if err != nil || !known {
			if err != nil {
				return err
			}
			continue
		}
		i := slices.IndexFunc(names, func(other string) bool { return stemOf(other) == stemOf(name)+"-combined" })
		if i < 0 {
			l.notes = append(l.notes, name+": no table says which of these are duplicates: want "+stemOf(name)+"-combined.csv")
			continue
		}
		pairs := map[string][]string{}
		err = l.table(names[i], func(header []string) func(row []string) error {
			if !has(header, duplicateColumns) {
				return nil
			}
			return duplicates(header, pairs)
		})
		if err != nil {
			return err
		}
		bugs.older(pairs)
		l.add(bugs)
	}
	return nil
}

// bug takes a row of bugs.
func (s *Set) bug(header []string) func(row []string) error {
	return func(row []string) error {
		t, err := newTicket(cell(header, row, "issue id"), cell(header, row, "created"))
		if err != nil {
			return err
		}
		t.Title, t.Body = cell(header, row, "summary"), cell(header, row, "description")
		s.Tickets = append(s.Tickets, t)
		return nil
	}
}

// duplicates takes a row that names the duplicates of a bug: "1284028, 1648584".
func duplicates(header []string, pairs map[string][]string) func(row []string) error {
	return func(row []string) error {
		bug := strings.TrimSpace(cell(header, row, "issue id"))
		if bug == "" {
			return errNoID
		}
		for other := range strings.FieldsFuncSeq(cell(header, row, "duplicate id"), func(r rune) bool { return strings.ContainsRune(" ,;[]'", r) }) {
			pairs[bug] = append(pairs[bug], other)
			pairs[other] = append(pairs[other], bug)
		}
		return nil
	}
}

// older makes queries of the bugs with a duplicate that is older than they are.
// Those that are not in the table are no labels: nobody could have found them.
func (s *Set) older(pairs map[string][]string) {
	byID := map[string]Ticket{}
	for _, t := range s.Tickets {
		byID[t.ID] = t
	}
	for _, t := range s.Tickets {
		q := Query{Ticket: t.ID}
		for _, other := range pairs[t.ID] {
			if o, ok := byID[other]; ok && o.Created.Before(t.Created) {
				q.Tickets = append(q.Tickets, other)
			}
		}
		if len(q.Tickets) > 0 {
			s.Queries = append(s.Queries, q)
		}
	}
}

// table reads a CSV file. start is given the header, in lower case, and gives
// what takes the rows; nil where they are not wanted.
func (l *loader) table(name string, start func(header []string) func(row []string) error) error {
	return l.open(name, func(r io.Reader) error {
		t := csv.NewReader(r)
		t.FieldsPerRecord, t.LazyQuotes = -1, true
		header, err := t.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		for i := range header {
			header[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(header[i], "\ufeff")))
		}
		take := start(header)
		if take == nil {
			return nil
		}
		b := broken{file: name}
		for {
			row, err := t.Read()
			if errors.Is(err, io.EOF) {
				return l.end(b)
			}
			if _, parse := errors.AsType[*csv.ParseError](err); err != nil && !parse {
				return fmt.Errorf("read %s: %w", name, err)
			}
			line, _ := t.FieldPos(0)
			if err == nil {
				err = take(row)
			}
			b.count(line, err)
		}
	})
}

func has(header, columns []string) bool {
	return !slices.ContainsFunc(columns, func(c string) bool { return !slices.Contains(header, c) })
}

func index(fields []string, name string) int {
	return slices.IndexFunc(fields, func(f string) bool { return strings.EqualFold(f, name) })
}

// cell gives a row's value of a column; "" where the row is too short.
func cell(header, row []string, column string) string {
	if i := slices.Index(header, column); i < len(row) {
		return row[i]
	}
	return ""
}

// stemOf is the name of a file without folders and endings.
func stemOf(file string) string {
	base, _, _ := strings.Cut(path.Base(file), ".")
	return base
}
