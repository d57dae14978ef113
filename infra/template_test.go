package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
)

// synthesis is a stage as it would be deployed.
type synthesis struct {
	Stage     Stage
	File      string // of the template
	Resources map[string]resource
	Outputs   map[string]any
	Findings  []string // of the AWS Solutions rules, and errors of constructs
}

type resource struct {
	id                                  string
	Type                                string
	Properties                          map[string]any
	DependsOn                           any
	DeletionPolicy, UpdateReplacePolicy string
}

// all synthesises every stage once, and one more that has every option.
var all = sync.OnceValues(func() (map[string]synthesis, error) {
	done := map[string]synthesis{}
	for _, name := range []string{"dev", "staging", "prod", "options"} {
		s, err := synthesiseStage(name)
		if err != nil {
			return nil, fmt.Errorf("stage %s: %w", name, err)
		}
		done[name] = s
	}
	return done, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

func synthesiseStage(name string) (synthesis, error) {
	context, err := readContext()
	if err != nil {
		return synthesis{}, err
	}
	context["stage"], context["aws:cdk:disable-asset-staging"] = name, true
	stages := context["stages"].(map[string]any)
	options := maps.Clone(stages["prod"].(map[string]any))
	options["domain"], options["certificate"] = "deskhand.example.com", "arn:aws:acm:eu-west-1:123456789012:certificate/1"
	options["cluster"] = map[string]any{
		"admin": "arn:aws:iam::123456789012:role/operator", "image": "registry.example.com/deskhand:v1.2.3", "host": "hooks.example.com",
		"acme_email": "certificates@example.com", "ingress_class": "traefik",
	}
	options["alarm_email"], options["account"] = "ops@example.com", "123456789012"
	stages["options"] = options
	app, stage, err := newApp(context)
	if err != nil {
		return synthesis{}, err
	}
	stack := NewDeskhand(app, stage).Stack
	text, err := json.Marshal(assertions.Template_FromStack(stack, nil).ToJSON())
	if err != nil {
		return synthesis{}, err
	}
	s := synthesis{Stage: stage, File: *stack.TemplateFile()}
	if err := json.Unmarshal(text, &s); err != nil {
		return synthesis{}, err
	}
	for id, r := range s.Resources {
		r.id = id
		s.Resources[id] = r
	}
	notes := assertions.Annotations_FromStack(stack)
	for _, found := range slices.Concat(*notes.FindError(jsii.String("*"), assertions.Match_AnyValue()), *notes.FindWarning(jsii.String("*"), assertions.Match_AnyValue())) {
		s.Findings = append(s.Findings, fmt.Sprintf("%s: %v", *found.Id, found.Entry.Data)) //nolint:staticcheck // the official type of assertions is this one
	}
	return s, nil
}

// eachStage runs a test on every stage.
func eachStage(t *testing.T, test func(*testing.T, synthesis)) {
	t.Helper()
	stages, err := all()
	if err != nil {
		t.Fatal(err, "(make build makes bin/lambda)")
	}
	for _, name := range slices.Sorted(maps.Keys(stages)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, stages[name])
		})
	}
}

// of gives the resources of a type, at least one.
func (s synthesis) of(t *testing.T, kind string) []resource {
	t.Helper()
	var list []resource
	for _, id := range slices.Sorted(maps.Keys(s.Resources)) {
		if s.Resources[id].Type == kind {
			list = append(list, s.Resources[id])
		}
	}
	if len(list) == 0 {
		t.Fatalf("no %s", kind)
	}
	return list
}

// get gives a property by its path; nil where there is none.
func (r resource) get(path string) any {
	var at any = r.Properties
	for key := range strings.SplitSeq(path, ".") {
		m, _ := at.(map[string]any)
		at = m[key]
	}
	return at
}

// text is a property as a string, with the names of what it refers to.
func (r resource) text(path string) string { return flat(r.get(path)) }

// want compares properties as JSON.
func (r resource) want(t *testing.T, properties map[string]any) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(properties)) {
		got, _ := json.Marshal(r.get(path))
		want, _ := json.Marshal(properties[path])
		if string(got) != string(want) {
			t.Errorf("%s (%s): %s is %s, want %s", r.id, r.Type, path, got, want)
		}
	}
}

// flat writes a value in one string: {"Ref":"X"} is X, {"Fn::GetAtt":["X","A"]}
// is X.A.
func flat(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case map[string]any:
		if ref, ok := v["Ref"].(string); ok {
			return ref
		}
		if at, ok := v["Fn::GetAtt"].([]any); ok {
			return flat(at[0]) + "." + flat(at[1])
		}
		if join, ok := v["Fn::Join"].([]any); ok {
			return strings.Join(flatten(join[1]), flat(join[0]))
		}
	}
	text, _ := json.Marshal(v)
	return string(text)
}

// flatten makes a list of strings of one value or several.
func flatten(v any) (list []string) {
	if v == nil {
		return nil
	}
	if many, ok := v.([]any); ok {
		for _, one := range many {
			list = append(list, flat(one))
		}
		return list
	}
	return []string{flat(v)}
}

// functions are our functions, by name.
func (s synthesis) functions(t *testing.T) map[string]resource {
	t.Helper()
	list := map[string]resource{}
	for _, f := range s.of(t, "AWS::Lambda::Function") {
		if name, ok := strings.CutPrefix(f.text("Description"), "Deskhand "); ok {
			name, _, _ = strings.Cut(name, " ")
			list[name] = f
		}
	}
	return list
}
