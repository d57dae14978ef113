package note

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/ticket"
)

func TestTheLanguageOfATicketIsTold(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile(filepath.Join("testdata", "languages.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		tk := ticket.Ticket{Subject: fields[1], Description: fields[2]}
		if got, want := Language(tk, ""), base(fields[0]); got != want {
			t.Errorf("%q is taken for %s, want %s", fields[1:], got, want)
		}
		if got := Language(tk, "pt-BR"); got != "pt-BR" {
			t.Errorf("the tenant's choice became %s", got)
		}
	}
}

func base(tag string) string {
	tag, _, _ = strings.Cut(tag, "-")
	return tag
}

// corpora are the public tickets that languages are measured on, where they
// are: too large, and not ours, to be in the repository.
var corpora = []struct {
	file  string
	floor float64 // of all its tickets
}{
	{"tickets_other_langs.jsonl.gz", 0.84},
	{"tickets_en_dev.jsonl.gz", 0.95},
}

// In forums of other languages many write English: that counts as wrong here,
// as do those who write Polish in the English one.
func TestTheLanguageIsToldOnRealTickets(t *testing.T) {
	t.Parallel()
	data := os.Getenv("EVAL_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "..", "shared", "data")
	}
	for _, c := range corpora {
		path := filepath.Join(data, "sumo-thunderbird", c.file)
		if _, err := os.Stat(path); err != nil {
			t.Logf("not measured: %v", err)
			continue
		}
		right, all := map[string]int{}, map[string]int{}
		eachTicket(t, path, func(locale string, tk ticket.Ticket) {
			got := Language(tk, "")
			for _, key := range []string{"", locale} {
				all[key]++
				if got == base(locale) {
					right[key]++
				}
			}
		})
		var report []string
		for _, locale := range slices.Sorted(maps.Keys(all)) {
			report = append(report, fmt.Sprintf("%s %.3f of %d", locale, float64(right[locale])/float64(all[locale]), all[locale]))
		}
		t.Logf("%s: %s", c.file, strings.Join(report, ", "))
		if share := float64(right[""]) / float64(all[""]); share < c.floor {
			t.Errorf("%s: the language of %.3f is told, want %.2f", c.file, share, c.floor)
		}
	}
}

// measured is how many tickets of a corpus are enough.
const measured = 5000

func eachTicket(t *testing.T, path string, do func(locale string, tk ticket.Ticket)) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 4<<20)
	for n := 0; n < measured && lines.Scan(); n++ {
		var d struct{ Locale, Title, Body string }
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		if d.Locale == "" {
			d.Locale = "en"
		}
		do(d.Locale, ticket.Ticket{Subject: d.Title, Description: d.Body})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}
