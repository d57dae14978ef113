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
// function error is tried again twice, and a throttled one for six hours.
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
		Region: region, Resources: []string{"arn:aws:events:" + region + ":" + account + ":rule/" + s.Name}, Detail: json.RawMessage("{}"),
	})
	if err != nil {
		return fmt.Errorf("write the event: %w", err)
	}
	pause := s.Pause
	if pause == 0 {
		pause = time.Minute
	}
	return s.try(ctx, event, pause)
}

// try invokes the function as an asynchronous invocation does.
func (s Schedule) try(ctx context.Context, event []byte, pause time.Duration) error {
	const oldest, longest = 6 * time.Hour, 5 * time.Minute
	start, throttled := time.Now(), time.Second
	for tries := 1; ; {
		result, err := s.Function.Invoke(ctx, event)
		if err == nil && result.FunctionError != "" {
			err = errors.New(string(result.Payload))
		}
		var wait time.Duration
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrThrottled) && time.Since(start) < oldest:
			wait, throttled = throttled, min(2*throttled, longest)
		case tries < 3:
			wait = pause * time.Duration(tries)
			tries++
		default:
			return err
		}
		if sleep(ctx, wait); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
