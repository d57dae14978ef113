package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// who says which functions need an action, and so may take it. A new call of
// the SDK anywhere under shared/ needs a row, and a row needs a grant.
var who = map[string][]string{
	"sqs:SendMessage":               {"webhook", "enhance", "catalogue", "admin"},
	"sqs:ReceiveMessage":            {"enhance", "catalogue", "admin"},
	"sqs:DeleteMessage":             {"enhance", "catalogue", "admin"},
	"sqs:ChangeMessageVisibility":   {"enhance", "catalogue", "admin"},
	"sqs:GetQueueAttributes":        {"enhance", "catalogue", "admin"},
	"secretsmanager:GetSecretValue": {"webhook", "enhance", "catalogue", "admin", "migrate"},
	"secretsmanager:PutSecretValue": {"migrate"},
	"kms:Decrypt":                   {"webhook", "enhance", "catalogue", "admin", "migrate"},
	"kms:Encrypt":                   {"migrate"},
	"lambda:InvokeFunction":         {}, // an operator calls admin; no function calls another
}

// notOurs are actions that AWS takes with the role, not our code.
var notOurs = map[string][]string{
	"kms:GenerateDataKey":            {"migrate"}, // Secrets Manager, for PutSecretValue
	"logs:CreateLogStream":           {"webhook", "enhance", "catalogue", "admin", "migrate"},
	"logs:PutLogEvents":              {"webhook", "enhance", "catalogue", "admin", "migrate"},
	"ec2:CreateNetworkInterface":     {"webhook", "enhance", "catalogue", "admin", "migrate"},
	"ec2:DeleteNetworkInterface":     {"webhook", "enhance", "catalogue", "admin", "migrate"},
	"ec2:DescribeNetworkInterfaces":  {"webhook", "enhance", "catalogue", "admin", "migrate"},
	"ec2:DescribeSubnets":            {"webhook", "enhance", "catalogue", "admin", "migrate"},
	"ec2:AssignPrivateIpAddresses":   {"webhook", "enhance", "catalogue", "admin", "migrate"},
	"ec2:UnassignPrivateIpAddresses": {"webhook", "enhance", "catalogue", "admin", "migrate"},
}

// byLibraries are the actions of calls that a library makes for us.
var byLibraries = map[string][]string{
	"github.com/tink-crypto/tink-go-awskms/v3/integration/awskms": {"kms:Encrypt", "kms:Decrypt"},
}

// renamed are operations whose action has another name.
var renamed = map[string]string{"lambda:Invoke": "lambda:InvokeFunction"}

const sdk = "github.com/aws/aws-sdk-go-v2/service/"

// calls reads which actions the product's code takes, with the file of each.
func calls(t *testing.T, root string) map[string]string {
	t.Helper()
	actions := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasSuffix(d.Name(), "fake") || strings.HasSuffix(d.Name(), "test") || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			for _, action := range callsOf(t, path, nil) {
				actions[action] = path
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return actions
}

// callsOf reads one file: an operation is called with its Input.
func callsOf(t *testing.T, path string, source any) (actions []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	services := map[string]string{}
	for _, i := range file.Imports {
		from, _ := strconv.Unquote(i.Path.Value)
		actions = append(actions, byLibraries[from]...)
		service, ours := strings.CutPrefix(from, sdk)
		if !ours || strings.Contains(service, "/") {
			continue
		}
		name := service
		if i.Name != nil {
			name = i.Name.Name
		}
		services[name] = service
	}
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		from, _ := selector.X.(*ast.Ident)
		operation, input := strings.CutSuffix(selector.Sel.Name, "Input")
		if from == nil || !input || services[from.Name] == "" {
			return true
		}
		action := services[from.Name] + ":" + strings.TrimSuffix(operation, "Batch")
		if other, ok := renamed[action]; ok {
			action = other
		}
		actions = append(actions, action)
		return true
	})
	return actions
}

func TestEveryCallOfTheSDKHasItsPermission(t *testing.T) {
	t.Parallel()
	found := calls(t, "../shared")
	for _, action := range slices.Sorted(maps.Keys(found)) {
		if _, known := who[action]; !known {
			t.Errorf("%s takes %s: say in this file which functions need it, and grant it in functions.go", found[action], action)
		}
	}
	for action := range who {
		if found[action] == "" {
			t.Errorf("no code takes %s any more", action)
		}
	}
}

func TestANewCallIsFound(t *testing.T) {
	t.Parallel()
	const source = "package p\nimport (\n\"github.com/aws/aws-sdk-go-v2/service/sqs\"\nmail \"github.com/aws/aws-sdk-go-v2/service/ses\"\n)\n" +
		"var a, b, c any = &mail.SendEmailInput{}, sqs.SendMessageBatchInput{}, sqs.Options{}"
	if diff := cmp.Diff([]string{"ses:SendEmail", "sqs:SendMessage"}, callsOf(t, "p.go", source)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// statement is one of a policy.
type statement struct {
	Effect           string
	Action, Resource any
	Condition        map[string]any
}

// statements are those of a function's role.
func (s synthesis) statements(t *testing.T, f resource) (list []statement) {
	t.Helper()
	role := strings.TrimSuffix(f.text("Role"), ".Arn")
	if s.Resources[role].get("ManagedPolicyArns") != nil || s.Resources[role].get("Policies") != nil {
		t.Errorf("%s has more than its own policy", role)
	}
	for _, p := range s.of(t, "AWS::IAM::Policy") {
		if !slices.Contains(flatten(p.get("Roles")), role) {
			continue
		}
		for _, one := range p.get("PolicyDocument.Statement").([]any) {
			m := one.(map[string]any)
			condition, _ := m["Condition"].(map[string]any)
			list = append(list, statement{flat(m["Effect"]), m["Action"], m["Resource"], condition})
		}
	}
	return list
}

func TestFunctionsMayDoWhatTheirCodeDoesAndNoMore(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		want := map[string][]string{}
		for _, rows := range []map[string][]string{who, notOurs} {
			for action, names := range rows {
				for _, name := range names {
					want[name] = append(want[name], action)
				}
			}
		}
		got := map[string][]string{}
		for name, f := range s.functions(t) {
			for _, one := range s.statements(t, f) {
				if one.Effect == "Allow" {
					got[name] = append(got[name], flatten(one.Action)...)
				}
			}
		}
		for _, list := range []map[string][]string{want, got} {
			for name := range list {
				slices.Sort(list[name])
				list[name] = slices.Compact(list[name])
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-code +template):\n%s", diff)
		}
	})
}

// reach is what each function's actions are on, besides its own log: prefixes
// of logical ids.
var reach = map[string][]string{
	"webhook sqs": {"QueuesCatalogue", "QueuesEnhancement"}, "enhance sqs": {"QueuesEnhancement", "QueuesEnhancementDead"},
	"catalogue sqs": {"QueuesCatalogue", "QueuesCatalogueDead"}, "admin sqs": {"QueuesCatalogue", "QueuesCatalogueDead", "QueuesEnhancement", "QueuesEnhancementDead"},
	"webhook secretsmanager": {"DataAppUserAttachment", "DataApplication", "DataCachedeskhand"}, "catalogue secretsmanager": {"DataAppUserAttachment", "DataApplication", "DataCachedeskhand", "DataModel"},
	"admin secretsmanager": {"DataAdminUserAttachment", "DataAppUserAttachment", "DataApplication", "DataCachedeskhand"}, "enhance secretsmanager": {"DataAppUserAttachment", "DataApplication", "DataCachedeskhand", "DataModel"},
	"migrate secretsmanager": {"DataAdminUserAttachment", "DataAppUserAttachment", "DataApplication", "DataPostgresSecretAttachment"},
	"webhook kms:Decrypt":    {"DataDataKey", "DataSealingKey"}, "enhance kms:Decrypt": {"DataDataKey", "DataSealingKey"},
	"catalogue kms:Decrypt": {"DataDataKey", "DataSealingKey"}, "admin kms:Decrypt": {"DataDataKey", "DataSealingKey"},
	"migrate kms:Decrypt": {"DataDataKey", "DataSealingKey"}, "migrate kms:Encrypt": {"DataSealingKey"}, "migrate kms:GenerateDataKey": {"DataDataKey"},
}

func TestPermissionsAreOnWhatIsNeeded(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		got := map[string][]string{}
		for name, f := range s.functions(t) {
			for _, one := range s.statements(t, f) {
				service, _, _ := strings.Cut(flatten(one.Action)[0], ":")
				for _, on := range flatten(one.Resource) {
					switch id := strings.TrimSuffix(on, ".Arn"); {
					case on == "*" && service != "ec2":
						t.Errorf("%s: %v on everything", name, one.Action)
					case service == "kms" && strings.HasPrefix(on, "DataDataKey") && one.Condition["StringEquals"] == nil:
						t.Errorf("%s: %v with the data key, not for Secrets Manager alone", name, one.Action)
					case service == "kms":
						for _, action := range flatten(one.Action) {
							got[name+" "+action] = append(got[name+" "+action], id[:len(id)-8])
						}
					case service == "sqs" || service == "secretsmanager":
						got[name+" "+service] = append(got[name+" "+service], id[:len(id)-8])
					}
				}
			}
		}
		for key := range got {
			slices.Sort(got[key])
			got[key] = slices.Compact(got[key])
		}
		if diff := cmp.Diff(reach, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestTheCodeItselfMakesNoNetworkInterfaces(t *testing.T) {
	t.Parallel()
	eachStage(t, func(t *testing.T, s synthesis) {
		for name, f := range s.functions(t) {
			denied := slices.ContainsFunc(s.statements(t, f), func(one statement) bool {
				return one.Effect == "Deny" && slices.Contains(flatten(one.Action), "ec2:CreateNetworkInterface") &&
					flat(one.Condition["Null"]) == `{"lambda:SourceFunctionArn":"false"}`
			})
			if !denied {
				t.Errorf("%s may", name)
			}
		}
	})
}
