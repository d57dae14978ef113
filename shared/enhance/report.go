package enhance

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/ticket"
)

// report logs and counts how a try ended: completed, put off, to be tried
// again, dropped, or failed for good.
func (e *Enhancer) report(ctx context.Context, ev ticket.Event, v queue.Verdict, err error, start time.Time) {
	now := e.Now()
	took := now.Sub(start)
	age := max(age(ev, now), took)
	id := metric.Tenant(string(ev.Ref.Tenant))
	fields := []any{"operation", "enhance", "duration_ms", took.Milliseconds(), "age_ms", age.Milliseconds()}
	switch {
	case err == nil:
		e.Log.InfoContext(ctx, "enhancement completed", append(fields, "status", "success")...)
		e.Outcomes.add(now, true)
		metric.EnhancementRequests.Add(ctx, 1, metric.With(id, metric.Operation("enhance"), metric.Status("success")))
	case errors.Is(err, context.Canceled): // told to stop: the queue gives it to another
		e.Log.InfoContext(ctx, "enhancement given back", append(fields, "status", "retry", "error", err.Error())...)
		return
	case v.Action == queue.Again:
		e.Log.InfoContext(ctx, "enhancement put off", append(fields, "status", "retry", "again_in_ms", v.Delay.Milliseconds(), "error", err.Error())...)
		metric.EnhancementRequests.Add(ctx, 1, metric.With(id, metric.Operation("enhance"), metric.Status("retry")))
	case v.Action == queue.Done:
		e.Log.WarnContext(ctx, "enhancement dropped", append(fields, "status", "dropped", "error", v.Reason)...)
		metric.EnhancementRequests.Add(ctx, 1, metric.With(id, metric.Operation("enhance"), metric.Status("dropped")))
	default:
		e.Log.ErrorContext(ctx, "enhancement failed", append(fields, "status", "failure", "error", v.Reason)...)
		e.Outcomes.add(now, false)
		metric.EnhancementRequests.Add(ctx, 1, metric.With(id, metric.Operation("enhance"), metric.Status("failure")))
	}
	if v.Action != queue.Again {
		metric.EnhancementDuration.Record(ctx, took.Seconds(), metric.With(id, metric.Operation("enhance")))
	}
}

// age is how long ago an event came. What was held back on purpose is not late.
func age(ev ticket.Event, now time.Time) time.Duration {
	return max(now.Sub(ev.Received)-ev.Kind.Delay(), 0)
}

// Outcomes remembers how the jobs of the last hour ended in this process, for
// the gauge enhancement_success_rate: in minutes, so its size does not grow
// with traffic.
type Outcomes struct {
	mu      sync.Mutex
	minutes [60]struct {
		minute       int64
		good, failed int
	}
}

func (o *Outcomes) add(now time.Time, good bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	minute := now.Unix() / 60
	m := &o.minutes[minute%60]
	if m.minute != minute {
		m.minute, m.good, m.failed = minute, 0, 0
	}
	if good {
		m.good++
	} else {
		m.failed++
	}
}

// SuccessRate is the share of the jobs that ended in the hour before now and
// completed; 1 where none ended.
func (o *Outcomes) SuccessRate(now time.Time) float64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	good, all := 0, 0
	for _, m := range o.minutes {
		if now.Unix()/60-m.minute < 60 {
			good += m.good
			all += m.good + m.failed
		}
	}
	if all == 0 {
		return 1
	}
	return float64(good) / float64(all)
}
