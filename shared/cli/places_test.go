package cli

import (
	"testing"

	"github.com/alecthomas/kong"
)

// TestEveryCommandSaysWhetherAFunctionRunsIt walks the commands: a new one is
// refused until somebody has thought of it.
func TestEveryCommandSaysWhetherAFunctionRunsIt(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(&commands{}, kong.Vars{"version": "v", "tools": "servicedesk_plus"})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, leaf := range parser.Model.Leaves(false) {
		known[leaf.Path()] = true
		if _, ok := elsewhere[leaf.Path()]; !ok {
			t.Errorf("%q is not in the table", leaf.Path())
		}
	}
	for path := range elsewhere {
		if !known[path] {
			t.Errorf("%q is no command", path)
		}
	}
	if foreign("tenant list") != nil || foreign("serve") == nil || foreign("new") == nil || foreign("") == nil {
		t.Error("the table is not followed")
	}
}
