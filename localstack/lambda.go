package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"

	"github.com/deskhand/deskhand/localstack/lambdaruntime"
	"github.com/deskhand/deskhand/shared/queue/sqs"
	"github.com/deskhand/deskhand/shared/queue/sqs/sqsfake"
)

// The AWS SDK's own variables, which lead it to another SQS than Amazon's.
const endpoint, endpointSQS = "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS"

// functionLimit is the time of one invocation: an enhancement's, and a bit. AWS
// advises that a queue hides its messages for six times as long.
const (
	functionLimit = 140 * time.Second
	visibility    = 6 * functionLimit
)

// sqs makes the queues, for a product that runs as Lambda functions: on the
// server of AWS_ENDPOINT_URL (LocalStack, moto), or on a stand-in here.
func (s *stack) sqs(ctx context.Context) error {
	if !s.options.Lambda {
		s.say("Queue      on the same Postgres (River)")
		return nil
	}
	for name, value := range map[string]string{"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"} {
		if os.Getenv(name) == "" {
			_ = os.Setenv(name, value) // fails for a bad name only
		}
	}
	if os.Getenv(endpoint) == "" && os.Getenv(endpointSQS) == "" {
		listener, err := listen("127.0.0.1:0")
		if err != nil {
			return err
		}
		s.serveHTTP(listener, &sqsfake.Server{})
		_ = os.Setenv(endpointSQS, "http://"+listener.Addr().String())
		s.say("Queue      stand-in for SQS in this process, on " + listener.Addr().String() + ": it forgets when it stops")
	} else {
		s.say("Queue      the SQS of " + os.Getenv(endpoint) + os.Getenv(endpointSQS))
	}
	client, err := sqs.Connect(ctx)
	if err != nil {
		return err
	}
	c := &s.cfg
	if c.QueueURL, c.QueueDeadURL, err = makeQueues(ctx, client, "deskhand-enhancement"); err != nil {
		return err
	}
	c.CatalogueQueueURL, c.CatalogueQueueDeadURL, err = makeQueues(ctx, client, "deskhand-catalogue")
	return err
}

// makeQueues makes a queue and its dead-letter queue, as package sqs wants them.
func makeQueues(ctx context.Context, client *awssqs.Client, name string) (url, dead string, err error) {
	const week, fortnight = "604800", "1209600" // in seconds
	letters, err := client.CreateQueue(ctx, &awssqs.CreateQueueInput{
		QueueName: aws.String(name + "-dead"), Attributes: map[string]string{"MessageRetentionPeriod": fortnight},
	})
	if err != nil {
		return "", "", fmt.Errorf("make queue %s-dead: %w", name, err)
	}
	about, err := client.GetQueueAttributes(ctx, &awssqs.GetQueueAttributesInput{
		QueueUrl: letters.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		return "", "", fmt.Errorf("ask for the ARN of queue %s-dead: %w", name, err)
	}
	backstop, err := json.Marshal(map[string]string{"deadLetterTargetArn": about.Attributes["QueueArn"], "maxReceiveCount": "10"})
	if err != nil {
		return "", "", err
	}
	q, err := client.CreateQueue(ctx, &awssqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{
		"MessageRetentionPeriod": week, "RedrivePolicy": string(backstop), "VisibilityTimeout": strconv.Itoa(int(visibility.Seconds())),
	}})
	if err != nil {
		return "", "", fmt.Errorf("make queue %s: %w", name, err)
	}
	return *q.QueueUrl, *letters.QueueUrl, nil
}

// functions builds what is deployed, for this machine, and has it run by a
// local Lambda runtime.
func (s *stack) functions(ctx context.Context) error {
	if !s.options.Lambda {
		return nil
	}
	s.deployed = map[string]*lambdaruntime.Function{}
	env := s.environment()
	env["DATABASE_CONNS"] = "2"
	for _, name := range []string{"webhook", "enhance", "catalogue", "admin"} {
		file := filepath.Join(s.options.Dir, "functions", name, "bootstrap")
		if err := lambdaruntime.Build(ctx, "", "./functions/"+name, runtime.GOARCH, file); err != nil {
			return fmt.Errorf("%w (start from the root of the checkout)", err)
		}
		its := maps.Clone(env)
		if name == "admin" {
			its[adminURL] = s.cfg.DatabaseAdminURL.Reveal()
		}
		f := &lambdaruntime.Function{Name: name, Bootstrap: file, Env: its, Timeout: functionLimit, Output: s.log}
		s.stops = append(s.stops, f.Close)
		s.deployed[name] = f
		s.say("Function   " + name + ": " + file + ", run by a local Lambda runtime")
	}
	listener, err := listen("127.0.0.1:0") // it asks nobody for a signature: this machine alone
	if err != nil {
		return err
	}
	s.serveHTTP(listener, lambdaruntime.Service{"admin": s.deployed["admin"]})
	s.say("Command    AWS_ENDPOINT_URL_LAMBDA=http://" + listener.Addr().String() + " go run ./cmd/deskhand --function admin tenant list")
	return nil
}

// serveLambda runs the functions behind an API Gateway, on the queues and the
// clock, until ctx is done.
func (s *stack) serveLambda(ctx context.Context) error {
	log := slog.New(slog.NewJSONHandler(s.log, nil))
	client, err := sqs.Connect(ctx)
	if err != nil {
		return err
	}
	front := http.NewServeMux()
	front.Handle("/webhook/", lambdaruntime.Gateway{Function: s.deployed["webhook"], Binary: []string{"*/*"}})
	front.Handle("/api/", lambdaruntime.Gateway{Function: s.deployed["admin"]})
	front.Handle("/feedback/", lambdaruntime.Gateway{Function: s.deployed["admin"]})
	front.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {}) // the stack's own: functions have none
	listener, err := listen(s.cfg.Addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: front, ReadHeaderTimeout: 5 * time.Second}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error { <-ctx.Done(); return server.Close() })
	for name, url := range map[string]string{"enhance": s.cfg.QueueURL, "catalogue": s.cfg.CatalogueQueueURL} {
		g.Go(func() error {
			return lambdaruntime.Mapping{
				Client: client, QueueURL: url, Function: s.deployed[name], BatchSize: 1, Concurrency: 4, Visibility: visibility, Log: log,
			}.Run(ctx)
		})
	}
	g.Go(func() error {
		return lambdaruntime.Schedule{Name: "catalogue", Every: time.Minute, Function: s.deployed["catalogue"], Log: log}.Run(ctx)
	})
	return g.Wait()
}
