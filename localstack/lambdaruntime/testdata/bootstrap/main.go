// Command bootstrap is a function that does what its event says, for the tests
// of lambdaruntime.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do    string
	Sleep int // milliseconds
	Size  int
}

var calls int

func main() {
	switch os.Getenv("INIT") {
	case "exit":
		os.Exit(3)
	case "hang":
		time.Sleep(time.Hour)
	case "report":
		report()
		os.Exit(1)
	}
	if os.Getenv("TERM_FILE") == "" {
		lambda.Start(handle)
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	go func() {
		<-terminated
		if err := os.WriteFile(os.Getenv("TERM_FILE"), []byte("drained"), 0o600); err != nil {
			panic(err)
		}
		os.Exit(0)
	}()
	lambda.StartWithOptions(handle, lambda.WithEnableSIGTERM())
}

func handle(ctx context.Context, raw json.RawMessage) (any, error) {
	calls++
	var e event
	_ = json.Unmarshal(raw, &e)
	time.Sleep(time.Duration(e.Sleep) * time.Millisecond)
	switch e.Do {
	case "fail":
		return nil, errors.New("it did not work")
	case "panic":
		panic("at the disco")
	case "exit":
		os.Exit(7)
	case "large":
		return strings.Repeat("x", e.Size), nil
	case "echo":
		return raw, nil
	}
	deadline, _ := ctx.Deadline()
	c, _ := lambdacontext.FromContext(ctx)
	return map[string]any{
		"calls": calls, "pid": os.Getpid(), "env": os.Environ(), "left_ms": time.Until(deadline).Milliseconds(),
		"id": c.AwsRequestID, "arn": c.InvokedFunctionArn, "trace": os.Getenv("_X_AMZN_TRACE_ID"),
	}, nil
}
