package main

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/jsii-runtime-go"

	"github.com/deskhand/deskhand/shared/catalogue"
)

// NewSchedules makes the clock of catalogue.Schedules(): one rule, as often as
// the most frequent of them. At each tick the function sends what is due of
// all, claimed by slot, so that a tick too many or one late is no matter.
func NewSchedules(stack awscdk.Stack, f *Functions) {
	scope := part(stack, "Schedules")
	awsevents.NewRule(scope, jsii.String("Tick"), &awsevents.RuleProps{
		Description: jsii.String("Deskhand: sends the schedules that are due"),
		Schedule:    awsevents.Schedule_Rate(duration(tickEvery())),
		Targets: &[]awsevents.IRuleTarget{awseventstargets.NewLambdaFunction(f.All["catalogue"], &awseventstargets.LambdaFunctionProps{
			RetryAttempts: jsii.Number(0), MaxEventAge: awscdk.Duration_Minutes(jsii.Number(1)), // the next tick does the same
		})},
	})
}

// tickEvery is the shortest time between two slots of any schedule.
func tickEvery() time.Duration {
	least := 24 * time.Hour
	for _, s := range catalogue.Schedules() {
		least = min(least, s.Every)
	}
	return least
}
