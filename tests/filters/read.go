package main

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// text is one real text, and where it is from.
type text struct {
	kind string // "tickets", "bugs", "articles"
	body string
}

// read gives the tickets, bugs and articles of all files below a folder that
// are known by their names. A broken line is an error: this is data that was
// looked at.
func read(data fs.FS) (texts []text, err error) {
	err = fs.WalkDir(data, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := data.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		found, err := parse(path.Base(name), f)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		texts = append(texts, found...)
		return nil
	})
	if err == nil && len(texts) == 0 {
		err = errors.New("no tickets: looked for tickets_*.jsonl.gz, kb_*.jsonl.gz, *.csv with a description or body, *.md (give a folder: EVAL_DATA=DIR make eval)")
	}
	return texts, err
}

func parse(name string, r io.Reader) ([]text, error) {
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		name, r = strings.TrimSuffix(name, ".gz"), z
	}
	switch {
	case strings.HasPrefix(name, "tickets_") && strings.HasSuffix(name, ".jsonl"):
		return lines("tickets", r)
	case strings.HasPrefix(name, "kb_") && strings.HasSuffix(name, ".jsonl"):
		return lines("articles", r)
	case strings.HasSuffix(name, ".csv"):
		return table(r)
	case strings.HasSuffix(name, ".md") && name != "README.md":
		b, err := io.ReadAll(r)
		return []text{{"articles", string(b)}}, err
	}
	return nil, nil
}

// lines reads JSON, an object a line.
func lines(kind string, r io.Reader) (texts []text, err error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, 8<<20)
	for in.Scan() {
		var row struct{ Title, Body, Text, Resolution string }
		if err := json.Unmarshal(in.Bytes(), &row); err != nil {
			return nil, err
		}
		texts = append(texts, text{kind, strings.Join([]string{row.Title, row.Body + row.Text, row.Resolution}, "\n")})
	}
	return texts, in.Err()
}

// table reads the reports of a bug tracker.
func table(r io.Reader) (texts []text, err error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = -1
	header, err := in.Read()
	if err != nil {
		return nil, err
	}
	column := func(names ...string) int {
		return slices.IndexFunc(header, func(h string) bool { return slices.Contains(names, strings.ToLower(h)) })
	}
	title, body := column("summary", "title"), column("description", "body")
	if title < 0 || body < 0 {
		return nil, nil
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return texts, nil
		}
		if err != nil {
			return nil, err
		}
		if len(row) > max(title, body) {
			texts = append(texts, text{"bugs", row[title] + "\n" + row[body]})
		}
	}
}
