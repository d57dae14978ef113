package retrieval

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Case is a past ticket that was found, with what tells whether its solution
// held.
type Case struct {
	Hit
	Terms     []Term // of the title and the description
	Created   time.Time
	Resolved  time.Time
	Requester string
	Site      string
	Systems   []string // host names of the inventory that it names

	// Same says what it shares with the ticket that is asked about: "requester",
	// "site", or a system's name. Judge fills it, and what follows.
	Same []string
	// Held is how many days passed until the problem came back in the same place,
	// or until now; 0 where that is not known. CameBack says that it was less than
	// two weeks.
	Held     int
	CameBack bool
	// Copies counts tickets that say almost the same, and are not listed.
	Copies int
}

// What is called a solution that held, and what the history of a problem is.
const (
	heldDays    = 14
	recurDays   = 30
	heldGain    = 1.2
	returnLoss  = 0.6
	nearlyEqual = 0.8 // of the words of two tickets
)

// Judge says of each case whether its solution held, and puts those that did
// before those after which the problem came back, among equally similar ones. A
// near copy stands with the newest of its kind. asked is the ticket that is asked
// about. recurred is how many tickets of the last 30 days tell of the same problem
// in the same place.
//
// The same problem is what Search is sure of; the same place is the same
// requester, site or system. Of a ticket without any of these, nothing is said.
func Judge(asked Case, cases []Case, now time.Time) (judged []Case, recurred int) {
	for i := range cases {
		c := &cases[i]
		c.Same = places(*c, asked)
		c.Held, c.CameBack = held(*c, append(cases, asked), now)
		if len(c.Same) > 0 && !c.Possibly && now.Sub(c.Created) < recurDays*oneDay {
			recurred++
		}
		switch {
		case c.CameBack:
			c.Score = round(c.Score * returnLoss)
		case c.Held >= heldDays:
			c.Score = round(c.Score * heldGain)
		}
	}
	judged = collapse(cases)
	slices.SortStableFunc(judged, func(a, b Case) int {
		return cmp.Or(sureFirst(a, b), cmp.Compare(b.Score, a.Score))
	})
	return judged, recurred
}

const oneDay = 24 * time.Hour

func sureFirst(a, b Case) int {
	switch {
	case a.Possibly == b.Possibly:
		return 0
	case a.Possibly:
		return 1
	}
	return -1
}

// places are what two tickets have in common.
func places(a, b Case) (same []string) {
	for _, system := range a.Systems {
		if slices.Contains(b.Systems, system) {
			same = append(same, system)
		}
	}
	if a.Requester != "" && strings.EqualFold(a.Requester, b.Requester) {
		same = append(same, "requester")
	}
	if a.Site != "" && strings.EqualFold(a.Site, b.Site) {
		same = append(same, "site")
	}
	return same
}

// held is how many days passed from the solution of a case until the same
// problem came back in the same place, or until now.
func held(c Case, cases []Case, now time.Time) (days int, cameBack bool) {
	if c.Resolved.IsZero() || c.Possibly || c.Requester == "" && c.Site == "" && len(c.Systems) == 0 {
		return 0, false
	}
	until := now
	for _, next := range cases {
		if next.Doc != c.Doc && !next.Possibly && next.Created.After(c.Resolved) && !next.Created.After(until) && len(places(c, next)) > 0 {
			until, cameBack = next.Created, true
		}
	}
	passed := until.Sub(c.Resolved)
	return int(passed / oneDay), cameBack && passed < heldDays*oneDay
}

// collapse leaves the newest of those that say almost the same, in the place of
// the best of them.
func collapse(cases []Case) []Case {
	var kept []Case
next:
	for _, c := range cases {
		for i, k := range kept {
			if overlap(c.Terms, k.Terms) < nearlyEqual {
				continue
			}
			if c.Created.After(k.Created) {
				c.Copies, c.Score, c.Possibly = k.Copies, max(c.Score, k.Score), c.Possibly && k.Possibly
				kept[i] = c
			}
			kept[i].Copies++
			continue next
		}
		kept = append(kept, c)
	}
	return kept
}

// overlap is the share of words that two tickets have in common (Jaccard).
func overlap(a, b []Term) float64 {
	if len(a) == 0 || len(b) == 0 || min(len(a), len(b))*10 < max(len(a), len(b))*8 {
		return 0
	}
	has := make(map[string]bool, len(a))
	for _, t := range a {
		has[t.Text] = true
	}
	common := 0
	for _, t := range b {
		if has[t.Text] {
			common++
		}
	}
	return float64(common) / float64(len(a)+len(b)-common)
}
