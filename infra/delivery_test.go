package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// repo reads a file of the repository.
func repo(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSamconfigNamesWhatIsThere holds samconfig.toml to the template: SAM's
// command finds a function by its logical id, and an event by its path.
func TestSamconfigNamesWhatIsThere(t *testing.T) {
	t.Parallel()
	text := repo(t, "samconfig.toml")
	if first, _, _ := strings.Cut(text, "\n"); !strings.HasPrefix(first, "# For ") {
		t.Errorf("its first line does not say what it is for: %s", first)
	}
	for _, bad := range samconfig(t, text) {
		t.Error(bad)
	}
	for _, change := range [][2]string{{"sqs.json", "sqs.jsn"}, {"Deskhand.template", "Other.template"}, {"invoke Functions", "invoke Function"}} {
		if broken := strings.ReplaceAll(text, change[0], change[1]); len(samconfig(t, broken)) == 0 {
			t.Errorf("%q for %q is not noticed", change[1], change[0])
		}
	}
}

var (
	samTemplate = regexp.MustCompile(`template_file = "([^"]+)"`)
	samEvent    = regexp.MustCompile(`(?:event = "| -e )([^" )\n]+)`)
	samFunction = regexp.MustCompile(`sam local invoke (\w+)`)
)

// samconfig gives what a samconfig.toml names that is not there.
func samconfig(t *testing.T, text string) (bad []string) {
	t.Helper()
	stages, err := all()
	if err != nil {
		t.Fatal(err)
	}
	dev := stages["dev"]
	found := func(named [][]string, what string, there func(string) bool) {
		if len(named) == 0 {
			bad = append(bad, "it names no "+what)
		}
		for _, m := range named {
			if !there(m[1]) {
				bad = append(bad, what+" "+m[1]+" is not there")
			}
		}
	}
	found(samTemplate.FindAllStringSubmatch(text, -1), "template", func(name string) bool { return name == "infra/cdk.out/"+dev.File })
	found(samEvent.FindAllStringSubmatch(text, -1), "event", func(name string) bool {
		body, err := os.ReadFile(filepath.Join("..", name))
		return err == nil && json.Valid(body) && strings.HasPrefix(name, "shared/host/testdata/events/")
	})
	found(samFunction.FindAllStringSubmatch(text, -1), "function", func(id string) bool { return dev.Resources[id].Type == "AWS::Lambda::Function" })
	return bad
}

// TestWhatDocumentsAskForIsAnOutput holds `out NAME` in the documents and in
// .ci/smoke-aws to the outputs of the stack, and the name of the stack.
func TestWhatDocumentsAskForIsAnOutput(t *testing.T) {
	t.Parallel()
	stages, err := all()
	if err != nil {
		t.Fatal(err)
	}
	outputs := maps.Clone(stages["dev"].Outputs)
	maps.Copy(outputs, stages["options"].Outputs)
	asked := 0
	for _, name := range []string{"docs/deployment.md", ".ci/smoke-aws"} {
		text := repo(t, name)
		for _, m := range regexp.MustCompile(`\bout ([A-Z]\w*)`).FindAllStringSubmatch(text, -1) {
			asked++
			if outputs[m[1]] == nil {
				t.Errorf("%s asks for output %s, and there are %v", name, m[1], slices.Sorted(maps.Keys(outputs)))
			}
		}
		if !strings.Contains(text, "--stack-name deskhand-dev ") && !strings.Contains(text, `--stack-name "deskhand-$stage"`) {
			t.Errorf("%s asks another stack than deskhand-STAGE", name)
		}
	}
	if asked < 7 {
		t.Errorf("only %d outputs are asked for", asked)
	}
}

// TestCostsAreReckonedOfThisStack holds what tests/cost counts with to the
// template of its stage.
func TestCostsAreReckonedOfThisStack(t *testing.T) {
	t.Parallel()
	var inputs struct {
		Stage string
		Stack map[string]any
	}
	if err := json.Unmarshal([]byte(repo(t, "tests/cost/inputs.json")), &inputs); err != nil {
		t.Fatal(err)
	}
	stages, err := all()
	if err != nil {
		t.Fatal(err)
	}
	s := stages[inputs.Stage]
	endpoints, metrics := 0, 0
	for _, e := range s.of(t, "AWS::EC2::VPCEndpoint") {
		endpoints += len(flatten(e.get("SubnetIds")))
	}
	for _, a := range s.of(t, "AWS::CloudWatch::Alarm") {
		several, _ := a.get("Metrics").([]any)
		n := 0
		for _, m := range several {
			if m.(map[string]any)["MetricStat"] != nil {
				n++
			}
		}
		metrics += max(1, n)
	}
	rules, _ := s.of(t, "AWS::WAFv2::WebACL")[0].get("Rules").([]any)
	memory := map[string]any{}
	functions := s.functions(t)
	for _, name := range []string{"webhook", "enhance", "catalogue"} {
		memory[name] = functions[name].get("MemorySize").(float64) / 1024
	}
	want, err := json.Marshal(map[string]any{
		"endpoints": endpoints, "waf_rules": len(rules), "keys": len(s.of(t, "AWS::KMS::Key")), "secrets": len(s.of(t, "AWS::SecretsManager::Secret")),
		"alarms": metrics, "dashboards": len(s.of(t, "AWS::CloudWatch::Dashboard")), "memory_gb": memory,
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(inputs.Stack)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("tests/cost/inputs.json has\n%s\nand the template\n%s\n(then make generate)", got, want)
	}
}
