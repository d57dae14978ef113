package evidence

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Fact is one thing that is known of an item beside its text, in a form that the
// note can say in every language. Where it is stored and shown to operators and
// models it is its English: "held 21 days".
type Fact struct {
	Kind FactKind
	N    int    // days or tickets, for the kinds that count
	Name string // of the system; of a text that is no known kind, the text
}

// FactKind is what a fact says.
type FactKind int

// The kinds of fact. A text that was stored by another version is Other.
const (
	Other FactKind = iota
	SameRequester
	SameSite
	CameBackAtOnce // the problem came back within a day
	Held           // the solution held N days
	CameBack       // the problem came back after N days
	Copies         // N more tickets say nearly the same
	Recurred       // N tickets of 30 days tell of the problem in the same place
	PointedTo      // N similar tickets pointed to it
	SameSystem     // both name the system Name
)

// english has one for each kind, and a second where N may be more than one.
var english = [...][2]string{
	SameRequester:  {"same requester"},
	SameSite:       {"same site"},
	CameBackAtOnce: {"came back within a day"},
	Held:           {"held 1 day", "held %d days"},
	CameBack:       {"came back after 1 day", "came back after %d days"},
	Copies:         {"1 more ticket nearly the same", "%d more tickets nearly the same"},
	Recurred:       {"1 ticket like this in 30 days in the same place", "%d tickets like this in 30 days in the same place"},
	PointedTo:      {"where 1 similar ticket pointed to", "where %d similar tickets pointed to"},
}

// String gives the fact in English: "same site", "held 21 days".
func (f Fact) String() string {
	switch {
	case f.Kind == SameSystem:
		return "same " + f.Name
	case f.Kind <= Other || int(f.Kind) >= len(english):
		return f.Name
	case f.N > 1:
		return fmt.Sprintf(english[f.Kind][1], f.N)
	default:
		return english[f.Kind][0]
	}
}

// InWords gives the facts of an item in English.
func (it Item) InWords() []string {
	list := make([]string, len(it.Facts))
	for i, f := range it.Facts {
		list[i] = f.String()
	}
	return list
}

// MarshalText gives String.
func (f Fact) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

var count = regexp.MustCompile(`\d+`)

// UnmarshalText reads what String gives. It takes any text.
func (f *Fact) UnmarshalText(text []byte) error {
	n, _ := strconv.Atoi(string(count.Find(text))) // 0 where there is none
	for kind, forms := range english {
		for _, known := range []Fact{{Kind: FactKind(kind)}, {Kind: FactKind(kind), N: n}} {
			if forms[0] != "" && (known.N > 0) == (forms[1] != "") && known.String() == string(text) {
				*f = known
				return nil
			}
		}
	}
	if name, ok := strings.CutPrefix(string(text), "same "); ok {
		*f = Fact{Kind: SameSystem, Name: name}
		return nil
	}
	*f = Fact{Name: string(text)}
	return nil
}
