package security_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// payloads want to be more than text: in HTML, in Markdown, in a template, in
// SQL, in a log, in a terminal.
var payloads = []string{
	`<script>alert(1)</script>`, `"><script>alert(1)</script>`, `<scr<script>ipt>alert(1)</scr</script>ipt>`, `<img src=x onerror=alert(1)>`,
	`<svg/onload=alert(1)>`, `<svg><script href="data:text/javascript,alert(1)"/></svg>`, `<iframe src=javascript:alert(1)></iframe>`,
	`<iframe srcdoc="<script>alert(1)</script>">`, `<object data=javascript:alert(1)>`, `<embed src=//evil.example/x>`, `<body onload=alert(1)>`,
	`<details open ontoggle=alert(1)>`, `<a href="javascript:alert(1)">click</a>`, `<a href="java&#10;script:alert(1)">click</a>`,
	`<form action=https://evil.example><input name=password>`, `<base href=https://evil.example/>`, `<meta http-equiv=refresh content="0;url=https://evil.example">`,
	`<link rel=stylesheet href=https://evil.example/x.css>`, `<style>@import 'https://evil.example/x.css';</style>`, `<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)></style>`,
	`<noscript><p title="</noscript><img src=x onerror=alert(1)>">`, `</div></article></main><script>alert(1)</script>`, `<!--><img src=x onerror=alert(1)>-->`,
	`&lt;script&gt;alert(1)&lt;/script&gt;`, `&#60;img src=x onerror=alert(1)&#62;`, `&amp;lt;script&amp;gt;alert(1)`, `%3Cscript%3Ealert(1)%3C/script%3E`, `＜script＞alert(1)＜/script＞`,
	`[click](javascript:alert(1))`, `[click](https://evil.example/phish)`, `![pixel](https://evil.example/p.png)`, "[a]: javascript:alert(1)\n[a]", `<https://evil.example/>`,
	`[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)`, "```\n</code></pre><script>alert(1)</script>\n```", "`<img src=x onerror=alert(1)>`",
	`{{.}} ${7*7} #{7*7} <%= 7*7 %>`, `'; DROP TABLE enhancement_history; --`, `' OR '1'='1`, "x\r\nX-Injected: yes", "x\n{\"level\":\"ERROR\",\"msg\":\"forged\"}",
	"\u202egnp.exe", "\x1b[2J\x1b]0;owned\x07", "\u200b\ufeff<\u200bscript>alert(1)</script>",
}

// Elements and attributes that a note may have, and those that the page of the
// tool adds. None of them runs or loads anything.
var (
	inNotes = []string{"html", "head", "body", "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "strong", "em", "a", "br", "hr", "code", "pre", "blockquote"}
	inPages = []string{"meta", "title", "link", "header", "main", "section", "article", "div", "span", "dl", "dt", "dd", "time", "footer"}
	harmful = func(attr html.Attribute) bool {
		return !slices.Contains([]string{"href", "class", "lang", "charset", "name", "content", "rel", "datetime", "id", "title", "target"}, attr.Key)
	}
)

// dangers gives what in a document is more than text: an element or attribute
// that is not allowed, or a link to elsewhere than the tool.
func dangers(document, site string, elements []string) (found []string) {
	root, err := html.Parse(strings.NewReader(document))
	if err != nil {
		return []string{err.Error()}
	}
	for n := range root.Descendants() {
		switch {
		case n.Type == html.CommentNode, n.Type == html.ElementNode && !slices.Contains(elements, n.Data):
			found = append(found, "<"+n.Data+">")
		}
		for _, a := range n.Attr {
			if harmful(a) || (a.Key == "href" && !leadsTo(a.Val, site)) {
				found = append(found, fmt.Sprintf("<%s %s=%q>", n.Data, a.Key, a.Val))
			}
		}
	}
	return found
}

// leadsTo tells whether a link stays with the tool.
func leadsTo(link, site string) bool {
	u, err := url.Parse(link)
	return err == nil && (u.Scheme+"://"+u.Host == site || (u.Scheme == "" && u.Host == "" && strings.HasPrefix(link, "/")))
}

// TestTheReaderOfNotesSeesDanger shows that dangers finds what the payloads
// would be if a note had them as they are.
func TestTheReaderOfNotesSeesDanger(t *testing.T) {
	t.Parallel()
	for _, payload := range payloads[:23] {
		if len(dangers("<p>"+payload+"</p>", "http://tool.example", inNotes)) == 0 {
			t.Errorf("%s is taken for harmless", payload)
		}
	}
	if found := dangers(`<p>1 &lt; 2 <a href="http://tool.example/1">#1</a></p>`, "http://tool.example", inNotes); len(found) > 0 {
		t.Errorf("harmless text has %v", found)
	}
}

// word is one that only the texts of this payload have, so that the search
// finds them.
func word(i int) string { return fmt.Sprintf("zeppelin%dx", i) }

// poison puts each payload into every text that a tenant's tool keeps.
func (w *world) poison(id tenant.ID) {
	w.t.Helper()
	for i, p := range payloads {
		text := fmt.Sprintf("Printer queue %s is stuck %s on the spooler", word(i), p)
		w.desks[id].AddTicket(ticket.Ticket{
			Key: fmt.Sprint(700 + i), Subject: text, Description: text, Requester: p, Site: p, Priority: p, Closed: true, Status: "Closed",
			Resolution: "Restarted " + text, Created: time.Now().AddDate(0, 0, -9), Resolved: time.Now().AddDate(0, 0, -8),
		})
		w.desks[id].AddArticle(ticketing.Article{Title: text, Text: text})
		w.desks[id].AddSystem(ticketing.System{Hostname: fmt.Sprintf("prn-%03d", i), Role: p, Client: p, Location: p})
	}
	w.cli("import", "--tenant", string(id))
	if err := w.app.Catalogue().Refresh(w.t.Context(), id); err != nil {
		w.t.Fatal(err)
	}
}

// attack opens a ticket with the payload in each field, and sends the webhook
// with the payload in each field, too.
func (w *world) attack(id tenant.ID, i int) (key string) {
	w.t.Helper()
	p := payloads[i]
	text := fmt.Sprintf("Printer queue %s is stuck on prn-%03d: %s", word(i), i, p)
	key = w.desks[id].AddTicket(ticket.Ticket{Subject: text, Description: text, Requester: p, Site: p, Priority: p, Status: "Open"})
	body, err := json.Marshal(map[string]string{
		"event": "request.created", "request_id": key, "subject": text, "description": text, "requester": p, "priority": p, "status": p, "site": p, p: p,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if code, answer := w.post("/webhook/servicedesk/"+string(id), string(body), signing(id), nil); code != http.StatusAccepted {
		w.t.Fatalf("the webhook with %q is answered %d %s", p, code, answer)
	}
	return key
}

// TestA03_InjectionAndXSSFromTheWebhookToTheRenderedNote has every payload in
// every field of the webhook, of the ticket, of a past ticket, an article and a
// system, and then in what the model says; and reads the note as it is stored,
// and the page of the tool that shows it, as a browser would.
func TestA03_InjectionAndXSSFromTheWebhookToTheRenderedNote(t *testing.T) {
	t.Parallel()
	w := start(t)
	var c tally
	for _, id := range []tenant.ID{"acme", "globex"} {
		w.poison(id)
		for _, said := range []bool{false, true} {
			keys := map[string]int{}
			for i, p := range payloads {
				if said {
					w.model.Next(llmtest.Text(llmtest.Sections{Similar: []string{"The queue " + p + " was stuck [T1]"}, Steps: []string{"Restart " + p + " [T1]"}}.Answer()))
				}
				keys[w.attack(id, i)] = i
			}
			w.read(&c, id, keys)
		}
	}
	if n := w.count("SELECT count(*) FROM enhancement_history WHERE status <> 'pending'"); n == 0 {
		t.Error("the records are gone")
	}
	for line := range strings.Lines(w.log.String()) {
		if !json.Valid([]byte(line)) || strings.Contains(line, `"msg":"forged"`) {
			c.breach(t, "the log has a line of the attacker: %s", line)
		}
	}
	c.tell(t)
}

// read waits for the notes on these tickets, and looks at each.
func (w *world) read(c *tally, id tenant.ID, keys map[string]int) {
	w.t.Helper()
	found := 0
	for key, i := range keys {
		w.eventually("the note about "+payloads[i], func() bool { return len(w.desks[id].Notes(key)) > 0 })
		note := w.desks[id].Notes(key)[0].Body
		if strings.Contains(note, "Seen before") {
			found++
		}
		page := w.page(id, key)
		if !strings.Contains(page, note) {
			w.t.Errorf("the page of ticket %s does not show its note", key)
		}
		c.attempts += 2
		if d := dangers(note, w.sites[id], inNotes); len(d) > 0 || strings.ContainsAny(note, "\x00\x07\x1b\u202e") {
			c.breach(w.t, "%q: the note of %s has control characters or %v:\n%s", payloads[i], id, d, note)
		}
		if d := dangers(page, w.sites[id], slices.Concat(inNotes, inPages)); len(d) > 0 {
			c.breach(w.t, "%q: the page of %s has %v", payloads[i], id, d)
		}
	}
	if found < len(keys)*3/4 {
		w.t.Errorf("only %d of %d notes have evidence: the payloads were not shown", found, len(keys))
	}
}

// page is the ticket as the tool shows it to people.
func (w *world) page(id tenant.ID, key string) string {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.sites[id]+"/WorkOrder.do?woMode=viewWO&woID="+key, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("the page of ticket %s: %d, %v", key, resp.StatusCode, err)
	}
	return string(b)
}

// TestA03_NamesThatAreSQLOrPathsReachNothing has the payloads where the product
// wants names: tenant, ticket, connection, tool. A name is refused, or of a
// ticket the number is taken and nothing else: what the sender, acme, may ask.
func TestA03_NamesThatAreSQLOrPathsReachNothing(t *testing.T) {
	t.Parallel()
	w := start(t)
	const tenants = "SELECT count(*) FROM tenant_configs"
	before := w.count(tenants)
	var c tally
	for _, name := range append(slices.Clone(payloads), `1 OR 1=1`, `1'; SET app.tenant='globex'; --`, `$1`, `../globex`, `..\globex`, `%2e%2e/globex`, `1/../../globex/1`, "acme\x00", `*`, `acme,globex`) {
		quoted, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		for path, body := range map[string]string{
			"/webhook/servicedesk/acme":                    fmt.Sprintf(`{"ticket_id":%s}`, quoted),
			"/webhook/servicedesk/acme/resolved":           fmt.Sprintf(`{"ticket_id":%s}`, quoted),
			"/webhook/servicedesk/acme?tenant=globex":      fmt.Sprintf(`{"ticket_id":"1","tenant_id":%s}`, quoted),
			"/webhook/servicedesk":                         fmt.Sprintf(`{"ticket_id":"1","tenant_id":%s}`, quoted),
			"/webhook/servicedesk/" + url.PathEscape(name): `{"ticket_id":"1"}`,
			"/webhook/" + url.PathEscape(name) + "/acme":   `{"ticket_id":"1"}`,
		} {
			c.attempts++
			if code, answer := w.post(path, body, signing("acme"), nil); code != http.StatusAccepted && (code < 400 || code >= 500) {
				c.breach(t, "%s with %s is answered %d %s", path, body, code, answer)
			}
		}
	}
	if after := w.count(tenants); after != before {
		c.breach(t, "%d tenants, before there were %d", after, before)
	}
	w.wantOwnTicketsOnly(&c)
	c.tell(t)
}

// wantOwnTicketsOnly wants, when all jobs have ended, that there were none but
// acme's on numbers, and that its tool was asked for nothing else.
func (w *world) wantOwnTicketsOnly(c *tally) {
	w.t.Helper()
	w.eventually("all jobs have ended", func() bool {
		return w.count("SELECT count(*) FROM enhancement_history WHERE status = 'pending'")+w.count("SELECT count(*) FROM river.river_job WHERE state IN ('available', 'running')") == 0
	})
	if n := w.count("SELECT count(*) FROM enhancement_history WHERE tenant_id <> 'acme' OR ticket_id !~ '^[0-9]+$'"); n > 0 {
		c.breach(w.t, "%d jobs are of others than acme, or not on numbers", n)
	}
	for _, call := range w.desks["acme"].Calls() {
		if call.Method != http.MethodGet {
			c.breach(w.t, "acme's tool got %s %s", call.Method, call.Path)
		}
		if id, is := strings.CutPrefix(call.Path, "/api/v3/requests/"); is && strings.Trim(id, "0123456789") != "" {
			c.breach(w.t, "acme's tool was asked for %s", call.Path)
		}
	}
	for _, call := range w.desks["globex"].Calls() {
		if strings.HasPrefix(call.Path, "/api/v3/requests/") {
			c.breach(w.t, "globex' tool was asked for %s", call.Path)
		}
	}
}
