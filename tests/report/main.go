// Command report reads what `go test -json` prints. It keeps all of it in a
// file, so that it can be searched, and prints what `go test` prints for
// people: a line for each package, and everything of a test that failed, which
// is repeated at the end.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go test -json ... 2>&1 | report FILE")
		os.Exit(2)
	}
	if err := keep(os.Stdin, os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

// keep reports in, and keeps all of it in the file.
func keep(in io.Reader, name string, out io.Writer) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer file.Close()
	log := bufio.NewWriter(file)
	if err := report(in, log, out); err != nil {
		return err
	}
	return log.Flush()
}

// event is one of test2json's.
type event struct {
	Action, Package, Test, Output string
}

// report writes all that was printed into the log, and what people want to see
// to out. What failed is there twice: at once, and as the last that is read.
func report(in io.Reader, log, out io.Writer) error {
	p := packages{}
	var failures strings.Builder
	failed := false
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			e := parse(line)
			if _, err := io.WriteString(log, e.Output); err != nil {
				return err
			}
			shown := p.show(e)
			failed = failed || e.Action == "fail"
			if e.Action == "fail" || e.Action == "build-output" && !strings.HasPrefix(shown, "go: downloading") {
				failures.WriteString(shown)
			}
			if _, err := io.WriteString(out, shown); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			if failed {
				_, err = io.WriteString(out, "\nWhat failed, again:\n"+failures.String())
				return err
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// parse reads an event. A line that is none is of the go command itself.
func parse(line string) event {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
		return event{Action: "build-output", Output: line}
	}
	return e
}

// packages is what was printed, by package and test, of what has not ended.
type packages map[string]map[string][]string

// show gives what people want to see of an event.
func (p packages) show(e event) (shown string) {
	tests := p[e.Package]
	if tests == nil {
		tests = map[string][]string{}
		p[e.Package] = tests
	}
	switch e.Action {
	case "build-output":
		return e.Output
	case "output":
		tests[e.Test] = append(tests[e.Test], e.Output)
	case "pass", "skip":
		shown = result(e, tests[e.Test])
		delete(tests, e.Test)
	case "fail":
		shown = strings.Join(tests[e.Test], "")
		delete(tests, e.Test)
		if e.Test == "" { // and what a panic, or the time limit, left without an end
			for _, name := range slices.Sorted(maps.Keys(tests)) {
				shown += strings.Join(tests[name], "")
			}
		}
	}
	return shown
}

// result gives the line of a package that passed, or that has no tests.
func result(e event, lines []string) string {
	if e.Test != "" || len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}
