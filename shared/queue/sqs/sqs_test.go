package sqs_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.uber.org/goleak"

	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/queue/queuetest"
	"github.com/deskhand/deskhand/shared/queue/sqs"
	"github.com/deskhand/deskhand/shared/queue/sqs/sqsfake"
)

// patience is for a call on a machine that is busy with other tests, where it
// takes milliseconds on a quiet one.
const patience = 30 * time.Second

// childURL makes this test binary a worker that never finishes a message.
const childURL = "DESKHAND_TEST_QUEUE_URL"

func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "hidden-key", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	if url := os.Getenv(childURL); url != "" {
		work(url)
		return
	}
	goleak.VerifyTestMain(m)
}

// work receives until it is killed or its parent is gone.
func work(url string) {
	q, err := open(url)
	if err != nil {
		panic(err)
	}
	go func() {
		err := q.Receive(context.Background(), func(context.Context, queue.Message) error {
			select {}
		})
		panic(err)
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// open is a queue of the server at url, as the suite wants it.
func open(url string) (*sqs.Queue, error) {
	client, err := sqs.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	return &sqs.Queue{
		Client: awssqs.New(client.Options(), func(o *awssqs.Options) { o.BaseEndpoint = aws.String(url) }),
		URL:    url + "/000000000000/enhancement", DeadURL: url + "/000000000000/enhancement-dead",
		Name: "enhancement", Box: queuetest.Box(0), Policy: queuetest.Policy,
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Concurrency: queuetest.Concurrency, Timeout: queuetest.Timeout, Drain: queuetest.Drain, Visibility: 6 * time.Second,
		SendLimit: patience,
	}, nil
}

// serve starts the fake with the queue and its dead-letter queue.
func serve(t testing.TB, fake *sqsfake.Server) (q *sqs.Queue, url string) {
	t.Helper()
	prepare(fake)
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	return mustOpen(t, server.URL), server.URL
}

// prepare makes the queue and its dead-letter queue.
func prepare(fake *sqsfake.Server) {
	fake.Create("enhancement-dead", sqsfake.Settings{})
	fake.Create("enhancement", sqsfake.Settings{DeadLetters: "enhancement-dead", MaxReceives: 10})
}

func mustOpen(t testing.TB, url string) *sqs.Queue {
	t.Helper()
	q, err := open(url)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// silent is the URL of a server that takes connections and never answers.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return "http://" + l.Addr().String()
}

func TestConformance(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, func(t *testing.T) queuetest.Harness {
		var fake sqsfake.Server
		q, url := serve(t, &fake)
		stranger := mustOpen(t, url)
		stranger.Box = queuetest.Box(1)
		down := mustOpen(t, silent(t))
		down.SendLimit = 0 // as in the product
		return queuetest.Harness{
			Queue:    q,
			Late:     2 * time.Second, // of which one is rounded up
			Ageless:  true,
			Stranger: stranger,
			Down:     down,
			Stored:   func(*testing.T) string { return fake.Stored("enhancement") },
			Spawn:    func(t *testing.T) func() { return spawn(t, url) },
		}
	})
}

// spawn starts work in a process of its own and gives the way to kill it -9.
func spawn(t *testing.T, url string) (kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childURL+"="+url)
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
