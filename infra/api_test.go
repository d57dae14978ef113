package main

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// paths are the API's routes, as the template has them, with their functions.
func (s synthesis) paths(t *testing.T) map[string]string {
	t.Helper()
	var path func(id string) string
	path = func(id string) string {
		r, ok := s.Resources[id]
		if !ok || r.Type != "AWS::ApiGateway::Resource" {
			return ""
		}
		return path(flat(r.get("ParentId"))) + "/" + r.text("PathPart")
	}
	routes := map[string]string{}
	for _, m := range s.of(t, "AWS::ApiGateway::Method") {
		m.want(t, map[string]any{"HttpMethod": "ANY", "Integration.Type": "AWS_PROXY", "RequestValidatorId": nil, "RequestModels": nil, "AuthorizationType": "NONE"})
		for name, f := range s.functions(t) {
			if strings.Contains(m.text("Integration.Uri"), f.id+".Arn") {
				routes[path(m.text("ResourceId"))] = name
			}
		}
	}
	return routes
}

// TestTheAPILeadsToWhatTheCodeServes reads the routes of the code.
func TestTheAPILeadsToWhatTheCodeServes(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../shared/webhook/receiver.go")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"/api/{proxy+}": "admin", "/feedback/{token}": "admin", "/healthz": "webhook"}
	for _, m := range regexp.MustCompile(`HandleFunc\("(/webhook[^"]*)"`).FindAllStringSubmatch(string(source), -1) {
		want[m[1]] = "webhook"
	}
	if len(want) < 6 {
		t.Fatalf("found only %v in the code", want)
	}
	eachStage(t, func(t *testing.T, s synthesis) {
		if diff := cmp.Diff(want, s.paths(t)); diff != "" {
			t.Errorf("(-code +template):\n%s", diff)
		}
		s.of(t, "AWS::ApiGateway::RestApi")[0].want(t, map[string]any{"BinaryMediaTypes": []string{"*/*"}, "DisableExecuteApiEndpoint": s.Stage.Domain != ""})
	})
}

func TestTheAPIIsThrottledAndLogsNoBody(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		stage := s.of(t, "AWS::ApiGateway::Stage")[0]
		settings, _ := stage.get("MethodSettings").([]any)
		if len(settings) != 1 {
			t.Fatalf("settings %v", settings)
		}
		for name, want := range map[string]any{"DataTraceEnabled": false, "ThrottlingRateLimit": float64(s.Stage.RequestsPerSecond), "LoggingLevel": "ERROR"} {
			if got := settings[0].(map[string]any)[name]; got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		var line map[string]string
		if err := json.Unmarshal([]byte(stage.text("AccessLogSetting.Format")), &line); err != nil {
			t.Fatal(err)
		}
		for name, value := range line {
			if strings.Contains(value, "body") || strings.Contains(value, "header") || strings.Contains(value, "querystring") || strings.Contains(value, "authorizer") || value == "$context.path" {
				t.Errorf("the access log has %s: %s", name, value)
			}
		}
	})
}

func TestTheFirewallBlocksByRateAndSizeOnly(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		acl := s.of(t, "AWS::WAFv2::WebACL")[0]
		acl.want(t, map[string]any{"Scope": "REGIONAL", "DefaultAction": map[string]any{"Allow": map[string]any{}}})
		counts := 0
		for _, one := range acl.get("Rules").([]any) {
			rule := resource{id: acl.id, Properties: one.(map[string]any)}
			kind := slices.Sorted(maps.Keys(rule.get("Statement").(map[string]any)))[0]
			looksIntoBody := strings.Contains(rule.text("Statement"), "Body")
			switch {
			case kind == "ManagedRuleGroupStatement":
				counts++
				rule.want(t, map[string]any{"OverrideAction": map[string]any{"Count": map[string]any{}}, "Action": nil})
			case kind == "RegexMatchStatement":
				rule.want(t, map[string]any{"Statement.RegexMatchStatement.FieldToMatch": map[string]any{"SingleHeader": map[string]any{"Name": "content-length"}}})
			case kind != "RateBasedStatement" && kind != "SizeConstraintStatement", looksIntoBody:
				t.Errorf("%s blocks by %s: %s", rule.text("Name"), kind, rule.text("Statement"))
			}
			rule.want(t, map[string]any{"VisibilityConfig.SampledRequestsEnabled": false})
		}
		if counts < 2 {
			t.Errorf("%d groups of rules count", counts)
		}
		s.of(t, "AWS::WAFv2::WebACLAssociation")
	})
}

func TestADomainHasTLS12AndIsTheOnlyWayIn(t *testing.T) {
	t.Parallel()
	stages, err := all()
	if err != nil {
		t.Fatal(err)
	}
	s := stages["options"]
	s.of(t, "AWS::ApiGateway::DomainName")[0].want(t, map[string]any{"DomainName": "deskhand.example.com", "SecurityPolicy": "TLS_1_2"})
	s.of(t, "AWS::ApiGateway::BasePathMapping")[0].want(t, map[string]any{"BasePath": nil})
	if flat(s.Outputs["Url"].(map[string]any)["Value"]) != "https://deskhand.example.com/" || s.Outputs["DomainTarget"] == nil {
		t.Errorf("outputs %v", s.Outputs)
	}
}

func TestTheFirewallLetsThroughWhatTheWebhookTakes(t *testing.T) {
	t.Parallel()
	long := regexp.MustCompile(tooLong)
	for length, want := range map[string]bool{"0": false, "1048576": false, "1999999": false, "2000000": true, "10485760": true, "99999999": true} {
		if got := long.MatchString(length); got != want {
			t.Errorf("a body of %s bytes is blocked: %v", length, got)
		}
	}
}
