package evaluate

import (
	"fmt"
	"maps"
	"slices"
)

// Floors is what must be reached, by set, corpus and metric: by the product's
// configuration, and without citations too, which a young tenant has not.
type Floors map[string]map[string]map[string]float64

// Missed says in words what of the floors the reports miss. Sets that are not
// among the reports are not judged; what was not measured of one that is, is missed.
func (f Floors) Missed(reports []Report) (missed []string) {
	for _, rep := range reports {
		for _, corpus := range slices.Sorted(maps.Keys(f[rep.Set])) {
			for _, name := range slices.Sorted(maps.Keys(f[rep.Set][corpus])) {
				for _, configuration := range []string{Meaning, Citations} {
					floor := f[rep.Set][corpus][name]
					got, ok := rep.metric(corpus, configuration, name)
					switch {
					case !ok:
						missed = append(missed, fmt.Sprintf("%s, %s, %s: %s was not measured", rep.Set, corpus, configuration, name))
					case got < floor:
						missed = append(missed, fmt.Sprintf("%s, %s, %s: %s is %.4f, the floor %.4f", rep.Set, corpus, configuration, name, got, floor))
					}
				}
			}
		}
	}
	return missed
}

// Judges tells whether there is a floor for one of the reports.
func (f Floors) Judges(reports []Report) bool {
	return slices.ContainsFunc(reports, func(rep Report) bool { return len(f[rep.Set]) > 0 })
}

func (rep Report) metric(corpus, configuration, name string) (float64, bool) {
	for _, row := range rep.Rows {
		if row.Corpus == corpus && row.Configuration == configuration {
			x, ok := row.Metrics[name]
			return x, ok
		}
	}
	return 0, false
}
