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

// References gives what a text points to, as the last names of tickets and
// articles that it may mean: their keys or numbers, in the order of the text,
// without repetition, at most MaxReferences. Whether there is such a ticket or
// article, only the store can tell. Addresses count where their host is one of
// these, the tool's own; without any host, all do.
func References(text string, hosts ...string) []string {
	var found []string
	add := func(name string) {
		if name != "" && len(name) <= maxTermSize && len(found) < MaxReferences && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	text = text[:min(len(text), maxRead)]
	for _, at := range addressPattern.FindAllString(text, 2*MaxReferences) {
		u, err := url.Parse(strings.TrimRight(at, ".,;:!?*_"))
		if err != nil || len(hosts) > 0 && !slices.Contains(hosts, u.Hostname()) {
			continue
		}
		for _, values := range u.Query() { // WorkOrder.do?woMode=viewWO&woID=1042
			for _, v := range values {
				if numeric(v) {
					add(v)
				}
			}
		}
		for _, name := range slices.Backward(strings.Split(strings.Trim(u.Path, "/"), "/")) {
			add(name)
		}
	}
	text = addressPattern.ReplaceAllString(text, " ")
	for _, pattern := range []*regexp.Regexp{numberPattern, keyPattern} {
		for _, m := range pattern.FindAllStringSubmatch(text, MaxReferences) {
			add(m[1])
		}
	}
	return found
}

func numeric(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
