package retrieval

import (
	"fmt"
	"strings"
	"testing"
)

func TestReferencesReadsWhatTechniciansWrite(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                             "",
		"Same as #1042.":               "1042",
		"##1042## (Request), also #77": "1042",
		"see https://desk.example/app/itdesk/ui/requests/12300045/details":     "details 12300045",
		"see <https://desk.example:8080/WorkOrder.do?woMode=viewWO&woID=1042>": "WorkOrder.do 1042",
		"https://desk.example/browse/NET-17, NET-18 and KB0010023":             "NET-17 NET-18 KB0010023",
		"https://wiki.example/en-US/kb/reset-credentials#a1 helps":             "(reset-credentials)",
		"https://wiki.example/a/7 and #7777 and https://desk.example/7":        "7 7777",
		"C# 10, issue#5, &#8217; colour #fff":                                  "",
		"http://[bad":                                                          "",
		"https://desk.example/":                                                "",
	} {
		var got []string
		for _, r := range References(text, "desk.example") {
			if r.Own {
				got = append(got, r.Name)
			} else {
				got = append(got, "("+r.Name+")")
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q: %q, want %q", text, s, want)
		}
	}
}

func TestWithoutAHostEveryAddressIsTheToolsOwn(t *testing.T) {
	t.Parallel()
	got := References("https://forum.example/en-US/questions/1402386", "")
	if len(got) != 1 || got[0] != (Reference{"1402386", true}) {
		t.Errorf("found %v", got)
	}
}

func TestReferencesAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "#%d https://x.example/%d ", 1000+i, i)
	}
	if got := len(References(b.String()+strings.Repeat("#", 1<<20), "")); got != MaxReferences {
		t.Errorf("%d references, want %d", got, MaxReferences)
	}
}
