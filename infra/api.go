package main

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscertificatemanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awswafv2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// API is the way in: API Gateway behind a firewall.
type API struct {
	Rest     awsapigateway.RestApi
	Firewall awswafv2.CfnWebACL
}

// routes is what the API leads to which function. What is not here is not
// reachable; the functions know the methods and say 405.
var routes = []struct{ path, function string }{
	{"/webhook/{tool}", "webhook"},
	{"/webhook/{tool}/updated", "webhook"},
	{"/webhook/{tool}/replied", "webhook"},
	{"/webhook/{tool}/resolved", "webhook"},
	{"/webhook/{tool}/closed", "webhook"},
	{"/webhook/{tool}/{connection}", "webhook"},
	{"/webhook/{tool}/{connection}/updated", "webhook"},
	{"/webhook/{tool}/{connection}/replied", "webhook"},
	{"/webhook/{tool}/{connection}/resolved", "webhook"},
	{"/webhook/{tool}/{connection}/closed", "webhook"},
	{"/healthz", "webhook"},
	{"/api/{proxy+}", "admin"},
	{"/feedback/{token}", "admin"},
}

// accessLog is a line of the access log: no body, no header, no query, and of the
// path only the route, for the links at a note's foot are secrets.
const accessLog = `{"requestId":"$context.requestId","time":"$context.requestTime","ip":"$context.identity.sourceIp","method":"$context.httpMethod",` +
	`"route":"$context.resourcePath","status":"$context.status","bytes":"$context.responseLength",` +
	`"latency":"$context.responseLatency","integrationStatus":"$context.integration.status","integrationLatency":"$context.integration.latency",` +
	`"error":"$context.error.message","waf":"$context.waf.status"}`

// NewAPI makes the API. It passes bytes on as they are: signatures are over
// bytes, so it validates nothing, and all media types are binary.
func NewAPI(stack awscdk.Stack, stage Stage, f *Functions) *API {
	scope := part(stack, "Api")
	props := &awsapigateway.RestApiProps{
		RestApiName: jsii.String("deskhand-" + stage.Name), BinaryMediaTypes: jsii.Strings("*/*"), CloudWatchRole: jsii.Bool(true),
		EndpointTypes: &[]awsapigateway.EndpointType{awsapigateway.EndpointType_REGIONAL}, DisableExecuteApiEndpoint: jsii.Bool(stage.Domain != ""),
		DeployOptions: &awsapigateway.StageOptions{
			StageName: jsii.String("v1"), LoggingLevel: awsapigateway.MethodLoggingLevel_ERROR, DataTraceEnabled: jsii.Bool(false), MetricsEnabled: jsii.Bool(true),
			ThrottlingRateLimit: jsii.Number(stage.RequestsPerSecond), ThrottlingBurstLimit: jsii.Number(2 * stage.RequestsPerSecond),
			AccessLogDestination: awsapigateway.NewLogGroupLogDestination(logGroup(scope, "AccessLog")),
			AccessLogFormat:      awsapigateway.AccessLogFormat_Custom(jsii.String(accessLog)),
		},
	}
	if stage.Domain != "" {
		props.DomainName = &awsapigateway.DomainNameOptions{
			DomainName: jsii.String(stage.Domain), SecurityPolicy: awsapigateway.SecurityPolicy_TLS_1_2,
			Certificate: awscertificatemanager.Certificate_FromCertificateArn(scope, jsii.String("Certificate"), jsii.String(stage.Certificate)),
		}
	}
	a := &API{Rest: awsapigateway.NewRestApi(scope, jsii.String("Rest"), props)}
	for _, r := range routes {
		a.route(r.path, f.All[r.function])
	}
	f.reachedAt(a.url(stage))
	accept(a.Rest, "APIG2", "Bodies are validated by the function, after their signature: nothing may change or refuse them before")
	accept(a.Rest, "APIG4", "Webhooks and the links of notes carry signatures, the admin API bearer tokens: the functions check both, in every host")
	accept(a.Rest, "COG4", "Callers are ticketing tools and operators with tokens, no users of a Cognito pool")
	accept(a.Rest, "IAM4", "The role that API Gateway logs with, as AWS prescribes it for the account",
		"Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs")
	a.firewall(scope, stage)
	a.outputs(stack, stage)
	return a
}

// route leads a path, with every method, to a function.
func (a *API) route(path string, to awslambda.Function) {
	at := a.Rest.Root()
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		next := at.GetResource(jsii.String(segment))
		if next == nil {
			next = at.AddResource(jsii.String(segment), nil)
		}
		at = next
	}
	at.AddMethod(jsii.String("ANY"), awsapigateway.NewLambdaIntegration(to, &awsapigateway.LambdaIntegrationOptions{AllowTestInvoke: jsii.Bool(false)}), nil)
}

// url is where browsers reach the API. It names no part of the API that waits for
// the functions, so that these can have it.
func (a *API) url(stage Stage) *string {
	if stage.Domain != "" {
		return jsii.String("https://" + stage.Domain)
	}
	return jsii.String("https://" + *a.Rest.RestApiId() + ".execute-api." + stage.Region + ".amazonaws.com/v1")
}

func (a *API) outputs(stack awscdk.Stack, stage Stage) {
	if stage.Domain == "" {
		output(stack, "Url", "Where the ticketing tools send their webhooks: this and webhook/...", a.Rest.Url())
		return
	}
	output(stack, "Url", "Where the ticketing tools send their webhooks: this and webhook/...", jsii.String("https://"+stage.Domain+"/"))
	output(stack, "DomainTarget", "Point the domain's DNS record (CNAME, or alias) here", a.Rest.DomainName().DomainNameAliasDomainName())
}

// tooLong is a Content-Length of 2,000,000 or more: twice what the webhook takes.
// A body itself is seen by a firewall up to 64 KiB only.
const tooLong = `^([2-9]\d{6}|[1-9]\d{7,})$`

// none are the settings of what has none.
var none = map[string]any{}

// firewall blocks by rate and by size alone. Rules that look into bodies only
// count: a ticket may quote an attack, and has to come through.
func (a *API) firewall(scope constructs.Construct, stage Stage) {
	asIs := []*awswafv2.CfnWebACL_TextTransformationProperty{{Priority: jsii.Number(0), Type: jsii.String("NONE")}}
	rules := []*awswafv2.CfnWebACL_RuleProperty{
		blocked("Rate", &awswafv2.CfnWebACL_StatementProperty{RateBasedStatement: &awswafv2.CfnWebACL_RateBasedStatementProperty{
			AggregateKeyType: jsii.String("IP"), Limit: jsii.Number(stage.RequestsPerSource), EvaluationWindowSec: jsii.Number(300),
		}}),
		blocked("Length", &awswafv2.CfnWebACL_StatementProperty{RegexMatchStatement: &awswafv2.CfnWebACL_RegexMatchStatementProperty{
			FieldToMatch: &awswafv2.CfnWebACL_FieldToMatchProperty{SingleHeader: map[string]string{"Name": "content-length"}},
			RegexString:  jsii.String(tooLong), TextTransformations: asIs,
		}}),
		blocked("Query", &awswafv2.CfnWebACL_StatementProperty{SizeConstraintStatement: &awswafv2.CfnWebACL_SizeConstraintStatementProperty{
			FieldToMatch: &awswafv2.CfnWebACL_FieldToMatchProperty{QueryString: none}, ComparisonOperator: jsii.String("GT"), Size: jsii.Number(4096), TextTransformations: asIs,
		}}),
	}
	for _, group := range []string{"AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesSQLiRuleSet"} {
		rules = append(rules, &awswafv2.CfnWebACL_RuleProperty{
			Name: jsii.String(group), OverrideAction: &awswafv2.CfnWebACL_OverrideActionProperty{Count: none}, VisibilityConfig: visibility(group),
			Statement: &awswafv2.CfnWebACL_StatementProperty{ManagedRuleGroupStatement: &awswafv2.CfnWebACL_ManagedRuleGroupStatementProperty{
				VendorName: jsii.String("AWS"), Name: jsii.String(group),
			}},
		})
	}
	for i, rule := range rules {
		rule.Priority = jsii.Number(i)
	}
	a.Firewall = awswafv2.NewCfnWebACL(scope, jsii.String("Firewall"), &awswafv2.CfnWebACLProps{
		Scope: jsii.String("REGIONAL"), DefaultAction: &awswafv2.CfnWebACL_DefaultActionProperty{Allow: none}, VisibilityConfig: visibility("All"), Rules: rules,
	})
	awswafv2.NewCfnWebACLAssociation(scope, jsii.String("Protected"), &awswafv2.CfnWebACLAssociationProps{
		ResourceArn: a.Rest.DeploymentStage().StageArn(), WebAclArn: a.Firewall.AttrArn(),
	})
}

func blocked(name string, statement *awswafv2.CfnWebACL_StatementProperty) *awswafv2.CfnWebACL_RuleProperty {
	return &awswafv2.CfnWebACL_RuleProperty{
		Name: jsii.String(name), Statement: statement, Action: &awswafv2.CfnWebACL_RuleActionProperty{Block: none}, VisibilityConfig: visibility(name),
	}
}

// visibility counts, and keeps no samples: they would show tokens.
func visibility(name string) *awswafv2.CfnWebACL_VisibilityConfigProperty {
	return &awswafv2.CfnWebACL_VisibilityConfigProperty{
		CloudWatchMetricsEnabled: true, SampledRequestsEnabled: false, MetricName: jsii.String("deskhand" + name),
	}
}
