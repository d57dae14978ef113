// Command generate makes cases for the evaluation of notes from public data:
// bugs with their duplicates, runbooks as alerts, questions with their articles,
// and reports in other languages. The same data gives the same cases.
//
//	generate --data ../shared/data --cases tests/evals/cases
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/tests/evals/cases"
)

func main() {
	data := flag.String("data", "../shared/data", "folder of the public data")
	to := flag.String("cases", "tests/evals/cases", "folder that the cases are written into")
	flag.Parse()
	n, err := generate(os.DirFS(*data), *to)
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
	fmt.Printf("%d cases are written to %s\n", n, *to)
}

// generate makes all cases and writes them.
func generate(data fs.FS, to string) (n int, err error) {
	for _, from := range []func(fs.FS) ([]cases.Case, error){bugs, alerts, questions, reports} {
		list, err := from(data)
		if err == nil && len(list) == 0 {
			err = errors.New("the data gives no case")
		}
		if err != nil {
			return n, err
		}
		for _, c := range list {
			c.Answer = answer(c)
			if err := cases.Write(to, c); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

// The lengths of what is taken of a text, in bytes.
const (
	longTicket = 1500
	longItem   = 700
)

// step is what a good answer suggests to do about the first of the evidence, in the
// language of the case.
var step = map[string]string{
	"en": "Start with what is said there, and compare it with this ticket.",
	"de": "Zuerst prüfen, ob das dort Beschriebene auch hier zutrifft.",
	"fr": "Commencer par vérifier si ce qui y est décrit est aussi le cas pour ce ticket.",
	"es": "Primero comprobar si lo que se describe allí es también el caso de este ticket.",
	"it": "Per prima cosa verificare se quanto descritto vale anche per questo ticket.",
	"pt": "Primeiro verificar se o que está descrito ali também é o caso deste ticket.",
}

// answer is a good one: it says the first of what each piece of evidence says.
func answer(c cases.Case) string {
	var s llmtest.Sections
	count := map[evidence.Kind]int{}
	first := ""
	for _, it := range c.Items {
		count[it.Kind]++
		id := fmt.Sprintf(" [%s%d]", map[evidence.Kind]string{evidence.PastTicket: "T", evidence.Article: "A", evidence.System: "S"}[it.Kind], count[it.Kind])
		claim := strings.TrimRight(strings.Join(strings.Fields(cut(it.Text, 220)), " "), " …")
		if claim == "" {
			claim = it.Title
		}
		first = cmp.Or(first, id)
		switch it.Kind {
		case evidence.PastTicket:
			s.Similar = append(s.Similar, claim+id)
		case evidence.Article:
			s.Documentation = append(s.Documentation, claim+id)
		default:
			s.Systems = append(s.Systems, claim+id)
		}
	}
	if first != "" {
		s.Steps = []string{step[c.Language] + first}
	}
	return s.Answer() + "\n"
}

// cut gives the beginning of a text, up to the end of a sentence where there is
// one, else of a word.
func cut(text string, limit int) string {
	text = strings.TrimSpace(text)
	if len(text) <= limit {
		return text
	}
	start := text[:limit]
	if ends := sentence.FindAllStringIndex(start, -1); len(ends) > 0 && ends[len(ends)-1][0] > limit/2 {
		return start[:ends[len(ends)-1][0]+1]
	}
	return strings.ToValidUTF8(start[:max(strings.LastIndexAny(start, " \n"), 0)], "")
}

// record is one ticket of the data.
type record struct {
	id, title, text string
	created         time.Time
	closed          time.Time
	resolution      string
	url             string
}

// past is a record as evidence.
func (r record) past(why string, score float64) evidence.Item {
	return evidence.Item{
		Kind: evidence.PastTicket, Source: "history", Ref: r.id, Title: r.title, URL: r.url, When: cmp.Or(r.closed, r.created), Why: why,
		Score: score, Text: cmp.Or(r.resolution, cut(r.text, longItem)),
	}
}

// ticket is a record as the ticket of a case.
func (r record) ticket() cases.Ticket {
	return cases.Ticket{Number: r.id, Subject: r.title, Description: cut(r.text, longTicket), Priority: "Normal", Site: "Main office", Requester: "A. Requester"}
}

// usable tells whether a record says something, and nothing of a person.
func (r record) usable() bool {
	return len(r.text) > 60 && len(r.title) > 8 && len(r.title) < 140 && !strings.Contains(r.text+r.title, "@")
}

var (
	word     = regexp.MustCompile(`\pL{4,}`)
	sentence = regexp.MustCompile(`[.!?]\s`)
)

func wordsOf(text string) []string {
	list := word.FindAllString(strings.ToLower(text), -1)
	slices.Sort(list)
	return slices.Compact(list)
}

// near gives the older record that shares the rarest words with r, which are
// given, too.
func near(r record, among []record, but ...string) (best record, shared []string, score float64) {
	in := map[string]float64{}
	for _, o := range among {
		for _, w := range wordsOf(o.title + " " + o.text) {
			in[w]++
		}
	}
	mine := wordsOf(r.title + " " + cut(r.text, longTicket))
	for _, o := range among {
		if o.id == r.id || slices.Contains(but, o.id) || !o.created.Before(r.created) {
			continue
		}
		theirs, sum, both := wordsOf(o.title+" "+cut(o.text, longItem)), 0.0, []string{}
		for _, w := range mine {
			if _, found := slices.BinarySearch(theirs, w); found && in[w] < max(float64(len(among))/8, 4) {
				sum += 1 / in[w]
				both = append(both, w)
			}
		}
		if sum > score {
			slices.SortStableFunc(both, func(a, b string) int { return cmp.Compare(in[a], in[b]) })
			best, shared, score = o, both[:min(len(both), 4)], sum
		}
	}
	return best, shared, score
}
