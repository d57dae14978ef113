// Command coverage prints the statement coverage of each package of a merged
// profile, and fails where one is below the floor.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

func main() {
	profile := flag.String("profile", "coverage.out", "file that go test -coverprofile wrote")
	floor := flag.Float64("floor", 80, "least coverage of a package, in percent")
	flag.Parse()
	file, err := os.Open(*profile)
	if err != nil {
		fmt.Fprintln(os.Stderr, "coverage:", err)
		os.Exit(1)
	}
	defer file.Close()
	low, err := report(bufio.NewScanner(file), *floor)
	if err != nil {
		fmt.Fprintln(os.Stderr, "coverage:", err)
		os.Exit(1) //nolint:gocritic // the process ends
	}
	if len(low) > 0 {
		fmt.Fprintf(os.Stderr, "coverage: below %.0f %%: %s\n", *floor, strings.Join(low, ", "))
		os.Exit(1)
	}
}

// report prints one line per package and returns those below the floor. A
// block that several test binaries name counts once, covered if any ran it.
func report(lines *bufio.Scanner, floor float64) (low []string, err error) {
	type block struct {
		statements int
		covered    bool
	}
	blocks := map[string]block{}
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "mode:") {
			continue
		}
		var statements, count int
		at, rest, _ := strings.Cut(line, " ")
		if _, err := fmt.Sscanf(rest, "%d %d", &statements, &count); err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
		blocks[at] = block{statements, blocks[at].covered || count > 0}
	}
	all, covered := map[string]int{}, map[string]int{}
	for at, b := range blocks {
		file, _, _ := strings.Cut(at, ":")
		pkg := path.Dir(file)
		all[pkg] += b.statements
		if b.covered {
			covered[pkg] += b.statements
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the profile is empty")
	}
	for _, pkg := range slices.Sorted(maps.Keys(all)) {
		share := 100 * float64(covered[pkg]) / float64(all[pkg])
		fmt.Printf("%6.1f %%  %s\n", share, pkg)
		if share < floor {
			low = append(low, pkg)
		}
	}
	return low, lines.Err()
}
