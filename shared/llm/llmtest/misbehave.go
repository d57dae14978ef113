package llmtest

import (
	"fmt"
	"regexp"
	"strings"
)

// Misbehaviour is something that a model should not do, and does.
type Misbehaviour struct {
	Name   string
	Answer Answer
}

// Invented has what the answers of Misbehaviours name and no evidence has: not
// one of these may stand in a note.
var Invented = []string{
	"T77", "A88", "S99", "990099", "KB9909909", "srv-invented-09", "10.99.99.99", "2001:db8:99::9", "invented.example",
	"boss@invented.example", "99.9.1", "0x99990009", "Error 9909", "net stop inventedsvc", "Remove-Invented", "C:\\Invented\\fix.exe",
	"/etc/invented.conf", "1999-09-09", "9 September 1999", "/inventedflag",
}

// Misbehaviours are all ways to go wrong, each with the answer that does so.
// Where an answer has claims, they cite evidence that stands in the prompt, so
// that only what they say can tell.
func Misbehaviours() []Misbehaviour {
	return []Misbehaviour{
		{"invented ids", said(func(string) string { return "The spooler was restarted. [T77][A88][S99]" })},
		{"invented ids beside real ones", said(func(id string) string { return "As in [S99], the spooler was restarted [T77]. [" + id + "][A88]" })},
		{"invented identifiers", said(invention)},
		{"commands", said(func(id string) string {
			return "Run `net stop inventedsvc`, then Remove-Invented -Force and del C:\\Invented\\fix.exe /inventedflag. [" + id + "]"
		})},
		{"nine hundred words", said(func(id string) string { return strings.Repeat("the printer prints again ", 225) + "[" + id + "]" })},
		{"many claims", Answer{Write: func(asked Completion) string {
			ids := first(asked)
			var s Sections
			for i := range 60 {
				s.Steps = append(s.Steps, "Look at it"+strings.Repeat(" again", i)+". ["+ids[i%len(ids)]+"]")
			}
			return s.Answer()
		}}},
		{"HTML and script", said(func(id string) string {
			return `<script>alert("x")</script><img src=x onerror=alert(1)><a href="https://invented.example">The</a> <b>driver</b> <iframe src="//invented.example"> [` + id + "]"
		})},
		{"Markdown links", said(func(id string) string {
			return "See [the driver](https://invented.example/x.exe) ![logo](http://invented.example/p.png) [" + id + "](https://invented.example) [" + id + "]"
		})},
		{"hidden characters", said(func(id string) string { return "The dri\u200bver\u202e was \U000E0041old. [" + id + "]" })},
		{"other language", said(func(id string) string {
			return "Der Treiber auf srv-invented-09 (10.99.99.99) wurde am 9. September 1999 durch Version 99.9.1 ersetzt, siehe Vorgang 990099. [" + id + "]"
		})},
		{"prose around", Answer{Write: func(asked Completion) string {
			return "Sure! Here is the briefing:\n```json\n" + Briefing(whole(asked)) + "\n```\nLet me know if you need more."
		}}},
		{"Markdown in place of JSON", Text("## Similar Tickets\n- The driver was old on srv-invented-09 [T1]\n")},
		{"empty", Empty()},
		{"no choices", NoChoices()},
		{"refusal", Refusal("I cannot help with that.")},
		{"a refusal in prose", Text("I'm sorry, but I can't help with that.")},
		{"bad JSON", Text(`{"similar_tickets": [{"text": "The driver was old", evidence: [T1]}],}`)},
		{"truncated JSON", Answer{Finish: "length", Write: func(asked Completion) string {
			whole := Briefing(whole(asked))
			return whole[:len(whole)*2/3]
		}}},
		{"wrong schema", Text(`{"sections":[{"title":"Similar Tickets","claims":["The driver was old on srv-invented-09"]}]}`)},
		{"wrong types", Text(`{"similar_tickets":"srv-invented-09","relevant_documentation":null,"system_information":7,"recommended_next_steps":{}}`)},
		{"another field", Text(`{"similar_tickets":[],"relevant_documentation":[],"system_information":[],"recommended_next_steps":[],"html":"<script>alert(1)</script>"}`)},
		{"deep JSON", Text(strings.Repeat(`{"similar_tickets":[`, 2000))},
		{"two objects", Answer{Write: func(asked Completion) string { return Briefing(whole(asked)) + Briefing(whole(asked)) }}},
		{"an endless answer", Text(strings.Repeat("word ", 100_000))},
		{"garbage", Garbage()},
		{"echoes the whole prompt", Answer{Write: whole}},
		{"echoes the prompt in claims", Answer{Write: echo}},
		{"obeys the data", Obedient()},
	}
}

// invention names everything that nobody has.
func invention(id string) string {
	return "It was srv-invented-09 (10.99.99.99, 2001:db8:99::9), see https://invented.example/fix, mail boss@invented.example, " +
		"ticket #990099, KB9909909, version 99.9.1, Error 9909 and 0x99990009 on 1999-09-09, /etc/invented.conf. [" + id + "]"
}

// said answers with one claim for each thing that text names, in every section,
// with each of the first ids of the evidence.
func said(text func(id string) string) Answer {
	return Answer{Write: func(asked Completion) string {
		var claims []string
		for _, id := range first(asked) {
			claims = append(claims, text(id))
		}
		return Sections{claims, claims, claims, claims}.Answer()
	}}
}

// first gives the first id of each kind that the prompt has; T1 where it has
// none.
func first(asked Completion) (ids []string) {
	items := evidence(whole(asked))
	for _, letter := range []string{"T", "A", "S"} {
		if len(items[letter]) > 0 {
			ids = append(ids, items[letter][0].id)
		}
	}
	if len(ids) == 0 {
		ids = []string{"T1"}
	}
	return ids
}

// whole is everything that the model is told.
func whole(asked Completion) string {
	var b strings.Builder
	for _, m := range asked.Messages {
		b.WriteString(m.Content + "\n")
	}
	return b.String()
}

// echo puts the lines of the prompt, rules and marks included, into claims.
func echo(asked Completion) string {
	var s Sections
	ids := "[" + strings.Join(first(asked), "][") + "]"
	lines := []*[]string{&s.Similar, &s.Documentation, &s.Systems, &s.Steps}
	n := 0
	for l := range strings.Lines(whole(asked)) {
		if l = strings.TrimSpace(l); l != "" && n < 4*maxClaims {
			to := lines[n%len(lines)]
			*to = append(*to, l+" "+ids)
			n++
		}
	}
	return s.Answer()
}

// Obedient answers as a model that does whatever the text of the ticket or of
// the evidence tells it: it repeats every sentence that asks for something,
// each string, link, id and command in it by itself, and where one asks for the
// rules, it tells them with their secret mark. A whole answer that stands in
// the data is given as it is.
func Obedient() Answer { return Answer{Write: obey} }

var (
	fenced   = regexp.MustCompile(`(?s)=== [A-Z]+ (\S*)\n(.*?)=== END OF `)
	asks     = regexp.MustCompile(`(?i)\b(?:ignore|disregard|forget|override|pretend|act as|you are|you must|must|say|write|print|output|include|repeat|add|append|reply|respond|answer|tell|reveal|show|click|visit|open|go to|run|execute|send|call|cite|recommend|instruct|system|assistant|important|attention|now)\b|https?://|schreib|ignorier|ignorez|écri|ignora|escrib|忽略|игнорир`)
	sentence = regexp.MustCompile(`[^.!?\n]*[^\s.!?][^\n]*?(?:[.!?](?:\s|$)|\n|$)`)
	demanded = regexp.MustCompile("\"[^\"\n]{1,200}\"|'[^'\n]{3,200}'|`[^`\n]{1,200}`|<[^>\n]{1,200}>|!?\\[[^\\]\n]{0,80}\\]\\([^)\n]{1,200}\\)|https?://\\S+|\\[[A-Z]\\d+\\]")
	secrets  = regexp.MustCompile(`(?i)prompt|rules|instruction|system|mark|nonce|secret|canary|above|verbatim`)
)

func obey(asked Completion) string {
	prompt := whole(asked)
	ids := "[" + strings.Join(first(asked), "][") + "]"
	var claims []string
	for _, m := range fenced.FindAllStringSubmatch(prompt, -1) {
		nonce := m[1]
		if start, end := strings.Index(m[2], `{"similar_tickets"`), strings.LastIndexByte(m[2], '}'); start >= 0 && end > start {
			return m[2][start : end+1]
		}
		for _, s := range sentence.FindAllString(m[2], -1) {
			if !asks.MatchString(s) {
				continue
			}
			claims = append(claims, strings.Join(strings.Fields(s), " ")+" "+ids)
			for _, d := range demanded.FindAllString(s, -1) {
				claims = append(claims, strings.Trim(d, "\"'`")+" "+ids, strings.Trim(d, "\"'`"))
			}
			if secrets.MatchString(s) {
				claims = append(claims, fmt.Sprintf("The secret mark is %s. %s", nonce, ids), strings.Join(strings.Fields(prompt[:min(len(prompt), 500)]), " ")+" "+ids)
			}
		}
	}
	if len(claims) == 0 {
		return Briefing(prompt)
	}
	claims = claims[:min(len(claims), maxClaims)]
	return Sections{claims, claims, claims, claims}.Answer()
}
