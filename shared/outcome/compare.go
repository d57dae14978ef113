package outcome

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/deskhand/deskhand/shared/retrieval"
)

// How much a word of the resolution counts.
const (
	identifier = 3.0 // a host, an error code, a version: two texts do not share it by chance
	plain      = 1.0
	ofProblem  = 0.3 // what the ticket says itself, every advice on it says too
)

// The shares of the resolution's weight from which one piece of advice is what
// was done, or a part of it; and the share of a denied clause from which the
// advice is what it denies. Chosen on one half of testdata/cases.jsonl.
const (
	shareUsed   = 0.45
	sharePartly = 0.2
	shareDenied = 0.4
)

// Compare says how the resolution of a ticket compares with what was advised.
// problem is what the ticket itself says. score is the share of the resolution
// that the best piece of advice has, from 0 to 1.
func Compare(problem string, advice []string, resolution string) (v Verdict, score float64) {
	known := words(problem)
	done, denied := clauses(resolution)
	total, denials := weigh(done, nil, known), 0.0
	best := 0.0
	for _, text := range advice {
		advised, _ := clauses(text) // what it says did not help, it does not advise
		best = max(best, weigh(done, advised, known))
		for _, clause := range denied {
			if all := weigh(clause, nil, nil); all > 0 {
				denials = max(denials, weigh(clause, advised, nil)/all)
			}
		}
	}
	if total > 0 {
		score = best / total
	}
	switch {
	case len(advice) == 0 || total < plain && len(denied) == 0:
		return Unknown, 0
	case score >= shareUsed && best >= plain:
		return Used, score
	case denials >= shareDenied:
		return Contradicted, score
	case score >= sharePartly && best >= plain:
		return Partly, score
	}
	return Unrelated, score
}

// weigh sums the weights of the words that are also in among; of all, where that
// is nil. What the problem says itself counts less.
func weigh(set, among, problem map[string]bool) (sum float64) {
	for w := range set {
		switch {
		case among != nil && !among[w]:
		case names(w):
			sum += identifier
		case problem[w]:
			sum += ofProblem
		default:
			sum += plain
		}
	}
	return sum
}

// names tells whether a word is an identifier.
func names(w string) bool {
	digits := strings.ContainsFunc(w, unicode.IsDigit)
	return len(w) >= 4 && digits || strings.ContainsAny(w, "._")
}

var (
	// ends are where one clause ends: punctuation before a space, and words that
	// turn a sentence around.
	ends = regexp.MustCompile(`(?i)[.!?;,:]+(?:\s|$)|\n+|\s[-–—]+\s|\b(?:but|however|instead|sondern|aber|mais|sino|pero)\b`)
	// calm are phrases that deny nothing: the problem is gone.
	calm = regexp.MustCompile(`(?i)\bno (?:more|longer|further|new|other|issues?|errors?|problems?)\b|\bwithout (?:issues?|errors?|problems?)\b|\bnot?\b.{0,30}\b(?:again|since)\b|\bnicht mehr\b|\bkeine? (?:weiteren?|Fehler|Probleme?)\b|\bya no\b|\bplus d['’]`)
	// denies are words that deny what their clause says.
	denies = regexp.MustCompile(`(?i)\b(?:not|no|none|never|nothing|without|neither|nor|unrelated|in vain|ruled out|nicht|kein\w*|ohne|pas|aucun\w*|sans|sin|tampoco|nada)\b|n['’]t\b`)
)

// clauses gives the words of a text that it affirms, and those of each clause that
// it denies. A denial without words of its own ("Did not help.") is about the
// clause before.
func clauses(text string) (affirmed map[string]bool, denied []map[string]bool) {
	affirmed = map[string]bool{}
	var before map[string]bool
	for _, clause := range ends.Split(text, -1) {
		set := words(clause)
		denial := denies.MatchString(calm.ReplaceAllString(clause, ""))
		switch {
		case denial && len(set) == 0 && before != nil:
			for w := range before {
				delete(affirmed, w)
			}
			denied = append(denied, before)
			before = nil
			continue
		case denial:
			denied = append(denied, set)
		default:
			for w := range set {
				affirmed[w] = true
			}
		}
		if before = set; len(set) == 0 || denial {
			before = nil
		}
	}
	return affirmed, denied
}

// words gives the words of a text that say what was done to what.
func words(text string) map[string]bool {
	set := map[string]bool{}
	for _, t := range retrieval.Terms("", text, "") {
		if !empty[t.Text] && !empty[t.Word] {
			set[t.Text] = true
		}
	}
	return set
}

// empty are words that resolutions have whatever was done, and articles and the
// like of languages whose words the analyser does not know.
var empty = func() map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(`
		issue problem ticket user customer client colleague case error fix fixed resolve resolved solve solved solution close closed done ok okay fine
		work works worked working help helped helps run runs running confirm confirmed check checked test tested
		difference success effect cause reason real trouble old new wrong right
		der die das den dem des ein eine einen einem einer und oder ist war sind waren wird wurde wurden auf aus an am im in ins mit von vom
		zu zum zur bei für nach vor wegen er sie es ich wir nicht kein keine lag läuft geht jetzt wieder dann auch noch hat haben hilft geholfen gelöst erledigt
		le la les un une des du de et ou est sont était sur dans par pour avec au aux en il elle on pas ne plus que qui aidé résolu fait
		el los las una unos unas del al y o es era con por para se su lo no más ya fue ha han resuelto hecho listo`) {
		set[w] = true
	}
	return set
}()
