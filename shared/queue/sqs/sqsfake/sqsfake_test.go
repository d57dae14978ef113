package sqsfake_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/queue/sqs/sqsfake"
)

// call asks the fake and gives its answer with the status before it.
func call(t *testing.T, fake *sqsfake.Server, operation, body string) string {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", "AmazonSQS."+operation)
	w := httptest.NewRecorder()
	fake.ServeHTTP(w, r)
	return fmt.Sprintf("%d %s", w.Code, w.Body)
}

// received is what ReceiveMessage gives.
type received struct {
	MessageID     string `json:"MessageId"`
	ReceiptHandle string
	Body          string
	Attributes    map[string]string
}

func receive(t *testing.T, fake *sqsfake.Server, queue, more string) []received {
	t.Helper()
	answer := call(t, fake, "ReceiveMessage", `{"QueueUrl":"http://x/0/`+queue+`","MaxNumberOfMessages":10,"MessageSystemAttributeNames":["All"]`+more+`}`)
	var out struct{ Messages []received }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(answer, "200 ")), &out); err != nil {
		t.Fatalf("%s: %v", answer, err)
	}
	return out.Messages
}

func open() *sqsfake.Server {
	var fake sqsfake.Server
	fake.Create("dead", sqsfake.Settings{})
	fake.Create("q", sqsfake.Settings{Visibility: time.Minute, DeadLetters: "dead", MaxReceives: 2})
	return &fake
}

func TestWhatSQSRefusesIsRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20)
	entries := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`{"Id":"%d","MessageBody":"b"}`, i)
		}
		return `"Entries":[` + strings.Join(list, ",") + `]`
	}
	many := make([]string, 11)
	for i := range many {
		many[i] = fmt.Sprintf(`"a%d":{"DataType":"String","StringValue":"v"}`, i)
	}
	for name, c := range map[string]struct{ operation, body, want string }{
		"another queue":     {"SendMessage", `"QueueUrl":"nowhere"`, "QueueDoesNotExist"},
		"another operation": {"AddPermission", ``, "UnsupportedOperation"},
		"no body":           {"SendMessage", `"MessageBody":""`, "MissingParameter"},
		"too long":          {"SendMessage", `"MessageBody":"` + long + `x"`, "shorter than 1048576"},
		"too late":          {"SendMessage", `"MessageBody":"b","DelaySeconds":901`, "DelaySeconds"},
		"not XML":           {"SendMessage", `"MessageBody":"\u0001"`, "InvalidMessageContents"},
		"many attributes":   {"SendMessage", `"MessageBody":"b","MessageAttributes":{` + strings.Join(many, ",") + `}`, "maximum [10]"},
		"empty attribute":   {"SendMessage", `"MessageBody":"b","MessageAttributes":{"a":{"DataType":"String"}}`, "non-empty"},
		"no entries":        {"SendMessageBatch", `"Entries":[]`, "EmptyBatchRequest"},
		"many entries":      {"SendMessageBatch", entries(11), "TooManyEntries"},
		"two of one id":     {"SendMessageBatch", `"Entries":[{"Id":"1","MessageBody":"b"},{"Id":"1","MessageBody":"b"}]`, "NotDistinct"},
		"long batch": {
			"SendMessageBatch", `"Entries":[{"Id":"1","MessageBody":"` + long + `"},{"Id":"2","MessageBody":"b"}]`, "BatchRequestTooLong",
		},
		"many to receive":    {"ReceiveMessage", `"MaxNumberOfMessages":11`, "MaxNumberOfMessages"},
		"long poll":          {"ReceiveMessage", `"WaitTimeSeconds":21`, "WaitTimeSeconds"},
		"long visibility":    {"ReceiveMessage", `"VisibilityTimeout":43201`, "VisibilityTimeout"},
		"no receipt":         {"DeleteMessage", `"ReceiptHandle":"x"`, "ReceiptHandleIsInvalid"},
		"nothing to hide":    {"ChangeMessageVisibility", `"ReceiptHandle":"gone/1","VisibilityTimeout":1`, "MessageNotInflight"},
		"nothing readable":   {"ReceiveMessage", `"MaxNumberOfMessages":"x"`, "SerializationException"},
		"hidden for no time": {"ChangeMessageVisibility", `"ReceiptHandle":"x","VisibilityTimeout":-1`, "VisibilityTimeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := c.body
			if !strings.Contains(body, "QueueUrl") {
				body = strings.TrimSuffix(`"QueueUrl":"q",`+body, ",")
			}
			answer := call(t, open(), c.operation, "{"+body+"}")
			if !strings.HasPrefix(answer, "400 ") || !strings.Contains(answer, c.want) {
				t.Errorf("%.300s, want 400 and %s", answer, c.want)
			}
		})
	}
}

func TestABatchFailsEntryByEntry(t *testing.T) {
	t.Parallel()
	answer := call(t, open(), "SendMessageBatch", `{"QueueUrl":"q","Entries":[{"Id":"good","MessageBody":"b"},{"Id":"late","MessageBody":"b","DelaySeconds":901}]}`)
	var out struct{ Successful, Failed []struct{ ID string } }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(answer, "200 ")), &out); err != nil {
		t.Fatalf("%s: %v", answer, err)
	}
	if len(out.Successful) != 1 || out.Successful[0].ID != "good" || len(out.Failed) != 1 || out.Failed[0].ID != "late" {
		t.Errorf("%s, want one good and one late", answer)
	}
}

func TestOnlyTheLastReceiptDeletes(t *testing.T) {
	t.Parallel()
	fake := open()
	call(t, fake, "SendMessage", `{"QueueUrl":"q","MessageBody":"b","MessageGroupId":"acme"}`)
	first := receive(t, fake, "q", `,"VisibilityTimeout":0`)
	second := receive(t, fake, "q", "")
	if len(first) != 1 || len(second) != 1 || second[0].Attributes["ApproximateReceiveCount"] != "2" || second[0].Attributes["MessageGroupId"] != "acme" {
		t.Fatalf("received %+v and %+v, want the message twice", first, second)
	}
	if left := receive(t, fake, "q", ""); len(left) != 0 {
		t.Errorf("a hidden message was received: %+v", left)
	}
	for i, m := range []received{first[0], second[0]} {
		answer := call(t, fake, "DeleteMessageBatch", `{"QueueUrl":"q","Entries":[{"Id":"1","ReceiptHandle":"`+m.ReceiptHandle+`"}]}`)
		if gone := fake.Stored("q") == "[]"; !strings.HasPrefix(answer, "200") || gone != (i == 1) {
			t.Errorf("deleting with receipt %d gives %s, gone: %t", i+1, answer, gone)
		}
	}
}

func TestAMessageReceivedTooOftenIsDead(t *testing.T) {
	t.Parallel()
	fake := open()
	call(t, fake, "SendMessage", `{"QueueUrl":"q","MessageBody":"b"}`)
	for range 2 {
		for _, m := range receive(t, fake, "q", "") {
			call(t, fake, "ChangeMessageVisibility", `{"QueueUrl":"q","ReceiptHandle":"`+m.ReceiptHandle+`","VisibilityTimeout":0}`)
		}
	}
	if left := receive(t, fake, "q", ""); len(left) != 0 {
		t.Errorf("received %+v a third time", left)
	}
	if dead := receive(t, fake, "dead", ""); len(dead) != 1 || dead[0].Body != "b" {
		t.Errorf("dead letters %+v, want the message", dead)
	}
}

func TestALongPollEndsWithAMessageOrItsTime(t *testing.T) {
	t.Parallel()
	fake := open()
	start := time.Now()
	if got := receive(t, fake, "q", `,"WaitTimeSeconds":1`); len(got) != 0 || time.Since(start) < time.Second {
		t.Errorf("an empty queue gives %+v after %s, want nothing after a second", got, time.Since(start))
	}
	call(t, fake, "SendMessage", `{"QueueUrl":"q","MessageBody":"late","DelaySeconds":1}`)
	start = time.Now()
	if m := receive(t, fake, "q", `,"WaitTimeSeconds":20`); len(m) != 1 || time.Since(start) > 10*time.Second {
		t.Errorf("received %+v after %s, want the delayed one after a second", m, time.Since(start))
	}
	if answer := call(t, fake, "GetQueueAttributes", `{"QueueUrl":"q"}`); !strings.Contains(answer, `"ApproximateNumberOfMessagesNotVisible":"1"`) {
		t.Errorf("%s, want one hidden", answer)
	}
}

func TestAQueueIsMadeByTheProtocol(t *testing.T) {
	t.Parallel()
	fake := &sqsfake.Server{}
	for _, c := range []struct{ body, want string }{
		{`{"QueueName":"q","Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:eu-west-1:000000000000:dead\",\"maxReceiveCount\":\"1\"}"}}`, "400 "},
		{`{"QueueName":"dead","Attributes":{"MessageRetentionPeriod":"1209600"}}`, `200 {"QueueUrl":"http://example.com/000000000000/dead"}`},
		{`{"QueueName":"q","Attributes":{"VisibilityTimeout":"0","RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:eu-west-1:000000000000:dead\",\"maxReceiveCount\":\"1\"}"}}`, "200 "},
		{`{"QueueName":"r","Attributes":{"VisibilityTimeout":"43201"}}`, "400 "},
		{`{"QueueName":"r","Attributes":{"MessageRetentionPeriod":"59"}}`, "400 "},
		{`{"QueueName":"r","Attributes":{"MessageRetentionPeriod":"a week"}}`, "400 "},
		{`{"QueueName":"r","Attributes":{"Colour":"blue"}}`, "400 "},
	} {
		if got := call(t, fake, "CreateQueue", c.body); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", c.body, got, c.want)
		}
	}
	for queue, wants := range map[string][]string{
		"dead": {`"QueueArn":"arn:aws:sqs:eu-west-1:000000000000:dead"`, `"MessageRetentionPeriod":"1209600"`, `"VisibilityTimeout":"30"`},
		"q":    {`"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:eu-west-1:000000000000:dead\",\"maxReceiveCount\":1}"`, `"MessageRetentionPeriod":"345600"`, `"MaximumMessageSize":"1048576"`},
	} {
		got := call(t, fake, "GetQueueAttributes", `{"QueueUrl":"http://x/0/`+queue+`"}`)
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %s, want %s", queue, got, want)
			}
		}
		if strings.Contains(got, "RedrivePolicy") != (queue == "q") {
			t.Errorf("%s: %s", queue, got)
		}
	}
}
