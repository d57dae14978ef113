package cases_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/tests/evals/cases"
)

func TestACaseIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	want := cases.Case{
		Name: "one", About: "a case", Language: "en", Now: time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC),
		Ticket: cases.Ticket{Number: "7", Subject: "Printer <b>", Description: "It fails.", Repeated: 3},
		Items:  []evidence.Item{{Kind: evidence.PastTicket, Source: "history", Ref: "1", Title: "Old", Facts: []evidence.Fact{{Kind: evidence.Held, N: 21}}}},
		Expect: cases.Expect{Head: []string{"#1"}}, Secrets: []string{"x"}, Answer: "{}",
	}
	dir := t.TempDir()
	if err := cases.Write(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := cases.Read(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]cases.Case{want}, got); diff != "" {
		t.Error(diff)
	}
	if text := got[0].AsTicket().Description; text != "It fails.\nIt fails.\nIt fails." {
		t.Errorf("%q", text)
	}
}

func TestACaseThatCannotBeJudgedIsAnError(t *testing.T) {
	t.Parallel()
	const good = `{"about":"a","language":"en","now":"2026-03-09T00:00:00Z","ticket":{"number":"7","subject":"s","description":"d"},"expect":{"head":["x"]}}`
	for name, c := range map[string]struct{ text, want string }{
		"good":            {good, ""},
		"unknown field":   {strings.Replace(good, `"about"`, `"abuot"`, 1), "abuot"},
		"no JSON":         {"{", "EOF"},
		"no language":     {strings.Replace(good, `"en"`, `""`, 1), "language"},
		"a key":           {strings.Replace(good, `"7"`, `"A-7"`, 1), "number"},
		"expects nothing": {strings.Replace(good, `["x"]`, `[]`, 1), "expect.head"},
		"no kind":         {strings.Replace(good, `"expect"`, `"evidence":[{"ref":"1","title":"T"}],"expect"`, 1), "kind"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := cases.Read(fstest.MapFS{"one/case.json": {Data: []byte(c.text)}, "one/answer.json": {Data: []byte("{}")}})
			if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	if _, err := cases.Read(fstest.MapFS{"one/case.json": {Data: []byte(good)}}); err == nil {
		t.Error("a case without an answer is read")
	}
}
