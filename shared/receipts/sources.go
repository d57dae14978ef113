package receipts

import (
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/ticket"
)

// known is what claims may take their identifiers from.
type known struct {
	text      string // normalised
	addresses map[netip.Addr]bool
	dates     []date
	rows      rows // of an item
}

func know(times []time.Time, texts ...string) known {
	k := known{text: normal(strings.Join(texts, " | ")), addresses: map[netip.Addr]bool{}}
	for _, i := range addresses(k.text) {
		k.addresses[i.address] = true
	}
	_, named := dates(k.text)
	for _, i := range named {
		k.dates = append(k.dates, i.readings...)
	}
	for _, t := range times {
		if !t.IsZero() {
			k.dates = append(k.dates, dateOf(t), dateOf(t.UTC()))
		}
	}
	return k
}

func aboutTicket(t ticket.Ticket) known {
	return know([]time.Time{t.Created, t.Updated, t.Resolved}, t.Key, t.Number, t.Subject, t.Description, strings.Join(t.Replies, "\n"), t.Priority, t.Status,
		t.Account, t.Site, t.Requester, t.Email, t.Resolution, t.URL)
}

// item is a piece of evidence as claims may rest on it.
type item struct {
	known
	// own is it without what a requester wrote: the title of a past ticket, and the
	// words that it shares with this one. What a technician is told to do rests on
	// that alone.
	own  known
	home int // the section of its kind
}

func aboutItem(it evidence.Item) item {
	requesters, own := []string{it.Why}, append([]string{it.ID, it.Ref, it.Text, it.URL, it.Source}, it.InWords()...)
	if it.Kind == evidence.PastTicket {
		requesters = append(requesters, it.Title)
	} else {
		own = append(own, it.Title)
	}
	about := item{known: know([]time.Time{it.When}, append(own, requesters...)...), own: know([]time.Time{it.When}, own...), home: slices.Index(Kinds, it.Kind)}
	about.rows, about.own.rows = rowsOf(about.text), rowsOf(about.own.text)
	return about
}

// has tells whether the identifier stands in the text as a whole: "10" is not
// in "100", nor "web-1" in "my-web-1".
func (k known) has(s string) bool {
	for at := 0; ; {
		i := strings.Index(k.text[at:], s)
		if i < 0 {
			return false
		}
		if alone(k.text, at+i, at+i+len(s)) {
			return true
		}
		at += i + 1
	}
}

// alone tells whether text[start:end] is not part of a longer name, nor of a
// longer version: "61.4" is not in "61.4.2".
func alone(text string, start, end int) bool {
	before, width := utf8.DecodeLastRuneInString(text[:start])
	after, size := utf8.DecodeRuneInString(text[end:])
	if before == 'v' && isDigit(text[start]) { // v61.4
		before, width = utf8.DecodeLastRuneInString(text[:start-width])
	}
	switch {
	case inName(before) || inName(after):
		return false
	case before == '.' && start > width && isDigit(text[start]) && isDigit(text[start-width-1]):
		return false
	case after == '.' && end+size < len(text) && isDigit(text[end-1]) && isDigit(text[end+size]):
		return false
	}
	return true
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// inName tells whether a character may belong to the name of a host. Scripts
// that write without spaces are left out: there, a name ends at a letter.
func inName(r rune) bool {
	return r == '-' || r == '_' || unicode.In(r, unicode.Latin, unicode.Cyrillic, unicode.Greek, unicode.N)
}

// normal makes texts comparable: full-width and other look-alike forms become
// the usual ones, as do digits and hyphens of every script; hidden characters
// go, white space is folded, all in lower case.
func normal(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r < unicode.MaxASCII:
			return r
		case unicode.Is(unicode.Nd, r):
			return digit(r)
		case slices.Contains(hyphens, r):
			return '-'
		}
		return r
	}, norm.NFKC.String(visible(s)))
	return strings.Join(strings.Fields(strings.ToLower(fanged.Replace(s))), " ")
}

var (
	hyphens = []rune("\u2010\u2011\u2012\u2013\u2212\u00ad")
	fanged  = strings.NewReplacer("[.]", ".", "(.)", ".", "[dot]", ".", "hxxp", "http")
)

// digit gives the ASCII form of a decimal digit: Unicode keeps those of a
// script together, from nought to nine, and after NFKC no two scripts adjoin.
func digit(r rune) rune {
	n := rune(0)
	for n < 9 && unicode.Is(unicode.Nd, r-n-1) {
		n++
	}
	return '0' + n
}
