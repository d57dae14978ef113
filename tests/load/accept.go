package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// figures are the result of one round, or the medians of several.
type figures struct {
	rate, p50, p99, cpu float64 // per second; ms; ms; us of the server for one request
}

// measured is one row of the accept path.
type measured struct {
	name     string
	key      string // in reference.json; "" for the floor
	server   process
	held     func(context.Context) (held, error)
	rounds   []figures
	accepted int
	figures  figures
}

// warmUp is a round before the first that counts.
const warmUp = 500 * time.Millisecond

// accept measures the accept paths, the floor first.
func (w *world) accept(ctx context.Context, o options) ([]measured, error) {
	rows, err := w.servers(ctx)
	if err != nil {
		return nil, err
	}
	for n := range o.Rounds + 1 {
		for i := range rows {
			r := &rows[i]
			length := o.Each
			if n == 0 {
				length = warmUp
			}
			progress("accepting: round %d of %d, %s", n, o.Rounds, r.name)
			f, accepted, err := r.round(ctx, length)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.name, err)
			}
			r.accepted += accepted
			if n > 0 {
				r.rounds = append(r.rounds, f)
			}
		}
	}
	progress("counting what the queues hold")
	for i := range rows {
		r := &rows[i]
		r.figures = medians(r.rounds)
		if r.held == nil {
			continue
		}
		h, err := r.held(ctx)
		if err != nil {
			return nil, err
		}
		if h.Messages != r.accepted || h.Different != r.accepted {
			return nil, fmt.Errorf("%s: %d webhooks were accepted, and the queue holds %d messages with %d ids: something is lost or doubled",
				r.name, r.accepted, h.Messages, h.Different)
		}
	}
	return rows, nil
}

// servers starts what is compared.
func (w *world) servers(ctx context.Context) ([]measured, error) {
	bare, err := w.spawn(ctx, server{program: os.Args[0], role: "floor-child", path: "/"})
	if err != nil {
		return nil, err
	}
	onPostgres, errP := w.spawn(ctx, w.product("webhook"))
	onSQS, errS := w.spawn(ctx, w.product("webhook", queueEnv(w.sqs, "accept")...))
	return []measured{
		{name: "floor: HMAC, JSON, dedupe in memory", server: bare},
		{name: "webhook, queue on Postgres, fsync on", key: "postgres", server: onPostgres, held: w.stored},
		{name: "webhook, SQS stand-in, in memory, own process", key: "sqs", server: onSQS, held: func(ctx context.Context) (h held, err error) {
			body, err := get(ctx, w.sqs+"/held/accept")
			if err != nil {
				return h, err
			}
			err = json.Unmarshal(body, &h)
			return h, err
		}},
	}, errors.Join(errP, errS)
}

// round sends webhooks for a while.
func (r *measured) round(ctx context.Context, length time.Duration) (figures, int, error) {
	before, err := r.server.cpu()
	if err != nil {
		return figures{}, 0, err
	}
	start := time.Now()
	times, err := fire(ctx, r.server.addr, length)
	took := time.Since(start)
	if err != nil {
		return figures{}, 0, err
	}
	after, err := r.server.cpu()
	if err != nil || len(times) == 0 {
		return figures{}, 0, errors.Join(err, errors.New("nothing was accepted"))
	}
	slices.Sort(times)
	return figures{
		rate: float64(len(times)) / took.Seconds(),
		p50:  millis(percentile(times, 50)), p99: millis(percentile(times, 99)),
		cpu: float64((after - before).Microseconds()) / float64(len(times)),
	}, len(times), nil
}

// percentile is that of sorted times.
func percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// medians are taken of each figure by itself.
func medians(rounds []figures) figures {
	of := func(pick func(figures) float64) float64 {
		list := make([]float64, len(rounds))
		for i, f := range rounds {
			list[i] = pick(f)
		}
		return median(list)
	}
	return figures{
		rate: of(func(f figures) float64 { return f.rate }), p50: of(func(f figures) float64 { return f.p50 }),
		p99: of(func(f figures) float64 { return f.p99 }), cpu: of(func(f figures) float64 { return f.cpu }),
	}
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return (list[(len(list)-1)/2] + list[len(list)/2]) / 2
}
