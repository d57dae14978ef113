package main

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Queues are what shared/queue/sqs asks for: two queues, each with its dead
// letters.
type Queues struct {
	Enhancement, EnhancementDead, Catalogue, CatalogueDead awssqs.Queue
}

const (
	// retention and deadRetention are how long messages are kept.
	retention     = 7 * 24 * time.Hour
	deadRetention = 14 * 24 * time.Hour
	// backstop is after how many receives SQS itself gives a message up: each
	// of them ended with a dead worker.
	backstop = 10
	// maxMessage is the size of a message in bytes.
	maxMessage = 1 << 20
	// hiddenFor is the visibility time-out in time limits of the function that
	// reads the queue, as AWS advises.
	hiddenFor = 6
)

// NewQueues makes the queues. They are encrypted by SQS: what is confidential
// in a message is sealed besides, and the webhook needs nothing but SQS.
func NewQueues(stack awscdk.Stack) *Queues {
	scope := part(stack, "Queues")
	q := &Queues{}
	q.Enhancement, q.EnhancementDead = queueWithDead(scope, "Enhancement", enhanceLimit)
	q.Catalogue, q.CatalogueDead = queueWithDead(scope, "Catalogue", catalogueLimit)
	return q
}

// queueWithDead makes a queue whose function has so much time.
func queueWithDead(scope constructs.Construct, name string, limit time.Duration) (queue, dead awssqs.Queue) {
	dead = awssqs.NewQueue(scope, jsii.String(name+"Dead"), &awssqs.QueueProps{
		Encryption: awssqs.QueueEncryption_SQS_MANAGED, EnforceSSL: jsii.Bool(true), RetentionPeriod: duration(deadRetention),
		MaxMessageSizeBytes: jsii.Number(maxMessage),
	})
	queue = awssqs.NewQueue(scope, jsii.String(name), &awssqs.QueueProps{
		Encryption: awssqs.QueueEncryption_SQS_MANAGED, EnforceSSL: jsii.Bool(true), RetentionPeriod: duration(retention),
		VisibilityTimeout: duration(hiddenFor * limit), MaxMessageSizeBytes: jsii.Number(maxMessage),
		DeadLetterQueue: &awssqs.DeadLetterQueue{Queue: dead, MaxReceiveCount: jsii.Number(backstop)},
	})
	return queue, dead
}

func duration(d time.Duration) awscdk.Duration {
	return awscdk.Duration_Seconds(jsii.Number(d.Seconds()))
}
