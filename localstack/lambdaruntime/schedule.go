package lambdaruntime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// Schedule is an EventBridge rule with a rate: it sends the function a
// scheduled event each period. As with every asynchronous invocation, a
// function error is tried again twice.
type Schedule struct {
	Name     string
	Every    time.Duration
	Function Invoker
	// Pause is before the first retry, twice that before the second; 1 min
	// where zero, as on Lambda.
	Pause time.Duration
	Log   *slog.Logger
}

// Run sends events until ctx is done; the first one after one period.
func (s Schedule) Run(ctx context.Context) error {
	ticker := time.NewTicker(s.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case at := <-ticker.C:
			if err := s.Fire(ctx, at); err != nil && ctx.Err() == nil {
				s.Log.WarnContext(ctx, "a scheduled event is dropped", "operation", "schedule", "schedule", s.Name, "error", err.Error())
			}
		}
	}
}

// Fire sends one event, as if its time had come.
func (s Schedule) Fire(ctx context.Context, at time.Time) error {
	event, err := json.Marshal(events.EventBridgeEvent{
		Version: "0", ID: uuid(), DetailType: "Scheduled Event", Source: "aws.events", AccountID: account, Time: at.UTC().Truncate(time.Second),
		Region: "eu-west-1", Resources: []string{"arn:aws:events:eu-west-1:" + account + ":rule/" + s.Name}, Detail: json.RawMessage("{}"),
	})
	if err != nil {
		return fmt.Errorf("write the event: %w", err)
	}
	pause := s.Pause
	if pause == 0 {
		pause = time.Minute
	}
	for try := 0; ; try++ {
		result, err := s.Function.Invoke(ctx, event)
		if err == nil && result.FunctionError != "" {
			err = errors.New(string(result.Payload))
		}
		if err == nil || try == 2 || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause << try):
		}
	}
}
