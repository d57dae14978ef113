// Package moto reaches the SQS that the tests here run against, which
// .ci/with-moto starts. It is for tests: what fails ends them.
package moto

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	adapter "github.com/deskhand/deskhand/shared/queue/sqs"
)

// Environment is what leads the AWS SDK to the server. It ends the process
// where there is none.
func Environment() map[string]string {
	url := os.Getenv("SQS_TEST_URL")
	if url == "" {
		_, _ = io.WriteString(os.Stderr, "SQS_TEST_URL is not set: run `make sqs-test` or `make lambda-test`, which start a server and set it\n")
		os.Exit(1)
	}
	return map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true",
	}
}

// Use makes Environment this process's.
func Use() {
	for name, value := range Environment() {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
}

// Connect gives the product's own client.
func Connect(t testing.TB) *sqs.Client {
	t.Helper()
	client, err := adapter.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// Name is the test's name as a queue may have it, with room for an ending.
func Name(t testing.TB) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, t.Name())
	return name[max(0, len(name)-60):]
}

// Create makes a queue with its dead-letter queue, as an installation does:
// after so many receives, SQS itself gives up. It gives their URLs.
func Create(t testing.TB, client *sqs.Client, name, receives string) (url, dead string) {
	t.Helper()
	create := func(name string, attributes map[string]string) string {
		out, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
		if err != nil {
			t.Fatal(err)
		}
		return *out.QueueUrl
	}
	dead = create(name+"-dead", map[string]string{"MessageRetentionPeriod": "1209600"})
	out, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &dead, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := json.Marshal(map[string]string{"deadLetterTargetArn": out.Attributes["QueueArn"], "maxReceiveCount": receives})
	if err != nil {
		t.Fatal(err)
	}
	return create(name, map[string]string{"RedrivePolicy": string(policy), "VisibilityTimeout": "60"}), dead
}
