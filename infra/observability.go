package main

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsbudgets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/aws-cdk-go/awscdk/v2/interfaces/interfacesawscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/deskhand/deskhand/shared/metric"
)

// Observability is two dashboards, and alarms that go to one topic.
type Observability struct {
	Topic awssns.Topic

	alarms []interfacesawscloudwatch.IAlarmRef // as the status widget wants them
}

// runbooks is where the alarms' runbooks are read.
const runbooks = "https://github.com/deskhand/deskhand/blob/main/docs/runbooks/"

// NewObservability makes alarms and dashboards of what the others made.
func NewObservability(stack awscdk.Stack, stage Stage, d *Deskhand) *Observability {
	scope := part(stack, "Observability")
	o := &Observability{Topic: awssns.NewTopic(scope, jsii.String("Alarms"), &awssns.TopicProps{
		DisplayName: jsii.String("Deskhand " + stage.Name), MasterKey: d.Data.DataKey, EnforceSSL: jsii.Bool(true),
	})}
	o.publishers(stack, d.Data)
	if stage.AlarmEmail != "" {
		o.Topic.AddSubscription(awssnssubscriptions.NewEmailSubscription(jsii.String(stage.AlarmEmail), nil))
	}
	for _, a := range alarms(stage, d) {
		o.alarm(scope, stage, a)
	}
	o.rotation(scope, d.Data)
	o.budget(scope, stage)
	dashboard(scope, "deskhand-"+stage.Name+"-operations", o.operations(d))
	dashboard(scope, "deskhand-"+stage.Name+"-tenants", tenantsCostQuality())
	output(stack, "AlarmTopic", "Subscribe here what should hear of alarms: a pager, a chat", o.Topic.TopicArn())
	return o
}

// publishers lets alarms and the budget of this account publish, and use the
// key of the topic for it.
func (o *Observability) publishers(stack awscdk.Stack, d *Data) {
	ours := &map[string]any{"StringEquals": map[string]*string{"aws:SourceAccount": stack.Account()}}
	services := &[]awsiam.IPrincipal{
		awsiam.NewServicePrincipal(jsii.String("cloudwatch.amazonaws.com"), nil), awsiam.NewServicePrincipal(jsii.String("budgets.amazonaws.com"), nil),
	}
	o.Topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: services, Actions: jsii.Strings("sns:Publish"), Resources: &[]*string{o.Topic.TopicArn()}, Conditions: ours,
	}))
	d.DataKey.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: services, Actions: jsii.Strings("kms:Decrypt", "kms:GenerateDataKey"), Resources: jsii.Strings("*"), Conditions: ours, // * is this key
	}), nil)
}

// alarm is one alarm: what is looked at, from where on it is bad, and for how
// many periods.
type alarm struct {
	name, severity string
	says           string // what it means, in one sentence
	runbook        string // a file of docs/runbooks
	metric         awscloudwatch.IMetric
	threshold      float64
	below          bool // bad is what lies under the threshold
	periods        int
}

// Severities: critical is worth a night's sleep.
const critical, warning = "critical", "warning"

func (o *Observability) alarm(scope constructs.Construct, stage Stage, a alarm) {
	bad := awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD
	if a.below {
		bad = awscloudwatch.ComparisonOperator_LESS_THAN_THRESHOLD
	}
	made := awscloudwatch.NewAlarm(scope, jsii.String(a.name), &awscloudwatch.AlarmProps{
		AlarmName: jsii.String("deskhand-" + stage.Name + "-" + a.name), Metric: a.metric, ComparisonOperator: bad,
		AlarmDescription: jsii.String(fmt.Sprintf("[%s] %s Runbook: %s%s", a.severity, a.says, runbooks, a.runbook)),
		Threshold:        jsii.Number(a.threshold), EvaluationPeriods: jsii.Number(a.periods), DatapointsToAlarm: jsii.Number(a.periods),
		TreatMissingData: awscloudwatch.TreatMissingData_NOT_BREACHING,
	})
	action := awscloudwatchactions.NewSnsAction(o.Topic)
	made.AddAlarmAction(action)
	made.AddOkAction(action)
	o.alarms = append(o.alarms, made)
}

// rotation tells of rotations that Secrets Manager gave up, also where it could
// not call the function: CloudWatch has no metric of that, CloudTrail an event.
// The pattern has no names of secrets: a failed rotation of another is worth a
// look, too, and one missed for its spelling is not noticed for months.
func (o *Observability) rotation(scope constructs.Construct, d *Data) {
	may := awsiam.NewRole(scope, jsii.String("TellerOfRotations"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil),
	})
	statements := []awsiam.PolicyStatement{allow([]string{"sns:Publish"}, o.Topic.TopicArn()), allow([]string{"kms:Decrypt", "kms:GenerateDataKey"}, d.DataKey.KeyArn())}
	policy := awsiam.NewPolicy(may, jsii.String("Policy"), &awsiam.PolicyProps{Roles: &[]awsiam.IRole{may}, Statements: &statements})
	says := "[critical] Secrets Manager says " + *awsevents.EventField_FromPath(jsii.String("$.detail.eventName")) + " of " +
		*awsevents.EventField_FromPath(jsii.String("$.detail.additionalEventData.SecretId")) + ". Runbook: " + runbooks + "rotation.md"
	awsevents.NewRule(scope, jsii.String("RotationGivenUp"), &awsevents.RuleProps{
		Description: jsii.String("Deskhand: a secret was not rotated"),
		EventPattern: &awsevents.EventPattern{
			Source: jsii.Strings("aws.secretsmanager"), DetailType: jsii.Strings("AWS Service Event via CloudTrail"),
			Detail: &map[string]any{"eventSource": []string{"secretsmanager.amazonaws.com"}, "eventName": []string{"RotationFailed", "RotationAbandoned"}},
		},
		Targets: &[]awsevents.IRuleTarget{awseventstargets.NewSnsTopic(o.Topic, &awseventstargets.SnsTopicProps{
			Role: may.WithoutPolicyUpdates(nil), Message: awsevents.RuleTargetInput_FromText(jsii.String(says)),
		})},
	}).Node().AddDependency(policy)
}

// budget tells of what AWS bills for this stage, by its tag.
func (o *Observability) budget(scope constructs.Construct, stage Stage) {
	tell := func(kind string, percent float64) *awsbudgets.CfnBudget_NotificationWithSubscribersProperty {
		return &awsbudgets.CfnBudget_NotificationWithSubscribersProperty{
			Notification: &awsbudgets.CfnBudget_NotificationProperty{
				NotificationType: jsii.String(kind), ComparisonOperator: jsii.String("GREATER_THAN"), Threshold: jsii.Number(percent), ThresholdType: jsii.String("PERCENTAGE"),
			},
			Subscribers: []*awsbudgets.CfnBudget_SubscriberProperty{{SubscriptionType: jsii.String("SNS"), Address: o.Topic.TopicArn()}},
		}
	}
	awsbudgets.NewCfnBudget(scope, jsii.String("Budget"), &awsbudgets.CfnBudgetProps{
		Budget: &awsbudgets.CfnBudget_BudgetDataProperty{
			BudgetName: jsii.String("deskhand-" + stage.Name), BudgetType: jsii.String("COST"), TimeUnit: jsii.String("MONTHLY"),
			BudgetLimit: &awsbudgets.CfnBudget_SpendProperty{Amount: jsii.Number(stage.MonthlyUSD), Unit: jsii.String("USD")},
			CostFilters: map[string]any{"TagKeyValue": []string{"user:" + costTag + "$" + stage.Name}},
		},
		NotificationsWithSubscribers: []*awsbudgets.CfnBudget_NotificationWithSubscribersProperty{tell("ACTUAL", 80), tell("FORECASTED", 100)},
	})
}

// measure is a metric of CloudWatch over so many seconds. label may be empty.
func measure(namespace, name, statistic, label string, seconds float64, dimensions map[string]*string) awscloudwatch.IMetric {
	props := &awscloudwatch.MetricProps{
		Namespace: jsii.String(namespace), MetricName: jsii.String(name), Statistic: jsii.String(statistic),
		Period: awscdk.Duration_Seconds(jsii.Number(seconds)), DimensionsMap: &dimensions,
	}
	if label != "" {
		props.Label = jsii.String(label)
	}
	return awscloudwatch.NewMetric(props)
}

// ours is a metric of the product for a service as a whole: shared/telemetry
// tells it beside those by tenant. labels are pairs.
func ours(service, name, statistic string, seconds float64, labels ...string) awscloudwatch.IMetric {
	dimensions := map[string]*string{"service": jsii.String(service)}
	for i := 0; i+1 < len(labels); i += 2 {
		dimensions[labels[i]] = jsii.String(labels[i+1])
	}
	return measure(metric.Namespace, name, statistic, "", seconds, dimensions)
}

// compute is an expression over metrics, by their names in it.
func compute(expression, label string, seconds float64, using map[string]awscloudwatch.IMetric) awscloudwatch.IMetric {
	return awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
		Expression: jsii.String(expression), Label: jsii.String(label), Period: awscdk.Duration_Seconds(jsii.Number(seconds)), UsingMetrics: &using,
	})
}
