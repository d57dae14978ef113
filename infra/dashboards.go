package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/deskhand/deskhand/shared/metric"
)

type row = []awscloudwatch.IWidget

func dashboard(scope constructs.Construct, name string, rows []*row) {
	awscloudwatch.NewDashboard(scope, jsii.String(name), &awscloudwatch.DashboardProps{
		DashboardName: jsii.String(name), Widgets: &rows, DefaultInterval: awscdk.Duration_Hours(jsii.Number(6)),
		PeriodOverride: awscloudwatch.PeriodOverride_INHERIT,
	})
}

// operations answers "is it working?" at a glance.
func (o *Observability) operations(d *Deskhand) []*row {
	var status, errs, throttles, running []awscloudwatch.IMetric
	for _, name := range slices.Sorted(maps.Keys(d.Functions.All)) {
		errs = append(errs, onFunction(name, d, "Errors", "Sum"))
		throttles = append(throttles, onFunction(name, d, "Throttles", "Sum"))
		running = append(running, onFunction(name, d, "ConcurrentExecutions", "Maximum"))
	}
	for _, code := range []string{"202", "400", "401", "429", "503"} {
		status = append(status, ours("webhook", "webhook_requests_total", "Sum", minute, "status", code))
	}
	q := d.Queues
	age := func(statistic string) awscloudwatch.IMetric {
		return ours("enhance", "enhancement_age_seconds", statistic, fiveMinutes)
	}
	return []*row{
		{text("# Deskhand\n[Runbooks](" + runbooks + ") · quick actions: `deskhand queue depth`, `deskhand queue redrive`, `deskhand doctor`"), o.status()},
		{number("Success rate, %", successRate(fiveMinutes)), number("Notes, p95 in s after the webhook", age("p95")), number("Tickets that wait", waiting(q.Enhancement)), number("Dead letters", waiting(q.EnhancementDead), waiting(q.CatalogueDead))},
		{graph("Webhook to note, s", age("p50"), age("p95"), age("p99")), graph("Webhooks by answer", status...), graph("Workers that run", running...)},
		{graph("Messages that wait", waiting(q.Enhancement), waiting(q.Catalogue)), graph("Oldest message, s", onQueue(q.Enhancement, "ApproximateAgeOfOldestMessage"), onQueue(q.Catalogue, "ApproximateAgeOfOldestMessage")), graph("API", api(d, "Count", "Sum"), api(d, "4XXError", "Sum"), api(d, "5XXError", "Sum"))},
		{graph("Errors of functions", errs...), graph("Throttled invocations", throttles...), graph("API, ms", api(d, "Latency", "p95"), api(d, "IntegrationLatency", "p95"))},
		{graph("Postgres: connections", postgres(d, "DatabaseConnections")), graph("Postgres: processors, %", postgres(d, "CPUUtilization")), graph("Valkey: memory, %", cache(d, "DatabaseMemoryUsagePercentage"))},
	}
}

// tenantsCostQuality shows who uses it, what it costs, and how good it is.
func tenantsCostQuality() []*row {
	by := func(title, name, statistic string, labels ...string) awscloudwatch.IWidget {
		return graph(title, search(name, statistic, labels...))
	}
	const tenant = metric.LabelTenant
	return []*row{
		{by("Enhancements by tenant and how they ended", "enhancement_requests_total", "Sum", tenant, "operation_type", "status"), by("Webhook to note by tenant, p95 in s", "enhancement_age_seconds", "p95", tenant), by("Webhooks by tenant and answer", "webhook_requests_total", "Sum", tenant, "status")},
		{by("Cost of the model by tenant, USD", "llm_cost_usd_total", "Sum", tenant), by("Tokens by tenant", "llm_tokens_total", "Sum", tenant, "direction"), by("Time of a try by tenant, p95 in s", "enhancement_duration_seconds", "p95", tenant, "operation_type"), by("Votes of technicians on notes", "feedback_votes_total", "Sum", tenant, "vote")},
		{by("Evidence: time of each source, p95 in s", "evidence_source_duration_seconds", "p95", tenant, "source"), by("Past tickets stored", "ticket_history_stored_total", "Sum", tenant, "source", "status"), by("Calls to tools and models, p95 in s", "outgoing_request_duration_seconds", "p95", "operation_type", "status"), by("Texts embedded", "embeddings_total", "Sum", tenant, "operation_type", "status")},
		{by("Security events", "security_events_total", "Sum", tenant, "kind"), by("Broken webhooks that were read all the same", "webhook_recovered_total", "Sum", tenant), by("Tickets that needed no note", "enhancements_skipped_total", "Sum", tenant, "reason"), by("Decided without Valkey", "cache_fallback_total", "Sum", "operation_type")},
		{by("Time of a call of each model, p95 in s", "llm_call_duration_seconds", "p95", "model", "status"), by("Calls of the model that no budget allowed", "llm_budget_refusals_total", "Sum", tenant, "reason")},
	}
}

// search finds a metric of the product for every value of its labels.
func search(name, statistic string, labels ...string) awscloudwatch.IMetric {
	schema := metric.Namespace
	for _, l := range labels {
		schema += "," + l
	}
	return compute(fmt.Sprintf(`SEARCH('{%s} MetricName=%q', '%s', %d)`, schema, name, statistic, fiveMinutes), "", fiveMinutes, nil)
}

// status shows the alarms that ring.
func (o *Observability) status() awscloudwatch.IWidget {
	return awscloudwatch.NewAlarmStatusWidget(&awscloudwatch.AlarmStatusWidgetProps{
		Title: jsii.String("Alarms"), Alarms: &o.alarms, Width: jsii.Number(24), Height: jsii.Number(5),
		States: &[]awscloudwatch.AlarmState{awscloudwatch.AlarmState_ALARM, awscloudwatch.AlarmState_INSUFFICIENT_DATA},
	})
}

func text(markdown string) awscloudwatch.IWidget {
	return awscloudwatch.NewTextWidget(&awscloudwatch.TextWidgetProps{Markdown: jsii.String(markdown), Width: jsii.Number(24), Height: jsii.Number(2)})
}

func number(title string, metrics ...awscloudwatch.IMetric) awscloudwatch.IWidget {
	return awscloudwatch.NewSingleValueWidget(&awscloudwatch.SingleValueWidgetProps{
		Title: jsii.String(title), Metrics: &metrics, Width: jsii.Number(6), Height: jsii.Number(4), Sparkline: jsii.Bool(true),
	})
}

func graph(title string, metrics ...awscloudwatch.IMetric) awscloudwatch.IWidget {
	return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{Title: jsii.String(title), Left: &metrics, Width: jsii.Number(8), Height: jsii.Number(6)})
}
