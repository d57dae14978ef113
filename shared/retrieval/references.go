package retrieval

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// MaxReferences is how many different names References gives at most.
const MaxReferences = 20

// What people write when they point to another ticket or to an article: its
// address, "#1042", "##1042##", "NET-17", "KB0010023".
var (
	addressPattern = regexp.MustCompile(`https?://[^\s<>"'\x60)\]}]+`)
	numberPattern  = regexp.MustCompile(`(?:^|[^\w&/#])#{1,2}([0-9]{3,19})\b`)
	keyPattern     = regexp.MustCompile(`\b([A-Z][A-Z0-9_]{1,9}-[0-9]{1,9}|[A-Z]{2,6}[0-9]{5,12})\b`)
)

// Reference is a name that a text gives, by which it may point to a ticket or an
// article: a key or a number.
type Reference struct {
	Name string
	// Own says that it can be a ticket's: it stands alone ("#1042"), or in an
	// address of the tool itself. One in another address can only be an article's.
	Own bool
}

// References gives what a text may point to, in the order of the text, each name
// once, at most MaxReferences. Whether there is such a ticket or article, only
// the store can tell. host is the tool's own; where it is "", every host is.
func References(text, host string) []Reference {
	var found []Reference
	add := func(name string, own bool) {
		if name == "" || len(name) > maxTermSize || len(found) == MaxReferences {
			return
		}
		if i := slices.IndexFunc(found, func(r Reference) bool { return r.Name == name }); i >= 0 {
			found[i].Own = found[i].Own || own
			return
		}
		found = append(found, Reference{name, own})
	}
	text = text[:min(len(text), maxRead)]
	for _, address := range addressPattern.FindAllString(text, MaxReferences) {
		u, err := url.Parse(strings.TrimRight(address, ".,;:!?*_"))
		if err != nil {
			continue
		}
		for _, name := range names(u) {
			add(name, host == "" || u.Hostname() == host)
		}
	}
	text = addressPattern.ReplaceAllString(text, " ")
	for _, pattern := range []*regexp.Regexp{numberPattern, keyPattern} {
		for _, m := range pattern.FindAllStringSubmatch(text, MaxReferences) {
			add(m[1], true)
		}
	}
	return found
}

// names gives what in an address can be a key: the last part of the path, other
// parts and values of the query where they have a digit
// ("WorkOrder.do?woMode=viewWO&woID=1042").
func names(u *url.URL) []string {
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	list := parts[len(parts)-1:]
	for _, part := range parts[:len(parts)-1] {
		if strings.ContainsAny(part, "0123456789") {
			list = append(list, part)
		}
	}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		if _, value, _ := strings.Cut(pair, "="); strings.ContainsAny(value, "0123456789") {
			list = append(list, value)
		}
	}
	return list
}
