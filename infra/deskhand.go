package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

// Deskhand is the whole of an installation, as one stack.
type Deskhand struct {
	Stack         awscdk.Stack
	Network       *Network
	Data          *Data
	Queues        *Queues
	Functions     *Functions
	API           *API
	Observability *Observability
}

// costTag is on everything, with the stage: activate it as a cost allocation
// tag, and bills and the budget tell stages apart.
const costTag = "deskhand"

// NewDeskhand adds the stack of a stage to app.
func NewDeskhand(app awscdk.App, stage Stage) *Deskhand {
	env := &awscdk.Environment{Region: jsii.String(stage.Region)}
	if stage.Account != "" {
		env.Account = jsii.String(stage.Account)
	}
	stack := awscdk.NewStack(app, jsii.String("Deskhand"), &awscdk.StackProps{
		StackName: jsii.String("deskhand-" + stage.Name), Env: env, TerminationProtection: jsii.Bool(stage.Protected),
		Description: jsii.String("Deskhand: a briefing on every new support ticket (" + stage.Name + ")"),
	})
	awscdk.Tags_Of(stack).Add(jsii.String(costTag), jsii.String(stage.Name), nil)

	d := &Deskhand{Stack: stack}
	d.Network = NewNetwork(stack, stage)
	d.Data = NewData(stack, stage, d.Network)
	d.Queues = NewQueues(stack)
	d.Functions = NewFunctions(stack, stage, d.Network, d.Data, d.Queues)
	d.API = NewAPI(stack, stage, d.Functions)
	NewSchedules(stack, d.Functions)
	d.Observability = NewObservability(stack, stage, d)
	if stage.Cluster.Admin != "" {
		NewCluster(stack, stage, d)
	}
	return d
}

// part makes a construct whose resources carry its name as a cost tag.
func part(scope constructs.Construct, name string) constructs.Construct {
	p := constructs.NewConstruct(scope, jsii.String(name))
	awscdk.Tags_Of(p).Add(jsii.String("component"), jsii.String(name), nil)
	return p
}

// accept says why a finding of the AWS Solutions rules on a construct, and
// what is in it, is as it should be. For IAM5, at names the wildcards.
func accept(on constructs.IConstruct, rule, reason string, at ...string) {
	suppression := &cdknag.NagPackSuppression{Id: jsii.String("AwsSolutions-" + rule), Reason: jsii.String(reason)}
	if len(at) > 0 {
		list := make([]any, len(at))
		for i, name := range at {
			list[i] = name
		}
		suppression.AppliesTo = &list
	}
	cdknag.NagSuppressions_AddResourceSuppressions(on, &[]*cdknag.NagPackSuppression{suppression}, jsii.Bool(true))
}

// output shows a value after the deployment.
func output(scope constructs.Construct, name, what string, value *string) {
	awscdk.NewCfnOutput(scope, jsii.String(name), &awscdk.CfnOutputProps{Value: value, Description: jsii.String(what)})
}
