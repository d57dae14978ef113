package page

import (
	"reflect"
	"testing"
)

func TestEveryLanguageHasEveryText(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, l := range languages {
		v := reflect.ValueOf(l)
		for f, text := range v.Fields() {
			if text.String() == "" {
				t.Errorf("%s: %s is empty", l.Lang, f.Name)
			}
		}
		if seen[l.Lang] || seen[l.Title] {
			t.Errorf("%s is there twice", l.Lang)
		}
		seen[l.Lang], seen[l.Title] = true, true
	}
}
