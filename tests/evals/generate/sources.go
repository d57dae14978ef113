package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/tests/evals/cases"
)

// How many cases each source gives.
const (
	manyBugs      = 14
	manyAlerts    = 10
	manyQuestions = 8
)

// rows reads a table with a heading.
func rows(data fs.FS, name string) ([]map[string]string, error) {
	f, err := data.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1
	r.LazyQuotes = true
	lines, err := r.ReadAll()
	if err != nil || len(lines) == 0 {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	var list []map[string]string
	for _, line := range lines[1:] {
		fields := map[string]string{}
		for i, value := range line[:min(len(line), len(lines[0]))] {
			fields[lines[0][i]] = value
		}
		list = append(list, fields)
	}
	return list, nil
}

// bugs gives bugs whose labelled duplicate is older: it was seen before.
func bugs(data fs.FS) (list []cases.Case, err error) {
	table, err := rows(data, "gitbugs/SeaMonkey_bugs.csv")
	if err != nil {
		return nil, err
	}
	pairs, err := rows(data, "gitbugs/SeaMonkey_bugs-combined.csv")
	if err != nil {
		return nil, err
	}
	all, byID := []record{}, map[string]record{}
	for _, r := range table {
		created, _ := time.Parse("2006-01-02 15:04:05-07:00", r["Created"])
		closed, _ := time.Parse("2006-01-02 15:04:05-07:00", r["Resolved"])
		b := record{
			id: r["Issue id"], title: strings.TrimSpace(r["Summary"]), text: strings.TrimSpace(agent.ReplaceAllString(r["Description"], "")), created: created.UTC(), closed: closed.UTC(),
			url: "https://bugzilla.mozilla.org/show_bug.cgi?id=" + r["Issue id"],
		}
		if r["Resolution"] != "" && !closed.IsZero() {
			b.resolution = fmt.Sprintf("Closed as %s on %s. It said: %s", r["Resolution"], closed.Format(time.DateOnly), cut(b.text, longItem))
		}
		if b.usable() {
			all, byID[b.id] = append(all, b), b
		}
	}
	for _, pair := range pairs {
		b, ok := byID[pair["Issue id"]]
		older, also := byID[strings.TrimSpace(strings.Split(pair["Duplicate id"], ",")[0])]
		if !ok || !also || !older.created.Before(b.created) || len(list) == manyBugs {
			continue
		}
		_, shared, score := near(b, []record{older})
		items := []evidence.Item{older.past(strings.Join(shared, ", "), 5+score)}
		if other, why, score := near(b, all, older.id); other.id != "" {
			it := other.past(strings.Join(why, ", "), score)
			it.Possibly = true
			items = append(items, it)
		}
		list = append(list, cases.Case{
			Name: "seen-" + b.id, About: "a bug whose duplicate was reported before", Language: "en", Now: now(b.created, items),
			Ticket: b.ticket(), Items: items, Expect: cases.Expect{Head: []string{"#" + older.id, "Seen before"}},
		})
	}
	return list, nil
}

// agent is the line that a form put in front of what people wrote.
var agent = regexp.MustCompile(`^User Agent: .*\n`)

// now is a time after all that is known.
func now(created time.Time, items []evidence.Item) time.Time {
	for _, it := range items {
		if it.When.After(created) {
			created = it.When
		}
	}
	return created.Add(36 * time.Hour).Truncate(time.Hour)
}

// alerts gives runbooks, each as the alert that it is for.
func alerts(data fs.FS) (list []cases.Case, err error) {
	files, err := fs.Glob(data, "runbooks/openshift/alerts/*/*.md")
	if err != nil {
		return nil, err
	}
	at := time.Date(2025, 3, 3, 9, 0, 0, 0, time.UTC)
	for i := 0; i < len(files) && len(list) < manyAlerts; i += max(len(files)/manyAlerts, 1) {
		book, err := readBook(data, files[i])
		if err != nil {
			return nil, err
		}
		if book.text == "" || book.steps == "" {
			i -= max(len(files)/manyAlerts, 1) - 1 // the next one
			continue
		}
		items := []evidence.Item{book.article()}
		if j := slices.IndexFunc(files, func(f string) bool { return path.Dir(f) == path.Dir(files[i]) && f != files[i] }); j >= 0 {
			other, err := readBook(data, files[j])
			if err != nil {
				return nil, err
			}
			it := other.article()
			it.Possibly, it.Score = true, 1
			items = append(items, it)
		}
		number := fmt.Sprint(40100 + len(list))
		list = append(list, cases.Case{
			Name: "alert-" + strings.ToLower(book.title), About: "an alert with its runbook", Language: "en", Now: at,
			Ticket: cases.Ticket{Number: number, Subject: "[FIRING] " + book.title, Description: cut(book.text, longTicket), Priority: "High", Site: "Cluster", Requester: "Alertmanager"},
			Items:  items, Expect: cases.Expect{Head: []string{book.title}},
		})
	}
	return list, nil
}

// book is a runbook: what its alert means, and what to do.
type book struct{ title, text, steps, url string }

func readBook(data fs.FS, name string) (book, error) {
	raw, err := fs.ReadFile(data, name)
	b := book{title: strings.TrimSuffix(path.Base(name), ".md"), url: "https://github.com/openshift/runbooks/blob/master/" + strings.TrimPrefix(name, "runbooks/openshift/")}
	for _, part := range strings.Split("\n"+string(raw), "\n## ")[1:] {
		heading, text, _ := strings.Cut(part, "\n")
		switch text = plain(text); strings.ToLower(strings.TrimSpace(heading)) {
		case "meaning", "impact":
			b.text += text + "\n"
		case "diagnosis", "mitigation":
			b.steps += text + "\n"
		}
	}
	return b, err
}

func (b book) article() evidence.Item {
	return evidence.Item{
		Kind: evidence.Article, Source: "knowledge_base", Ref: b.title, Title: b.title, Text: cut(b.steps, longItem), URL: b.url, Why: strings.ToLower(b.title), Score: 6,
	}
}

var (
	linked = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	marks  = strings.NewReplacer("`", "", "**", "", "\\", "")
	blank  = regexp.MustCompile(`\n\s*\n+`)
)

// plain takes the marks out of Markdown.
func plain(text string) string {
	var b strings.Builder
	for l := range strings.Lines(linked.ReplaceAllString(text, "$1")) {
		if !strings.HasPrefix(strings.TrimSpace(l), "```") && !strings.HasPrefix(l, "#") {
			b.WriteString(l)
		}
	}
	return strings.TrimSpace(blank.ReplaceAllString(marks.Replace(b.String()), "\n"))
}

// questions gives the questions that people ask, each with its article.
func questions(data fs.FS) (list []cases.Case, err error) {
	raw, err := fs.ReadFile(data, "workarena/knowledge_base.json")
	if err != nil {
		return nil, err
	}
	var base []struct {
		Item      string   `json:"item"`
		Article   string   `json:"article"`
		Questions []string `json:"questions"`
	}
	if err := json.Unmarshal(raw, &base); err != nil {
		return nil, err
	}
	at := time.Date(2025, 5, 6, 8, 0, 0, 0, time.UTC)
	for i := 0; i < len(base) && len(list) < manyQuestions; i += max(len(base)/manyQuestions, 1) {
		b := base[i]
		title, text := readable(b.Article)
		if len(b.Questions) == 0 || title == "" {
			continue
		}
		it := evidence.Item{
			Kind: evidence.Article, Source: "knowledge_base", Ref: fmt.Sprintf("KB%04d", i+1), Title: title, Text: cut(text, longItem),
			URL: fmt.Sprintf("https://kb.acme.example/articles/KB%04d", i+1), Why: strings.Join(wordsOf(b.Item), ", "), Score: 4,
		}
		list = append(list, cases.Case{
			Name: fmt.Sprintf("question-%03d", i+1), About: "a short question with its article", Language: "en", Now: at,
			Ticket: cases.Ticket{Number: fmt.Sprint(50100 + i), Subject: b.Item, Description: b.Questions[0], Priority: "Low", Site: "Head office", Requester: "A. Requester"},
			Items:  []evidence.Item{it}, Expect: cases.Expect{Head: []string{strings.Join(strings.Fields(title)[:min(3, len(strings.Fields(title)))], " ")}},
		})
	}
	return list, nil
}

// readable gives the title and the text of an article in HTML.
func readable(article string) (title, text string) {
	z := html.NewTokenizer(strings.NewReader(article))
	var b strings.Builder
	inTitle := false
	for {
		switch z.Next() {
		case html.ErrorToken:
			return strings.Join(strings.Fields(title), " "), strings.TrimSpace(blank.ReplaceAllString(b.String(), "\n"))
		case html.StartTagToken:
			name, _ := z.TagName()
			inTitle = title == "" && (string(name) == "h1" || string(name) == "h2")
		case html.EndTagToken:
			inTitle = false
			b.WriteString("\n")
		case html.TextToken:
			if words := strings.TrimSpace(string(z.Text())); inTitle {
				title += words
			} else if words != "" {
				b.WriteString(words)
			}
		}
	}
}

// reports gives reports in other languages, with older ones that may be related.
func reports(data fs.FS) (list []cases.Case, err error) {
	table, err := rows(data, "gitbugs/vscode_multilingual_labelled_translated.csv")
	if err != nil {
		return nil, err
	}
	by := map[string][]record{}
	for _, r := range table {
		created, _ := time.Parse(time.RFC3339, r["created_at"])
		v := record{
			id: r["number"], title: strings.TrimSpace(r["title"]), text: strings.TrimSpace(tags.ReplaceAllString(r["body"], "")), created: created.UTC(),
			url: "https://github.com/microsoft/vscode/issues/" + r["number"],
		}
		if v.usable() && !strings.Contains(v.text, "|") {
			by[r["src_lang"]] = append(by[r["src_lang"]], v)
		}
	}
	for _, want := range []struct {
		language string
		n        int
	}{{"de", 4}, {"fr", 3}, {"es", 3}, {"pt", 2}, {"it", 2}} {
		slices.SortFunc(by[want.language], func(a, b record) int { return b.created.Compare(a.created) })
		made := 0
		for _, r := range by[want.language] {
			other, why, score := near(r, by[want.language])
			if other.id == "" || made == want.n || len(r.text) > longTicket {
				continue
			}
			made++
			it := other.past(strings.Join(why, ", "), score)
			it.Possibly = true
			list = append(list, cases.Case{
				Name: "report-" + want.language + "-" + r.id, About: "a report in another language, with an older one", Language: want.language,
				Now: now(r.created, []evidence.Item{it}), Ticket: r.ticket(), Items: []evidence.Item{it}, Expect: cases.Expect{Head: []string{"#" + other.id}},
			})
		}
	}
	return list, nil
}

var tags = regexp.MustCompile(`</?\w+>|(?:Issue )?Type: <b>[^<]*</b>`)
