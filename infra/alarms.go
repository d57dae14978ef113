package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/deskhand/deskhand/shared/metric"
)

const minute, fiveMinutes, day = 60, 300, 86400 // in seconds

// alarms is every alarm of a stage.
func alarms(stage Stage, d *Deskhand) []alarm {
	list := []alarm{
		{
			name: "EnhancementSuccessRateLow", severity: critical, runbook: "success-rate.md", metric: successRate(fiveMinutes), threshold: 95, below: true, periods: 2,
			says: "Fewer than 95 % of the notes that were due in the last 10 minutes were written.",
		},
		{
			name: "QueueDepthHigh", severity: warning, runbook: "queue.md", metric: waiting(d.Queues.Enhancement), threshold: 100, periods: 5,
			says: "More than 100 new tickets have waited for 5 minutes.",
		},
		{
			name: "HighLatency", severity: warning, runbook: "latency.md", metric: ours("enhance", "enhancement_age_seconds", "p95", fiveMinutes), threshold: 120, periods: 1,
			says: "One note in 20 came more than 120 s after its webhook, for 5 minutes.",
		},
		{
			name: "WebhookUnavailable", severity: critical, runbook: "api.md", metric: ours("webhook", "webhook_requests_total", "Sum", fiveMinutes, "status", "503"), periods: 2,
			says: "Webhooks are answered with 503: they are not queued, and come again only if the tool tries again.",
		},
		{
			name: "ApiErrors", severity: critical, runbook: "api.md", metric: api(d, "5XXError", "Sum"), threshold: 5, periods: 2,
			says: "API Gateway answers with 5xx.",
		},
		{
			name: "SecurityEvents", severity: critical, runbook: "security-events.md", metric: securityEvents(), periods: 1,
			says: "Something happened that never should: see the kind of the event.",
		},
		{
			name: "ModelCostHigh", severity: warning, runbook: "cost.md", metric: ours("enhance", "llm_cost_usd_total", "Sum", day), threshold: float64(stage.ModelDailyUSD), periods: 1,
			says: "The model cost more in a day than is planned.",
		},
		{
			name: "ModelBudgetSpent", severity: warning, runbook: "cost.md", metric: refusedByBudget(), periods: 1,
			says: "A tenant's budget of the model is used up, or a model has no price: notes are written from the evidence alone.",
		},
	}
	list = append(list, storeAlarms(stage, d)...)
	list = append(list, queueAlarms("Enhancement", "enhance", d.Queues.Enhancement, d.Queues.EnhancementDead, 120, 5)...)
	list = append(list, queueAlarms("Catalogue", "catalogue", d.Queues.Catalogue, d.Queues.CatalogueDead, 4*3600, 15)...)
	for _, name := range slices.Sorted(maps.Keys(d.Functions.All)) {
		list = append(list, functionAlarms(name, d)...)
	}
	return list
}

// storeAlarms are about Postgres and Valkey.
func storeAlarms(stage Stage, d *Deskhand) []alarm {
	gib := float64(1 << 30)
	return []alarm{
		{
			name: "PostgresConnections", severity: warning, runbook: "database.md", metric: postgres(d, "DatabaseConnections"), threshold: 0.8 * float64(stage.Database.MaxConnections), periods: 5,
			says: "Postgres has more than 80 % of the connections that it takes.",
		},
		{
			name: "PostgresBusy", severity: warning, runbook: "database.md", metric: postgres(d, "CPUUtilization"), threshold: 80, periods: 15,
			says: "The processors of Postgres have been over 80 % for 15 minutes.",
		},
		{
			name: "PostgresFull", severity: critical, runbook: "database.md", metric: postgres(d, "FreeStorageSpace"), threshold: gib * float64(stage.Database.StorageGiB) / 10, below: true, periods: 5,
			says: "The disk of Postgres is nearly full.",
		},
		{
			name: "CacheFull", severity: warning, runbook: "cache.md", metric: cache(d, "DatabaseMemoryUsagePercentage"), threshold: 80, periods: 5,
			says: "The memory of Valkey is nearly full.",
		},
		{
			name: "RotationFailed", severity: warning, runbook: "rotation.md", metric: rotationErrors(stage), periods: 1,
			says: "A password of Postgres was not rotated.",
		},
	}
}

// queueAlarms are about a queue, its dead letters and its workers. age is what
// the oldest message may have in seconds, idle how many minutes the workers may
// end nothing while messages wait.
func queueAlarms(name, function string, queue, dead awssqs.Queue, age float64, idle int) []alarm {
	return []alarm{
		{
			name: name + "WorkerDown", severity: critical, runbook: "workers.md", metric: workerDown(function, queue), periods: idle,
			says: fmt.Sprintf("Messages wait, and %s has finished none for %d minutes.", function, idle),
		},
		{
			name: name + "OldestMessage", severity: warning, runbook: "queue.md", metric: onQueue(queue, "ApproximateAgeOfOldestMessage"), threshold: age, periods: 5,
			says: fmt.Sprintf("The oldest message of %s has waited for more than %.0f s.", strings.ToLower(name), age),
		},
		{
			name: name + "DeadLetters", severity: warning, runbook: "dead-letters.md", metric: waiting(dead), periods: 1,
			says: "Work was given up: dead letters are there.",
		},
	}
}

// functionAlarms are about one function.
func functionAlarms(name string, d *Deskhand) []alarm {
	title := strings.ToUpper(name[:1]) + name[1:]
	return []alarm{
		{
			name: title + "Errors", severity: warning, runbook: "workers.md", metric: onFunction(name, d, "Errors", "Sum"), periods: 3,
			says: fmt.Sprintf("Invocations of %s have crashed or run out of time for 15 minutes.", name),
		},
		{
			name: title + "Throttled", severity: warning, runbook: "workers.md", metric: onFunction(name, d, "Throttles", "Sum"), periods: 2,
			says: fmt.Sprintf("Lambda refuses invocations of %s: its reserved concurrency is used up.", name),
		},
	}
}

// successRate is the share of enhancements that ended well of those that
// ended, in percent. A metric without any value leaves an expression without
// one, so what is divided by is a sum over a list, which passes over those: it
// has a value also where everything fails. Where nothing fails there may be
// none, which is well.
func successRate(seconds float64) awscloudwatch.IMetric {
	ended := func(status string) awscloudwatch.IMetric {
		return ours("enhance", "enhancement_requests_total", "Sum", seconds, "operation_type", "enhance", "status", status)
	}
	return compute("100 - 100*FILL(bad,0)/SUM([good,bad])", "success rate, %", seconds,
		map[string]awscloudwatch.IMetric{"good": ended("success"), "bad": ended("failure")})
}

// workerDown is 1 where messages wait and none is done with. An invocation
// that ends well deletes its message, and SQS tells zeros too, where Lambda's
// own metrics have no value without an invocation.
func workerDown(function string, queue awssqs.Queue) awscloudwatch.IMetric {
	deleted := measure("AWS/SQS", "NumberOfMessagesDeleted", "Sum", "", minute, map[string]*string{"QueueName": queue.QueueName()})
	return compute("IF((waiting > 0) AND (deleted <= 0), 1, 0)", function+" is down", minute,
		map[string]awscloudwatch.IMetric{"waiting": waiting(queue), "deleted": deleted})
}

// rotationErrors are those of AWS's functions that rotate passwords, together.
func rotationErrors(stage Stage) awscloudwatch.IMetric {
	of := map[string]awscloudwatch.IMetric{}
	for id, user := range map[string]string{"owner": "owner", "app": "app-user", "admin": "admin-user"} {
		of[id] = measure("AWS/Lambda", "Errors", "Sum", "", fiveMinutes, map[string]*string{"FunctionName": jsii.String(rotator(stage, user))})
	}
	return compute("SUM([owner,app,admin])", "failed rotations", fiveMinutes, of)
}

// securityEvents are those of all tenants, functions and kinds.
func securityEvents() awscloudwatch.IMetric {
	return compute(fmt.Sprintf(`SELECT SUM(security_events_total) FROM SCHEMA(%q, kind, service)`, metric.Namespace), "security events", fiveMinutes, nil)
}

// refusedByBudget are the calls of the model that no budget allowed, of all
// tenants and for every reason.
func refusedByBudget() awscloudwatch.IMetric {
	return compute(fmt.Sprintf(`SELECT SUM(llm_budget_refusals_total) FROM SCHEMA(%q, reason, service)`, metric.Namespace), "refused by a budget", fiveMinutes, nil)
}

func waiting(queue awssqs.Queue) awscloudwatch.IMetric {
	return onQueue(queue, "ApproximateNumberOfMessagesVisible")
}

func onQueue(queue awssqs.Queue, name string) awscloudwatch.IMetric {
	return measure("AWS/SQS", name, "Maximum", *queue.Node().Id(), minute, map[string]*string{"QueueName": queue.QueueName()})
}

func onFunction(function string, d *Deskhand, name, statistic string) awscloudwatch.IMetric {
	return measure("AWS/Lambda", name, statistic, function, fiveMinutes, map[string]*string{"FunctionName": d.Functions.All[function].FunctionName()})
}

func api(d *Deskhand, name, statistic string) awscloudwatch.IMetric {
	return measure("AWS/ApiGateway", name, statistic, name, fiveMinutes, map[string]*string{"ApiName": d.API.Rest.RestApiName()})
}

func postgres(d *Deskhand, name string) awscloudwatch.IMetric {
	return measure("AWS/RDS", name, "Average", name, minute, map[string]*string{"DBInstanceIdentifier": d.Data.Postgres.InstanceIdentifier()})
}

// cache is a metric of the first node: the nodes hold the same.
func cache(d *Deskhand, name string) awscloudwatch.IMetric {
	return measure("AWS/ElastiCache", name, "Average", name, minute, map[string]*string{"CacheClusterId": jsii.String(*d.Data.Cache.Ref() + "-001")})
}
