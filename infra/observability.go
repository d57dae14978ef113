package main

import "github.com/aws/aws-cdk-go/awscdk/v2"

// Observability is the dashboards and the alarms.
type Observability struct{}

// NewObservability makes them.
func NewObservability(stack awscdk.Stack, stage Stage, d *Deskhand) *Observability { return nil }
