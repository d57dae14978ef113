package retrieval

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// at is so many days ago.
func at(days int) time.Time { return now.AddDate(0, 0, -days) }

// told writes a judged case in short: "1 held 21 same site +2".
func told(c Case) string {
	s := fmt.Sprint(c.Doc)
	if c.CameBack {
		s += fmt.Sprintf(" back %d", c.Held)
	} else if c.Held > 0 {
		s += fmt.Sprintf(" held %d", c.Held)
	}
	if len(c.Same) > 0 {
		s += " same " + strings.Join(c.Same, "+")
	}
	if c.Copies > 0 {
		s += fmt.Sprintf(" copies %d", c.Copies)
	}
	return s
}

func TestJudgeSaysWhetherASolutionHeld(t *testing.T) {
	t.Parallel()
	asked := Case{Created: now, Requester: "Ann", Site: "Berlin", Systems: []string{"srv-fs01"}}
	for name, tt := range map[string]struct {
		cases    []Case
		want     []string
		recurred int
	}{
		"held until now": {
			cases: []Case{{Hit: Hit{Doc: 1, Score: 1}, Created: at(31), Resolved: at(30), Site: "Rome"}},
			want:  []string{"1 held 30"},
		},
		"held until it came back": {
			cases: []Case{
				{Hit: Hit{Doc: 1, Score: 1}, Created: at(61), Resolved: at(60), Site: "Rome"},
				{Hit: Hit{Doc: 2, Score: 1}, Created: at(39), Resolved: at(38), Site: "rome"},
			},
			want: []string{"1 held 21", "2 held 38"},
		},
		"came back soon, so it stands behind": {
			cases: []Case{
				{Hit: Hit{Doc: 1, Score: 1}, Created: at(61), Resolved: at(60), Site: "Rome"},
				{Hit: Hit{Doc: 2, Score: .9}, Created: at(57), Resolved: at(56), Site: "Rome"},
			},
			want: []string{"2 held 56", "1 back 3"},
		},
		"comes back with the ticket that is asked about": {
			cases:    []Case{{Hit: Hit{Doc: 1, Score: 1}, Created: at(4), Resolved: at(3), Requester: "ann"}},
			want:     []string{"1 back 3 same requester"},
			recurred: 1,
		},
		"another place tells nothing of this one": {
			cases: []Case{
				{Hit: Hit{Doc: 1, Score: 1}, Created: at(61), Resolved: at(60), Site: "Rome"},
				{Hit: Hit{Doc: 2, Score: .9}, Created: at(57), Resolved: at(56), Site: "Oslo"},
			},
			want: []string{"1 held 60", "2 held 56"},
		},
		"what is only possibly related tells nothing": {
			cases: []Case{
				{Hit: Hit{Doc: 1, Score: 1}, Created: at(61), Resolved: at(60), Site: "Rome"},
				{Hit: Hit{Doc: 2, Score: 2, Possibly: true}, Created: at(57), Resolved: at(56), Site: "Rome"},
			},
			want: []string{"1 held 60", "2"},
		},
		"of a ticket without a place, or still open, nothing is said": {
			cases: []Case{
				{Hit: Hit{Doc: 1, Score: 1}, Created: at(61), Resolved: at(60)},
				{Hit: Hit{Doc: 2, Score: .5}, Created: at(61), Site: "Rome"},
			},
			want: []string{"1", "2"},
		},
		"how often in 30 days": {
			cases: []Case{
				{Hit: Hit{Doc: 1, Score: 4}, Created: at(29), Resolved: at(28), Systems: []string{"srv-fs01"}},
				{Hit: Hit{Doc: 2, Score: 3}, Created: at(9), Resolved: at(8), Site: "Berlin"},
				{Hit: Hit{Doc: 3, Score: 2}, Created: at(9), Resolved: at(8), Site: "Rome"},
				{Hit: Hit{Doc: 4, Score: 1}, Created: at(40), Resolved: at(39), Site: "Berlin"},
			},
			want:     []string{"1 held 28 same srv-fs01", "3 held 8", "2 back 8 same site", "4 held 30 same site"},
			recurred: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			judged, recurred := Judge(asked, tt.cases, now)
			var got []string
			for _, c := range judged {
				got = append(got, told(c))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if recurred != tt.recurred {
				t.Errorf("recurred %d times, want %d", recurred, tt.recurred)
			}
		})
	}
}

func TestNearCopiesStandWithTheNewest(t *testing.T) {
	t.Parallel()
	text := func(s string) []Term { return Terms("Backup failed", s, "") }
	judged, _ := Judge(Case{}, []Case{
		{Hit: Hit{Doc: 1, Score: 3}, Created: at(30), Terms: text("job nightly on vault ended with code 1603 after retry number seven")},
		{Hit: Hit{Doc: 2, Score: 2}, Created: at(10), Terms: text("job nightly on vault ended with code 1603 after retry number eight")},
		{Hit: Hit{Doc: 3, Score: 1.5}, Created: at(1), Terms: text("something else entirely happened to the tape library")},
		{Hit: Hit{Doc: 4, Score: 1}, Created: at(20), Terms: text("job nightly on vault ended with code 1603 after retry number nine")},
		{Hit: Hit{Doc: 5, Score: .5}, Created: at(2)},
	}, now)
	var got []string
	for _, c := range judged {
		got = append(got, told(c))
	}
	if diff := cmp.Diff([]string{"2 copies 2", "3", "5"}, got); diff != "" {
		t.Error(diff)
	}
	if judged[0].Score != 3 {
		t.Errorf("score %v, want that of the best copy", judged[0].Score)
	}
}
