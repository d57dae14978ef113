package evaluate

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// ErrNothing says that a folder has no tickets of which is known what helped.
var ErrNothing = errors.New("no tickets of which is known what helped: looked, in all folders below, for tickets_*.jsonl.gz beside " +
	"eval_tickets_*.jsonl, or beside ticket_kb_*.tsv with kb_*.jsonl.gz; and for *_bugs.csv beside *_bugs-combined.csv " +
	"(give another folder: EVAL_DATA=DIR make eval)")

// The files of a set, by how their names begin and end; each may be compressed (.gz).
var patterns = map[string]string{
	"tickets": "tickets_*.jsonl", "similar": "eval_tickets_*.jsonl", "helpful": "ticket_kb_*.tsv", "articles": "kb_*.jsonl",
	"table": "*.csv",
}

// folder is the files of one folder, by the keys of patterns.
type folder map[string][]string

// Read gives the sets of the folder data, which is called name, and of those
// below it. Tickets of one folder with what helped them are a set; it is called
// after that folder and the file that says what helped ("forum/dev"), so that it
// has the same name wherever it lies. What cannot be used is left out and said
// (notes, and Set.Left), a broken line too; a file of which every line is broken
// is an error, and so are no sets at all (ErrNothing).
func Read(data fs.FS, name string) (sets []Set, notes []string, err error) {
	folders := map[string]folder{}
	err = fs.WalkDir(data, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		for kind, pattern := range patterns {
			if ok, _ := path.Match(pattern, strings.TrimSuffix(path.Base(file), ".gz")); ok {
				dir := path.Dir(file)
				if folders[dir] == nil {
					folders[dir] = folder{}
				}
				folders[dir][kind] = append(folders[dir][kind], file)
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("evaluate: %w", err)
	}
	for _, dir := range slices.Sorted(maps.Keys(folders)) {
		l := loader{data: data, name: path.Base(path.Join(name, dir))}
		if err := l.forum(folders[dir]); err != nil {
			return nil, nil, fmt.Errorf("evaluate: %w", err)
		}
		if err := l.tracker(folders[dir]["table"]); err != nil {
			return nil, nil, fmt.Errorf("evaluate: %w", err)
		}
		sets, notes = append(sets, l.sets...), append(notes, l.notes...)
	}
	if len(sets) == 0 {
		return nil, notes, fmt.Errorf("evaluate: %w", ErrNothing)
	}
	return sets, notes, nil
}

// loader reads one folder.
type loader struct {
	data  fs.FS
	name  string // of the folder
	sets  []Set
	notes []string
}

// labels is what one file says helped.
type labels struct {
	file    string
	queries []Query
}

// forum reads tickets, articles, and what helped. What helped goes with the
// files of tickets that it names; those with the same tickets are one set.
func (l *loader) forum(files folder) error {
	tickets, err := l.tickets(files["tickets"])
	if err != nil {
		return err
	}
	articles, err := l.articles(files["articles"])
	if err != nil {
		return err
	}
	known, err := l.labels(files)
	if err != nil {
		return err
	}
	bySource := map[string][]labels{}
	for _, k := range known {
		if sources := namedIn(tickets, k.queries); len(sources) > 0 {
			bySource[strings.Join(sources, "\n")] = append(bySource[strings.Join(sources, "\n")], k)
		} else {
			l.notes = append(l.notes, k.file+": names none of the tickets in its folder")
		}
	}
	used := map[string]bool{}
	for _, sources := range slices.Sorted(maps.Keys(bySource)) {
		s := Set{Name: l.name + "/" + stem(bySource[sources][0].file), Articles: articles}
		for name := range strings.SplitSeq(sources, "\n") {
			s.Tickets, used[name] = append(s.Tickets, tickets[name]...), true
		}
		for _, k := range bySource[sources] {
			s.Queries = append(s.Queries, k.queries...)
		}
		l.add(s)
	}
	for _, name := range files["tickets"] {
		if !used[name] {
			l.notes = append(l.notes, name+": nothing in its folder says what helped these tickets")
		}
	}
	return nil
}

// namedIn gives the files that hold a ticket of the queries.
func namedIn(tickets map[string][]Ticket, queries []Query) (names []string) {
	wanted := map[string]bool{}
	for _, q := range queries {
		wanted[q.Ticket] = true
		for _, id := range q.Tickets {
			wanted[id] = true
		}
	}
	for name, list := range tickets {
		if slices.ContainsFunc(list, func(t Ticket) bool { return wanted[t.ID] }) {
			names = append(names, name)
		}
	}
	return slices.Sorted(slices.Values(names))
}

// add takes a set, each ticket and article once.
func (l *loader) add(s Set) {
	n := len(s.Tickets) + len(s.Articles)
	s.Tickets = once(s.Tickets, func(t Ticket) string { return t.ID })
	s.Articles = once(s.Articles, func(a Article) string { return a.ID })
	if n -= len(s.Tickets) + len(s.Articles); n > 0 {
		s.Left = append(s.Left, fmt.Sprintf("%d tickets or articles that were there already, by their id", n))
	}
	l.sets = append(l.sets, s)
}

func once[T any](list []T, id func(T) string) (kept []T) {
	seen := map[string]bool{}
	for _, x := range list {
		if !seen[id(x)] {
			kept = append(kept, x)
		}
		seen[id(x)] = true
	}
	return kept
}

// stem is what the name of a file says of its content: "dev" of
// eval_tickets_dev.jsonl.
func stem(file string) string {
	base := stemOf(file)
	return base[strings.LastIndexByte(base, '_')+1:]
}
