package receipts

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/ticket"
)

// known is text that claims may take their identifiers from.
type known struct {
	text      string // normalised
	addresses map[netip.Addr]bool
	dates     []date
}

func know(times []time.Time, texts ...string) known {
	k := known{text: normal(strings.Join(texts, " | ")), addresses: map[netip.Addr]bool{}}
	for _, a := range addresses(k.text) {
		k.addresses[a] = true
	}
	_, named := dates(k.text)
	for _, n := range named {
		k.dates = append(k.dates, n.readings...)
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

func aboutItem(it evidence.Item) known {
	return know([]time.Time{it.When}, it.ID, it.Ref, it.Title, it.Text, it.URL, it.Why, it.Source, strings.Join(it.InWords(), "\n"))
}

// invented gives the first identifier of a claim that none of the sources has.
// The first source is the ticket. raw is the text before its marks went.
func invented(text, raw string, sources []known) (what string, found bool) {
	claim, named := dates(normal(text))
	for _, n := range named {
		if !slices.ContainsFunc(sources, n.in) {
			return n.text, true
		}
	}
	for _, a := range addresses(claim) {
		if !slices.ContainsFunc(sources, func(k known) bool { return k.addresses[a] }) {
			return a.String(), true
		}
	}
	for _, s := range append(identifiers(claim), quoted(raw)...) {
		if !slices.ContainsFunc(sources, func(k known) bool { return k.has(s) }) {
			return s, true
		}
	}
	return "", false
}

// addresses gives the IP addresses in a normalised text, however written.
func addresses(text string) []netip.Addr {
	var found []netip.Addr
	for _, at := range address.FindAllStringIndex(text, -1) {
		if a, err := netip.ParseAddr(text[at[0]:at[1]]); err == nil && alone(text, at[0], at[1]) {
			found = append(found, a)
		}
	}
	return found
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

// alone tells whether text[start:end] is not part of a longer name.
func alone(text string, start, end int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:start])
	after, _ := utf8.DecodeRuneInString(text[end:])
	return !inName(before) && !inName(after)
}

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
// script together, from nought to nine.
func digit(r rune) rune {
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return '0' + (r-rune(t.Lo))%10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return '0' + (r-rune(t.Lo))%10
		}
	}
	return r
}

var (
	// address finds candidates; netip decides.
	address = regexp.MustCompile(`\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}`)
	// exact are identifiers that are compared as they are written.
	exact = regexp.MustCompile(strings.Join([]string{
		`[a-z][a-z0-9+.-]*://[^\s<>"'()\[\]]+`,       // URL
		`[^\s<>"'(),;:]+@[^\s<>"'(),;:]+\.\p{L}{2,}`, // e-mail
		`\\\\[^\s\\]+`,                      // \\server
		`(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}`, // hardware address
		`(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}`,
		`[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}`, // GUID
		`\b0x[0-9a-f]+`,                               // error code
		`\d{1,3}(?:\.\d{1,3}){3}`,                     // what looks like an address, even where it is none
	}, "|"))
	// ticketNo finds ticket numbers, and what is as long as one: "#12", "ticket
	// 12", "12345".
	ticketNo = regexp.MustCompile(`(?:#\s?|\btickets?\s+(?:n[or]\.?\s*|nummer\s+|number\s+)?#?)(\d+)|\b(\d{5,})\b`)
	name     = regexp.MustCompile(`[\p{Latin}\p{Cyrillic}\p{Greek}\p{N}]+(?:[-_.]+[\p{Latin}\p{Cyrillic}\p{Greek}\p{N}]+)*`)
	// technical are words with digits that name no host.
	technical = regexp.MustCompile(`^(?:v|ipv|utf|sha|md|aes|rsa|tls|ssl|smb|http|oauth|ntlm|wpa|wifi|usb|raid|cat|mp|h|f|x|tcp|udp|port|base|layer|tier|level|step|phase|win|windows|office|m)v?[-_.]?\d+(?:[._]\d+)*$`)
	// file are names of files and programs, which look like host names.
	file = regexp.MustCompile(`\.(?:exe|msc|cpl|dll|sys|log|txt|ini|conf|cfg|bat|cmd|ps1|vbs|msi|inf|xml|json|yaml|yml|csv|docx?|xlsx?|pptx?|pdf|pst|ost|evtx|etl|dmp|reg|service|lnk|iso|js|tmp|bak|dat|crt|cer|pem|pfx)$`)
)

// identifiers gives what in a normalised claim can be true or false of one
// particular thing, and must not be invented: URLs, e-mail and network
// addresses, ticket numbers, error codes, host and domain names.
func identifiers(claim string) []string {
	var found []string
	for _, s := range exact.FindAllString(claim, -1) {
		found = append(found, strings.TrimRight(s, ".,;:!?…"))
	}
	for _, m := range ticketNo.FindAllStringSubmatch(claim, -1) {
		found = append(found, m[1]+m[2])
	}
	for _, s := range name.FindAllString(claim, -1) {
		if isHost(s) {
			found = append(found, s)
		}
	}
	return found
}

// isHost tells whether a word looks like the name of a host or a domain: it
// has letters and digits ("pr07", "kb5005565"), or a last label of letters
// ("example.com"). It errs on the side of yes: that costs a claim, a no could
// cost the technician's trust.
func isHost(word string) bool {
	if file.MatchString(word) || technical.MatchString(word) || word == "x86_64" || word == "asp.net" {
		return false
	}
	if dot := strings.LastIndexByte(word, '.'); dot > 0 {
		label := word[dot+1:]
		if len(label) > 1 && strings.IndexFunc(label, func(r rune) bool { return !unicode.IsLetter(r) }) < 0 {
			return true
		}
	}
	first, _ := utf8.DecodeRuneInString(word)
	return unicode.IsLetter(first) && len(word) > 2 && strings.ContainsFunc(word, unicode.IsDigit)
}
