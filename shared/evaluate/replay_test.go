package evaluate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// known gives the tickets that can be found, by id.
func (r *replay) known() (ids []string) {
	for n := range r.tickets.docs {
		ids = append(ids, r.set.Tickets[n].ID)
	}
	return slices.Sorted(slices.Values(ids))
}

func TestNothingIsKnownBeforeItHappened(t *testing.T) {
	t.Parallel()
	all, _ := sets(t)
	r := newReplay(all["desk/small"], time.Now)
	for _, c := range []struct {
		now     string
		known   string
		spooler int // tickets that say so
		cited   int // tickets whose resolution points to another
	}{
		{"2026-01-05 08:00:00", "", 0, 0},
		{"2026-01-05 08:00:01", "101", 0, 0},
		{"2026-01-05 10:00:00", "101", 0, 0},
		{"2026-01-05 10:00:01", "101", 1, 0},
		{"2026-01-12 08:00:00", "101 102 103 105", 1, 0},
		{"2026-01-13 00:00:01", "101 102 103 105 106 107", 1, 1},
		{"2026-01-20 08:00:00", "101 102 103 105 106 107 108 109", 2, 2},
		{"2026-01-20 08:00:01", "101 102 103 105 106 107 108 109", 3, 3},
		{"2026-02-01 00:00:00", "101 102 103 105 106 107 108 109 110 112", 4, 3},
	} {
		r.until(at(c.now))
		if got := strings.Join(r.known(), " "); got != c.known {
			t.Errorf("%s: %q is known, want %q", c.now, got, c.known)
		}
		if got := r.tickets.corpus.With["spooler"]; got != c.spooler {
			t.Errorf("%s: %d tickets say spooler, want %d", c.now, got, c.spooler)
		}
		if got := len(r.toTickets); got != c.cited {
			t.Errorf("%s: %d tickets point to others, want %d", c.now, got, c.cited)
		}
	}
	if len(r.toArticles) != 1 || r.readers[0] != 1 {
		t.Errorf("articles are pointed to by %v", r.toArticles)
	}
}

func TestADayAloneIsOverBeforeAResolutionCounts(t *testing.T) {
	t.Parallel()
	all, _ := sets(t)
	r := newReplay(all["desk/small"], time.Now)
	r.until(at("2026-01-07 23:59:59"))
	if r.solved[2] {
		t.Error("ticket 103 counts as solved on the day of its resolution")
	}
	r.until(at("2026-01-08 00:00:01"))
	if !r.solved[2] {
		t.Error("ticket 103 does not count as solved on the day after")
	}
}

func TestMeasuringGivesTheRanksOfWhatHelped(t *testing.T) {
	t.Parallel()
	all, _ := sets(t)
	var progress []int
	m, err := Run{Now: time.Now, Progress: func(done, total int) { progress = append(progress, done, total) }}.Measure(t.Context(), all["desk/small"])
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]map[string]Answer{}
	for _, row := range m.Rows {
		got[row.Corpus+" "+row.Configuration] = row.Answers
		if len(row.Took) != len(row.Answers) {
			t.Errorf("%s, %s: %d times for %d answers", row.Corpus, row.Configuration, len(row.Took), len(row.Answers))
		}
	}
	words := map[string]Answer{"106": {1, []int{1}}, "109": {1, []int{1}}, "110": {2, []int{1, 3}}}
	cited := map[string]Answer{"106": {1, []int{1}}, "109": {1, []int{1}}, "110": {2, []int{1, 2}}}
	want := map[string]map[string]Answer{
		"tickets words": words, "tickets + meaning": words, "tickets + citations": cited, "tickets solved by then": cited,
	}
	articles := map[string]Answer{"106": {1, []int{1}}, "109": {1, []int{1}}}
	for _, configuration := range []string{Words, Meaning, Citations} {
		want["articles "+configuration] = articles
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	left := []string{
		"1 resolutions without a time: never used, as nobody knows from when on",
		"1 queries about a ticket that is not there",
		"2 labels naming a ticket that is not there, or is not older than the query",
		"1 labels naming an article that is not there",
	}
	if diff := cmp.Diff(left, m.Left); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{1, 3, 2, 3, 3, 3}, progress); diff != "" || m.Tickets != 12 || m.Findable != 10 || m.Articles != 3 {
		t.Errorf("%+v\n%s", m, diff)
	}
}

// office makes so many tickets that meaning is learnt: each complains of one of
// few things, in words of its own.
func office(n int) Set {
	s := Set{Name: "office"}
	for i := range n {
		day := at("2026-01-01 00:00:00").Add(time.Duration(i) * time.Hour)
		t := Ticket{ID: fmt.Sprint(i), Names: []string{fmt.Sprint(i)}, Created: day, Resolution: "done", Resolved: day.Add(30 * time.Minute)}
		t.Title = fmt.Sprintf("thing%d fails", i%7)
		for j := range 40 {
			t.Body += fmt.Sprintf(" word%d", (i*i+j*(i%7+1))%150)
		}
		if s.Tickets = append(s.Tickets, t); i >= 7 {
			s.Queries = append(s.Queries, Query{Ticket: t.ID, Tickets: []string{fmt.Sprint(i - 7)}})
		}
	}
	return s
}

func TestAQueryFindsOnlyWhatIsOlderAndNeverItsOwnResolution(t *testing.T) {
	t.Parallel()
	r := newReplay(office(260), time.Now)
	for _, q := range r.queries() {
		now := r.set.Tickets[q.ticket].Created
		r.until(now)
		for n, d := range r.tickets.docs {
			if x := r.set.Tickets[n]; !x.Created.Before(now) || r.solved[n] != x.Resolved.Before(now) || d.gone {
				t.Fatalf("ticket %s is known when %d is asked about", x.ID, q.ticket)
			}
		}
		if r.solved[int64(q.ticket)] {
			t.Fatalf("ticket %d is solved when it is asked about", q.ticket)
		}
		if err := r.ask(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if r.learnt < 100 || r.tickets.factors == nil || r.tickets.docs[0].vector == nil {
		t.Errorf("nothing was learnt of %d tickets", len(r.tickets.docs))
	}
}

func TestTheCorpusIsTheSameHoweverItCameAbout(t *testing.T) {
	t.Parallel()
	s := office(130)
	often := newReplay(s, time.Now)
	for _, x := range s.Tickets {
		often.until(x.Created)
	}
	once := newReplay(s, time.Now)
	last := s.Tickets[len(s.Tickets)-1].Created
	once.until(last)
	if diff := cmp.Diff(once.tickets.corpus, often.tickets.corpus); diff != "" {
		t.Error(diff)
	}
	all, err := once.tickets.Read(t.Context(), []string{"thing1", "fail", "nowhere"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	some, err := once.tickets.Read(t.Context(), []string{"thing1", "fail", "nowhere"}, []int64{1, 8, 2, 999})
	if err != nil {
		t.Fatal(err)
	}
	if got := [6]int{len(all[0].Postings), len(all[1].Postings), len(all[2].Postings), len(some[0].Postings), len(some[1].Postings), len(some[2].Postings)}; got != [6]int{19, 129, 0, 2, 3, 0} {
		t.Errorf("postings %v", got)
	}
}

func TestAnEndedContextEndsTheMeasurement(t *testing.T) {
	t.Parallel()
	all, _ := sets(t)
	r := Run{Now: time.Now}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Measure(ctx, all["desk/small"]); err == nil {
		t.Error("measured to the end")
	}
}

func TestTheSettingsOfATenantAreFollowed(t *testing.T) {
	t.Parallel()
	all, _ := sets(t)
	s := all["desk/small"]
	s.Settings.HistoryDays = 10
	m, err := Run{Now: time.Now}.Measure(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	// Ticket 110 is of 21 January: by words it finds 105, and 101 no more.
	if diff := cmp.Diff(Answer{2, []int{1}}, m.Rows[0].Answers["110"]); diff != "" {
		t.Error(diff)
	}
}
