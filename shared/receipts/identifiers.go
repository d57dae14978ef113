package receipts

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/deskhand/deskhand/shared/redact"
)

// identifier is what can be true or false of one particular thing, and must not
// be invented.
type identifier struct {
	text     string
	readings []date     // of a date
	address  netip.Addr // of a network address
}

// in tells whether the source has it.
func (i identifier) in(k known) bool {
	switch {
	case len(i.readings) > 0:
		return slices.ContainsFunc(i.readings, func(d date) bool { return slices.ContainsFunc(k.dates, d.in) })
	case i.address.IsValid():
		return k.addresses[i.address]
	}
	return k.has(i.text)
}

// missing gives the first identifier that none of the sources has.
func missing(list []identifier, sources []known) (what string, found bool) {
	for _, i := range list {
		if !slices.ContainsFunc(sources, i.in) {
			return shorten(i.text, 60), true
		}
	}
	return "", false
}

var (
	// address finds candidates; netip decides.
	address = regexp.MustCompile(`\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}`)
	url     = regexp.MustCompile(`[a-z][a-z0-9+.-]*://[^\s<>"'()\[\]]+`)
	mail    = regexp.MustCompile(`[^\s<>"'(),;:]+@[^\s<>"'(),;:]+\.\p{L}{2,}`)
	// exact are identifiers that are compared as they are written.
	exact = regexp.MustCompile(strings.Join([]string{
		`(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}`, // hardware address
		`(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}`,
		`[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}`, // GUID
		`\b0x[0-9a-f]+`,               // error code
		`(?:\+|\b0)\d[\d ()/-]{5,}\d`, // telephone number
	}, "|"))
	// numbered finds the numbers of tickets, articles, errors and versions: "#12",
	// "ticket no. 12", "event id 7031".
	numbered = regexp.MustCompile(`(?:` + strings.Join([]string{
		`#`, `\b(?:tickets?|incidents?|cases?|articles?|artikeln?|artículo|vorgang|störung|incidencia|demande|requests?|changes?|problems?|kb )`,
		`工单|チケット|文章`, `(?:тикет|заявк|обращени|инцидент|стать)\p{L}*`,
		`\b(?:error|err|fehler|fehlercode|erreur|errore|erro|code|codes|event id|ereignis-?id|status|http|exit|bug ?check)`, `错误|エラー|오류`, `ошибк\p{L}*`,
		`\b(?:version|versión|versione|versão|release|build|firmware|v)`, `верси\p{L}*|版本|バージョン|버전`,
	}, `|`) + `)[\s-]?(?:(?:code|id|number|nummer|número|numéro|n[or]|n°|nº)\.?\s?)?[:=#]?\s?(\d+(?:\.\d+)*)\b`)
	// bare are versions, what is as long as a ticket's number, and what looks like
	// an address even where it is none.
	bare = regexp.MustCompile(`\d+(?:\.\d+)+|\d{5,}`)
	// standards are versions of what everybody has, and quantities.
	standards = regexp.MustCompile(`\b(?:tls|ssl|smb|http|usb|oauth|ntlm|bluetooth|snmp|nfs|imap)[ /]?v?\d(?:\.\d)?\b|\b\d+\.\d+ ?(?:%|(?:[kmgt]i?b|ghz|mhz|percent|prozent|seconds?|minutes?|hours?|days?|weeks?|sekunden|minuten|stunden|tagen?|wochen)\b)`)
	name      = regexp.MustCompile(`[\p{Latin}\p{Cyrillic}\p{Greek}\p{N}]+(?:[-_.]+[\p{Latin}\p{Cyrillic}\p{Greek}\p{N}]+)*`)
	// technical are words with digits that name no host.
	technical = regexp.MustCompile(`^(?:ipv|utf|sha|md|aes|rsa|tls|ssl|smb|http|oauth|ntlm|wpa|wifi|usb|raid|cat|mp|h|f|x|tcp|udp|port|base|layer|tier|level|step|phase|win|windows|office|m)v?[-_.]?\d+$|^v\d+(?:\.\d+)*$`)
	// shouted are the names of hosts without digits, "DC-LONDON", and what is too
	// long for a word: a key, a mark.
	shouted = regexp.MustCompile(`\b(?:[A-Z]{2,}(?:[-_][A-Z]{2,})+|[A-Z0-9]{16,})\b`)
)

// identifiers gives what a claim names: in typed what is typed, dialled, opened or
// written to (URLs, commands, paths, telephone numbers, e-mail); in named the hosts, domains and files, addresses, numbers of
// tickets and articles, error codes, versions, dates, and what stands in
// backticks. raw is the claim before its marks went.
func identifiers(text, raw string) (typed, named []identifier) {
	claim := normal(text)
	take := func(list *[]identifier, pattern *regexp.Regexp) {
		claim = pattern.ReplaceAllStringFunc(claim, func(s string) string {
			*list = appendNamed(*list, s)
			return " ; "
		})
	}
	named = addresses(claim)
	for _, s := range redact.Phones(normal(text)) {
		typed = appendNamed(typed, s)
	}
	take(&typed, url)
	claim, days := dates(claim)
	named = append(named, days...)
	take(&typed, mail)
	take(&named, exact)
	claim = sentence.ReplaceAllString(claim, " ; ")
	take(&typed, command)
	claim = standards.ReplaceAllString(claim, " ; ")
	for _, m := range numbered.FindAllStringSubmatch(claim, -1) {
		named = appendNamed(named, m[1])
	}
	for _, at := range bare.FindAllStringIndex(claim, -1) {
		if alone(claim, at[0], at[1]) { // or else it is part of a name
			named = appendNamed(named, claim[at[0]:at[1]])
		}
	}
	for _, s := range name.FindAllString(claim, -1) {
		if isName(s) {
			named = appendNamed(named, s)
		}
	}
	for _, m := range backticked.FindAllStringSubmatch(raw, -1) {
		named = appendNamed(named, normal(plain(m[1])))
	}
	for _, at := range shouted.FindAllStringIndex(text, -1) {
		if alone(text, at[0], at[1]) {
			named = appendNamed(named, normal(text[at[0]:at[1]]))
		}
	}
	return typed, named
}

// appendNamed adds an identifier without the punctuation around it.
func appendNamed(list []identifier, s string) []identifier {
	s = strings.Trim(strings.TrimRight(s, ".,;:!?…/ "), "(\"'= ")
	if s == "" {
		return list
	}
	return append(list, identifier{text: s})
}

// addresses gives the IP addresses in a normalised text, however written.
func addresses(text string) (found []identifier) {
	for _, at := range address.FindAllStringIndex(text, -1) {
		s := text[at[0]:at[1]]
		if a, err := netip.ParseAddr(s); err == nil && alone(text, at[0], at[1]) {
			found = append(found, identifier{text: s, address: a})
		}
	}
	return found
}

// isName tells whether a word looks like the name of a host, a domain, a file
// or a code: it has letters and digits ("pr07", "kb5005565"), a last label of
// letters ("example.com", "fix.exe"), or an underscore ("access_denied"). It
// errs on the side of yes: that costs a claim, a no could cost the technician's
// trust.
func isName(word string) bool {
	if technical.MatchString(word) || word == "x86_64" || word == "asp.net" {
		return false
	}
	if dot := strings.LastIndexByte(word, '.'); dot > 0 {
		label := word[dot+1:]
		if len(label) > 1 && strings.IndexFunc(label, func(r rune) bool { return !unicode.IsLetter(r) }) < 0 {
			return true
		}
	}
	digits := 0
	for _, r := range word {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	if first, _ := utf8.DecodeRuneInString(word); unicode.IsDigit(first) { // "4711-12345", but not "512gb"
		return digits >= 5
	}
	return len(word) > 2 && (digits > 0 || strings.Contains(word, "_"))
}
