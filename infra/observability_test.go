package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/metric"
)

// instrument is a metric of the product, as the code has it.
type instrument struct {
	name   string
	told   bool // CloudWatch gets it: no gauge, and nothing that goes down
	labels []string
}

// instruments reads shared/metric for the names, and the product for the
// labels that they are measured with. Instruments go by their Go names.
func instruments(t *testing.T) map[string]*instrument {
	t.Helper()
	list, labels := map[string]*instrument{}, map[string]string{}
	file := parse(t, "../shared/metric/metric.go")
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			if len(n.Values) == 1 {
				text := literal(n.Values[0])
				if name := regexp.MustCompile(`^[a-z_]+$`).FindString(text); strings.Contains(name, "_") && len(n.Names) == 1 && n.Names[0].Name != "LabelTenant" && !strings.HasPrefix(n.Names[0].Name, "Span") && !strings.HasPrefix(n.Names[0].Name, "Key") {
					how := called(n.Values[0])
					list[n.Names[0].Name] = &instrument{name: name, told: !strings.Contains(how, "Gauge") && !strings.Contains(how, "UpDown")}
				}
			}
		case *ast.FuncDecl:
			if text := literal(n.Body); text != "" && n.Type.Results != nil {
				labels[n.Name.Name] = text
			}
		}
		return true
	})
	labels["Tenant"] = metric.LabelTenant
	err := filepath.WalkDir("../shared", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			measured(parse(t, path), list, labels)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 15 {
		t.Fatalf("found only %d instruments", len(list))
	}
	return list
}

// measured finds metric.Webhooks.Add(ctx, 1, metric.With(metric.Tenant(id))).
func measured(file *ast.File, list map[string]*instrument, labels map[string]string) {
	values := map[string]ast.Expr{} // id := metric.Tenant(...)
	ast.Inspect(file, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok && len(a.Lhs) == 1 && len(a.Rhs) == 1 {
			if name, ok := a.Lhs[0].(*ast.Ident); ok && labels[selected(a.Rhs[0])] != "" {
				values[name.Name] = a.Rhs[0]
			}
		}
		call, ok := n.(*ast.CallExpr)
		if !ok || (selected(call) != "Add" && selected(call) != "Record") {
			return true
		}
		on, _ := call.Fun.(*ast.SelectorExpr).X.(*ast.SelectorExpr)
		if on == nil || list[on.Sel.Name] == nil {
			return true
		}
		for _, arg := range call.Args {
			with, ok := arg.(*ast.CallExpr)
			if !ok || selected(with) != "With" {
				continue
			}
			for _, attribute := range with.Args {
				if name, ok := attribute.(*ast.Ident); ok {
					attribute = values[name.Name]
				}
				list[on.Sel.Name].labels = append(list[on.Sel.Name].labels, labels[selected(attribute)])
			}
		}
		return true
	})
	for _, i := range list {
		slices.Sort(i.labels)
		i.labels = slices.Compact(i.labels)
	}
}

func parse(t *testing.T, path string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// literal is the first string in a node.
func literal(n ast.Node) (text string) {
	ast.Inspect(n, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && text == "" && l.Kind == token.STRING {
			text, _ = strconv.Unquote(l.Value)
		}
		return text == ""
	})
	return text
}

// called is every function that an expression calls.
func called(e ast.Expr) (names string) {
	ast.Inspect(e, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			names += " " + s.Sel.Name
		}
		return true
	})
	return names
}

// selected is B of A.B(...).
func selected(e ast.Expr) string {
	call, _ := e.(*ast.CallExpr)
	if call == nil {
		return ""
	}
	if s, ok := call.Fun.(*ast.SelectorExpr); ok {
		return s.Sel.Name
	}
	return ""
}

// shown is a metric of the product on a dashboard, or of an alarm.
type shown struct {
	where, name string
	dimensions  []string
}

// shown finds them in the template.
func (s synthesis) shown(t *testing.T) (list []shown) {
	t.Helper()
	searched := regexp.MustCompile(`SEARCH\('\{` + metric.Namespace + `,([a-z_,]+)\} MetricName="([a-z_]+)"'`)
	for _, d := range s.of(t, "AWS::CloudWatch::Dashboard") {
		var body struct {
			Widgets []struct {
				Properties struct {
					Metrics [][]any `json:"metrics"`
				} `json:"properties"`
			} `json:"widgets"`
		}
		if err := json.Unmarshal([]byte(d.text("DashboardBody")), &body); err != nil {
			t.Fatalf("%s: %v", d.id, err)
		}
		for _, w := range body.Widgets {
			for _, m := range w.Properties.Metrics {
				if options, ok := m[0].(map[string]any); ok {
					if found := searched.FindStringSubmatch(flat(options["expression"])); found != nil {
						list = append(list, shown{d.id, found[2], strings.Split(found[1], ",")})
					}
					continue
				}
				if m[0] != metric.Namespace {
					continue
				}
				one := shown{d.id, flat(m[1]), nil}
				for i := 2; i+1 < len(m); i += 2 {
					one.dimensions = append(one.dimensions, flat(m[i]))
				}
				list = append(list, one)
			}
		}
	}
	selected := regexp.MustCompile(`SUM\(([a-z_]+)\) FROM SCHEMA\("` + metric.Namespace + `", ([a-z_, ]+)\)`)
	for _, a := range s.of(t, "AWS::CloudWatch::Alarm") {
		metrics, _ := a.get("Metrics").([]any)
		for _, one := range append(metrics, map[string]any{"MetricStat": map[string]any{"Metric": a.Properties}}) {
			m := resource{Properties: one.(map[string]any)}
			if found := selected.FindStringSubmatch(m.text("Expression")); found != nil {
				list = append(list, shown{a.id, found[1], strings.Split(found[2], ", ")})
			}
			if m.text("MetricStat.Metric.Namespace") != metric.Namespace {
				continue
			}
			found := shown{a.id, m.text("MetricStat.Metric.MetricName"), nil}
			dimensions, _ := m.get("MetricStat.Metric.Dimensions").([]any)
			for _, d := range dimensions {
				found.dimensions = append(found.dimensions, flat(d.(map[string]any)["Name"]))
			}
			list = append(list, found)
		}
	}
	return list
}

// TestDashboardsAndAlarmsShowWhatTheCodeMeasures holds names and labels, both
// ways: what is measured has its place.
func TestDashboardsAndAlarmsShowWhatTheCodeMeasures(t *testing.T) {
	t.Parallel()
	code := map[string]*instrument{}
	for _, i := range instruments(t) {
		code[i.name] = i
	}
	eachStage(t, func(t *testing.T, s synthesis) {
		seen := map[string]bool{}
		for _, m := range s.shown(t) {
			seen[m.name] = true
			i := code[m.name]
			if i == nil || !i.told {
				t.Errorf("%s shows %s, which CloudWatch does not get", m.where, m.name)
				continue
			}
			slices.Sort(m.dimensions)
			whole := slices.Clone(i.labels) // of the service, without the tenant
			if at := slices.Index(whole, metric.LabelTenant); at >= 0 {
				whole = slices.Sorted(slices.Values(append(slices.Delete(whole, at, at+1), "service")))
			}
			if !slices.Equal(m.dimensions, i.labels) && !slices.Equal(m.dimensions, whole) {
				t.Errorf("%s shows %s by %q, and the code measures it by %q", m.where, m.name, m.dimensions, i.labels)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(code)) {
			if code[name].told && !seen[name] {
				t.Errorf("%s is measured and shown nowhere: give it a place in dashboards.go", name)
			}
		}
	})
}

func TestEveryAlarmIsHeardAndHasItsRunbook(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`^\[(critical|warning)\] .+\. Runbook: ` + regexp.QuoteMeta(runbooks) + `([a-z-]+\.md)$`)
	eachStage(t, func(t *testing.T, s synthesis) {
		topic := s.of(t, "AWS::SNS::Topic")[0]
		for _, a := range s.of(t, "AWS::CloudWatch::Alarm") {
			name := strings.TrimPrefix(a.text("AlarmName"), "deskhand-"+s.Stage.Name+"-")
			a.want(t, map[string]any{"TreatMissingData": "notBreaching", "ActionsEnabled": nil})
			if !slices.Contains(flatten(a.get("AlarmActions")), topic.id) || !slices.Contains(flatten(a.get("OKActions")), topic.id) {
				t.Errorf("%s goes nowhere", name)
			}
			found := link.FindStringSubmatch(a.text("AlarmDescription"))
			if found == nil {
				t.Errorf("%s: description %q", name, a.text("AlarmDescription"))
				continue
			}
			text, err := os.ReadFile("../docs/runbooks/" + found[2])
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, want := range []string{"`" + name + "`", "## What it means", "## What to look at", "## What to do"} {
				if err == nil && !strings.Contains(string(text), want) {
					t.Errorf("docs/runbooks/%s has no %s", found[2], want)
				}
			}
		}
	})
}

// lifted writes an alarm on one metric as CloudWatch's short form, which has
// no place for a label.
func lifted(a resource) resource {
	metrics, _ := a.get("Metrics").([]any)
	if len(metrics) != 1 {
		return a
	}
	stat, _ := resource{Properties: metrics[0].(map[string]any)}.get("MetricStat").(map[string]any)
	a.Properties = maps.Clone(a.Properties)
	a.Properties["Period"] = stat["Period"]
	named, _ := stat["Metric"].(map[string]any)
	maps.Copy(a.Properties, named)
	return a
}

// TestTheAlarmsOfTheStories are there, with the stories' limits.
func TestTheAlarmsOfTheStories(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		got := map[string]resource{}
		for _, a := range s.of(t, "AWS::CloudWatch::Alarm") {
			got[strings.TrimPrefix(a.text("AlarmName"), "deskhand-"+s.Stage.Name+"-")] = lifted(a)
		}
		for name, want := range map[string]map[string]any{
			"EnhancementSuccessRateLow": {"Threshold": 95, "ComparisonOperator": "LessThanThreshold", "EvaluationPeriods": 2},
			"QueueDepthHigh":            {"Threshold": 100, "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 5, "Period": 60},
			"EnhancementWorkerDown":     {"Threshold": 0, "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 5},
			"HighLatency":               {"Threshold": 120, "ExtendedStatistic": "p95", "Period": 300, "EvaluationPeriods": 1},
		} {
			a, ok := got[name]
			if !ok {
				t.Errorf("no alarm %s", name)
				continue
			}
			a.want(t, want)
		}
		for name := range s.functions(t) {
			title := strings.ToUpper(name[:1]) + name[1:]
			if got[title+"Errors"].id == "" || got[title+"Throttled"].id == "" {
				t.Errorf("%s fails unheard", name)
			}
		}
		for _, q := range s.of(t, "AWS::SQS::Queue") {
			if q.get("RedrivePolicy") == nil && !slices.ContainsFunc(slices.Collect(maps.Values(got)), func(a resource) bool {
				return strings.Contains(a.text("Dimensions"), q.id) && a.text("MetricName") == "ApproximateNumberOfMessagesVisible"
			}) {
				t.Errorf("%s fills unheard", q.id)
			}
		}
		if topic := s.of(t, "AWS::SNS::Topic")[0]; !strings.HasPrefix(topic.text("KmsMasterKeyId"), "DataDataKey") {
			t.Errorf("the topic's key is %q", topic.text("KmsMasterKeyId"))
		}
		budget := s.of(t, "AWS::Budgets::Budget")[0]
		budget.want(t, map[string]any{"Budget.BudgetLimit": map[string]any{"Amount": s.Stage.MonthlyUSD, "Unit": "USD"}})
	})
}

// TestAFailedRotationIsHeard by an event of Secrets Manager, and by the errors
// of the functions that rotate.
func TestAFailedRotationIsHeard(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		topic := s.of(t, "AWS::SNS::Topic")[0]
		heard := false
		for _, r := range s.of(t, "AWS::Events::Rule") {
			if r.get("EventPattern") == nil {
				continue
			}
			r.want(t, map[string]any{"State": "ENABLED", "EventPattern": map[string]any{
				"source": []string{"aws.secretsmanager"}, "detail-type": []string{"AWS Service Event via CloudTrail"},
				"detail": map[string]any{"eventSource": []string{"secretsmanager.amazonaws.com"}, "eventName": []string{"RotationFailed", "RotationAbandoned"}},
			}})
			target := resource{Properties: r.get("Targets").([]any)[0].(map[string]any)}
			if target.text("Arn") != topic.id || !strings.Contains(target.text("InputTransformer.InputTemplate"), runbooks+"rotation.md") {
				t.Errorf("%s: target %v", r.id, target.Properties)
			}
			may := map[string][]string{}
			for _, one := range s.statements(t, resource{Properties: map[string]any{"Role": target.get("RoleArn")}}) {
				may[strings.TrimSuffix(flat(one.Resource), ".Arn")] = flatten(one.Action)
			}
			if !slices.Equal(may[topic.id], []string{"sns:Publish"}) || !slices.Equal(may[strings.TrimSuffix(topic.text("KmsMasterKeyId"), ".Arn")], []string{"kms:Decrypt", "kms:GenerateDataKey"}) || len(may) != 2 {
				t.Errorf("%s may %v", target.text("RoleArn"), may)
			}
			heard = true
		}
		if !heard {
			t.Error("no rule")
		}
		for _, a := range s.of(t, "AWS::CloudWatch::Alarm") {
			if !strings.HasSuffix(a.text("AlarmName"), "-RotationFailed") {
				continue
			}
			for _, r := range s.of(t, "AWS::SecretsManager::RotationSchedule") {
				if name := r.text("HostedRotationLambda.RotationLambdaName"); name == "" || !strings.Contains(a.text("Metrics"), `"`+name+`"`) {
					t.Errorf("errors of %q are not heard", name)
				}
			}
		}
	})
}
