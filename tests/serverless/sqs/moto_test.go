// Package sqs_test holds the SQS adapter to the queue's promises against an
// SQS that this project did not write: `make sqs-test`.
package sqs_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/queue/queuetest"
	"github.com/deskhand/deskhand/shared/queue/sqs"
	"github.com/deskhand/deskhand/tests/serverless/moto"
)

// A child process gets the URLs of the queue and of its dead letters.
const childQueue, childDead = "DESKHAND_TEST_QUEUE", "DESKHAND_TEST_DEAD"

func TestMain(m *testing.M) {
	moto.Use()
	if url := os.Getenv(childQueue); url != "" {
		work(url, os.Getenv(childDead))
		return
	}
	os.Exit(m.Run())
}

// work receives until it is killed or its parent is gone.
func work(url, dead string) {
	client, err := sqs.Connect(context.Background())
	if err != nil {
		panic(err)
	}
	go func() {
		err := open(client, url, dead).Receive(context.Background(), func(context.Context, queue.Message) error {
			select {}
		})
		panic(err)
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// open is a queue as the suite wants it.
func open(client *awssqs.Client, url, dead string) *sqs.Queue {
	return &sqs.Queue{
		Client: client, URL: url, DeadURL: dead,
		Name: "enhancement", Box: queuetest.Box(0), Policy: queuetest.Policy,
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Concurrency: queuetest.Concurrency, Timeout: queuetest.Timeout, Drain: queuetest.Drain, Visibility: 6 * time.Second,
		SendLimit: 30 * time.Second, // the machine may be busy
	}
}

// create makes queues for one test.
func create(t *testing.T, client *awssqs.Client, receives string) *sqs.Queue {
	t.Helper()
	url, dead := moto.Create(t, client, moto.Name(t), receives)
	return open(client, url, dead)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, func(t *testing.T) queuetest.Harness {
		client := moto.Connect(t)
		q := create(t, client, "10")
		stranger := open(client, q.URL, q.DeadURL)
		stranger.Box = queuetest.Box(1)
		silent := awssqs.New(client.Options(), func(o *awssqs.Options) { o.BaseEndpoint = aws.String(deaf(t)) })
		down := open(silent, q.URL, q.DeadURL)
		down.SendLimit = 0 // that of the product
		return queuetest.Harness{
			Queue:    q,
			Late:     3 * time.Second, // of which one is rounded up, and one is moto's poll
			Ageless:  true,
			Stranger: stranger,
			Down:     down,
			Stored:   func(t *testing.T) string { return stored(t, client, q.URL) },
			Spawn:    func(t *testing.T) func() { return spawn(t, q) },
		}
	})
}

// deaf is the URL of a server that takes connections and never answers.
func deaf(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return "http://" + l.Addr().String()
}

// stored is what the server gives to somebody who may read the queue.
func stored(t *testing.T, client *awssqs.Client, url string) string {
	t.Helper()
	out, err := client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := json.Marshal(out.Messages)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

// spawn starts work in a process of its own and gives the way to kill it -9.
func spawn(t *testing.T, q *sqs.Queue) (kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childQueue+"="+q.URL, childDead+"="+q.DeadURL)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = stdin.Close()
	}
	t.Cleanup(kill)
	return kill
}

func TestAMessageThatKillsEveryWorkerIsDeadWithoutOurHelp(t *testing.T) {
	t.Parallel()
	client := moto.Connect(t)
	q := create(t, client, "2")
	if err := q.Send(t.Context(), queue.Message{ID: "poison", Tenant: "acme", Kind: "created"}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // workers that receive it and die at once
		out, err := client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &q.URL, VisibilityTimeout: 1, WaitTimeSeconds: 5})
		if err != nil || len(out.Messages) != 1 {
			t.Fatalf("received %v, %v, want the message", out, err)
		}
	}
	for end := time.Now().Add(20 * time.Second); ; {
		if peeked, err := q.Peek(t.Context(), 1); err != nil || len(peeked) != 0 {
			t.Fatalf("peeked %v, %v, want nothing", peeked, err)
		}
		letters, err := q.List(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(letters) == 1 {
			if l := letters[0]; l.Message.ID != "poison" || !strings.Contains(l.Reason, "SQS gave up") || time.Since(l.Died) > time.Minute {
				t.Errorf("dead letter %+v, want the message that SQS gave up", l)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal("the message never died")
		}
	}
}

func TestTheServerKeepsTheTenantAsGroup(t *testing.T) {
	t.Parallel()
	client := moto.Connect(t)
	q := create(t, client, "10")
	if err := q.Send(t.Context(), queue.Message{ID: "job", Tenant: "acme", Kind: "created"}); err != nil {
		t.Fatal(err)
	}
	if got := stored(t, client, q.URL); !strings.Contains(got, `"MessageGroupId":"acme"`) {
		t.Errorf("stored %s, want the group acme", got)
	}
}
