package rights

import (
	"fmt"
	"maps"
	"slices"

	"github.com/deskhand/deskhand/shared/audit"
	"github.com/deskhand/deskhand/shared/tenant"
)

// proof lists the counts by table, and is an error where any row is left.
func proof(done audit.Erasure, id tenant.ID, before, after map[string]int64) (audit.Erasure, error) {
	var left []string
	for _, name := range slices.Sorted(maps.Keys(before)) {
		done.Tables = append(done.Tables, audit.Count{Table: name, Before: before[name], After: after[name]})
		if after[name] != 0 {
			left = append(left, name)
		}
	}
	if len(left) > 0 {
		return done, fmt.Errorf("rights: tenant %s was erased, and has rows again in %v: erase it once more", id, left)
	}
	return done, nil
}
