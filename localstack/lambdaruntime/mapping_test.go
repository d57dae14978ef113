package lambdaruntime_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/localstack/lambdaruntime"
	"github.com/deskhand/deskhand/shared/queue/sqs/sqsfake"
)

const queueURL = "http://sqs.local/123456789012/q"

// account is an SQS in this process, without a network: so it keeps the time of
// synctest.
type account struct{ sqsfake.Server }

// Do implements the SDK's HTTP client.
func (a *account) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w.Result(), nil
}

func (a *account) client() *sqs.Client {
	return sqs.New(sqs.Options{
		Region: "eu-west-1", Credentials: aws.AnonymousCredentials{}, BaseEndpoint: aws.String("http://sqs.local"), HTTPClient: a, Retryer: aws.NopRetryer{},
	})
}

// put makes the queue where it is missing, and sends messages.
func (a *account) put(t *testing.T, bodies ...string) {
	t.Helper()
	a.Create("q", sqsfake.Settings{Visibility: 30 * time.Second})
	for _, body := range bodies {
		if _, err := a.client().SendMessage(t.Context(), &sqs.SendMessageInput{
			QueueUrl: aws.String(queueURL), MessageBody: aws.String(body), MessageGroupId: aws.String("acme"),
			MessageAttributes: map[string]types.MessageAttributeValue{"kind": {DataType: aws.String("String"), StringValue: aws.String("created")}},
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// run runs a mapping on the account's queue, for as long as d.
func (a *account) run(t *testing.T, d time.Duration, m lambdaruntime.Mapping) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	m.Client, m.QueueURL = a.client(), queueURL
	if m.Log == nil {
		m.Log = quiet
	}
	if err := m.Run(ctx); err != nil {
		t.Error(err)
	}
}

// records reads a batch.
func records(t *testing.T, payload []byte) []events.SQSMessage {
	t.Helper()
	var e events.SQSEvent
	if err := json.Unmarshal(payload, &e); err != nil {
		t.Error(err)
	}
	return e.Records
}

func TestAMappingDeletesWhatSucceeded(t *testing.T) {
	t.Parallel()
	for answer, left := range map[string]string{ // ID is the first message's
		``:                           "",
		`null`:                       "",
		`{}`:                         "",
		`{"batchItemFailures":[]}`:   "",
		`{"batchItemFailures":null}`: "",
		`{"batchItemFailures":[{"itemIdentifier":"ID"}]}`:    "a",
		`{"batchItemFailures":[{"itemIdentifier":""}]}`:      "ab",
		`{"batchItemFailures":[{"itemIdentifier":null}]}`:    "ab",
		`{"batchItemFailures":[{"itemIdentifier":"other"}]}`: "ab",
		`{"batchItemFailures":[{"id":"ID"}]}`:                "ab",
		`{"batchItemFailures":"ID"}`:                         "ab",
		`oops`:                                               "ab",
	} {
		synctest.Test(t, func(t *testing.T) {
			var a account
			a.put(t, "body a", "body b")
			a.run(t, 10*time.Second, lambdaruntime.Mapping{Concurrency: 1, Function: scripted(func(p []byte) (lambdaruntime.Result, error) {
				batch := records(t, p)
				if len(batch) != 2 {
					t.Fatalf("%s", p)
				}
				return says(strings.ReplaceAll(answer, "ID", batch[0].MessageId))
			})})
			for _, letter := range []string{"a", "b"} {
				if there := strings.Contains(a.Stored("q"), "body "+letter); there != strings.Contains(left, letter) {
					t.Errorf("answer %q: message %s is there: %t", answer, letter, there)
				}
			}
		})
	}
}

func TestAMappingDeletesInManyCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var a account
		a.put(t, strings.Split(strings.Repeat("x", 25), "")...)
		a.run(t, 10*time.Second, lambdaruntime.Mapping{BatchSize: 100, Window: time.Second, Concurrency: 1, Function: scripted(func(p []byte) (lambdaruntime.Result, error) {
			if n := len(records(t, p)); n != 25 {
				t.Errorf("a batch of %d, want all 25", n)
			}
			return says("")
		})})
		if stored := a.Stored("q"); strings.Contains(stored, "x") {
			t.Errorf("left: %s", stored)
		}
	})
}

func TestARecordHasWhatSQSAndLambdaAdd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var a account
		a.put(t, "hello")
		var got events.SQSMessage
		var payload string
		a.run(t, time.Second, lambdaruntime.Mapping{Function: scripted(func(p []byte) (lambdaruntime.Result, error) {
			payload, got = string(p), records(t, p)[0]
			return says("")
		})})
		if got.MessageId == "" || got.ReceiptHandle == "" || got.Attributes["SentTimestamp"] == "" || got.Attributes["ApproximateFirstReceiveTimestamp"] == "" {
			t.Errorf("%+v", got)
		}
		got.MessageId, got.ReceiptHandle = "", ""
		delete(got.Attributes, "SentTimestamp")
		delete(got.Attributes, "ApproximateFirstReceiveTimestamp")
		want := events.SQSMessage{
			Body: "hello", Md5OfBody: "5d41402abc4b2a76b9719d911017c592", EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:eu-west-1:123456789012:q", AWSRegion: "eu-west-1",
			Attributes: map[string]string{"ApproximateReceiveCount": "1", "MessageGroupId": "acme"},
			MessageAttributes: map[string]events.SQSMessageAttribute{
				"kind": {StringValue: aws.String("created"), DataType: "String", StringListValues: []string{}, BinaryListValues: [][]byte{}},
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", diff, payload)
		}
	})
}

// calls counts when a function was called.
type calls struct {
	mu sync.Mutex
	at []time.Duration
}

func (c *calls) add(start time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = append(c.at, time.Since(start).Round(100*time.Millisecond))
	return len(c.at)
}

func TestAThrottledBatchIsTriedAgainWhileItIsHidden(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var a account
		var c calls
		a.put(t, "m")
		start := time.Now()
		a.run(t, 20*time.Second, lambdaruntime.Mapping{Concurrency: 1, Visibility: 10 * time.Second, Function: scripted(func([]byte) (lambdaruntime.Result, error) {
			c.add(start)
			return lambdaruntime.Result{}, lambdaruntime.ErrThrottled
		})})
		want := []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond, 700 * time.Millisecond, 1500 * time.Millisecond, 3100 * time.Millisecond, 6300 * time.Millisecond}
		if diff := cmp.Diff(want, c.at); diff != "" || a.Stored("q") == "[]" {
			t.Errorf("%s\n%s", diff, a.Stored("q"))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var a account
		var c calls
		a.put(t, "m")
		a.run(t, 20*time.Second, lambdaruntime.Mapping{Function: scripted(func([]byte) (lambdaruntime.Result, error) {
			if c.add(time.Now()) < 3 {
				return lambdaruntime.Result{}, lambdaruntime.ErrThrottled
			}
			return says("")
		})})
		if len(c.at) != 3 || a.Stored("q") != "[]" {
			t.Errorf("%d calls, left: %s", len(c.at), a.Stored("q"))
		}
	})
}

func TestAFailedBatchComesAgainWhenItIsVisible(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var a account
		var c calls
		a.put(t, "m")
		start := time.Now()
		a.run(t, 65*time.Second, lambdaruntime.Mapping{Function: scripted(func([]byte) (lambdaruntime.Result, error) {
			if c.add(start) < 3 {
				return broken, nil
			}
			return says("")
		})})
		if diff := cmp.Diff([]time.Duration{0, 30 * time.Second, 60 * time.Second}, c.at); diff != "" || a.Stored("q") != "[]" {
			t.Errorf("%s, left: %s", diff, a.Stored("q"))
		}
	})
}

func TestAMappingOutlivesItsQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var a account
		var down, polls int
		a.Fault = func(operation string) *sqsfake.Error {
			if polls++; operation == "ReceiveMessage" && down > 0 {
				down--
				return &sqsfake.Error{Status: 500, Code: "InternalError"}
			}
			return nil
		}
		a.put(t, "m")
		down, polls = 5, 0
		a.run(t, 30*time.Second, lambdaruntime.Mapping{Concurrency: 1, Function: scripted(func([]byte) (lambdaruntime.Result, error) { return says("") })})
		if a.Stored("q") != "[]" || polls > 20 { // it does not spin
			t.Errorf("%d calls, left: %s", polls, a.Stored("q"))
		}
	})
}

func TestWhatCannotBeDeletedIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var a account
		var log strings.Builder
		a.Fault = func(operation string) *sqsfake.Error {
			if operation == "DeleteMessageBatch" {
				return &sqsfake.Error{Status: 500, Code: "InternalError"}
			}
			return nil
		}
		a.put(t, "m")
		a.run(t, 10*time.Second, lambdaruntime.Mapping{
			Concurrency: 1, Log: slog.New(slog.NewTextHandler(&log, nil)), Function: scripted(func([]byte) (lambdaruntime.Result, error) { return says("") }),
		})
		if !strings.Contains(log.String(), "delete what is done") {
			t.Errorf("log: %s", &log)
		}
	})
}

func TestAMappingKeepsToItsConcurrencyAndFillsBatches(t *testing.T) {
	t.Parallel()
	for concurrency, batches := range map[int]int{1: 2, 2: 4, 20: 4} {
		synctest.Test(t, func(t *testing.T) {
			var a account
			for n := range 48 {
				a.put(t, fmt.Sprint(n))
			}
			var mu sync.Mutex
			running, most, invoked := 0, 0, 0
			a.run(t, 10*time.Second, lambdaruntime.Mapping{BatchSize: 12, Window: time.Second, Concurrency: concurrency, Function: scripted(func(p []byte) (lambdaruntime.Result, error) {
				mu.Lock()
				running++
				invoked++
				most = max(most, running)
				mu.Unlock()
				if n := len(records(t, p)); n > 12 {
					t.Errorf("a batch of %d", n)
				}
				time.Sleep(6 * time.Second)
				mu.Lock()
				running--
				mu.Unlock()
				return says("")
			})})
			if most > concurrency || invoked < batches {
				t.Errorf("concurrency %d: %d at once, %d batches, want %d", concurrency, most, invoked, batches)
			}
		})
	}
}

func TestAMappingThatAWSWouldRefuseIsRefused(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]lambdaruntime.Mapping{
		"batch":       {BatchSize: 10_001, Window: time.Second},
		"window":      {Window: 6 * time.Minute},
		"no window":   {BatchSize: 11},
		"concurrency": {Concurrency: 1001},
	} {
		if err := m.Run(t.Context()); err == nil {
			t.Errorf("%s: it runs", name)
		}
	}
}
