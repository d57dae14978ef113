package search

import (
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/ticket"
)

// What real users paste is stored and asked about: nothing crosses to another
// tenant, nothing fails, and nothing is slow.
func TestWhateverUsersPasteIsSearchedInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, text := range map[string]string{
		"words of 2,047 bytes": strings.Repeat(strings.Repeat("x", 2047)+" spooler ", 100),
		"286,132 characters":   strings.Repeat("spooler ошибка 障害 ", 286_132/18)[:286_132],
		"one character":        strings.Repeat("a", 286_132),
		"no letters":           strings.Repeat("-_.:;#", 40_000),
		"addresses":            strings.Repeat("https://desk.example/1?a=1&b=2#c ", 9_000),
		"numbers":              strings.Repeat("#1042 ", 40_000),
		"colons":               strings.Repeat("fe80::1%eth0/64:", 18_000),
		"invalid UTF-8":        strings.Repeat("spooler\xff\xfe\xc0 \x00", 20_000),
		"right to left":        strings.Repeat("\u202espooler\u202c\u200b \ufeff", 20_000),
		"different words":      distinct(60_000),
		"marks":                strings.Repeat("e\u0301\u0302\u0303", 40_000),
	} {
		start := time.Now()
		past := solved(name, "Pasted "+name, text, text)
		w.put(t, acme, past, solved(name+" again", "Pasted "+name, text, "see #"+name))
		w.put(t, globex, solved(name, "Pasted "+name, text, "globex's answer"))
		stored := time.Now()
		items := w.ask(t, acme, "Pasted "+name, text)
		itself := w.askAs(t, evidence.Query{Tenant: acme, Connection: "desk", Ticket: past})
		if took := stored.Sub(start); took > 20*time.Second {
			t.Errorf("%s: stored in %s", name, took)
		}
		if took := time.Since(stored); took > 10*time.Second {
			t.Errorf("%s: two searches in %s", name, took)
		}
		for _, it := range append(items, itself...) {
			if strings.Contains(it.Text, "globex") {
				t.Errorf("%s: another tenant's answer %q", name, it.Text)
			}
		}
		for _, it := range itself {
			if it.Ref == "#"+name {
				t.Errorf("%s: the ticket found itself", name)
			}
		}
	}
	w.figures(t, acme, ticketCorpus)
}

// distinct is n different words.
func distinct(n int) string {
	var b strings.Builder
	for i := range n {
		for k := i + 26; k > 0; k /= 26 {
			b.WriteByte(byte('a' + k%26))
		}
		b.WriteByte(' ')
	}
	return b.String()
}

// Near copies in another tenant, however many, change nothing.
func TestNearCopiesInAnotherTenantChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, office...)
	question := ticket.Ticket{Key: "new", Subject: "Printer offline", Description: "printing stops with error 0x00000709 on the laser printer"}
	before := w.askAs(t, evidence.Query{Tenant: acme, Connection: "desk", Ticket: question})
	copies := make([]ticket.Ticket, 200)
	for i := range copies {
		copies[i] = solved(string(rune(0x4e00+i)), question.Subject, question.Description, "globex's answer, as in https://desk.example/1")
	}
	w.put(t, globex, copies...)
	w.learn(t, globex)
	w.learn(t, acme)
	after := w.askAs(t, evidence.Query{Tenant: acme, Connection: "desk", Ticket: question})
	if refs(before) != refs(after) || before[0].Score != after[0].Score || len(after[0].Facts) != len(before[0].Facts) {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if items := w.askAs(t, evidence.Query{Tenant: globex, Connection: "desk", Ticket: question}); len(items) != 1 || len(items[0].Facts) == 0 {
		t.Errorf("200 copies are shown as %s: %+v", refs(items), items)
	}
}
