package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/suspicion"
)

// The sample that is counted, and how many of 1,000 may be taken for hostile.
const (
	sample     = 1000
	maxSuspect = 20
)

// suspecting prints how many honest texts package suspicion finds: of 1,000
// tickets and bugs, the same each time, and of all texts by their kind. It tells
// whether that is few enough.
func suspecting(out, detail io.Writer, texts []text) bool {
	all, found, sampled, wrong := map[string]int{}, map[string]int{}, 0, 0
	order := rand.New(rand.NewPCG(1, 7)).Perm(len(texts)) // the same each time
	start := time.Now()
	for _, i := range order {
		t := texts[i]
		rule := suspicion.Rule(t.body)
		all[t.kind]++
		if rule != "" {
			found[t.kind]++
			fmt.Fprintf(detail, "%s: %s: %q\n", t.kind, rule, t.body[:min(len(t.body), 3000)])
		}
		if t.kind != "articles" && sampled < sample {
			sampled++
			if rule != "" {
				wrong++
			}
		}
	}
	var kinds []string
	for _, kind := range []string{"tickets", "bugs", "articles"} {
		kinds = append(kinds, fmt.Sprintf("%d of %d %s", found[kind], all[kind], kind))
	}
	fmt.Fprintf(out, "suspicion: of all: %s (%s)\n", strings.Join(kinds, ", "), time.Since(start).Round(time.Millisecond))
	fmt.Fprintf(out, "suspicion: false positives: %d of %d real tickets\n", wrong, sampled)
	return sampled == sample && wrong*1000 <= maxSuspect*sampled
}
