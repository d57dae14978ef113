// Package metric names every instrument, span and attribute of the product, on
// the OpenTelemetry API. The telemetry package decides where they go:
// Prometheus at /metrics, CloudWatch from Lambda. The names are those of story
// 4.1, and are what dashboards and alerts are written against.
package metric

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Scope is the instruments' own, apart from those of libraries.
const Scope = "github.com/deskhand/deskhand"

// Namespace is that of the metrics in CloudWatch.
const Namespace = "Deskhand"

var meter = otel.Meter(Scope)

// Tracer makes the spans of the product.
var Tracer trace.Tracer = otel.Tracer(Scope)

// The spans of one enhancement, in order: one trace across the queue.
const (
	SpanWebhookReceived  = "webhook_received"
	SpanJobQueued        = "job_queued"
	SpanContextGathering = "context_gathering"
	SpanLLMCall          = "llm_call"
	SpanTicketUpdate     = "ticket_update"
)

// Counters and histograms. Labels: tenant_id, operation_type and status
// ("success", "failure" or a more exact word) where they apply.
var (
	// EnhancementRequests counts enhancement jobs by how they ended.
	EnhancementRequests = counter("enhancement_requests_total", "Enhancement jobs, by tenant and how they ended")
	// EnhancementsSkipped counts jobs that ended without a note, by why: closed,
	// rule (of the tenant), unchanged, noise, assigned (to a technician who is at
	// work), or improved (by another try).
	EnhancementsSkipped = counter("enhancements_skipped_total", "Enhancement jobs that needed no note, by tenant and why")
	// EnhancementDuration is the time from pickup to the end of a job, in seconds.
	EnhancementDuration = seconds("enhancement_duration_seconds", "Time of one enhancement job from pickup to its end")
	// EnhancementAge is the time from the webhook to the note, in seconds, without
	// the time for which a change waits for the next one (ticket.Settle).
	EnhancementAge = seconds("enhancement_age_seconds", "Time from the webhook to the note on the ticket")
	// Webhooks counts received webhooks by answer.
	Webhooks = counter("webhook_requests_total", "Webhooks received, by tenant and answer")
	// WebhooksRecovered counts genuine webhooks whose broken JSON was read for
	// the ticket's id alone.
	WebhooksRecovered = counter("webhook_recovered_total", "Webhooks with broken JSON of which only the ticket's id was taken, by tenant")
	// HistoryStored counts past tickets stored (story 2.5B).
	HistoryStored = counter("ticket_history_stored_total", "Past tickets stored, by tenant, source and status")
	// SourceDuration is the time of one evidence source, in seconds.
	SourceDuration = seconds("evidence_source_duration_seconds", "Time of one evidence source")
	// ModelTokens counts tokens by direction.
	ModelTokens = counter("llm_tokens_total", "Tokens sent to and received from the model")
	// ModelCost sums what calls of the model cost, in US dollars.
	ModelCost = must(meter.Float64Counter("llm_cost_usd_total", metric.WithDescription("Cost of model calls, as the endpoint tells it or by MODEL_PRICES")))
	// ModelDuration is the time of one call of a model, in seconds.
	ModelDuration = seconds("llm_call_duration_seconds", "Time of one call of the model, by model and status")
	// BudgetRefusals counts calls of the model that were not made, by the
	// setting whose limit they could have passed.
	BudgetRefusals = counter("llm_budget_refusals_total", "Calls of the model that a tenant's budget did not allow, by tenant and why")
	// Embeddings counts texts that an embedding model was asked for: a
	// "question" or a "document".
	Embeddings = counter("embeddings_total", "Texts sent to the embedding model, by tenant, operation and status")
	// OutgoingDuration is the time of one call to a tool or a model, in seconds.
	OutgoingDuration = seconds("outgoing_request_duration_seconds", "Time of one outgoing call, by operation and status")
	// FeedbackVotes counts what technicians say of notes: "useful" or "useless".
	FeedbackVotes = counter("feedback_votes_total", "Votes of technicians on notes, by tenant and vote")
	// CacheFallbacks counts decisions taken without Redis.
	CacheFallbacks = counter("cache_fallback_total", "Decisions taken in the process because Redis did not answer")
	// SecurityEvents counts what should never happen, or only with an attack:
	// alert on each kind that is not 0.
	SecurityEvents = counter("security_events_total", "Security events, by tenant and kind")
	// WorkersActive is how many jobs are being worked on.
	WorkersActive = must(meter.Int64UpDownCounter("worker_active_count", metric.WithDescription("Jobs being worked on in this process")))
)

// Gauges, read when they are collected.
var (
	// QueueDepth is how many messages wait.
	QueueDepth = must(meter.Int64ObservableGauge("queue_depth", metric.WithDescription("Messages that wait, by queue")))
	// QueueOldest is the age of the oldest waiting message, in seconds.
	QueueOldest = must(meter.Float64ObservableGauge("queue_oldest_seconds", metric.WithDescription("Age of the oldest waiting message, by queue")))
	// QueueDead is how many dead letters there are.
	QueueDead = must(meter.Int64ObservableGauge("queue_dead", metric.WithDescription("Dead letters, by queue")))
	// SuccessRate is the share of finished jobs of the last hour that completed.
	SuccessRate = must(meter.Float64ObservableGauge("enhancement_success_rate", metric.WithDescription("Share of the jobs that ended in this process in the last hour and completed; 1 without any")))
)

// Observe registers a callback that reads gauges.
func Observe(read metric.Callback, gauges ...metric.Observable) (metric.Registration, error) {
	return meter.RegisterCallback(read, gauges...)
}

// LabelTenant is the label that says whose a measurement is.
const LabelTenant = "tenant_id"

// Tenant says whose job or webhook it was.
func Tenant(id string) attribute.KeyValue { return attribute.String(LabelTenant, id) }

// Status says how it ended: "success", "failure" or a more exact word.
func Status(s string) attribute.KeyValue { return attribute.String("status", s) }

// Operation says what was done: "enhance", "import".
func Operation(s string) attribute.KeyValue { return attribute.String("operation_type", s) }

// Queue says which queue it was.
func Queue(name string) attribute.KeyValue { return attribute.String("queue", name) }

// Source says which evidence source it was, by its name.
func Source(name string) attribute.KeyValue { return attribute.String("source", name) }

// Event says which kind of security event it was: "foreign_canary".
func Event(kind string) attribute.KeyValue { return attribute.String("kind", kind) }

// Reason is why something was not done.
func Reason(kind string) attribute.KeyValue { return attribute.String("reason", kind) }

// Model says which model it was, by its name.
func Model(name string) attribute.KeyValue { return attribute.String("model", name) }

// Vote is what a technician said of a note: "useful" or "useless".
func Vote(v string) attribute.KeyValue { return attribute.String("vote", v) }

// Direction says which way tokens went: "prompt" or "output".
func Direction(way string) attribute.KeyValue { return attribute.String("direction", way) }

// With attaches attributes to a measurement.
func With(attributes ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributes(attributes...)
}

func counter(name, help string) metric.Int64Counter {
	return must(meter.Int64Counter(name, metric.WithDescription(help)))
}

func seconds(name, help string) metric.Float64Histogram {
	return must(meter.Float64Histogram(name, metric.WithDescription(help),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120)))
}

// must is for instruments of fixed names: they fail only by a mistake here.
func must[T any](instrument T, err error) T {
	if err != nil {
		panic(err)
	}
	return instrument
}

// Continue takes up the trace that a message carries.
func Continue(ctx context.Context, carried map[string]string) context.Context {
	return otel.GetTextMapPropagator().Extract(ctx, propagation.MapCarrier(carried))
}

// The keys of what a log line and a span are about.
const (
	KeyTenant      = "tenant"
	KeyTicket      = "ticket"
	KeyCorrelation = "correlation_id"
	KeyRequest     = "request_id"
)

// About says which tenant, ticket and job the work under ctx belongs to, as
// OpenTelemetry baggage: every log line under it carries them. It is for
// people who read logs; code takes the tenant as a parameter.
func About(ctx context.Context, tenant, ticket, job string) context.Context {
	return carry(ctx, [2]string{KeyTenant, tenant}, [2]string{KeyTicket, ticket}, [2]string{KeyCorrelation, job})
}

// Request says in which invocation of a function the work under ctx runs, by
// the id that the platform gave it.
func Request(ctx context.Context, id string) context.Context {
	return carry(ctx, [2]string{KeyRequest, id})
}

// RequestOf gives the id of the invocation that ctx belongs to; "" where there
// is none.
func RequestOf(ctx context.Context) string {
	return baggage.FromContext(ctx).Member(KeyRequest).Value()
}

// carry adds baggage; an empty value, or one too long for baggage, is left out.
func carry(ctx context.Context, pairs ...[2]string) context.Context {
	b := baggage.FromContext(ctx)
	for _, kv := range pairs {
		m, err := baggage.NewMemberRaw(kv[0], kv[1])
		if err != nil || kv[1] == "" {
			continue
		}
		if with, err := b.SetMember(m); err == nil {
			b = with
		}
	}
	return baggage.ContextWithBaggage(ctx, b)
}
