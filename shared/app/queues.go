package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/host"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/queue/river"
	"github.com/deskhand/deskhand/shared/queue/sqs"
	"github.com/deskhand/deskhand/shared/secret"
)

// jobs is one queue in all its roles, on Postgres or on SQS.
type jobs struct {
	queue.Sender
	queue.Receiver
	queue.Inspector
	queue.DeadLetters
	batches host.Batcher // settles what Lambda took from SQS; nil on Postgres
	name    string
}

// How long one message may be worked on.
const (
	enhancementLimit = enhance.JobLimit + 30*time.Second
	catalogueLimit   = 10 * time.Minute
)

// openQueues opens both queues where QUEUE_URL says: on SQS, or on Postgres.
func (a *App) openQueues(ctx context.Context, box secret.Box) error {
	cfg := a.Config
	if cfg.QueueURL == "" {
		pool, err := openPool(ctx, cfg)
		if err != nil {
			return err
		}
		a.pool = pool
		a.enhancing = a.onPostgres(EnhancementQueue, box, enhancementLimit)
		a.library = a.onPostgres(CatalogueQueue, box, catalogueLimit)
		return nil
	}
	client, err := sqs.Connect(ctx)
	if err != nil {
		return err
	}
	onSQS := func(name, url, dead string, limit time.Duration) jobs {
		q := &sqs.Queue{
			Client: client, URL: url, DeadURL: dead, Name: name, Box: box, Policy: queue.DefaultPolicy, Concurrency: cfg.WorkerConcurrency,
			Timeout: limit, Drain: cfg.DrainTime, Log: a.Log, Now: time.Now,
		}
		return jobs{q, q, q, q, q, name}
	}
	a.enhancing = onSQS(EnhancementQueue, cfg.QueueURL, cfg.QueueDeadURL, enhancementLimit)
	a.library = onSQS(CatalogueQueue, cfg.CatalogueQueueURL, cfg.CatalogueQueueDeadURL, catalogueLimit)
	return nil
}

func (a *App) onPostgres(name string, box secret.Box, limit time.Duration) jobs {
	q := &river.Queue{
		Pool: a.pool, Name: name, Box: box, Policy: queue.DefaultPolicy, Concurrency: a.Config.WorkerConcurrency,
		Timeout: limit, Drain: a.Config.DrainTime, Log: a.Log, Now: time.Now,
	}
	return jobs{q, q, q, q, nil, name}
}

// openPool opens the pool of role queue_user. No session of another role is
// used that reaches more than the queue.
func openPool(ctx context.Context, cfg config.Config) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(cfg.DatabaseQueueURL.Reveal())
	if err != nil {
		return nil, errors.New("DATABASE_QUEUE_URL: not a Postgres URL (postgres://user:password@host:5432/name)")
	}
	c.MaxConns = int32(cfg.DatabaseConns) //nolint:gosec // Check bounds it to 100
	if !strings.Contains(cfg.DatabaseQueueURL.Reveal(), "connect_timeout=") {
		c.ConnConfig.ConnectTimeout = time.Second
	}
	c.ConnConfig.RuntimeParams["statement_timeout"] = "15s"
	c.ConnConfig.RuntimeParams["application_name"] = "deskhand-queue"
	c.AfterConnect = postgres.CheckQueueRole
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_QUEUE_URL: %w", err)
	}
	return pool, nil
}
